//! What the program is told: the seed's variables, and two flags.

use std::{env, net::SocketAddr};

use super::Told;

/// What the program is told.
pub struct Options {
    pub address: SocketAddr,
    pub user: String,
    pub password: String,
    /// A day of lively traffic, and more as it goes on.
    pub demo: bool,
    /// Looks at everything once, and ends.
    pub check: bool,
}

impl Options {
    /// From the environment and the arguments.
    pub fn read() -> Told<Self> {
        Self::of(env::args().skip(1), |name| env::var(name).ok())
    }

    fn of(arguments: impl Iterator<Item = String>, variable: impl Fn(&str) -> Option<String>) -> Told<Self> {
        let text = |name, usual: &str| variable(name).unwrap_or_else(|| usual.to_owned());
        let port = text("PORT", "3000").parse::<u16>().map_err(|_| "PORT must be a number from 0 to 65535")?;
        let mut options = Self {
            address: ([127, 0, 0, 1], port).into(),
            user: text("TRAFFIC_ADMIN_USER", "admin"),
            password: text("TRAFFIC_ADMIN_PASS", "password"),
            demo: false,
            check: false,
        };
        for argument in arguments {
            match argument.as_str() {
                "--demo" => options.demo = true,
                "--check" => (options.check, options.address) = (true, ([127, 0, 0, 1], 0).into()),
                // How the embedded program is told that it is this that it shall run.
                "dashboard" => {}
                other => return Err(format!("{other} is not known: there are --demo and --check").into()),
            }
        }
        Ok(options)
    }
}
