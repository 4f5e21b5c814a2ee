//! A gateway's link: the shell around [`Component`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout;

use crate::net::edge::{Edge, fresh_ids};
use crate::net::guard::admission::Admitted;
use crate::net::io::clock;
use crate::net::io::tls::{TlsFault, check_names};
use crate::net::io::transport::Transport;
use crate::net::live::facts::{StreamFacts, TlsSession};
use crate::net::live::log_limiter::What;
use crate::net::live::mailbox::{Mailbox, mailbox};
use crate::net::live::refused_link::RefusedLink;
use crate::net::live::registry::Kind;
use crate::net::live::sessions::{Living, Owner, Session};
use crate::net::relay::queue::{Consumer, Queue, Waited};
use crate::net::relay::ways::WaysOut;
use crate::net::session::driver::{Driver, Side, Unread, is_left_to_sender, now};
use crate::net::session::tap::{Made, Tapped};
use crate::ops::events::{Direction, Event, Line};
use crate::ops::receipts::Receipts;
use crate::proto::auth::Pair;
use crate::proto::auth::chain::TlsFacts;
use crate::proto::codes::Code;
use crate::proto::jid::Domain;
use crate::proto::policy::{Party, Reason};
use crate::proto::stanza::Users;
use crate::proto::stream::acks::{Found, Suspended};
use crate::proto::stream::{Component, Output};
use crate::proto::trace::Opening;
use crate::proto::xml::Fault;

/// Serves a connection that a gateway opened, to its end.
pub async fn serve(edge: Arc<Edge>, stream: Transport, address: SocketAddr, admitted: Admitted) {
    let Ok(ids) = fresh_ids() else {
        edge.ledger.count(Code::NO_RANDOMNESS);
        return;
    };
    let mut mailbox = mailbox();
    let registered = edge
        .registry
        .register(Kind::Link, address, mailbox.0.clone());
    let line = |event| {
        Line::new(event)
            .stream(registered.id())
            .peer_address(address)
    };
    let secured = tokio::select! {
        secured = secure(&edge, stream, registered.facts()) => secured,
        // A handshake that stalls must not make the edge's own stop wait.
        _ = mailbox.1.end() => return,
    };
    let transport = match secured {
        Ok(transport) => transport,
        Err((code, detail)) => {
            edge.ledger.count(code);
            let refused = refused_link(address, None, code, detail);
            self::refused(&edge, line(Event::LinkRefused), refused);
            return;
        }
    };
    let secret = Arc::clone(&edge.settings.load().link.secret);
    // Before the rules are looked at: what changes from here on is seen.
    let updates = edge.context.subscribe();
    let (began, context) = (now(), edge.context());
    let machine = Component::new(
        Arc::clone(&context),
        ids.clone(),
        Arc::clone(&secret),
        began,
    );
    let made = Made {
        opening: Opening::Link { address, secret },
        context,
        ids,
        now: began,
    };
    let machine = Tapped::new(machine, &edge, registered.facts(), made);
    let side = Serving {
        edge: Arc::clone(&edge),
        id: registered.id(),
        facts: Arc::clone(registered.facts()),
        address,
        admitted,
        taken: None,
        ways: WaysOut::default(),
        receipts: None,
        living: None,
        expects_acks: false,
        unread: Unread::begin(clock::instant()),
    };
    let driver =
        Driver::new(transport, machine, side, mailbox, updates).known_by(registered.facts());
    let ended = Box::pin(driver.run()).await;
    let reason = ended.reason;
    edge.ledger.count(reason.code());
    let Some((domain, queue)) = ended.side.taken else {
        let code = reason.code();
        let mut line = line(Event::LinkRefused);
        if let Some(asked) = &ended.asked {
            line = line.claimed(asked.as_str());
        }
        let is_plain = edge.settings.load().link.tls.is_none();
        let text = in_words(&reason, is_plain);
        let refused = refused_link(address, ended.asked.as_ref(), code, text);
        self::refused(&edge, line, refused);
        return;
    };
    // What never left goes to the other links, or waits for the next, and what is not acknowledged before it. Where nothing is
    // acknowledged, what may have left is not sent twice.
    let (mut left, now) = (ended.left, clock::instant());
    for queued in &mut left.unacknowledged {
        // It may have waited long to be acknowledged: the time that a gateway may be away begins here.
        queued.since = now;
    }
    let mut session = None;
    if let (Some(Suspended { id, agreed, .. }), Some(receipts)) =
        (ended.suspended, ended.side.receipts)
    {
        let first = agreed.acknowledged();
        for (place, queued) in (1u32..).zip(&mut left.unacknowledged) {
            queued.mark(registered.id(), first.wrapping_add(place));
        }
        let kept = Session {
            number: registered.id(),
            agreed,
            receipts,
        };
        session = Some((id, kept));
    }
    edge.ledger
        .count_many(Code::SENT_AGAIN, left.unacknowledged.len());
    let perhaps = left.perhaps_lost(&reason);
    edge.ledger.count_many(Code::PERHAPS_LOST, perhaps);
    let again = left.unacknowledged.into_iter().chain(left.untouched);
    let links = queue.detach(registered.id(), again.collect());
    let lost = left.uncertain.len();
    // Whoever resumes it finds in the queue what it has not acknowledged.
    if let Some((id, session)) = session {
        let owner = Owner::Gateway(domain.clone());
        edge.sessions.keep(id, owner, session, now);
    }
    drop(ended.side.living);
    for queued in left.uncertain {
        edge.hub.bounce(queued, &Reason::LinkLost.into());
    }
    let left = match links {
        0 => "no gateway is left for this domain".to_owned(),
        links => format!("links that are left for this domain: {links}"),
    };
    let what = What::new(Event::LinkDown, &reason);
    if let Some(left_out) = edge.log_limiter.admit(Some(&domain), what, now) {
        line(Event::LinkDown)
            .local(&domain)
            .reason(reason.code())
            .and_more(
                format_args!(
                    "{reason}; stanzas that were being written: {lost}, that may be lost: {perhaps}; {left}"
                ),
                left_out,
            )
            .log();
    }
    edge.hub.tell_of_absence(&domain, &queue);
}

