//! What is written down about one stream: every decision on it, in one line each.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::net::edge::Edge;
use crate::net::io::clock;
use crate::net::live::facts::{Claim, Kind, StreamFacts};
use crate::net::live::log_limiter::{Known, LogLimiter, What};
use crate::net::session::continuity::Change;
use crate::ops::counters::{Ledger, PartnerCounters};
use crate::ops::events::{Direction, Event, Line};
use crate::proto::auth::Pair;
use crate::proto::codes::{Code, Mark};
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Reason};
use crate::proto::stanza::Users;
use crate::proto::stream::Record;

/// The log of one stream: it renders what is known of the stream, which it is told first.
#[derive(Debug)]
pub struct StreamLog {
    ledger: Arc<Ledger>,
    log_limiter: Arc<LogLimiter>,
    facts: Arc<StreamFacts>,
    charged: Charged,
    /// The partner that the claim would be about.
    claimed: Option<Known>,
    /// Who was proven first, or is dialled.
    account: Option<Known>,
    /// Whom it was last about.
    partner: Option<Known>,
    pair: Option<Pair>,
}

/// On whose account lines are written about a stream.
#[derive(Clone, Copy, Debug)]
pub enum Charged {
    /// On the partner's: what is done is done for those who write to it, or by the partner itself.
    Partner,
    /// Whoever connected from there, and has proven nothing, or makes us ask.
    Stranger(IpAddr),
}

impl Charged {
    /// Whether a line about a partner's domain is to be written now; if so, how many were left out
    /// before it.
    pub fn admit(
        self,
        limiter: &LogLimiter,
        known: Option<&Known>,
        remote: &Domain,
        what: What,
    ) -> Option<u64> {
        let now = clock::instant();
        match self {
            Self::Partner => limiter.admit_about(known, remote, what, now),
            Self::Stranger(address) => {
                let partner = known.map(|known| &known.partner);
                limiter.admit_stranger(partner, address, what, now)
            }
        }
    }
}

impl StreamLog {
    /// Begins the log of a stream that somebody opened.
    #[must_use]
    pub fn inbound(
        ledger: Arc<Ledger>,
        log_limiter: Arc<LogLimiter>,
        facts: Arc<StreamFacts>,
    ) -> Self {
        let charged = Charged::Stranger(facts.address.ip());
        Self::new(ledger, log_limiter, facts, (charged, None))
    }

    /// Begins the log of a stream that we opened, for a pair and to a partner, on somebody's
    /// account.
    #[must_use]
    pub fn outbound(
        ledger: Arc<Ledger>,
        log_limiter: Arc<LogLimiter>,
        facts: Arc<StreamFacts>,
        (charged, pair, partner): (Charged, Pair, Known),
    ) -> Self {
        facts.concerns(pair.clone());
        let about = (charged, Some((pair, partner)));
        Self::new(ledger, log_limiter, facts, about)
    }

    fn new(
        ledger: Arc<Ledger>,
        log_limiter: Arc<LogLimiter>,
        facts: Arc<StreamFacts>,
        (charged, about): (Charged, Option<(Pair, Known)>),
    ) -> Self {
        let (pair, partner) = about.unzip();
        let stream_log = Self {
            ledger,
            log_limiter,
            facts,
            charged,
            claimed: None,
            account: partner.clone(),
            partner,
            pair,
        };
        stream_log.line(Event::StreamOpened).log();
        stream_log
    }

    /// The number of the stream in this process.
    #[must_use]
    pub fn stream(&self) -> u64 {
        self.facts.id
    }

    /// Whose stream it is, as far as it is known: the last pair that was spoken of.
    #[must_use]
    pub fn remote(&self) -> Option<&Domain> {
        self.pair.as_ref().map(|pair| &pair.remote)
    }

