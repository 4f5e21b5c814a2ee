//! What is written down about one stream: every decision on it, in one line each.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::net::edge::Edge;
use crate::net::live::log_limiter::LogLimiter;
use crate::net::session::continuity::compare;
use crate::ops::counters::Ledger;
use crate::ops::events::{Direction, Event, Line};
use crate::proto::auth::Pair;
use crate::proto::auth::chain::TlsVersion;
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Reason};
use crate::proto::stanza::Users;
use crate::proto::stream::Record;

/// The journal of one stream.
#[derive(Debug)]
pub struct Journal {
    ledger: Arc<Ledger>,
    log_limiter: Arc<LogLimiter>,
    stream: u64,
    direction: Direction,
    address: SocketAddr,
    claim: Claim,
    partner: Option<Domain>,
    pair: Option<Pair>,
    method: Option<Method>,
    tls: Option<TlsVersion>,
}

/// What the other side said of itself, while nothing else is known of it.
#[derive(Debug, Default)]
struct Claim {
    local: Option<Domain>,
    remote: Option<String>,
    /// The partner that the claim would be about.
    partner: Option<Domain>,
}

impl Journal {
    /// Begins the journal of a stream that somebody opened.
    #[must_use]
    pub fn inbound(
        ledger: Arc<Ledger>,
        log_limiter: Arc<LogLimiter>,
        stream: u64,
        address: SocketAddr,
    ) -> Self {
        Self::new(
            ledger,
            log_limiter,
            stream,
            Direction::Inbound,
            address,
            None,
        )
    }

    /// Begins the journal of a stream that we opened, for a pair and to a partner.
    #[must_use]
    pub fn outbound(
        ledger: Arc<Ledger>,
        log_limiter: Arc<LogLimiter>,
        stream: u64,
        address: SocketAddr,
        pair: (Pair, Domain),
    ) -> Self {
        let direction = Direction::Outbound;
        Self::new(ledger, log_limiter, stream, direction, address, Some(pair))
    }

    fn new(
        ledger: Arc<Ledger>,
        log_limiter: Arc<LogLimiter>,
        stream: u64,
        direction: Direction,
        address: SocketAddr,
        pair: Option<(Pair, Domain)>,
    ) -> Self {
        let (pair, partner) = pair.unzip();
        let journal = Self {
            ledger,
            log_limiter,
            stream,
            direction,
            address,
            claim: Claim::default(),
            partner,
            pair,
            method: None,
            tls: None,
        };
        journal.line(Event::StreamOpened).log();
        journal
    }

    /// The number of the stream in this process.
    #[must_use]
    pub fn stream(&self) -> u64 {
        self.stream
    }

    /// Whose stream it is, as far as it is known: the last pair that was spoken of.
    #[must_use]
    pub fn remote(&self) -> Option<&Domain> {
        self.pair.as_ref().map(|pair| &pair.remote)
    }

    /// Writes down what a machine reports.
    pub fn record(&mut self, record: Record, edge: &Edge) {
        let partner = |remote: &Domain| edge.hub.partner(remote);
        match record {
            Record::Claimed { local, remote } => {
                let domain = remote.as_deref().and_then(|text| Domain::parse(text).ok());
                self.claim = Claim {
                    local,
                    remote,
                    partner: domain.as_ref().and_then(partner),
                };
            }
            Record::Secured {
                version,
                fault,
                pair,
                shown,
            } => {
                self.tls = Some(version);
                let change = shown.and_then(|shown| compare(edge, &pair.remote, &shown));
                self.concerns(pair, partner);
                if let Some((event, detail)) = change {
                    self.ledger.count(event.id());
                    self.tell(self.line(event), event.id(), &detail);
                }
                if let Some(fault) = fault {
                    let is_told_at_end = self.ends_for_it(edge);
                    self.ledger.count(fault.code());
                    if !is_told_at_end {
                        let line = self.line(Event::CertificateRejected);
                        self.tell(line, fault.code(), &fault);
                    }
                }
            }
            Record::NotPinned { pair, fault } => {
                let event = Event::CertificateNotPinned;
                self.concerns(pair, partner);
                self.ledger.count(event.id());
                self.tell(self.line(event), event.id(), &fault);
            }
            Record::Authenticated { pair, method } => {
                self.method = Some(method);
                self.concerns(pair, partner);
                self.line(Event::StreamAuthenticated).log();
            }
            Record::MethodFailed {
                pair,
                method,
                reason,
            } => {
                self.ledger.count(reason.code());
                let mut line = self
                    .bare_line(Event::MethodFailed)
                    .local(&pair.local)
                    .remote(&pair.remote)
                    .method(method);
                if let Some(partner) = partner(&pair.remote) {
                    line = line.partner(&partner);
                }
                self.tell(line, reason.code(), &reason);
            }
            Record::DialbackAnswered { pair, valid } => {
                let detail = if valid { "valid" } else { "invalid" };
                self.concerns(pair, partner);
                self.line(Event::DialbackAnswered).detail(detail).log();
            }
            Record::Ignored(reason) => {
                self.ledger.count(reason.code());
                let line = self.line(Event::InputIgnored);
                self.tell(line, reason.code(), &reason);
            }
        }
    }

