//! Listens to what one edge decides: the same events that the log is made of.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::Registry;

use crate::ops::events::TARGET;
use crate::ops::text::in_words;

/// How long a decision may take to be written down: it usually precedes what it causes.
const PATIENCE: Duration = Duration::from_secs(5);

/// One decision of an edge, by the fields of its log line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    /// The line as the log has it, without its time.
    pub(super) line: String,
    pub(super) event: String,
    pub(super) direction: String,
    pub(super) remote: String,
    pub(super) method: String,
    pub(super) tls: String,
    pub(super) reason: String,
    pub(super) detail: String,
}

/// All decisions of one edge, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness(Arc<watch::Sender<Vec<Decision>>>);

impl Witness {
    /// A subscriber that tells this witness of every decision, for the threads of one edge.
    pub(super) fn subscriber(&self) -> impl Subscriber + Send + Sync + 'static {
        tracing_subscriber::registry().with(Listening(self.clone()))
    }

    /// How many decisions there were until now.
    pub(super) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// The newest decision after the first `mark` ones that is wanted; waits for one for a while.
    pub(super) async fn newest(
        &self,
        mark: usize,
        wanted: impl Fn(&Decision) -> bool,
    ) -> Option<Decision> {
        let newest = |all: &[Decision]| {
            let mut since = all.iter().skip(mark).rev();
            since.find(|decision| wanted(decision)).cloned()
        };
        let mut decisions = self.0.subscribe();
        let found = decisions.wait_for(|all| newest(all).is_some());
        let found = timeout(PATIENCE, found).await.ok()?.ok()?;
        newest(&found)
    }

    /// The decisions after the first `mark` ones.
    pub(super) fn since(&self, mark: usize) -> Vec<Decision> {
        self.0.borrow().iter().skip(mark).cloned().collect()
    }

    /// Resolves when there are more than `mark` decisions.
    pub(super) async fn more_than(&self, mark: usize) {
        let mut decisions = self.0.subscribe();
        // The sender is held here, so the wait cannot fail.
        if decisions.wait_for(|all| all.len() > mark).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The layer between an edge's events and its witness.
struct Listening(Witness);

impl Layer<Registry> for Listening {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, Registry>) {
        if event.metadata().target() == TARGET {
            let mut decision = Decision {
                line: in_words(event),
                ..Decision::default()
            };
            event.record(&mut decision);
            self.0.0.send_modify(|all| all.push(decision));
        }
    }
}

impl Visit for Decision {
    fn record_str(&mut self, field: &Field, value: &str) {
        let slot = match field.name() {
            "event" => &mut self.event,
            "direction" => &mut self.direction,
            "remote" => &mut self.remote,
            "method" => &mut self.method,
            "tls" => &mut self.tls,
            "reason" => &mut self.reason,
            "detail" => &mut self.detail,
            _ => return,
        };
        value.clone_into(slot);
    }

    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::events::{Event as Happening, Line};
    use crate::proto::codes::Code;

    #[tokio::test]
    async fn decisions_are_heard_by_the_edge_that_made_them() {
        let (ours, theirs) = (Witness::default(), Witness::default());
        let line = Line::new(Happening::StreamRefused)
            .reason(Code::UNKNOWN_PARTNER)
            .detail("no entry");
        let said = line.message();
        tracing::subscriber::with_default(ours.subscriber(), || {
            line.log();
            tracing::info!("not a decision");
        });
        let heard = ours.newest(0, |_| true).await.unwrap();
        let want = Decision {
            line: said,
            event: "stream-refused".into(),
            reason: "unknown-partner".into(),
            detail: "no entry".into(),
            ..Decision::default()
        };
        assert_eq!(heard, want);
        assert_eq!((ours.count(), theirs.count()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_happen_is_not_waited_for_for_ever() {
        assert_eq!(Witness::default().newest(0, |_| true).await, None);
    }
}