    /// Writes down what a machine reports.
    pub fn record(&mut self, record: Record, edge: &Edge) {
        let known = |remote: &Domain| edge.hub.known(remote);
        match record {
            Record::Claimed { local, remote } => {
                let domain = remote.as_deref().and_then(|text| Domain::parse(text).ok());
                self.claimed = domain.as_ref().and_then(known);
                self.facts.claims(Claim { local, remote });
            }
            Record::Secured { fault, pair, .. } => {
                self.facts.judged(fault.clone().map_or(Ok(()), Err));
                self.concerns(pair, known);
                if fault.is_none()
                    && let Some(until) = self.facts.valid_until()
                {
                    self.counters().openings.shown(until);
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
                self.concerns(pair, known);
                self.ledger.count(Code::CERTIFICATE_NOT_PINNED);
                self.tell(self.line(event), Code::CERTIFICATE_NOT_PINNED, &fault);
            }
            Record::Authenticated { pair, method } => {
                self.facts.proven(pair.clone(), method);
                self.concerns(pair, known);
                self.counters().openings.proven(self.direction(), method);
                self.is_proven();
                let event = Event::StreamAuthenticated;
                if let Some(left_out) = self.admit(event.into()) {
                    self.line(event).and_left_out(left_out).log();
                }
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
                if let Some(known) = known(&pair.remote) {
                    line = line.partner(&known.partner);
                }
                self.tell(line, reason.code(), &reason);
            }
            Record::DialbackAnswered { pair, valid } => {
                let detail = if valid { "valid" } else { "invalid" };
                self.concerns(pair, known);
                self.line(Event::DialbackAnswered).detail(detail).log();
            }
            Record::Ignored(reason) => {
                self.ledger.count(reason.code());
                let line = self.line(Event::InputIgnored);
                self.tell(line, reason.code(), &reason);
            }
            Record::Reached(_) => {}
        }
    }

    /// The partner's certificate is not like those before it.
    pub fn certificate_changed(&self, change: &Change) {
        self.ledger.count(change.code);
        self.tell(self.line(change.event), change.code, &change.detail);
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

    /// The stream is over. Returns whether there is a line with the words.
    pub fn end(&self, reason: &Reason) -> bool {
        let method = self.method();
        let event = match (method, reason) {
            (Some(_), _) => Event::StreamClosed,
            (None, reason) if reason.has(Mark::NoRefusal) => Event::StreamClosed,
            (None, _) => Event::StreamRefused,
        };
        self.ledger.count(reason.code());
        let line = self.line(event);
        let code = reason.code();
        if self.direction() == Direction::Inbound || method.is_some() {
            return self.tell(line, code, reason);
        }
        // `dial-failed` has the words, under the number of this stream.
        if let Some(left_out) = self.admit(What::new(event, reason)) {
            line.reason(code).and_left_out(left_out).log();
        }
        false
    }

    /// Whether a stream of ours ends for a bad certificate, because no other method is left.
    fn ends_for_it(&self, edge: &Edge) -> bool {
        let context = edge.context();
        let remote = self
            .remote()
            .filter(|_| self.direction() == Direction::Outbound);
        let partner = remote.and_then(|remote| context.rules.partner_of(remote));
        partner.is_some_and(|partner| !partner.methods().contains(Method::TlsDialback))
    }

    /// Where the partner that it was last about is counted.
    fn counters(&self) -> Arc<PartnerCounters> {
        match &self.partner {
            Some(known) => self.ledger.partner(&known.partner),
            None => self.ledger.unlisted(),
        }
    }

    fn concerns(&mut self, pair: Pair, known: impl Fn(&Domain) -> Option<Known>) {
        self.partner = known(&pair.remote);
        self.facts.concerns(pair.clone());
        self.pair = Some(pair);
    }

    /// Who has proven to be a partner that is listed has lines of its own from here on. Anybody can be
    /// one of the others: they stay among those who come from their network.
    fn is_proven(&mut self) {
        let listed = self.partner.as_ref().filter(|known| known.is_listed);
        if self.account.is_none() && listed.is_some() {
            self.account = listed.cloned();
            self.charged = Charged::Partner;
        }
    }

    /// Writes a line with its reason, unless too many like it were written lately; whether it did.
    fn tell(&self, line: Line, code: Code, detail: &dyn fmt::Display) -> bool {
        let admitted = self.admit(What::coded(line.event(), code));
        if let Some(left_out) = admitted {
            let line = line.reason(code).and_more(detail, left_out);
            match line.event() {
                // Of a stanza it is its sender who hears what is wrong, and that nothing asked for
                // is no fault.
                Event::StanzaBounced | Event::StanzaDropped | Event::InputIgnored => line,
                _ => line.explained(code),
            }
            .log();
        }
        admitted.is_some()
    }

    /// Whether a line is to be written now; if so, how many were left out before it.
    fn admit(&self, what: What) -> Option<u64> {
        let known = match self.charged {
            Charged::Partner => self.account.as_ref(),
            Charged::Stranger(_) => self.partner.as_ref().or(self.claimed.as_ref()),
        };
        let now = clock::instant();
        match (self.charged, self.remote()) {
            (charged, Some(remote)) => charged.admit(&self.log_limiter, known, remote, what),
            (_, None) => {
                let partner = known.map(|known| &known.partner);
                let address = self.facts.address.ip();
                self.log_limiter.admit_stranger(partner, address, what, now)
            }
        }
    }

    fn line(&self, event: Event) -> Line {
        let mut line = self.bare_line(event);
        match (&self.partner, &self.pair) {
            (partner, Some(pair)) => {
                line = line.local(&pair.local).remote(&pair.remote);
                if let Some(known) = partner {
                    line = line.partner(&known.partner);
                }
            }
            (_, None) => {
                let Claim { local, remote } = self.facts.with(|learned| learned.claim.clone());
                if let Some(local) = &local {
                    line = line.local(local);
                }
                if let Some(remote) = &remote {
                    line = line.claimed(remote);
                }
            }
        }
        if let Some(method) = self.method() {
            line = line.method(method);
        }
        line
    }

    /// What is the same in all lines about this connection.
    fn bare_line(&self, event: Event) -> Line {
        let line = Line::new(event)
            .stream(self.facts.id)
            .direction(self.direction())
            .peer_address(self.facts.address);
        let tls = (self.facts).with(|learned| learned.tls.as_ref().map(|tls| tls.version));
        match tls {
            Some(tls) => line.tls(tls.as_str()),
            None => line,
        }
    }

    fn direction(&self) -> Direction {
        match self.facts.kind {
            Kind::Inbound | Kind::Link => Direction::Inbound,
            Kind::Outbound => Direction::Outbound,
        }
    }

    /// How the last pair was proven.
    fn method(&self) -> Option<Method> {
        (self.facts).with(|learned| learned.pairs.last().map(|(_, method)| *method))
    }
}
