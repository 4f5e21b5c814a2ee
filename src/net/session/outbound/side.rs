//! The shell's side of a stream that we open.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{SemaphorePermit, mpsc, oneshot};

use super::resumption::Resumption;
use crate::net::edge::Edge;
use crate::net::io::clock;
use crate::net::io::tls::{TlsFault, server_name};
use crate::net::io::transport::Transport;
use crate::net::live::mailbox::Mailbox;
use crate::net::live::trail::{Fact, Trail};
use crate::net::relay::guests::Guests;
use crate::net::relay::queue::{Consumer, Queue};
use crate::net::session::continuity;
use crate::net::session::driver::Side;
use crate::net::session::stream_log::StreamLog;
use crate::proto::auth::chain::TlsFacts;
use crate::proto::auth::dialback::Answer;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Partner, Reason};
use crate::proto::stream::{Output, Record};

/// What a stream says of itself, once.
#[derive(Debug)]
pub(super) enum Word {
    Done,
    GaveUp(Reason, bool),
}

/// What a stream of ours has come to.
pub(super) struct Dialling {
    pub(super) edge: Arc<Edge>,
    pub(super) stream_log: StreamLog,
    /// What waits to be carried; `None` on a stream that only asks, or is only tried out.
    pub(super) queue: Option<Arc<Queue>>,
    /// The consumer number, and since when the stream is open.
    pub(super) opened: Option<(Consumer, Instant)>,
    /// Who waits for an answer, on a stream that only asks.
    pub(super) told: Option<mpsc::Sender<Answer>>,
    /// Who waits to hear what comes of the stream.
    pub(super) outcome: Option<oneshot::Sender<Word>>,
    pub(super) external_refused: bool,
    /// The session of an earlier connection, until the partner has said whether it goes on.
    pub(super) resumes: Option<Arc<Resumption>>,
    /// The entry under which the stream has opened.
    pub(super) entry: Option<Arc<Partner>>,
    /// The pairs that share it.
    pub(super) guests: Option<Arc<Guests>>,
    /// Whether the last line about the stream says in words why it ended.
    pub(super) end_is_told: bool,
    /// Where each step is noted, if anybody wants to know.
    pub(super) trail: Option<Arc<Trail>>,
}

impl Dialling {
    fn say(&mut self, word: Word) {
        if let Some(outcome) = self.outcome.take() {
            // Whoever waited may have gone.
            drop(outcome.send(word));
        }
    }
}

impl Side for Dialling {
    async fn start_tls(
        &mut self,
        transport: Transport,
        local: &Domain,
        remote: &Domain,
    ) -> Result<(Transport, TlsFacts), TlsFault> {
        let name = server_name(remote)?;
        let minimum = self.edge.minimum_tls(remote);
        let settings = self.edge.settings.load_full();
        let config = settings.tls.client(local, minimum);
        if let Some(trail) = &self.trail {
            trail.note(Fact::TlsBegins);
        }
        let secured = transport
            .connect_tls(config, name, settings.admission.handshake_bytes)
            .await;
        if let (Some(trail), Ok((transport, facts))) = (&self.trail, &secured) {
            trail.secured(facts, transport.cipher());
        }
        secured
    }

    fn place(&self) -> impl Future<Output = Option<SemaphorePermit<'_>>> + Send {
        self.edge.handshakes.place()
    }

    async fn act(&mut self, output: Output, mailbox: &Mailbox, now: Instant) -> Result<(), Reason> {
        match output {
            Output::Authenticated(pair) if self.opened.is_some() => {
                if let Some(guests) = &self.guests {
                    guests.answer(&pair, Ok(()));
                }
            }
            Output::NotShared(pair, reason) => {
                self.edge.ledger.count(reason.code());
                if let Some(guests) = &self.guests {
                    guests.answer(&pair, Err(reason));
                }
            }
            Output::Authenticated(pair) => {
                if let Some(queue) = &self.queue {
                    let id = self.stream_log.stream();
                    queue.attach(id);
                    self.opened = Some((id, clock::instant()));
                    let rules = &self.edge.context().rules;
                    self.entry = rules.partner_of(&pair.remote).cloned();
                    let shares = self.entry.as_ref().is_some_and(|it| it.share_streams);
                    self.guests = shares.then(|| Arc::new(Guests::of(Arc::clone(queue))));
                    let guests = self.guests.clone();
                    self.edge.hub.opened(&pair, mailbox.clone(), guests);
                }
                self.say(Word::Done);
            }
            Output::GaveUp(reason) => {
                let word = Word::GaveUp(reason, self.external_refused);
                self.say(word);
            }
            Output::Answered(answer) => {
                self.say(Word::Done);
                if let Some(told) = &self.told {
                    // Whoever asked may have left, and wants one answer.
                    told.try_send(answer).unwrap_or_default();
                }
            }
            Output::Record(record) => {
                if let Some(trail) = &self.trail {
                    trail.record(&record);
                }
                if let Record::MethodFailed {
                    method: Method::SaslExternal,
                    ..
                } = &record
                {
                    self.external_refused = true;
                }
                let change = continuity::change(&self.edge, &record);
                self.stream_log.record(record, &self.edge);
                if let Some(change) = change {
                    self.stream_log.certificate_changed(&change);
                }
            }
            Output::Pace => {
                self.edge.ledger.count(Code::PACED_ELEMENTS);
                if let Some(remote) = self.stream_log.remote() {
                    let standing = self.edge.hub.standing(remote);
                    self.edge.hub.pace(&standing, now).await;
                }
            }
            Output::Send(_)
            | Output::StartTls { .. }
            | Output::Ask(_)
            | Output::Acks(_)
            | Output::Pinged(_)
            | Output::LinkUp(_)
            | Output::Stanza(_)
            | Output::Refused { .. }
            | Output::Claimed(_)
            | Output::ClaimedNobody
            | Output::ShutWrite
            | Output::Close(_) => {}
        }
        Ok(())
    }

    fn goes_on(&mut self, h: Option<u32>) {
        let asked_for = self.resumes.take();
        if let (Some(asked_for), Some(h), Some(queue)) = (asked_for, h, &self.queue) {
            let now = clock::instant();
            for queued in queue.acknowledged(asked_for.number, h) {
                queued.delivered(now);
            }
        }
    }

    fn queue(&self) -> Option<(Arc<Queue>, Consumer)> {
        let (id, _) = self.opened?;
        Some((Arc::clone(self.queue.as_ref()?), id))
    }
}
