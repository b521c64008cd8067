//! What is kept of a request: the choices.

/// What stands in the column `route`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RouteValue {
    /// The route that matched, such as `/users/{id}`; without one the path, which the rollups count as `<unmatched>`.
    #[default]
    Pattern,
    /// The path without the query.
    Path,
    /// The path with the query, as [`QueryMode`] has it.
    OriginalUrl,
}

/// What is kept of the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IpMode {
    /// Nothing.
    #[default]
    Off,
    /// Its network: /24 of IPv4, /48 of IPv6.
    Truncated,
    /// All of it.
    Full,
}

/// `true` is the whole address, as `trackIp` has it.
impl From<bool> for IpMode {
    fn from(track: bool) -> Self {
        if track { Self::Full } else { Self::Off }
    }
}

/// What is kept of the header `user-agent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UaMode {
    /// Nothing.
    Off,
    /// Browser, system and kind of device, such as `Chrome 126 / macOS / desktop`, at most 64 characters.
    Family,
    /// All of it, up to 512 characters.
    #[default]
    Full,
}

/// `true` is the whole header, as `trackUserAgent` has it.
impl From<bool> for UaMode {
    fn from(track: bool) -> Self {
        if track { Self::Full } else { Self::Off }
    }
}

/// What is kept of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum QueryMode {
    /// All but the values of names that look secret, such as `token` or `password`.
    #[default]
    Masked,
    /// All of it.
    Full,
    /// Nothing.
    Drop,
}

/// Which wishes of a browser make a request nobody's: it is counted, without user, session, address and user agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PrivacySignals {
    /// None.
    #[default]
    Ignored,
    /// Global Privacy Control: `sec-gpc: 1`.
    Gpc,
    /// That, and `dnt: 1`, which some browsers once sent unasked.
    GpcOrDnt,
}
