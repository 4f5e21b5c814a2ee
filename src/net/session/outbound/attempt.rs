//! One connection to a partner, and one stream on it: spoken on until it is known what comes of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::resumption::Resumption;
use super::side::{Dialling, Word};
use crate::net::edge::{Edge, fresh_ids};
use crate::net::io::transport::Transport;
use crate::net::live::log_limiter::Known;
use crate::net::live::mailbox::{Mailbox, mailbox};
use crate::net::live::registry::Kind;
use crate::net::session::driver::{Driver, Ended, now};
use crate::net::session::stream_log::{Charged, StreamLog};
use crate::net::session::tap::{Made, Tapped};
use crate::proto::auth::Pair;
use crate::proto::policy::Reason;
use crate::proto::stream::{Endpoint, Outbound, Purpose};
use crate::proto::trace::Opening;

/// What one attempt is about.
pub(super) struct Attempt<'a> {
    /// Under which the log has it.
    pub(super) number: u64,
    pub(super) edge: &'a Arc<Edge>,
    pub(super) pair: &'a Pair,
    pub(super) known: &'a Known,
    pub(super) purpose: &'a Purpose,
    pub(super) charged: Charged,
    pub(super) try_external: bool,
    pub(super) deadline: Instant,
}

/// How an attempt went.
pub(super) enum Outcome {
    /// The stream has opened, or its question was answered.
    Reached(Reached),
    /// Neither; and whether the partner has refused EXTERNAL.
    Failed(Reason, bool),
}

impl Attempt<'_> {
    /// Speaks on a connection until it is known what comes of it. The goodbye of a stream that has
    /// failed goes on beside.
    pub(super) async fn negotiate(
        &self,
        transport: Transport,
        address: SocketAddr,
        side: impl Fn(StreamLog) -> Dialling,
    ) -> Result<Outcome, Reason> {
        let edge = self.edge;
        let ids = fresh_ids().map_err(|error| Reason::Transport(error.to_string()))?;
        let here = transport.here();
        let place = Endpoint {
            address,
            is_own: here.is_some_and(|here| edge.is_own(here, address)),
        };
        let mailbox = mailbox();
        let (number, mail) = (self.number, mailbox.0.clone());
        let registered = edge
            .registry
            .register_as((number, Kind::Outbound, address), mail);
        // A question is short, and whoever waits for its answer is counted already.
        if matches!(self.purpose, Purpose::Carry) {
            let limit = edge.settings.load().connection_limit;
            registered.take_room(&self.pair.remote, &edge.context().rules, limit)?;
        }
        let stream_log = StreamLog::outbound(
            Arc::clone(&edge.ledger),
            Arc::clone(&edge.log_limiter),
            Arc::clone(registered.facts()),
            (self.charged, self.pair.clone(), self.known.clone()),
        );
        // Before the rules are looked at: what changes from here on is seen.
        let updates = edge.context.subscribe();
        let (began, context) = (now(), edge.context());
        let (say, word) = oneshot::channel();
        let mut side = Dialling {
            outcome: Some(say),
            ..side(stream_log)
        };
        let entry = context.rules.partner_of(&self.pair.remote);
        let may_go_on =
            |it: &Arc<Resumption>| entry.is_some_and(|entry| it.may_go_on(began.monotonic, entry));
        side.resumes = side.resumes.filter(may_go_on);
        let session = side.resumes.as_ref().map(|it| it.session.clone());
        let opening = Opening::Outbound {
            pair: self.pair.clone(),
            purpose: self.purpose.clone(),
            try_external: self.try_external,
            place,
            until: self.deadline,
            resumes: session.clone().map(Box::new),
        };
        let machine = Outbound::new(
            Arc::clone(&context),
            ids.clone(),
            self.pair.clone(),
            self.purpose.clone(),
            self.try_external,
            began,
        )
        .at(place)
        .until(self.deadline)
        .resuming(session);
        let made = Made {
            opening,
            context,
            ids,
            now: began,
        };
        let machine = Tapped::new(machine, edge, registered.facts(), made);
        let its_mailbox = mailbox.0.clone();
        let driver = Driver::new(transport, machine, side, mailbox, updates)
            .with_stall(edge.context().timing.establishment)
            .known_by(registered.facts());
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut ended = Box::pin(driver.run()).await;
            ended.side.end_is_told = ended.side.stream_log.end(&ended.reason);
            drop(registered);
            // Where nothing was said of the stream, nothing will be: whoever waits for a word is not to
            // wait until somebody takes this.
            drop(ended.side.outcome.take());
            ended
        });
        match word.await {
            Ok(Word::Done) => Ok(Outcome::Reached(Reached {
                running,
                mailbox: its_mailbox,
            })),
            Ok(Word::GaveUp(reason, external_refused)) => {
                self.say_goodbye(running);
                Ok(Outcome::Failed(reason, external_refused))
            }
            // It ended without a word: the handshake of TLS took the connection with it.
            Err(_) => {
                let reached = Reached {
                    running,
                    mailbox: its_mailbox,
                };
                let ended = reached.end().await?;
                Ok(Outcome::Failed(ended.reason, ended.side.external_refused))
            }
        }
    }

    /// Lets a failed stream end in its own time, where not too many do so already.
    fn say_goodbye(&self, mut running: JoinSet<Ended<Dialling>>) {
        let Ok(place) = Arc::clone(&self.edge.goodbyes).try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            running.join_next().await;
            drop(place);
        });
    }
}

/// A stream that has opened, or whose question was answered. It ends when this is dropped.
pub(super) struct Reached {
    running: JoinSet<Ended<Dialling>>,
    /// Where it hears from others.
    pub(super) mailbox: Mailbox,
}

impl Reached {
    /// Waits for the end of the stream.
    pub(super) async fn end(mut self) -> Result<Ended<Dialling>, Reason> {
        match self.running.join_next().await {
            Some(Ok(ended)) => Ok(ended),
            Some(Err(_)) | None => Err(Reason::Shutdown),
        }
    }
}
