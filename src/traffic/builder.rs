//! The options of a `Traffic`, checked when it is built.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32},
    },
    time::Duration,
};

use deadpool_postgres::Pool;
use tokio::{
    runtime::Handle,
    sync::{Semaphore, broadcast, watch},
};

use super::{
    layer,
    modes::{IpMode, QueryMode, RouteValue, UaMode},
    names::Names,
    roll::{self, Retention, Roller},
    rules::Rules,
    traffic::{Inner, Traffic},
    viewers,
    writer::{Store, Writer},
};
use crate::{
    config::PoolSettings,
    error::{ConfigError, Error},
    pool::Connections,
    table::TableName,
};

/// The options of a [`Traffic`].
///
/// | option | default | |
/// |---|---|---|
/// | `table_name`, `schema` | `traffic_logs`, the search path | as for audit tables |
/// | `slow_route_threshold` | 1 s | a request that takes as long, or longer, is slow |
/// | `route_value` | the route pattern | what stands in the column `route` |
/// | `track_ip` | off | or truncated, or in full |
/// | `user_agent` | in full | or its family, which is advised, or off |
/// | `query` | masked | or in full, or dropped |
/// | `sample_one_in` | 1 | of quick and successful requests; every error and every slow one is kept |
/// | `retention` | everything is kept | days of rows, minutes, hours and days |
/// | `queue_capacity` | 10,000 | rows; what does not fit is dropped and counted |
/// | `linger` | 100 ms | how long a batch waits for more rows |
/// | `roll_up_every` | 10 s | and by one process at a time |
/// | `roll_up` | true | whether this process takes part in that |
/// | `query_timeout` | 5 s | for each statement that reads, by the server's clock |
/// | `readers` | 4 | connections of the pool that reading may take at once |
/// | `user_id`, `user_details`, `session_id` | nobody, none | who asks, and in which session |
/// | `route`, `peer` | as axum knows them | for stacks without axum |
/// | `include_routes`, `ignored_routes` | all, none | which requests are counted; ignored wins |
/// | `trusted_proxies` | none | whose word counts for the client's address |
/// | `privacy_signals` | ignored | which wishes of a browser make a request nobody's |
/// | `track_dashboard` | false | whether the dashboard's own requests are counted |
/// | `debug` | false | whether losses are told to the log; they are counted always |
#[must_use = "nothing is started before `build`"]
pub struct TrafficBuilder {
    source: Source,
    table_name: String,
    schema: Option<String>,
    slow_route_threshold: Duration,
    route_value: RouteValue,
    ip: IpMode,
    user_agent: UaMode,
    query: QueryMode,
    one_in: u32,
    retention: Retention,
    queue_capacity: usize,
    linger: Duration,
    roll_up_every: Duration,
    roll_up: bool,
    query_timeout: Duration,
    readers: usize,
    debug: bool,
    pub(super) layer: layer::Options,
}

/// Where connections come from.
pub(super) enum Source {
    Pool(Pool),
    ConnectionString(String),
}

/// How long a step of rolling up may take. By the server's clock it is less.
const STEP_TIMEOUT: Duration = Duration::from_secs(65);

