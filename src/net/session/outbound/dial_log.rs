//! What the log has of a way that leads nowhere: one line with the words.

use std::net::SocketAddr;

use crate::net::edge::Edge;
use crate::net::live::log_limiter::{Known, What};
use crate::net::live::told::Told;
use crate::net::session::stream_log::Charged;
use crate::ops::events::{Direction, Event, Line};
use crate::proto::auth::Pair;
use crate::proto::discover::Target;
use crate::proto::policy::Reason;

/// Whom a way to a partner is to lead to.
pub(super) struct DialLog<'a> {
    pub(super) edge: &'a Edge,
    pub(super) pair: &'a Pair,
    pub(super) partner: &'a Known,
    /// Whether a `route` of ours, and not DNS, leads there.
    pub(super) is_routed: bool,
    /// On whose account it is written down.
    pub(super) charged: Charged,
}

impl DialLog<'_> {
    /// Writes a line about a step that failed, unless there were many lately: the one line that has
    /// the words. `met` is the server that was spoken to, if any was.
    pub(super) fn failed(
        &self,
        number: u64,
        met: Option<(&Target, SocketAddr)>,
        reason: Reason,
    ) -> Told {
        let partner = &self.partner.partner;
        let limiter = &self.edge.log_limiter;
        let what = What::new(Event::DialFailed, &reason);
        let admitted = self
            .charged
            .admit(limiter, Some(self.partner), &self.pair.remote, what);
        if let Some(left_out) = admitted {
            let line = Line::new(Event::DialFailed)
                .direction(Direction::Outbound)
                .stream(number)
                .partner(partner)
                .local(&self.pair.local)
                .remote(&self.pair.remote)
                .reason(reason.code())
                .explained(reason.cause(self.is_routed));
            match met {
                None => line.and_more(&reason, left_out),
                Some((target, address)) if target.is_literal() => {
                    line.peer_address(address).and_more(&reason, left_out)
                }
                Some((target, address)) => line
                    .peer_address(address)
                    .and_more(format_args!("{target}: {reason}"), left_out),
            }
            .log();
        }
        Told {
            reason,
            stream: admitted.map(|_| number),
        }
    }
}
