//! A partner's stream: the shell around [`Inbound`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::SemaphorePermit;

use crate::net::edge::{Edge, fresh_ids};
use crate::net::guard::admission::Admitted;
use crate::net::io::clock;
use crate::net::io::tls::TlsFault;
use crate::net::io::transport::Transport;
use crate::net::live::mailbox::{Mailbox, mailbox};
use crate::net::live::registry::{Kind, Registered};
use crate::net::live::sessions::{Living, Owner, Session};
use crate::net::live::trail::Fact;
use crate::net::relay::hub::TakenIn;
use crate::net::relay::queue::{Consumer, Queue};
use crate::net::relay::ways::WayIn;
use crate::net::session::driver::{Driver, Ended, Side, is_left_to_sender, now};
use crate::net::session::stream_log::StreamLog;
use crate::net::session::tap::{Made, Tapped};
use crate::net::session::visit::Visit;
use crate::net::session::{continuity, outbound};
use crate::ops::receipts::Receipts;
use crate::proto::auth::chain::TlsFacts;
use crate::proto::auth::dialback::Answer;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;
use crate::proto::policy::{Party, Reason};
use crate::proto::stream::acks::{Found, Suspended};
use crate::proto::stream::{Inbound, Output, Record};
use crate::proto::trace::Opening;

/// Serves a connection that a partner opened, to its end.
pub fn serve(
    edge: Arc<Edge>,
    stream: Transport,
    address: SocketAddr,
    admitted: Admitted,
) -> impl Future<Output = ()> {
    // A future keeps room for what it began with, also when that has moved on. Here it begins with a box.
    let came = Box::new((edge, stream, address, admitted));
    async move {
        let Some(driving) = drive(came) else {
            return;
        };
        settle(driving.await);
    }
}

/// Runs the stream; `None` where the system has no randomness for it.
#[expect(
    clippy::boxed_local,
    reason = "taken out of its box by the caller, it would stay in the caller's future"
)]
fn drive(
    came: Box<(Arc<Edge>, Transport, SocketAddr, Admitted)>,
) -> Option<impl Future<Output = Ended<Receiving>>> {
    let (edge, stream, address, admitted) = *came;
    let Ok(ids) = fresh_ids() else {
        edge.ledger.count(Code::NO_RANDOMNESS);
        return None;
    };
    let mailbox = mailbox();
    let registered = edge
        .registry
        .register(Kind::Inbound, address, mailbox.0.clone());
    let ledger = Arc::clone(&edge.ledger);
    let log_limiter = Arc::clone(&edge.log_limiter);
    let stream_log = StreamLog::inbound(ledger, log_limiter, Arc::clone(registered.facts()));
    // Before the rules are looked at: what changes from here on is seen.
    let updates = edge.context.subscribe();
    let (began, context) = (now(), edge.context());
    let machine = Inbound::new(Arc::clone(&context), ids.clone(), began);
    let facts = Arc::clone(registered.facts());
    let made = Made {
        opening: Opening::Inbound(address),
        context,
        ids,
        now: began,
    };
    let machine = Tapped::new(machine, &edge, &facts, made);
    let side = Receiving {
        edge,
        stream_log,
        visit: Visit::new(&facts),
        admitted,
        registered,
        ways: Vec::new(),
        receipts: None,
        living: None,
    };
    let stall = side.edge.context().timing.establishment;
    let driver = Driver::new(stream, machine, side, mailbox, updates).with_stall(stall);
    Some(driver.known_by(&facts).run())
}

/// What is left to do when it has ended.
fn settle(ended: Ended<Receiving>) {
    let Receiving {
        edge,
        stream_log,
        visit,
        admitted,
        registered,
        ways,
        receipts,
        living,
        ..
    } = ended.side;
    // Whoever reads of it in the log finds it remembered.
    if ways.is_empty() {
        visit.in_vain(&edge, &ended.reason, admitted.is_familiar());
    }
    if let (Some(Suspended { id, agreed, .. }), Some(way), Some(receipts)) =
        (ended.suspended, ways.into_iter().next(), receipts)
    {
        let session = Session {
            number: registered.id(),
            agreed,
            receipts,
        };
        let owner = Owner::Partner(way.pair);
        edge.sessions.keep(id, owner, session, clock::instant());
    }
    drop(living);
    stream_log.end(&ended.reason);
}

