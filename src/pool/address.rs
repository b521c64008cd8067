//! What a connection string says, checked: the servers, in which order, and how safe the way to them must be.

use std::{net::IpAddr, time::Duration};

use tokio_postgres::{
    Config,
    config::{ChannelBinding, Host, LoadBalanceHosts, SslNegotiation, TargetSessionAttrs},
};

use super::{
    security::{Asked, Mode, Security},
    text,
};

/// A connection string, read.
pub(super) struct Address {
    /// Each with one host, in the order of the string.
    pub(super) servers: Vec<Config>,
    /// Whether another order is to be drawn for each connection.
    pub(super) shuffled: bool,
    /// What the session must be; where no server offers the first, the next.
    pub(super) sessions: &'static [TargetSessionAttrs],
    pub(super) security: Security,
}

impl Address {
    /// Reads it. A reason names keys, never a value, since one may be a password.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut parts = Parts::default();
        for (key, value) in text::pairs(text)? {
            parts.take(&key, value)?;
        }
        let mut servers = parts.servers()?;
        parts.find_dead_peers(&mut servers);
        let Parts { shuffled, sessions, asked, .. } = parts;
        Ok(Self { servers, shuffled, sessions, security: asked.security()? })
    }

    /// Whether every server is reached by a socket of this machine, where there is no TLS.
    pub(super) fn is_local(&self) -> bool {
        self.servers.iter().all(is_local)
    }
}

/// Whether this server is reached by a socket of this machine.
pub(super) fn is_local(server: &Config) -> bool {
    !matches!(server.get_hosts(), [Host::Tcp(_)])
}

/// What a server that went silent is given away by: a probe after 2 s without a word, then each second, and the end at
/// 5 s, for what was sent unanswered too. The one without the other misses a case.
const IDLE: Duration = Duration::from_secs(2);
const INTERVAL: Duration = Duration::from_secs(1);
const PROBES: u32 = 3;
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// The keys, as they come; of one given twice, the last.
struct Parts {
    /// All but what is below.
    config: Config,
    hosts: Vec<String>,
    addresses: Vec<Option<IpAddr>>,
    ports: Vec<u16>,
    shuffled: bool,
    sessions: &'static [TargetSessionAttrs],
    asked: Asked,
    idle: Option<u64>,
    interval: Option<u64>,
    probes: Option<u64>,
    unacknowledged: Option<u64>,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            config: Config::new(),
            hosts: Vec::new(),
            addresses: Vec::new(),
            ports: Vec::new(),
            shuffled: false,
            sessions: &[TargetSessionAttrs::Any],
            asked: Asked::default(),
            idle: None,
            interval: None,
            probes: None,
            unacknowledged: None,
        }
    }
}