impl TrafficBuilder {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            table_name: "traffic_logs".to_owned(),
            schema: None,
            slow_route_threshold: Duration::from_secs(1),
            route_value: RouteValue::default(),
            ip: IpMode::default(),
            user_agent: UaMode::default(),
            query: QueryMode::default(),
            one_in: 1,
            retention: Retention::default(),
            queue_capacity: 10_000,
            linger: Duration::from_millis(100),
            roll_up_every: Duration::from_secs(10),
            roll_up: true,
            query_timeout: Duration::from_secs(5),
            readers: 4,
            debug: false,
            layer: layer::Options::default(),
        }
    }

    /// The table. Default: `traffic_logs`.
    pub fn table_name(mut self, name: impl Into<String>) -> Self {
        self.table_name = name.into();
        self
    }

    /// Its schema, which must exist. Default: as the connection's search path has it.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// From which duration on a request is slow. Default: 1 s.
    #[doc(alias = "slowRouteThresholdMs")]
    pub fn slow_route_threshold(mut self, threshold: Duration) -> Self {
        self.slow_route_threshold = threshold;
        self
    }

    /// What stands in the column `route`. Default: the pattern.
    #[doc(alias = "routeValue")]
    pub fn route_value(mut self, value: RouteValue) -> Self {
        self.route_value = value;
        self
    }

    /// What is kept of the client's address; `true` is all of it. Default: nothing.
    #[doc(alias = "trackIp")]
    pub fn track_ip(mut self, mode: impl Into<IpMode>) -> Self {
        self.ip = mode.into();
        self
    }

    /// What is kept of the user agent; `false` is nothing. Default: all of it.
    #[doc(alias = "trackUserAgent")]
    pub fn user_agent(mut self, mode: impl Into<UaMode>) -> Self {
        self.user_agent = mode.into();
        self
    }

    /// What is kept of the query. Default: all but secret-looking values.
    pub fn query(mut self, mode: QueryMode) -> Self {
        self.query = mode;
        self
    }

    /// Keeps one in so many of the quick and successful requests; the row says for how many it stands, and every count
    /// counts them. Default: 1, which is all of them.
    pub fn sample_one_in(mut self, requests: u32) -> Self {
        self.one_in = requests;
        self
    }

    /// For how long what is kept. Default: nothing is dropped.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// The most rows that wait to be stored. Default: 10,000.
    pub fn queue_capacity(mut self, rows: usize) -> Self {
        self.queue_capacity = rows;
        self
    }

    /// How long a batch waits for more rows. Default: 100 ms.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// How often this process rolls up, or looks whether another one does. Default: 10 s.
    pub fn roll_up_every(mut self, interval: Duration) -> Self {
        self.roll_up_every = interval;
        self
    }

    /// Whether this process takes part in rolling up. Default: it does. Without any that does, all is counted from rows.
    pub fn roll_up(mut self, takes_part: bool) -> Self {
        self.roll_up = takes_part;
        self
    }

    /// How long a statement that reads may take. Default: 5 s.
    pub fn query_timeout(mut self, timeout: Duration) -> Self {
        self.query_timeout = timeout;
        self
    }

    /// How many connections of the pool reading may take at once. Default: 4.
    pub fn readers(mut self, connections: usize) -> Self {
        self.readers = connections;
        self
    }

    /// Whether rows that are dropped or not stored, and panics of resolvers, are told to the log as warnings; they are
    /// counted always. Nothing is ever thrown at a request. Default: false.
    pub fn debug(mut self, told: bool) -> Self {
        self.debug = told;
        self
    }

    /// Checks the options and starts the writer, and the task that rolls up. Nothing is asked of the database yet.
    ///
    /// # Errors
    /// `Config` when an option cannot be used, or outside of a tokio runtime.
    pub fn build(self) -> Result<Traffic, Error> {
        // By name, so that a new option does not compile until it is handled.
        let Self {
            source,
            table_name,
            schema,
            slow_route_threshold,
            route_value,
            ip,
            user_agent,
            query,
            one_in,
            retention,
            queue_capacity,
            linger,
            roll_up_every,
            roll_up,
            query_timeout,
            readers,
            debug,
            layer: options,
        } = self;
        let table = TableName::new(&table_name)?;
        let table = match schema {
            Some(schema) => table.in_schema(&schema)?,
            None => table,
        };
        let second = Duration::from_secs(1);
        number("sample_one_in", one_in.try_into().unwrap_or(usize::MAX), 1_000_000)?;
        number("queue_capacity", queue_capacity, 1_000_000)?;
        number("readers", readers, 1_000)?;
        between("slow_route_threshold", slow_route_threshold, Duration::ZERO, 86_400 * second)?;
        between("linger", linger, Duration::ZERO, 60 * second)?;
        between("roll_up_every", roll_up_every, second / 100, 3_600 * second)?;
        between("query_timeout", query_timeout, second / 1_000, 3_600 * second)?;
        retention.check()?;
        let Ok(runtime) = Handle::try_current() else {
            let reason = "is missing: build this inside a tokio runtime, which its tasks will live on";
            return Err(ConfigError::new("runtime", reason).into());
        };

        let names = Names::new(table);
        let limits = PoolSettings::default();
        let connections = match source {
            Source::Pool(pool) => Connections::borrowed(pool, limits),
            Source::ConnectionString(url) => Connections::new("connection_string", &url, limits)?,
        };
        let (writer, queue) = Writer::new(queue_capacity, debug);
        let (live, _) = broadcast::channel(64);
        let (told, stored) = watch::channel(viewers::Stored::default());
        let store = Store {
            connections: connections.clone(),
            names: names.clone(),
            counts: writer.counts.clone(),
            live: live.clone(),
            told,
            linger,
        };
        runtime.spawn(viewers::tell(store.connections.clone(), names.clone(), stored));
        runtime.spawn(store.run(queue));
        let roller =
            Roller { connections: connections.with_statement_timeout(STEP_TIMEOUT), names: names.clone(), retention };
        let (open, closing) = watch::channel(true);
        if roll_up {
            runtime.spawn(roll::run(roller.clone(), roll_up_every, closing));
        }
        let turn = AtomicU32::new(0);
        let rules = Rules { slow_threshold: slow_route_threshold, route_value, ip, user_agent, query, one_in, turn };
        // The server's own deadline comes first; ours is for a server that is silent.
        let connections = connections.with_statement_timeout(query_timeout + second);
        let readers = Semaphore::new(readers);
        let watermark = AtomicI64::new(i64::MIN);
        Ok(Traffic(Arc::new(Inner {
            names,
            rules,
            options,
            writer,
            roller,
            connections,
            readers,
            query_timeout,
            open,
            live,
            watermark,
        })))
    }
}

impl std::fmt::Debug for TrafficBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrafficBuilder").field("table_name", &self.table_name).finish_non_exhaustive()
    }
}

fn number(key: &'static str, given: usize, most: usize) -> Result<(), ConfigError> {
    if (1..=most).contains(&given) {
        return Ok(());
    }
    Err(ConfigError::new(key, format!("must be from 1 to {most}")))
}

fn between(key: &'static str, given: Duration, least: Duration, most: Duration) -> Result<(), ConfigError> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    Err(ConfigError::new(key, format!("must be from {least:?} to {most:?}")))
}