    /// A stanza between this pair, if it says so much, was refused; the stream goes on.
    pub fn stanza_refused(
        &self,
        reason: &Reason,
        (pair, users): (Option<&Pair>, &Users),
        answered: bool,
    ) {
        self.ledger.count(reason.code());
        let event = if answered {
            Event::StanzaBounced
        } else {
            Event::StanzaDropped
        };
        let mut line = self.line(event).users(users);
        if let Some(pair) = pair {
            line = line.local(&pair.local).remote(&pair.remote);
        }
        self.tell(line, reason.code(), reason);
    }

    /// The stream is over.
    pub fn end(&self, reason: &Reason) {
        let event = match (self.method, reason) {
            (Some(_), _) | (None, Reason::Finished | Reason::PeerClosed) => Event::StreamClosed,
            (None, _) => Event::StreamRefused,
        };
        self.ledger.count(reason.code());
        let line = self.line(event);
        if self.method.is_some() {
            // There are only so many streams of partners, and each ends once.
            line.reason(reason.code()).detail(reason).log();
        } else if self.direction == Direction::Outbound {
            // `dial-failed` has the words, under the number of this stream.
            line.reason(reason.code()).log();
        } else {
            self.tell(line, reason.code(), reason);
        }
    }

    /// Whether a stream of ours ends for a bad certificate, because no other method is left.
    fn ends_for_it(&self, edge: &Edge) -> bool {
        let context = edge.context();
        let remote = self
            .remote()
            .filter(|_| self.direction == Direction::Outbound);
        let partner = remote.and_then(|remote| context.rules.partner_of(remote));
        partner.is_some_and(|partner| !partner.methods().contains(Method::TlsDialback))
    }

    fn concerns(&mut self, pair: Pair, partner: impl Fn(&Domain) -> Option<Domain>) {
        self.partner = partner(&pair.remote);
        self.pair = Some(pair);
    }

    /// Writes a line with its reason, unless too many like it were written lately.
    fn tell(&self, line: Line, code: &'static str, detail: &dyn fmt::Display) {
        let now = Instant::now();
        let left_out = match (self.direction, self.method, &self.partner) {
            (Direction::Inbound, Some(_), Some(partner)) => {
                self.log_limiter.admit(Some(partner), code, now)
            }
            (Direction::Inbound, ..) => {
                let claimed = self.partner.as_ref().or(self.claim.partner.as_ref());
                let address = self.address.ip();
                self.log_limiter.admit_stranger(claimed, address, code, now)
            }
            // How often we open streams is up to us.
            (Direction::Outbound, ..) => Some(0),
        };
        if let Some(left_out) = left_out {
            line.reason(code).and_more(detail, left_out).log();
        }
    }

    fn line(&self, event: Event) -> Line {
        let mut line = self.bare_line(event);
        match (&self.partner, &self.pair) {
            (partner, Some(pair)) => {
                line = line.local(&pair.local).remote(&pair.remote);
                if let Some(partner) = partner {
                    line = line.partner(partner);
                }
            }
            (_, None) => {
                if let Some(local) = &self.claim.local {
                    line = line.local(local);
                }
                if let Some(remote) = &self.claim.remote {
                    line = line.claimed(remote);
                }
            }
        }
        if let Some(method) = self.method {
            line = line.method(method);
        }
        line
    }

    /// What is the same in all lines about this connection.
    fn bare_line(&self, event: Event) -> Line {
        let line = Line::new(event)
            .stream(self.stream)
            .direction(self.direction)
            .peer_address(self.address);
        match self.tls {
            Some(tls) => line.tls(tls.as_str()),
            None => line,
        }
    }
}