impl Parts {
    fn take(&mut self, key: &str, value: String) -> Result<(), String> {
        use TargetSessionAttrs::{Any, ReadOnly, ReadWrite};
        if value.contains('\0') {
            return Err("holds a NUL, which PostgreSQL cannot take".to_owned());
        }
        match key {
            "user" => {
                self.config.user(value);
            }
            "password" => {
                self.config.password(value);
            }
            "dbname" => {
                self.config.dbname(value);
            }
            "options" => {
                self.config.options(value);
            }
            "application_name" => {
                self.config.application_name(value);
            }
            "host" => self.hosts = list(&value).map(str::to_owned).collect(),
            "hostaddr" => {
                let one = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
                let all: Option<_> = list(&value).map(one).collect();
                self.addresses = all.ok_or("has a `hostaddr` that is not an IP address")?;
            }
            "port" => {
                let one =
                    |text: &str| if text.is_empty() { Some(5432) } else { text.parse().ok().filter(|at| *at > 0) };
                let all: Option<_> = list(&value).map(one).collect();
                self.ports = all.ok_or("has a `port` that is not a number from 1 to 65535")?;
            }
            "connect_timeout" => {
                let seconds = number(key, &value)?;
                if seconds > 0 {
                    self.config.connect_timeout(Duration::from_secs(seconds));
                }
            }
            "tcp_user_timeout" => self.unacknowledged = Some(number(key, &value)?),
            "keepalives" => {
                self.config.keepalives(number(key, &value)? != 0);
            }
            "keepalives_idle" => self.idle = Some(number(key, &value)?),
            "keepalives_interval" => self.interval = Some(number(key, &value)?),
            "keepalives_count" | "keepalives_retries" => self.probes = Some(number(key, &value)?),
            "load_balance_hosts" => {
                self.shuffled = choice(key, &value, &[("disable", false), ("random", true)])?;
                let balanced = if self.shuffled { LoadBalanceHosts::Random } else { LoadBalanceHosts::Disable };
                self.config.load_balance_hosts(balanced);
            }
            "target_session_attrs" => {
                let choices: [(_, &[_]); 6] = [
                    ("any", &[Any]),
                    ("read-write", &[ReadWrite]),
                    ("primary", &[ReadWrite]),
                    ("read-only", &[ReadOnly]),
                    ("standby", &[ReadOnly]),
                    ("prefer-standby", &[ReadOnly, Any]),
                ];
                self.sessions = choice(key, &value, &choices)?;
            }
            "channel_binding" => {
                let choices = [
                    ("disable", ChannelBinding::Disable),
                    ("prefer", ChannelBinding::Prefer),
                    ("require", ChannelBinding::Require),
                ];
                self.config.channel_binding(choice(key, &value, &choices)?);
            }
            "sslmode" => {
                let choices = [
                    ("disable", Mode::Disable),
                    ("allow", Mode::Allow),
                    ("prefer", Mode::Prefer),
                    ("require", Mode::Require),
                    ("verify-ca", Mode::VerifyCa),
                    ("verify-full", Mode::VerifyFull),
                ];
                self.asked.mode = Some(choice(key, &value, &choices)?);
            }
            "sslnegotiation" => {
                self.asked.direct = choice(key, &value, &[("postgres", false), ("direct", true)])?;
                let negotiation = if self.asked.direct { SslNegotiation::Direct } else { SslNegotiation::Postgres };
                self.config.ssl_negotiation(negotiation);
            }
            "sslrootcert" => self.asked.root = path(key, value)?,
            "sslcert" => self.asked.certificate = path(key, value)?,
            "sslkey" => self.asked.key = path(key, value)?,
            // There is no GSSAPI here, which is what it says.
            "gssencmode" => choice(key, &value, &[("disable", ()), ("prefer", ())])?,
            // Of a password with a space or a `&`, the rest stands where a key does.
            key if key.len() < 32 && !key.is_empty() && key.bytes().all(|sign| matches!(sign, b'a'..=b'z' | b'_')) => {
                return Err(format!("has the key `{key}`, which is not known here: leave it out, or correct it"));
            }
            _ => return Err("has a key that no connection string has".to_owned()),
        }
        Ok(())
    }

