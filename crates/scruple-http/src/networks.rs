//! [`Networks`]: whether an address is within the organisation's, and whose address a request comes from behind a proxy.

use http::HeaderMap;
use http::header::HeaderName;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Proxies that may stand one behind the other.
const HOPS_MAX: usize = 16;

/// A text that is no network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no network such as 10.0.0.0/8 or fd00::/8")]
pub struct InvalidNetwork(String);

/// A range of addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: u128,
    /// Bits that are the same for all of them, of those of an IPv6 address.
    bits: u32,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let differ = self.first ^ number(address);
        // A shift by all bits is none.
        differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
    }
}

/// An address as a number: IPv4 as it is mapped into IPv6, so that one family is compared with itself alone.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.chars().take(64).collect());
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let bits = bits.map(|bits| bits.parse::<u32>().map_err(|_| invalid())).transpose()?;
        let (first, most, before) = if let Ok(v4) = address.parse::<Ipv4Addr>() {
            (number(IpAddr::V4(v4)), 32, 96)
        } else {
            (address.parse::<Ipv6Addr>().map_err(|_| invalid())?.to_bits(), 128, 0)
        };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(invalid());
        }
        let network = Self { first, bits: bits + before };
        // `10.1.2.3/8` is a slip of the pen: which of the two is meant?
        let rest = first.checked_shl(network.bits).unwrap_or(0);
        if rest != 0 { Err(invalid()) } else { Ok(network) }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from_bits(self.first), self.bits)
    }
}

/// The networks of an organisation, and its proxies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Networks {
    inside: Vec<Network>,
    proxies: Vec<Network>,
}

impl Networks {
    /// Networks with blanks between them: the organisation's own, and those of its proxies.
    ///
    /// # Errors
    /// One of them is none.
    pub fn parse(inside: &str, proxies: &str) -> Result<Self, InvalidNetwork> {
        let read = |text: &str| text.split_whitespace().map(str::parse).collect::<Result<Vec<Network>, _>>();
        Ok(Self { inside: read(inside)?, proxies: read(proxies)? })
    }

    /// Whether an address is within. Of what is not known it is not.
    #[must_use]
    pub fn is_inside(&self, address: Option<IpAddr>) -> bool {
        address.is_some_and(|address| self.inside.iter().any(|network| network.contains(address)))
    }

    /// Where a request comes from: the other end of its connection, or behind a proxy of ours the last address in `X-Forwarded-For`
    /// that is no proxy. What a client has put before it has no say. Behind a proxy that tells nothing that can be read: not known.
    #[must_use]
    pub fn origin(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let is_proxy = |address: IpAddr| self.proxies.iter().any(|network| network.contains(address));
        let peer = peer?;
        if !is_proxy(peer) {
            return Some(peer);
        }
        let lines: Vec<&str> =
            headers.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().unwrap_or("-")).collect();
        let hops = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect::<Vec<_>>();
        for hop in hops.into_iter().rev().take(HOPS_MAX) {
            let address: IpAddr = hop.parse().ok()?;
            if !is_proxy(address) {
                return Some(address);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn an_address_is_within_a_network_by_its_first_bits() {
        let networks = Networks::parse("10.0.0.0/8 192.168.7.0/24 203.0.113.9 fd00::/8", "").unwrap();
        for (address, expected) in [
            ("10.255.1.2", true),
            ("11.0.0.0", false),
            ("192.168.7.255", true),
            ("192.168.8.0", false),
            ("203.0.113.9", true),
            ("203.0.113.8", false),
            ("fd12::1", true),
            ("fe80::1", false),
            ("::ffff:10.0.0.1", true),
            ("::1", false),
        ] {
            assert_eq!(networks.is_inside(ip(address)), expected, "{address}");
        }
        assert!(!networks.is_inside(None), "what is not known");
        assert!(!Networks::default().is_inside(ip("127.0.0.1")));
        assert!(Networks::parse("0.0.0.0/0", "").unwrap().is_inside(ip("8.8.8.8")));
        assert!(!Networks::parse("0.0.0.0/0", "").unwrap().is_inside(ip("fd00::1")));
        for wrong in ["10.0.0.0/33", "10.0.0.1/8", "here", "10.0.0.0/x", "fd00::1/8", "/8", "1.2.3"] {
            assert!(Networks::parse(wrong, "").is_err(), "{wrong}");
            assert!(Networks::parse("", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_proxy_of_ours_says_whom_it_forwards_and_only_the_last_hop_counts() {
        let networks = Networks::parse("10.0.0.0/8", "10.9.0.0/16").unwrap();
        let origin = |peer: Option<&str>, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            let found = networks.origin(peer.and_then(ip), &headers);
            found.map_or_else(|| "-".to_owned(), |address| address.to_string())
        };
        for (peer, lines, expected) in [
            (None, vec!["10.1.1.1"], "-"),
            (Some("198.51.100.7"), vec!["10.1.1.1"], "198.51.100.7"),
            (Some("10.9.0.1"), vec![], "-"),
            (Some("10.9.0.1"), vec!["198.51.100.7"], "198.51.100.7"),
            (Some("10.9.0.1"), vec!["10.1.1.1, 198.51.100.7"], "198.51.100.7"),
            (Some("10.9.0.1"), vec!["10.1.1.1", "198.51.100.7, 10.9.0.2"], "198.51.100.7"),
            (Some("10.9.0.1"), vec!["10.1.1.1, unknown"], "-"),
            (Some("10.9.0.1"), vec!["10.9.0.2"], "-"),
            (Some("10.9.0.1"), vec!["198.51.100.7", "10.1.1.1"], "10.1.1.1"),
        ] {
            assert_eq!(origin(peer, &lines), expected, "{peer:?} {lines:?}");
        }
    }
}