/// What becomes of a partner's stanzas and questions.
struct Receiving {
    edge: Arc<Edge>,
    stream_log: StreamLog,
    visit: Visit,
    admitted: Admitted,
    registered: Registered,
    /// The ways of the pairs that are proven, in their order. What is no stanza is charged to the
    /// first.
    ways: Vec<WayIn>,
    /// What of it is settled, where that is acknowledged.
    receipts: Option<Arc<Receipts>>,
    /// Where another stream can find this one, to go on with its session.
    living: Option<Living>,
}

/// What of an output may have to wait.
enum Rest {
    Nothing,
    /// A stanza of the pair with this number.
    Stanza(TakenIn, usize),
    /// What is no stanza, or was refused, is taken from the budget of the pair with this number.
    Pace(usize),
}

impl Receiving {
    /// Acts on an output as far as that need not wait.
    fn begin(&mut self, output: Output, mailbox: &Mailbox, now: Instant) -> Result<Rest, Reason> {
        if is_left_to_sender(&output, self.receipts.as_deref()) {
            return Ok(Rest::Nothing);
        }
        match output {
            Output::Claimed(pair) => {
                let rules = &self.edge.context().rules;
                let account = rules.account_of(&pair.remote);
                let party = Party {
                    partner: &account,
                    is_listed: rules.listed_as(&pair.remote).is_some(),
                };
                let limits = self.edge.settings.load().admission;
                self.admitted.claim(Some(party), &limits)?;
            }
            Output::ClaimedNobody => {
                let limits = self.edge.settings.load().admission;
                self.admitted.claim(None, &limits)?;
            }
            Output::Stanza(stanza) => {
                // A stanza belongs to a pair that was proven before.
                let pair = stanza.pair();
                if let Some(way) = self.ways.get_mut(pair) {
                    let receipt = self.receipts.as_ref().map(Receipts::received);
                    let taken = self.edge.hub.take_in(stanza, receipt, way, now);
                    return Ok(Rest::Stanza(taken, pair));
                }
            }
            Output::Refused {
                reason,
                pair,
                users,
                answer,
            } => {
                // What is refused is settled.
                drop(self.receipts.as_ref().map(Receipts::received));
                let users = self.edge.hub.told(*users);
                let between = (pair.as_deref(), &users);
                self.stream_log
                    .stanza_refused(&reason, between, answer.is_some());
                if let Some(answer) = answer {
                    self.edge.hub.answer(*answer);
                }
                let mut ways = self.ways.iter();
                let own = ways.position(|way| Some(&way.pair) == pair.as_deref());
                return Ok(Rest::Pace(own.unwrap_or_default()));
            }
            Output::Pace => {
                self.edge.ledger.count(Code::PACED_ELEMENTS);
                return Ok(Rest::Pace(0));
            }
            Output::Authenticated(pair) => {
                // Who comes is there: it may be dialled again at once.
                self.edge.hub.backoff.succeeded(&pair.remote);
                let is_first = self.ways.is_empty();
                // Most streams have one pair, and thousands of streams are idle.
                self.ways.reserve_exact(1);
                self.ways.push(self.edge.hub.way_in(&pair));
                if is_first {
                    let rules = &self.edge.context().rules;
                    self.registered.probe_older(&pair.remote, rules);
                }
                let rules = &self.edge.context().rules;
                let account = rules.account_of(&pair.remote);
                self.admitted.prove(Some(Party {
                    partner: &account,
                    is_listed: rules.listed_as(&pair.remote).is_some(),
                }));
                let limit = self.edge.settings.load().connection_limit;
                self.registered.take_room(&pair.remote, rules, limit)?;
            }
            Output::Record(record) => {
                // Only a partner that we dialled can know a key of ours.
                if let Record::DialbackAnswered { valid: true, .. } = record {
                    self.admitted.vouch();
                }
                let is_familiar = self.admitted.is_familiar();
                self.visit.record(&record, &self.edge, is_familiar);
                let change = continuity::change(&self.edge, &record);
                self.stream_log.record(record, &self.edge);
                if let Some(change) = change {
                    self.stream_log.certificate_changed(&change);
                }
            }
            Output::Ask(question) => {
                let asked = self.admitted.ask(&self.edge.settings.load().admission);
                if let Err(reason) = asked {
                    // Who has proven nothing may ask on another stream, later. Where a pair is proven,
                    // the stream lives on, and only this one is not asked about.
                    if self.ways.is_empty() {
                        return Err(reason);
                    }
                    self.edge.ledger.count(reason.code());
                    let answer = Answer::unreachable(question, &reason);
                    mailbox.answer(answer);
                    return Ok(Rest::Nothing);
                }
                let authority = question.pair.remote.clone();
                self.visit.note(|| Fact::AsksAuthority(authority));
                let from = self.admitted.address();
                let is_familiar = self.admitted.is_familiar();
                let (edge, mailbox) = (Arc::clone(&self.edge), mailbox.clone());
                tokio::spawn(async move {
                    // A stream that has ended meanwhile needs no answer, and must not go on asking:
                    // who comes and goes would keep everybody else's questions waiting.
                    tokio::select! {
                        () = mailbox.closed() => {}
                        answer = outbound::ask(edge, question, from, is_familiar) => mailbox.answer(answer),
                    }
                });
            }
            Output::Send(_)
            | Output::ShutWrite
            | Output::StartTls { .. }
            | Output::Acks(_)
            | Output::Answered(_)
            | Output::GaveUp(_)
            | Output::NotShared(..)
            | Output::Pinged(_)
            | Output::LinkUp(_)
            | Output::Close(_) => {}
        }
        Ok(Rest::Nothing)
    }
}

