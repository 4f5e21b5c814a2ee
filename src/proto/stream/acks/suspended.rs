//! What a connection that was lost leaves behind, where its session may be resumed (XEP-0198 §5).

use std::collections::VecDeque;

use super::Agreed;

/// A session without a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspended {
    /// What whoever opened it resumes it by.
    pub id: String,
    /// For how long after the connection is lost, in seconds, where the other side has said so.
    pub within: Option<u32>,
    /// What both sides had counted.
    pub agreed: Agreed,
    /// Of each stanza that is unacknowledged, whether the shell has it. We write pings ourselves.
    pub is_carried: VecDeque<bool>,
}

impl Suspended {
    /// Of the stanzas that the shell has, no more than the first `count` have begun to leave. Nothing
    /// behind them can be acknowledged.
    pub fn has_left(&mut self, count: usize) {
        let carried = self.is_carried.iter().enumerate().filter(|(_, it)| **it);
        if let Some((first_not, _)) = carried.into_iter().nth(count) {
            let behind = self.is_carried.len() - first_not;
            self.is_carried.truncate(first_not);
            self.agreed
                .unwritten(u32::try_from(behind).unwrap_or(u32::MAX));
        }
    }

    /// Under which numbers, modulo 2^32, the unacknowledged stanzas that the shell has were written, in
    /// their order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        let first = self.agreed.acknowledged();
        let numbered = (1u32..).zip(&self.is_carried);
        let carried = numbered.filter(|(_, is_carried)| **is_carried);
        carried.map(move |(place, _)| first.wrapping_add(place))
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test needs some point in time to begin at"
    )]

    use std::time::Instant;

    use super::*;

    fn suspended(is_carried: &[bool]) -> Suspended {
        let mut agreed = Agreed::default();
        for _ in is_carried {
            drop(agreed.wrote(Instant::now()));
        }
        Suspended {
            agreed,
            is_carried: is_carried.iter().copied().collect(),
            ..Suspended::default()
        }
    }

    #[test]
    fn a_ping_takes_a_number_and_no_stanza_of_the_shells() {
        let session = suspended(&[true, false, true]);
        assert_eq!(session.numbers().collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn what_has_not_begun_to_leave_cannot_be_acknowledged() {
        let mut session = suspended(&[true, false, true, false, true]);
        session.has_left(2);
        assert_eq!(session.numbers().collect::<Vec<_>>(), [1, 3]);
        assert!(session.agreed.may_have(4) && !session.agreed.may_have(5));
        session.has_left(2);
        assert!(session.agreed.may_have(4));
        session.has_left(0);
        assert!(session.agreed.may_have(0) && !session.agreed.may_have(1));
    }
}
