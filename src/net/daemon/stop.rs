//! How the edge stops: nothing more is taken on, what was taken on is seen through, and then each side hears
//! so, in the order in which stanzas flow.
//!
//! ```text
//!   signal ─► listeners close ─► partners without acknowledgements hear it; of the others nothing more is taken
//!          ─► what waits goes, and is acknowledged ─► `<a/>`, goodbye to partners ─► goodbye to gateways
//!          ─► what gateways have sent goes ─► our own streams end
//! ```

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use super::Daemon;
use crate::net::drained::Left;
use crate::net::io::clock;
use crate::net::live::registry::Kind;
use crate::ops::events::{Event, Line};
use crate::proto::policy::Reason;

/// How long stopping may take in all: what is on its way gets this much time.
pub const DRAIN: Duration = Duration::from_secs(20);
/// How long after the signal what was taken on is waited for.
const SETTLED_BY: Duration = Duration::from_secs(12);
/// How long the errors may take that then say what did not become of the rest.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
/// How long the goodbyes of partners and gateways are waited for: what ours takes at most.
const GOODBYES: Duration = Duration::from_secs(6);
/// How long after the signal partners are waited for to take what gateways have sent.
const CARRIED_BY: Duration = Duration::from_secs(15);
/// The least time for that: what a gateway has left is bounced when its link has ended, and has to leave.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long the connections may take to give back what they hold, when there is no more time.
const ABANDON: Duration = Duration::from_secs(1);
/// How often it is looked whether there is something left to wait for.
const LOOK: Duration = Duration::from_millis(20);

impl Daemon {
    /// Stops taking connections, lets what is on its way arrive, and closes every stream in the
    /// order in which stanzas flow.
    pub async fn drain(self) {
        self.drain_until(std::future::pending()).await;
    }

    /// The same, but waits no longer than `sooner`.
    pub async fn drain_until(self, sooner: impl Future<Output = ()>) {
        Line::new(Event::Stopping).log();
        let begin = clock::instant();
        self.stop.send_replace(true);
        self.edge.hub.hurry();
        let cut = tokio::select! {
            closed = timeout(DRAIN, self.close_in_order()) => {
                closed.is_err().then_some("the time was up")
            }
            () = sooner => Some("there was a second signal"),
        };
        let left = Left::now(&self.edge);
        for task in &self.tasks {
            task.abort();
        }
        self.abandon().await;
        left.report(&self.edge, cut, begin);
    }

    async fn close_in_order(&self) {
        let (hub, registry) = (&self.edge.hub, &self.edge.registry);
        let begin = Instant::now();
        // Whoever acknowledges nothing is told at once: then it sends no more. All others are told when what
        // they have sent has ended, so that they hear of it.
        let settled = until(|| {
            // A connection may have come in the last moment.
            registry.settle_all();
            // A gateway that is away will not come back in time.
            hub.give_up_absent();
            registry.count(&[Kind::Inbound]) == 0
                && registry.are_settled(Kind::Link)
                && hub.is_idle_inward()
                && hub.is_empty_outward()
        });
        let is_late = timeout_at(begin + SETTLED_BY, settled).await.is_err();
        if is_late {
            registry.end_all(Kind::Inbound, &Reason::Shutdown);
            hub.give_up_all();
            let told = until(|| {
                // A stream that waited for room goes on with what it has read, and only then hears that it ends.
                hub.give_up_late();
                hub.is_idle_inward()
            });
            timeout(TOLD_WITHIN, told).await.unwrap_or_default();
        }
        let said = until(|| {
            registry.end_all(Kind::Inbound, &Reason::Shutdown);
            registry.end_all(Kind::Link, &Reason::Shutdown);
            hub.give_up_absent();
            if is_late {
                hub.give_up_late();
            }
            registry.count(&[Kind::Inbound, Kind::Link]) == 0
        });
        timeout(GOODBYES, said).await.unwrap_or_default();
        // What does not leave in this time is counted at the end.
        let carried = until(|| {
            hub.give_up_absent();
            hub.is_idle()
        });
        // What a gateway that ended late was never given has only now been bounced.
        let by = (begin + CARRIED_BY).max(Instant::now() + LAST_WORDS);
        timeout_at(by, carried).await.unwrap_or_default();
        registry.end_all(Kind::Outbound, &Reason::Shutdown);
        registry.none_left(Kind::Outbound).await;
    }

    /// Ends every connection at once, and counts what they and the queues still hold.
    async fn abandon(&self) {
        let ending = until(|| {
            // First the hub: whoever ends from here on bounces nothing that nobody would read.
            self.edge.hub.abandon();
            self.edge.registry.abort_all();
            self.edge.registry.count(&Kind::ALL) == 0 && self.edge.hub.is_idle()
        });
        // Each task only has to be woken; one that is not says so in the ledger.
        timeout(ABANDON, ending).await.unwrap_or_default();
    }
}

/// Looks again and again until something is so.
async fn until(is_so: impl Fn() -> bool) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        if is_so() {
            return;
        }
    }
}