fn refused_link(
    address: SocketAddr,
    asked: Option<&Domain>,
    code: Code,
    text: String,
) -> RefusedLink {
    RefusedLink {
        address,
        claimed: asked.map(|domain| domain.as_str().to_owned()),
        code,
        text,
        at: now().wall.as_secs(),
        times: 1,
    }
}

/// Writes that somebody was refused, unless too many were lately.
fn refused(edge: &Edge, line: Line, link: RefusedLink) {
    let what = What::coded(Event::LinkRefused, link.code);
    let (from, now) = (link.address.ip(), clock::instant());
    edge.refused_link.note(link.clone());
    if let Some(left_out) = edge.log_limiter.admit_stranger(None, from, what, now) {
        let line = line.reason(link.code).explained(link.code);
        line.and_more(link.text, left_out).log();
    }
}

/// Why a gateway was refused. What it does wrong is mended in its own configuration, so that is named.
fn in_words(reason: &Reason, is_plain: bool) -> String {
    match reason {
        Reason::Xml(Fault::TlsHello) if is_plain => {
            "the gateway began with TLS, and the link is in the clear here (plaintext = true under \
             [gateway]): switch TLS off in the gateway, or put [gateway.tls] in the place of \
             plaintext = true"
                .to_owned()
        }
        Reason::InvalidNamespace => {
            "the gateway opened another stream than one of components (jabber:component:accept): it \
             may be set up as a client, or as a server"
                .to_owned()
        }
        Reason::UnknownLocalDomain(domain) => format!(
            "the gateway asked for {domain}, which is not among the domains of edge.toml"
        ),
        reason => reason.to_string(),
    }
}

