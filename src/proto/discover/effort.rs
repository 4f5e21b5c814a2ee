//! How much is done to reach a domain, whatever its zone says.
//!
//! Whoever has a zone may name any hosts of the Internet in it, and any number of addresses for each.
//! Without a bound, one question of a few hundred bytes would make us connect to hundreds of them.

use super::{Target, Via};

/// The most that is done to reach one domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How many of the targets that DNS names are tried, each with two look-ups.
    pub targets: usize,
    /// How many connections are begun, to all of them together.
    pub connections: usize,
}

impl Effort {
    /// For stanzas that wait: somebody here wants to reach the domain.
    pub const CARRY: Self = Self {
        targets: 10,
        connections: 24,
    };
    /// For a dialback question: whoever connected wants it asked, and has proven nothing.
    pub const ASK: Self = Self {
        targets: 4,
        connections: 8,
    };

    /// How many connections may be begun to each of these targets: the same number, so that a first one
    /// with many dead addresses leaves some for the last. Two at least, one of each family, where the
    /// administrator has named the targets.
    #[must_use]
    pub fn to_each(self, targets: &[Target]) -> usize {
        let each = self.connections / targets.len().max(1);
        let is_route = targets.iter().any(|target| target.via == Via::Route);
        each.max(if is_route { 2 } else { 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::super::DEFAULT_PORT;
    use super::*;

    #[test]
    fn however_many_targets_there_are_no_more_connections_are_begun() {
        for effort in [Effort::ASK, Effort::CARRY] {
            for count in 1..=effort.targets {
                let target = Target {
                    host: "a.example".to_owned(),
                    port: DEFAULT_PORT,
                    via: Via::Literal,
                };
                let each = effort.to_each(&vec![target; count]);
                assert!(each >= 2 && each * count <= effort.connections);
            }
        }
    }
}
