//! The client's address behind proxies.
//!
//! A proxy appends the address that it sees, so that a list grows to the right and everything to the left of what a
//! trusted proxy has written may be forged. So it is read from the right, and the first address that is not a trusted
//! proxy's is the client's.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, header::FORWARDED};

use crate::{ConfigError, Error};

/// The networks whose `X-Forwarded-For` and `Forwarded` (RFC 7239) lines are believed. With none, which is the default,
/// nobody's are: the address at the other end of the socket is the client's.
///
/// Parts that are no address (`unknown`, `_hidden`, rubbish) are passed over. Where all addresses are trusted, the
/// leftmost is the client's. Lines of `X-Forwarded-For` count before those of `Forwarded`: let your proxy remove the header
/// that it does not write itself, since a client could write it.
///
/// ```
/// use std::net::IpAddr;
///
/// use http::HeaderMap;
/// use tracevault::http::TrustedProxies;
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8", "2001:db8::/32"])?;
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.7".parse()?);
/// let client = |peer: &str| proxies.client_ip(&headers, peer.parse().ok());
/// assert_eq!(client("10.0.0.1"), Some(IpAddr::from([203, 0, 113, 9])));
/// assert_eq!(client("198.51.100.1"), Some(IpAddr::from([198, 51, 100, 1]))); // Not one of ours: it may say what it likes.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<Network>);

impl TrustedProxies {
    /// Networks as `10.0.0.0/8` and `2001:db8::/32`, and single addresses.
    ///
    /// # Errors
    /// `Config` where one is neither.
    pub fn new<S: AsRef<str>>(networks: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        networks
            .into_iter()
            .map(|network| network.as_ref().parse())
            .collect::<Result<_, ConfigError>>()
            .map_or_else(|error| Err(error.into()), |networks| Ok(Self(networks)))
    }

    /// The client's address. `peer` is at the other end of the socket; without it nothing can be known. What is IPv4
    /// written as IPv6 becomes IPv4.
    pub fn client_ip(&self, headers: &HeaderMap, peer: Option<IpAddr>) -> Option<IpAddr> {
        let peer = peer?.to_canonical();
        if !self.trust(peer) {
            return Some(peer);
        }
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let x_forwarded_for = lines.flat_map(|line| FromRight(Some(line.as_bytes()), b',')).map(hop);
        let lines = headers.get_all(FORWARDED).iter().rev();
        let forwarded = lines.flat_map(|line| FromRight(Some(line.as_bytes()), b',')).map(forwarded_for);
        let mut furthest = peer;
        for hop in x_forwarded_for.chain(forwarded) {
            match hop {
                Hop::At(address) => {
                    furthest = address;
                    if !self.trust(address) {
                        break;
                    }
                }
                // What stands further left came from there, and may say anything.
                Hop::Hidden => break,
                Hop::Unreadable => {}
            }
        }
        Some(furthest)
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// An address with so many of its bits fixed, IPv4 as IPv4.
#[derive(Clone, Copy)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let other = network.to_bits() ^ address.to_bits();
                other.checked_shr(u32::BITS - self.bits).unwrap_or_default() == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let other = network.to_bits() ^ address.to_bits();
                other.checked_shr(u128::BITS - self.bits).unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let plain = |bits: &str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = address.parse::<IpAddr>().ok().and_then(|address| {
            let most = if address.is_ipv4() { u32::BITS } else { u128::BITS };
            let bits = bits.map_or(Some(most), |bits| bits.parse().ok().filter(|_| plain(bits)))?;
            (bits <= most).then_some((address, bits))
        });
        let Some((address, bits)) = parsed else {
            let reason = "holds what is no network (`10.0.0.0/8`, `2001:db8::/32`) and no address";
            return Err(ConfigError::new("trusted_proxies", reason));
        };
        // Addresses are compared in their shortest form.
        Ok(match address.to_canonical() {
            IpAddr::V4(mapped) if address.is_ipv6() && bits >= 96 => Self { address: mapped.into(), bits: bits - 96 },
            _ => Self { address, bits },
        })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The parts of a line from the right, separated where no quotes stand around. From the right, since a client may have
/// left quotes open to swallow what a proxy appends.
struct FromRight<'l>(Option<&'l [u8]>, u8);

impl<'l> Iterator for FromRight<'l> {
    type Item = &'l [u8];

    fn next(&mut self) -> Option<&'l [u8]> {
        let rest = self.0?;
        let mut quoted = false;
        let found = rest.iter().rposition(|byte| {
            quoted ^= *byte == b'"';
            *byte == self.1 && !quoted
        });
        self.0 = found.map(|at| &rest[..at]);
        Some(&rest[found.map_or(0, |at| at + 1)..])
    }
}

/// Who stands before a proxy, by its word.
#[derive(Clone, Copy)]
enum Hop {
    At(IpAddr),
    /// The proxy knows and does not say: `unknown`, `_name`.
    Hidden,
    Unreadable,
}

fn hop(node: &[u8]) -> Hop {
    let plain = node.trim_ascii();
    let plain = plain.strip_prefix(b"\"").and_then(|plain| plain.strip_suffix(b"\"")).unwrap_or(plain);
    if plain.eq_ignore_ascii_case(b"unknown") || plain.starts_with(b"_") {
        return Hop::Hidden;
    }
    address(node).map_or(Hop::Unreadable, Hop::At)
}

/// That of `for=`, among `by=`, `host=` and `proto=`.
fn forwarded_for(element: &[u8]) -> Hop {
    let found = FromRight(Some(element), b';').find_map(|pair| {
        let (name, value) = pair.trim_ascii().split_at_checked(4)?;
        let hop = if name.eq_ignore_ascii_case(b"for=") { hop(value) } else { Hop::Unreadable };
        (!matches!(hop, Hop::Unreadable)).then_some(hop)
    });
    found.unwrap_or(Hop::Unreadable)
}

/// An address in quotes or not, with a port or not, IPv6 in brackets or not.
fn address(node: &[u8]) -> Option<IpAddr> {
    /// More than any address with a zone, a port, brackets and quotes needs.
    const LONGEST: usize = 96;
    let node = node.trim_ascii();
    let node = node.strip_prefix(b"\"").and_then(|node| node.strip_suffix(b"\"")).unwrap_or(node);
    let node = std::str::from_utf8(node).ok().filter(|node| node.len() <= LONGEST)?.trim();
    let bare = match node.strip_prefix('[') {
        Some(bracketed) => {
            let (bare, port) = bracketed.split_once(']')?;
            let port = port.strip_prefix(':').unwrap_or(port);
            (port.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) && bare.contains(':'))
                .then_some(bare)?
        }
        None => node,
    };
    let bare = bare.split_once('%').map_or(bare, |(bare, _zone)| bare);
    let parsed = bare.parse().ok().or_else(|| bare.parse::<SocketAddr>().ok().map(|address| address.ip()));
    parsed.map(|address: IpAddr| address.to_canonical())
}