    fn servers(&self) -> Result<Vec<Config>, String> {
        let (hosts, addresses, ports) = (&self.hosts, &self.addresses, &self.ports);
        if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
            return Err("has not as many `hostaddr` as `host`".to_owned());
        }
        let count = hosts.len().max(addresses.len());
        if ports.len() > 1 && ports.len() != count {
            return Err("has neither one `port` nor one for each `host`".to_owned());
        }
        let server = |at: usize| {
            let mut server = self.config.clone();
            let address = addresses.get(at).copied().flatten();
            match (hosts.get(at).filter(|host| !host.is_empty()), address) {
                (Some(host), _) => server.host(host),
                // The name that a certificate is then to be for.
                (None, Some(address)) => server.host(address.to_string()),
                (None, None) => return None,
            };
            if let Some(address) = address {
                server.hostaddr(address);
            }
            server.port(ports.get(at).or(ports.first()).copied().unwrap_or(5432));
            Some(server)
        };
        let servers: Option<Vec<_>> = (0..count).map(server).collect();
        servers.filter(|servers| !servers.is_empty()).ok_or_else(|| "names no host".to_owned())
    }

    /// What the string does not say has our numbers; by 0 it asks for the system's.
    fn find_dead_peers(&self, servers: &mut [Config]) {
        let seconds = |given: Option<u64>, ours| match given {
            None => Some(ours),
            Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
        };
        let probes = match self.probes {
            None => Some(PROBES),
            Some(0) => None,
            Some(probes) => u32::try_from(probes).ok(),
        };
        let unacknowledged = match self.unacknowledged {
            None => Some(UNACKNOWLEDGED),
            Some(0) => None,
            Some(milliseconds) => Some(Duration::from_millis(milliseconds)),
        };
        for server in servers {
            seconds(self.idle, IDLE).map(|idle| server.keepalives_idle(idle));
            seconds(self.interval, INTERVAL).map(|interval| server.keepalives_interval(interval));
            probes.map(|probes| server.keepalives_retries(probes));
            unacknowledged.map(|timeout| server.tcp_user_timeout(timeout));
        }
    }
}

fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim)
}

/// Of seconds or milliseconds; 0 and less stand for "as the system has it".
fn number(key: &str, value: &str) -> Result<u64, String> {
    // What the system can be told.
    const MOST: i64 = 32_767;
    let number = value.trim().parse::<i64>().ok();
    let most = if key == "tcp_user_timeout" { MOST * 1_000 } else { MOST };
    let number = number.filter(|number| *number <= most);
    let number = number.ok_or_else(|| format!("has a `{key}` that is not a whole number up to {most}"))?;
    Ok(u64::try_from(number).unwrap_or(0))
}

fn choice<T: Copy>(key: &str, value: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == value) {
        return Ok(*choice);
    }
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    Err(format!("has a `{key}` that is none of {}", names.join(", ")))
}

