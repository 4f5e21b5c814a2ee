//! Addresses: which may be connected to, and in which order.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The order in which addresses are tried, while more of them may still arrive.
///
/// The families take turns, IPv6 first (RFC 8305 §4); within a family the order is kept.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    ipv6: VecDeque<IpAddr>,
    ipv4: VecDeque<IpAddr>,
    ipv4_is_next: bool,
}

impl Turns {
    /// Adds an address that has arrived, unless it is waiting already.
    pub fn add(&mut self, address: IpAddr) {
        let waiting = if address.is_ipv6() {
            &mut self.ipv6
        } else {
            &mut self.ipv4
        };
        if !waiting.contains(&address) {
            waiting.push_back(address);
        }
    }

    /// Whether none is waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ipv6.is_empty() && self.ipv4.is_empty()
    }

    /// Takes the address to be tried next.
    pub fn take(&mut self) -> Option<IpAddr> {
        let (first, second) = if self.ipv4_is_next {
            (&mut self.ipv4, &mut self.ipv6)
        } else {
            (&mut self.ipv6, &mut self.ipv4)
        };
        let address = first.pop_front().or_else(|| second.pop_front())?;
        self.ipv4_is_next = address.is_ipv6();
        Some(address)
    }
}

/// Why an address is no place on the public Internet; `None` when it is one.
///
/// A name in DNS could otherwise lead us to hosts inside (RFC 6890's registries; addresses that
/// carry an IPv4 address are judged by it).
#[must_use]
pub fn special_use(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_use_v4(address),
        IpAddr::V6(address) => special_use_v6(address),
    }
}

/// Whether an address is a place on the public Internet.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    special_use(address).is_none()
}

fn special_use_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "unspecified",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "private",
        (100, 64..=127, _) => "shared (carrier-grade NAT)",
        (127, ..) => "loopback",
        (169, 254, _) => "link-local",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "documentation",
        (198, 18..=19, _) => "benchmarking",
        (224..=239, ..) => "multicast",
        (192, 0, 0) | (192, 88, 99) | (240.., ..) => "reserved",
        _ => return None,
    })
}

fn special_use_v6(address: Ipv6Addr) -> Option<&'static str> {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        special_use_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("unspecified"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("loopback"),
        // IPv4-mapped, NAT64 and 6to4: what counts is where they lead. The rest of ::/96 is
        // obsolete and leads to an IPv4 address, too.
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0x2002, high, low, ..] => embedded(high, low),
        [0xfe80..=0xfebf, ..] => Some("link-local"),
        [0xfec0..=0xfeff, ..] | [0xfc00..=0xfdff, ..] => Some("unique-local"),
        [0xff00..=0xffff, ..] => Some("multicast"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Some("documentation"),
        // Teredo, ORCHID and the other assignments of RFC 2928.
        [0x2001, 0..=0x01ff, ..] => Some("reserved"),
        [0x2000..=0x3fff, ..] => None,
        // RFC 4291 §2.4: no other space is global unicast.
        _ => Some("reserved"),
    }
}