/// Mutual TLS before the first byte of XML, where the link has TLS.
async fn secure(
    edge: &Edge,
    transport: Transport,
    known: &StreamFacts,
) -> Result<Transport, (Code, String)> {
    let settings = edge.settings.load_full();
    let Some(tls) = &settings.link.tls else {
        return Ok(transport);
    };
    let patience = edge.context().timing.establishment;
    let (config, refused) = tls.for_one();
    let handshake = transport.accept_tls(config, settings.admission.handshake_bytes);
    let outcome = timeout(patience, handshake)
        .await
        .unwrap_or(Err(TlsFault::TimedOut));
    let (transport, facts) = outcome.map_err(|fault| (fault.code(), refused.in_words(&fault)))?;
    known.secured(TlsSession::of(&facts, transport.cipher()));
    check_names(&facts, &settings.link.client_names)
        .map_err(|names| (Code::GATEWAY_NAME, names))?;
    Ok(transport)
}

/// What becomes of a gateway's stanzas.
struct Serving {
    edge: Arc<Edge>,
    id: u64,
    facts: Arc<StreamFacts>,
    address: SocketAddr,
    admitted: Admitted,
    /// The domain this link serves, and the queue it takes from, once it has proven itself.
    taken: Option<(Domain, Arc<Queue>)>,
    ways: WaysOut,
    /// What of its stanzas is settled, where that is acknowledged.
    receipts: Option<Arc<Receipts>>,
    /// Where another link can find this one, to go on with its session.
    living: Option<Living>,
    /// Whether the domain's gateway has acknowledged before, and this one has not said that it will not.
    expects_acks: bool,
    unread: Unread,
}

impl Serving {
    /// Writes that the link is there, unless there were many lately: a gateway may come and go.
    fn connected(&self, domain: &Domain, links: usize) {
        let Some(left_out) = self.admit(Event::LinkUp, domain) else {
            return;
        };
        let line = Line::new(Event::LinkUp)
            .stream(self.id)
            .peer_address(self.address)
            .local(domain);
        match links {
            ..=1 => line.and_left_out(left_out),
            links => line.and_more(
                format_args!(
                    "links for this domain: {links}; each gets its share of the conversations"
                ),
                left_out,
            ),
        }
        .log();
    }

    /// Writes what the gateway gets that waited for it, unless there were many such lines lately.
    fn gets(&self, domain: &Domain, waited: &Waited) {
        let Some(left_out) = self.admit(Event::GatewayBack, domain) else {
            return;
        };
        let line = Line::new(Event::GatewayBack).stream(self.id).local(domain);
        let detail = format_args!(
            "{} stanzas waited, for {} s; {} had waited for too long before",
            waited.waiting,
            clock::instant()
                .saturating_duration_since(waited.since)
                .as_secs(),
            waited.given_up
        );
        line.and_more(detail, left_out).log();
    }

    fn admit(&self, event: Event, domain: &Domain) -> Option<u64> {
        let now = clock::instant();
        self.edge.log_limiter.admit(Some(domain), event, now)
    }

    /// A stanza was refused; its sender was told.
    fn refused(&self, reason: &Reason, (pair, users): (Option<&Pair>, &Users)) {
        let code = reason.code();
        self.edge.ledger.count(code);
        let Some((domain, _)) = &self.taken else {
            return;
        };
        // What users inside get wrong, they may get wrong often, and about any number of domains.
        let what = What::new(Event::StanzaBounced, reason);
        let limiter = &self.edge.log_limiter;
        let now = clock::instant();
        let known = pair.and_then(|pair| self.edge.hub.known(&pair.remote));
        let left_out = match (pair, &known) {
            (Some(pair), Some(_)) => limiter.admit_about(known.as_ref(), &pair.remote, what, now),
            _ => limiter.admit(Some(domain), what, now),
        };
        let Some(left_out) = left_out else {
            return;
        };
        let mut line = Line::new(Event::StanzaBounced)
            .direction(Direction::Outbound)
            .stream(self.id)
            .local(domain)
            .users(users)
            .reason(code);
        if let Some(pair) = pair {
            line = line.remote(&pair.remote);
            if let Some(known) = &known {
                line = line.partner(&known.partner);
            }
        }
        line.and_more(reason, left_out).log();
    }
}