/// A path is shown in errors; what is in the file is not.
fn path(key: &str, value: String) -> Result<String, String> {
    if value.contains("-----BEGIN") || value.contains('\n') {
        return Err(format!("has the content of a file as its `{key}`: it must be the path of one"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{
        super::security::{Identity, Trust, When},
        *,
    };

    fn read(text: &str) -> Address {
        Address::read(text).unwrap_or_else(|why| panic!("{text}: {why}"))
    }

    /// What the driver itself reads, with our numbers for dead peers.
    fn driver(text: &str) -> Config {
        let mut config: Config = text.parse().unwrap();
        config.keepalives_idle(IDLE).keepalives_interval(INTERVAL).keepalives_retries(PROBES);
        config.tcp_user_timeout(UNACKNOWLEDGED);
        config
    }

    #[test]
    fn what_the_driver_knows_is_read_as_the_driver_reads_it() {
        for text in [
            "host=h port=5432",
            "host=h port=1 user=u password=p dbname=d options='-c a=b' application_name=x connect_timeout=7",
            "host=h hostaddr=1.2.3.4 port=5432 channel_binding=require keepalives=0",
            "host=h hostaddr=::1 port=5432 channel_binding=disable sslnegotiation=postgres",
            "host=/run/postgresql port=5433 connect_timeout=0 load_balance_hosts=random",
            "postgres://u%40a:p%20%3A@h:1/d%2F?options=-c%20a%3Db&application_name=x%20y&load_balance_hosts=disable",
            "postgresql://[::1]:1/d?connect_timeout=-1",
            "postgres://%2Frun%2Fpostgresql:1/d?channel_binding=prefer",
        ] {
            assert_eq!(read(text).servers, [driver(text)], "{text}");
        }
    }

    #[test]
    fn each_host_is_a_server() {
        for (text, servers) in [
            (
                "postgres://a,b:1,[::1]:2/d",
                &["host=a port=5432 dbname=d", "host=b port=1 dbname=d", "host=::1 port=2 dbname=d"][..],
            ),
            ("host=a,b port=1", &["host=a port=1", "host=b port=1"]),
            ("host=a,/run port=1,", &["host=a port=1", "host=/run port=5432"]),
            ("host=a,b hostaddr=,1.1.1.1", &["host=a port=5432", "host=b hostaddr=1.1.1.1 port=5432"]),
            // The name that a certificate is to be for.
            ("hostaddr=1.1.1.1,::1", &["host=1.1.1.1 hostaddr=1.1.1.1 port=5432", "host=::1 hostaddr=::1 port=5432"]),
            ("host=a host=b port=1 port=2", &["host=b port=2"]),
            ("postgres://a:1/d?host=b&port=2&dbname=e", &["host=b port=2 dbname=e"]),
        ] {
            let expected: Vec<_> = servers.iter().map(|server| driver(server)).collect();
            assert_eq!(read(text).servers, expected, "{text}");
        }
    }

    #[test]
    fn keys_of_libpq_come_to_what_they_mean_there() {
        use TargetSessionAttrs::{Any, ReadOnly, ReadWrite};
        for (word, sessions) in [
            ("any", &[Any][..]),
            ("read-write", &[ReadWrite]),
            ("primary", &[ReadWrite]),
            ("read-only", &[ReadOnly]),
            ("standby", &[ReadOnly]),
            ("prefer-standby", &[ReadOnly, Any]),
        ] {
            assert_eq!(read(&format!("host=h target_session_attrs={word}")).sessions, sessions, "{word}");
        }
        assert_eq!(read("host=h").sessions, [Any]);
        assert!(read("host=a,b load_balance_hosts=random").shuffled);
        assert!(!read("host=a,b load_balance_hosts=disable").shuffled);
        read("host=h gssencmode=disable").servers.clear();

        let one = |text: &str| read(&format!("host=h {text}")).servers.remove(0);
        let given = one("keepalives_idle=7 keepalives_interval=8 keepalives_count=9 tcp_user_timeout=1500");
        assert_eq!(given.get_keepalives_idle(), Duration::from_secs(7));
        assert_eq!(given.get_keepalives_interval(), Some(Duration::from_secs(8)));
        assert_eq!(given.get_keepalives_retries(), Some(9));
        assert_eq!(
            given.get_tcp_user_timeout(),
            Some(&Duration::from_millis(1_500)),
            "as libpq has it, not the driver"
        );
        assert_eq!(one("keepalives_retries=4").get_keepalives_retries(), Some(4));
        let ours: Config =
            "host=h port=5432 keepalives_idle=2 keepalives_interval=1 keepalives_retries=3 tcp_user_timeout=5"
                .parse()
                .unwrap();
        assert_eq!(one(""), ours, "as the manual has it");
        let system = one("keepalives_idle=0 keepalives_interval=0 keepalives_count=0 tcp_user_timeout=0");
        assert_eq!(system, "host=h port=5432".parse().unwrap());
    }

    #[test]
    fn every_sslmode_has_its_meaning() {
        let file = || PathBuf::from("/ca.pem");
        for (text, when, trust) in [
            ("", When::IfOffered, Trust::Anybody),
            ("sslmode=disable", When::Never, Trust::Anybody),
            ("sslmode=allow", When::IfDemanded, Trust::Anybody),
            ("sslmode=prefer", When::IfOffered, Trust::Anybody),
            ("sslmode=require", When::Always, Trust::Anybody),
            ("sslmode=verify-ca", When::Always, Trust::System),
            ("sslmode=verify-full", When::Always, Trust::System),
            ("sslrootcert=system", When::Always, Trust::System),
            ("sslmode=require sslrootcert=system", When::Always, Trust::System),
            ("sslmode=verify-ca sslrootcert=system", When::Always, Trust::System),
            ("sslmode=verify-full sslrootcert=system", When::Always, Trust::System),
            ("sslrootcert=/ca.pem", When::IfOffered, Trust::Issuer(file())),
            ("sslmode=allow sslrootcert=/ca.pem", When::IfDemanded, Trust::Issuer(file())),
            ("sslmode=require sslrootcert=/ca.pem", When::Always, Trust::Issuer(file())),
            ("sslmode=verify-ca sslrootcert=/ca.pem", When::Always, Trust::Issuer(file())),
            ("sslmode=verify-full sslrootcert=/ca.pem", When::Always, Trust::IssuerAndName(file())),
            ("sslmode=verify-full sslrootcert=", When::Always, Trust::System),
            ("sslmode=require sslnegotiation=direct", When::Always, Trust::Anybody),
        ] {
            let Security { when: given, trust: whom, identity } = read(&format!("host=h {text}")).security;
            assert_eq!((given, whom, identity), (when, trust, None), "{text}");
        }
        let identity = read("host=h sslcert=c.pem sslkey='my key.pem'").security.identity;
        let expected = Identity { certificate: PathBuf::from("c.pem"), key: PathBuf::from("my key.pem") };
        assert_eq!(identity, Some(expected));
        assert!(read("host=/run,/tmp").is_local() && !read("host=/run,h").is_local() && !read("host=h").is_local());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_key_and_never_by_its_value() {
        for (text, reason) in [
            ("", "names no host"),
            ("user=u", "names no host"),
            ("postgres:///secret", "names no host"),
            ("host=a,,b", "names no host"),
            ("host=a,b hostaddr=1.1.1.1", "has not as many `hostaddr` as `host`"),
            ("host=a,b,c port=1,2", "has neither one `port` nor one for each `host`"),
            ("host=a hostaddr=secret", "has a `hostaddr` that is not an IP address"),
            ("host=a port=secret", "has a `port` that is not a number from 1 to 65535"),
            ("host=a port=65536", "has a `port` that is not"),
            ("host=a port=0", "has a `port` that is not"),
            ("host=a connect_timeout=secret", "has a `connect_timeout` that is not a whole number up to 32767"),
            ("host=a connect_timeout=1.5", "has a `connect_timeout` that is not"),
            ("host=a keepalives=secret", "has a `keepalives` that is not"),
            ("host=a keepalives_count=32768", "has a `keepalives_count` that is not"),
            ("host=a tcp_user_timeout=32767001", "has a `tcp_user_timeout` that is not a whole number up to 32767000"),
            ("host=a sslmode=secret", "has a `sslmode` that is none of disable, allow, prefer, require, verify-ca, "),
            ("host=a sslmode=", "has a `sslmode` that is none of"),
            ("host=a target_session_attrs=secret", "has a `target_session_attrs` that is none of any, read-write, "),
            ("host=a channel_binding=secret", "has a `channel_binding` that is none of disable, prefer, require"),
            ("host=a load_balance_hosts=secret", "has a `load_balance_hosts` that is none of disable, random"),
            ("host=a gssencmode=require", "has a `gssencmode` that is none of disable, prefer"),
            ("host=a sslnegotiation=direct", "asks by `sslnegotiation=direct` for more"),
            ("host=a sslmode=prefer sslrootcert=system", "asks by `sslrootcert=system` for more"),
            ("host=a sslcert=c", "has an `sslcert` without an `sslkey`"),
            ("host=a sslkey=k", "has an `sslkey` without an `sslcert`"),
            ("host=a sslkey='-----BEGIN secret'", "has the content of a file as its `sslkey`"),
            ("host=a sslrootcert='a\nsecret'", "has the content of a file as its `sslrootcert`"),
            ("host=a sslcrl=secret", "has the key `sslcrl`, which is not known here"),
            ("host=a password=x secret-9=y", "has a key that no connection string has"),
            ("host=a Secret=y", "has a key that no connection string has"),
            ("host=a =secret", "has a key that no connection string has"),
            ("postgres://a/d?application_name=%00secret", "holds a NUL"),
        ] {
            let Err(given) = Address::read(text) else { panic!("{text} is taken") };
            assert!(given.starts_with(reason), "{text}: {given}");
            assert!(!given.contains("secret"), "{given}");
        }
    }
}