impl Side for Receiving {
    async fn start_tls(
        &mut self,
        transport: Transport,
        local: &Domain,
        remote: &Domain,
    ) -> Result<(Transport, TlsFacts), TlsFault> {
        let minimum = self.edge.minimum_tls(remote);
        let settings = self.edge.settings.load_full();
        let config = settings.tls.server(local, minimum);
        let handshake = transport.accept_tls(config, settings.admission.handshake_bytes);
        self.visit.note(|| Fact::TlsBegins);
        let visit = &self.visit;
        let handshake = async move {
            let (transport, facts) = handshake.await?;
            visit.secured(&facts, transport.cipher());
            Ok((transport, facts))
        };
        self.edge.handshakes.pass(handshake).await
    }

    fn place(&self) -> impl Future<Output = Option<SemaphorePermit<'_>>> + Send {
        self.edge.handshakes.place()
    }

    /// What is done at once is done before there is a future, which thousands of idle streams keep room for.
    fn act(
        &mut self,
        output: Output,
        mailbox: &Mailbox,
        now: Instant,
    ) -> impl Future<Output = Result<(), Reason>> + Send {
        let begun = self.begin(output, mailbox, now);
        async move {
            let hub = &self.edge.hub;
            match begun? {
                Rest::Nothing => {}
                Rest::Stanza(taken, pair) => {
                    if let Some(way) = self.ways.get(pair) {
                        hub.wait_for_room(taken, way, now).await;
                    }
                }
                Rest::Pace(pair) => {
                    if let Some(way) = self.ways.get(pair) {
                        hub.pace(&way.standing, now).await;
                    }
                }
            }
            Ok(())
        }
    }

    fn acks_begun(&mut self, id: Option<String>, mailbox: &Mailbox) {
        self.receipts.get_or_insert_default();
        if let (Some(id), Some(way)) = (id, self.ways.first()) {
            let owner = Owner::Partner(way.pair.clone());
            let number = self.registered.id();
            self.living = Some(self.edge.sessions.lives(id, owner, (number, mailbox)));
        }
    }

    async fn sought(&mut self, id: &str, _h: u32) -> Option<Found> {
        let owner = Owner::Partner(self.ways.first()?.pair.clone());
        let sessions = &self.edge.sessions;
        let session = sessions.take_over(id, &owner, clock::instant()).await?;
        let handled = session.receipts.handled();
        self.receipts = Some(session.receipts);
        Some(Found {
            agreed: session.agreed,
            handled,
        })
    }

    fn receipts(&self) -> Option<Arc<Receipts>> {
        self.receipts.clone()
    }

    fn queue(&self) -> Option<(Arc<Queue>, Consumer)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<A, B, C, D, F: Future>(_: impl Fn(A, B, C, D) -> F) -> usize {
        size_of::<F>()
    }

    /// Each idle stream of a partner holds a task and a driver. The allocator rounds them up to its next
    /// size: a task of up to 1,280 bytes to that, of which the runtime takes some 104; a driver to 1,792.
    #[test]
    fn an_idle_stream_is_small() {
        let future = size_of_future(serve);
        assert!(future <= 1176, "the future of the task: {future} bytes");
        let driver = size_of::<Driver<Tapped<Inbound>, Receiving>>();
        assert!(driver <= 1792, "the driver: {driver} bytes");
    }
}
