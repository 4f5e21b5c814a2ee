//! What connections may hold before they have proven anything: counted in all, per address and
//! per prefix, so that one host, or one network of hosts, cannot crowd out the partners.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Reason;

/// How many connections are admitted; 0 stands for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Unauthenticated ones, from all addresses together.
    pub unauthenticated: usize,
    /// Unauthenticated ones from one address.
    pub unauthenticated_per_address: usize,
    /// Unauthenticated ones from one prefix: /24 of IPv4, /56 of IPv6.
    pub unauthenticated_per_prefix: usize,
    /// All from one address, the authenticated included.
    pub per_address: usize,
}

impl AdmissionLimits {
    /// Everybody is admitted.
    pub const NONE: Self = Self {
        unauthenticated: 0,
        unauthenticated_per_address: 0,
        unauthenticated_per_prefix: 0,
        per_address: 0,
    };
}

/// What `[admission]` says by default: 50 from a host is more than any server opens at once, and
/// 5000 unproven streams that do their worst stay within 460 MiB (docs/security.md).
impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            unauthenticated: 5000,
            unauthenticated_per_address: 50,
            unauthenticated_per_prefix: 500,
            per_address: 500,
        }
    }
}

/// The connections that are there, by where they come from.
#[derive(Debug, Default)]
pub struct Admission {
    unauthenticated: usize,
    addresses: HashMap<IpAddr, Counts>,
    networks: HashMap<Network, usize>,
}

#[derive(Debug, Default)]
struct Counts {
    unauthenticated: usize,
    all: usize,
}

/// The network that one attacker may well have whole: /24 of IPv4, /56 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(Prefix);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Prefix {
    V4([u8; 3]),
    V6([u8; 7]),
}

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Prefix::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, ..] = address.octets();
                Prefix::V6([a, b, c, d, e, f, g])
            }
        })
    }
}

impl Admission {
    /// Counts a new connection in, unauthenticated.
    ///
    /// # Errors
    /// [`Reason::TooManyStrangers`] names the limit that is reached; then nothing is counted.
    pub fn enter(&mut self, address: IpAddr, limits: &AdmissionLimits) -> Result<(), Reason> {
        let address = address.to_canonical();
        let network = Network::of(address);
        let (of_address, all) = self
            .addresses
            .get(&address)
            .map_or((0, 0), |counts| (counts.unauthenticated, counts.all));
        let of_prefix = self.networks.get(&network).copied().unwrap_or_default();
        for (count, limit, name) in [
            (
                self.unauthenticated,
                limits.unauthenticated,
                "unauthenticated-limit",
            ),
            (
                of_address,
                limits.unauthenticated_per_address,
                "unauthenticated-per-address",
            ),
            (
                of_prefix,
                limits.unauthenticated_per_prefix,
                "unauthenticated-per-prefix",
            ),
            (all, limits.per_address, "connections-per-address"),
        ] {
            if limit != 0 && count >= limit {
                return Err(Reason::TooManyStrangers(name));
            }
        }
        let counts = self.addresses.entry(address).or_default();
        counts.unauthenticated += 1;
        counts.all += 1;
        *self.networks.entry(network).or_default() += 1;
        self.unauthenticated += 1;
        Ok(())
    }

    /// A connection has proven who it is; call it once for each.
    pub fn authenticated(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        self.unauthenticated = self.unauthenticated.saturating_sub(1);
        if let Some(counts) = self.addresses.get_mut(&address) {
            counts.unauthenticated = counts.unauthenticated.saturating_sub(1);
        }
        let network = Network::of(address);
        if let Some(count) = self.networks.get_mut(&network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.networks.remove(&network);
            }
        }
    }

    /// A connection is gone; nothing of it is remembered.
    pub fn leave(&mut self, address: IpAddr, authenticated: bool) {
        let address = address.to_canonical();
        if !authenticated {
            self.authenticated(address);
        }
        if let Some(counts) = self.addresses.get_mut(&address) {
            counts.all = counts.all.saturating_sub(1);
            if counts.all == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// How many connections have proven nothing yet.
    #[must_use]
    pub fn unauthenticated(&self) -> usize {
        self.unauthenticated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: AdmissionLimits = AdmissionLimits {
        unauthenticated: 8,
        unauthenticated_per_address: 2,
        unauthenticated_per_prefix: 4,
        per_address: 3,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_limit_has_its_name() {
        let mut admission = Admission::default();
        let mut enter = |address: &str| match admission.enter(ip(address), &LIMITS) {
            Ok(()) => "admitted",
            Err(Reason::TooManyStrangers(name)) => name,
            Err(_) => unreachable!(),
        };
        for (address, want) in [
            ("192.0.2.1", "admitted"),
            ("192.0.2.1", "admitted"),
            ("192.0.2.1", "unauthenticated-per-address"),
            // The same host, mapped.
            ("::ffff:192.0.2.1", "unauthenticated-per-address"),
            ("192.0.2.2", "admitted"),
            ("192.0.2.3", "admitted"),
            ("192.0.2.4", "unauthenticated-per-prefix"),
            ("192.0.3.1", "admitted"),
            ("2001:db8:0:0::1", "admitted"),
            ("2001:db8:0:ff::1", "admitted"),
            ("2001:db8:0:100::1", "admitted"),
            ("198.51.100.1", "unauthenticated-limit"),
        ] {
            assert_eq!(enter(address), want, "{address}");
        }
    }

    #[test]
    fn the_authenticated_count_for_their_address_only() {
        let mut admission = Admission::default();
        let host = ip("192.0.2.1");
        for _ in 0..3 {
            admission.enter(host, &LIMITS).unwrap();
            admission.authenticated(host);
        }
        assert_eq!(admission.unauthenticated(), 0);
        let refused = admission.enter(host, &LIMITS);
        assert_eq!(
            refused,
            Err(Reason::TooManyStrangers("connections-per-address"))
        );
        admission.leave(host, true);
        assert_eq!(admission.enter(host, &LIMITS), Ok(()));
    }

    proptest! {
        #[test]
        fn when_all_have_left_nothing_is_remembered(
            visits in proptest::collection::vec((any::<[u8; 4]>(), any::<bool>()), 0..200)
        ) {
            let mut admission = Admission::default();
            for (address, authenticated) in &visits {
                admission.enter(IpAddr::from(*address), &AdmissionLimits::NONE).unwrap();
                if *authenticated {
                    admission.authenticated(IpAddr::from(*address));
                }
            }
            for (address, authenticated) in &visits {
                admission.leave(IpAddr::from(*address), *authenticated);
            }
            prop_assert_eq!(admission.unauthenticated, 0);
            prop_assert!(admission.addresses.is_empty());
            prop_assert!(admission.networks.is_empty());
        }
    }
}