impl Side for Serving {
    async fn start_tls(
        &mut self,
        _transport: Transport,
        _local: &Domain,
        _remote: &Domain,
    ) -> Result<(Transport, TlsFacts), TlsFault> {
        // XEP-0114 knows no STARTTLS: TLS was there before the stream, or is not at all.
        Err(TlsFault::Closed)
    }

    async fn act(
        &mut self,
        output: Output,
        _mailbox: &Mailbox,
        now: Instant,
    ) -> Result<(), Reason> {
        if is_left_to_sender(&output, self.receipts.as_deref()) {
            return Ok(());
        }
        match output {
            Output::Stanza(stanza) => {
                // Whoever sends stanzas has chosen.
                self.expects_acks = false;
                let receipt = self.receipts.as_ref().map(Receipts::received);
                let hub = &self.edge.hub;
                let begun = hub.from_gateway(stanza, receipt, &mut self.ways, now);
                if let Some(user_pair) = begun {
                    let edge = Arc::clone(&self.edge);
                    tokio::spawn(async move { edge.hub.settle(user_pair).await });
                }
            }
            Output::LinkUp(domain) => {
                let queue = self.edge.hub.inbox(&domain);
                let most = self.edge.settings.load().link.per_domain;
                let links = queue
                    .attach_within(most, self.id)
                    .ok_or(Reason::TooManyLinks(most))?;
                // Where a gateway has been, its next connection finds a place, whoever crowds this port.
                self.admitted.prove(Some(Party {
                    partner: &domain,
                    is_listed: true,
                }));
                self.facts.serves((*domain).clone());
                self.expects_acks = self.edge.sessions.has_known(&domain);
                let waited = queue.attended();
                self.taken = Some(((*domain).clone(), queue));
                self.connected(&domain, links);
                if let Some(waited) = waited {
                    self.gets(&domain, &waited);
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
                // Only what could not be answered on the link itself: it is closing, or the answer is
                // to be acknowledged.
                if let Some(answer) = answer {
                    self.edge.hub.answer(*answer);
                }
                let users = self.edge.hub.told(*users);
                self.refused(&reason, (pair.as_deref(), &users));
            }
            Output::Record(_)
            | Output::Send(_)
            | Output::StartTls { .. }
            | Output::Claimed(_)
            | Output::ClaimedNobody
            | Output::ShutWrite
            | Output::Ask(_)
            | Output::Acks(_)
            | Output::Answered(_)
            | Output::GaveUp(_)
            | Output::NotShared(..)
            | Output::Pinged(_)
            | Output::Pace
            | Output::Authenticated(_)
            | Output::Close(_) => {}
        }
        Ok(())
    }

    fn acks_begun(&mut self, id: Option<String>, mailbox: &Mailbox) {
        self.receipts.get_or_insert_default();
        self.expects_acks = false;
        if let Some((domain, _)) = &self.taken {
            self.edge.sessions.know(domain);
        }
        if let (Some(id), Some((domain, _))) = (id, &self.taken) {
            let owner = Owner::Gateway(domain.clone());
            let living = self.edge.sessions.lives(id, owner, (self.id, mailbox));
            self.living = Some(living);
        }
    }

    async fn sought(&mut self, id: &str, h: u32) -> Option<Found> {
        let (domain, queue) = self.taken.as_ref()?;
        let owner = Owner::Gateway(domain.clone());
        let sessions = &self.edge.sessions;
        let session = sessions.take_over(id, &owner, clock::instant()).await?;
        // What the gateway has is not sent to it again, unless another link has taken it.
        if session.agreed.may_have(h) {
            let now = clock::instant();
            for queued in queue.acknowledged(session.number, h) {
                queued.delivered(now);
            }
        }
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
        let (_, queue) = self.taken.as_ref()?;
        Some((Arc::clone(queue), self.id))
    }

    /// In the queue it is put in a fair order.
    fn unread(&mut self) -> Option<&mut Unread> {
        Some(&mut self.unread)
    }

    fn spares_who_has_closed(&self) -> bool {
        true
    }

    fn expects_acks(&self) -> bool {
        self.expects_acks
    }

    /// It carries what others have sent before.
    fn outlives_its_account(&self) -> bool {
        true
    }
}
