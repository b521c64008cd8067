//! `tracevault dashboard`: the pages over an existing database.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
};

use axum::Router;
use clap::ValueEnum;
use tokio::net::TcpListener;
use tracevault::{Config, Error, ScopeOverrides, Tracevault, dashboard::LiveMode, traffic::Traffic};

use crate::{
    console::{self, Exit},
    database::Database,
    signals::Signals,
};

const EXAMPLES: &str = "\
The dashboard is at the root of the address that is printed. It writes one audit event for each look at audit events, \
tracevault.dashboard.viewed or .exported, into the audit table; with --live sse-pg also that somebody watches, and with \
--roll-up the rollups; nothing else. Mount it behind TLS where others can \
reach it: credentials go over the wire as they are.

Examples:
  TRAFFIC_ADMIN_USER=admin TRAFFIC_ADMIN_PASS=... tracevault dashboard
  tracevault dashboard --insecure-no-auth --traffic-table traffic_logs --table audit_user_events
  tracevault dashboard --listen 0.0.0.0:8080 --live sse-pg

Exit codes:
  2    usage
  3    the database failed, or the address could not be listened on
  130  interrupted (143: terminated)";

/// Serve the dashboard: traffic and audit events on pages, over an existing database
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    database: Database,

    /// The traffic table
    #[arg(long, value_name = "TABLE", default_value = "traffic_logs")]
    traffic_table: String,

    /// Leave out the audit events
    #[arg(long)]
    no_audit: bool,

    /// Where to listen; port 0 is a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:3001")]
    listen: SocketAddr,

    /// Who may look, by HTTP Basic authentication
    #[arg(long, env = "TRAFFIC_ADMIN_USER")]
    user: Option<String>,

    /// The password
    ///
    /// Other users of the machine can see the arguments of a process: prefer the variable.
    #[arg(long, env = "TRAFFIC_ADMIN_PASS", hide_env_values = true)]
    password: Option<String>,

    /// Let in everybody on this machine
    #[arg(long, conflicts_with_all = ["user", "password"])]
    insecure_no_auth: bool,

    /// A host name that requests may have (repeatable) [default: any with credentials, else those of this machine]
    #[arg(long = "allow-host", value_name = "NAME")]
    allowed_hosts: Vec<String>,

    /// How pages come to know of new requests
    #[arg(long, value_enum, default_value = "poll")]
    live: Live,

    /// Take part in rolling up, where no app does
    #[arg(long)]
    roll_up: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Live {
    /// They ask every two seconds
    Poll,
    /// They are told, by LISTEN and NOTIFY: not behind a pooler in transaction mode
    SsePg,
}

pub(crate) async fn run(args: Args) -> Exit {
    match serve(args).await {
        Ok(exit) | Err(exit) => exit,
    }
}

async fn serve(args: Args) -> Result<Exit, Exit> {
    if args.insecure_no_auth && !args.listen.ip().is_loopback() {
        let reason = "lets in everybody, and goes with an address of this machine alone, such as 127.0.0.1:3001; for any \
                      other --listen, set TRAFFIC_ADMIN_USER and TRAFFIC_ADMIN_PASS";
        return Err(console::misused("`--insecure-no-auth`", reason));
    }
    let url = args.database.url()?.to_owned();
    let traffic = traffic(&args, &url).map_err(|error| match error {
        Error::Config(error) if error.key() == "table_name" => console::misused("`--traffic-table`", error.reason()),
        error => console::fail(&error),
    })?;
    let mut dashboard = traffic.dashboard();
    dashboard = match (&args.user, &args.password) {
        _ if args.insecure_no_auth => dashboard.insecure_no_auth(),
        (Some(user), Some(password)) => dashboard.basic_auth(user, password),
        _ => {
            let reason = "must be given, by --user and --password or by TRAFFIC_ADMIN_USER and TRAFFIC_ADMIN_PASS; to try \
                          it out on this machine, --insecure-no-auth does without";
            return Err(console::misused("credentials", reason));
        }
    };
    if !args.allowed_hosts.is_empty() {
        dashboard = dashboard.allowed_hosts(args.allowed_hosts);
    }
    if let Live::SsePg = args.live {
        dashboard = dashboard.live_mode(LiveMode::SsePg).listen(&url);
    }
    if !args.no_audit {
        let audit = audit(&args.database, &url).await.map_err(|error| console::fail(&error))?;
        let scope = audit.scope(ScopeOverrides::new()).map_err(|error| console::fail(&error))?;
        dashboard = dashboard.audit(audit.query(), scope);
    }
    let router = dashboard.build().map_err(|error| console::fail(&error))?;
    listen(args.listen, router).await
}

fn traffic(args: &Args, url: &str) -> Result<Traffic, Error> {
    let mut builder = Traffic::connect(url).table_name(&args.traffic_table).roll_up(args.roll_up);
    if let Some(schema) = &args.database.schema {
        builder = builder.schema(schema);
    }
    builder.build()
}

async fn audit(database: &Database, url: &str) -> Result<Tracevault, Error> {
    let mut config = Config::new(url).table_name(&database.table).pool_size(4);
    if let Some(schema) = &database.schema {
        config = config.schema(schema);
    }
    Tracevault::connect(config).await
}

/// Until a signal: nothing that is being answered then changes anything.
async fn listen(address: SocketAddr, router: Router) -> Result<Exit, Exit> {
    let unheard = |error: io::Error| {
        console::say(format_args!("{address} cannot be listened on ({error}): name another by --listen, or port 0"));
        Exit::Database
    };
    let mut signals = Signals::new().map_err(unheard)?;
    let listener = TcpListener::bind(address).await.map_err(unheard)?;
    let address = listener.local_addr().map_err(unheard)?;
    // Whoever started it may wait for this line.
    let _ = writeln!(io::stdout(), "http://{address}/");
    tokio::select! {
        served = axum::serve(listener, router).into_future() => served.map(|()| Exit::Success).map_err(unheard),
        signal = signals.next() => Ok(Exit::Interrupted(signal)),
    }
}
