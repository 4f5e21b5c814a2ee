//! What is written down about one stream: every decision on it, in one line each.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::ops::counters::Ledger;
use crate::ops::events::{Direction, Event, Line};
use crate::proto::auth::Pair;
use crate::proto::auth::chain::TlsVersion;
use crate::proto::jid::Domain;
use crate::proto::policy::{Method, Reason};
use crate::proto::stream::Record;

/// The journal of one stream.
#[derive(Debug)]
pub struct Journal {
    ledger: Arc<Ledger>,
    stream: u64,
    direction: Direction,
    address: SocketAddr,
    partner: Option<Domain>,
    pair: Option<Pair>,
    method: Option<Method>,
    tls: Option<TlsVersion>,
}

impl Journal {
    /// Begins a journal; `pair` is known from the start where we opened the stream.
    #[must_use]
    pub fn new(
        ledger: Arc<Ledger>,
        stream: u64,
        direction: Direction,
        address: SocketAddr,
        pair: Option<(Pair, Domain)>,
    ) -> Self {
        let (pair, partner) = pair.unzip();
        let journal = Self {
            ledger,
            stream,
            direction,
            address,
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

    /// Writes down what a machine reports; `partner` names who it is about.
    pub fn record(&mut self, record: Record, partner: impl Fn(&Domain) -> Domain) {
        match record {
            Record::Secured {
                version,
                fault,
                pair,
            } => {
                self.tls = Some(version);
                self.concerns(pair, partner);
                if let Some(fault) = fault {
                    self.ledger.count(fault.code());
                    self.line(Event::CertificateRejected)
                        .reason(fault.code())
                        .detail(fault)
                        .log();
                }
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
                let mut line = Line::new(Event::MethodFailed)
                    .stream(self.stream)
                    .direction(self.direction)
                    .peer_address(self.address)
                    .partner(&partner(&pair.remote))
                    .local(&pair.local)
                    .remote(&pair.remote)
                    .method(method);
                if let Some(tls) = self.tls {
                    line = line.tls(tls.as_str());
                }
                line.reason(reason.code()).detail(reason).log();
            }
            Record::DialbackAnswered { pair, valid } => {
                let detail = if valid { "valid" } else { "invalid" };
                self.concerns(pair, partner);
                self.line(Event::DialbackAnswered).detail(detail).log();
            }
            Record::Ignored(reason) => {
                self.ledger.count(reason.code());
                self.line(Event::InputIgnored)
                    .reason(reason.code())
                    .detail(reason)
                    .log();
            }
        }
    }

    /// A stanza was refused; the stream goes on. `is_due` says whether a line about this partner
    /// and this reason is to be written, or whether there have been enough.
    pub fn stanza_refused(
        &self,
        reason: &Reason,
        answered: bool,
        is_due: impl FnOnce(&Domain) -> bool,
    ) {
        self.ledger.count(reason.code());
        if !self.partner.as_ref().is_none_or(is_due) {
            return;
        }
        let event = if answered {
            Event::StanzaBounced
        } else {
            Event::StanzaDropped
        };
        self.line(event).reason(reason.code()).detail(reason).log();
    }

    /// The stream is over.
    pub fn end(&self, reason: &Reason) {
        let event = match (self.method, reason) {
            (Some(_), _) | (None, Reason::Finished | Reason::PeerClosed) => Event::StreamClosed,
            (None, _) => Event::StreamRefused,
        };
        self.ledger.count(reason.code());
        self.line(event).reason(reason.code()).detail(reason).log();
    }

    fn concerns(&mut self, pair: Pair, partner: impl Fn(&Domain) -> Domain) {
        self.partner = Some(partner(&pair.remote));
        self.pair = Some(pair);
    }

    fn line(&self, event: Event) -> Line {
        let mut line = Line::new(event)
            .stream(self.stream)
            .direction(self.direction)
            .peer_address(self.address);
        if let Some(partner) = &self.partner {
            line = line.partner(partner);
        }
        if let Some(pair) = &self.pair {
            line = line.local(&pair.local).remote(&pair.remote);
        }
        if let Some(method) = self.method {
            line = line.method(method);
        }
        if let Some(tls) = self.tls {
            line = line.tls(tls.as_str());
        }
        line
    }
}
