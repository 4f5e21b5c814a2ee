//! What protects a stream, and what the partner's certificate is worth by the rules in force.
//!
//! TLS may be up before it is known whose certificate it should be. So the facts belong to the stream,
//! and the chain is judged as soon as the pair is known.

use super::context::{Context, Now};
use super::expiry::Expiry;
use crate::proto::auth::Pair;
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::chain::{CertReport, Chain, TlsFacts, TlsVersion, Trust};
use crate::proto::policy::{Method, Partner};

/// What protects a stream.
#[derive(Debug, Default)]
pub(super) enum Security {
    /// Nothing.
    #[default]
    Clear,
    /// TLS, and it is not known whose certificate the other side's should be.
    Unjudged(TlsFacts),
    /// TLS, and the chain was judged.
    Judged(Box<Judged>),
}

/// TLS as it came up, and the verdict on the partner's chain.
#[derive(Debug)]
pub struct Judged {
    /// Whose certificate it should be.
    pub(super) pair: Pair,
    /// With the chain where it is good, because the next reload may bring other trust anchors.
    pub(super) facts: TlsFacts,
    pub(super) report: CertReport,
    /// Until when a good certificate proves anything.
    expiry: Option<Expiry>,
}

impl Security {
    /// The version of TLS, if it is up.
    pub(super) fn version(&self) -> Option<TlsVersion> {
        match self {
            Self::Clear => None,
            Self::Unjudged(facts) => Some(facts.version),
            Self::Judged(judged) => Some(judged.facts.version),
        }
    }

    /// What the chain is worth, if it was judged.
    pub(super) fn report(&self) -> Option<&CertReport> {
        match self {
            Self::Clear | Self::Unjudged(_) => None,
            Self::Judged(judged) => Some(&judged.report),
        }
    }

    /// What is wrong with the chain, if it was judged and is not good.
    pub(super) fn fault(&self) -> Option<&CertFault> {
        self.report()?.verdict.as_ref().err()
    }

    /// The method that dialback on this stream is.
    pub(super) fn dialback_method(&self) -> Method {
        match self {
            Self::Clear => Method::TcpDialback,
            Self::Unjudged(_) | Self::Judged(_) => Method::TlsDialback,
        }
    }

    /// Until when a good certificate proves anything.
    pub(super) fn expiry(&self) -> Option<&Expiry> {
        match self {
            Self::Clear | Self::Unjudged(_) => None,
            Self::Judged(judged) => judged.expiry.as_ref(),
        }
    }

    /// The same, to be looked at.
    pub(super) fn expiry_mut(&mut self) -> Option<&mut Expiry> {
        match self {
            Self::Clear | Self::Unjudged(_) => None,
            Self::Judged(judged) => judged.expiry.as_mut(),
        }
    }

    /// Nobody will be named whose certificate it could be: what proves nothing is not kept.
    pub(super) fn forget_chain(&mut self) {
        if let Self::Unjudged(facts) = self {
            facts.chain = Chain::default();
        }
    }
}

impl Judged {
    /// Judges the partner's chain by the authorities that policy names for it.
    pub(super) fn new(
        (context, partner, now): (&Context, &Partner, Now),
        pair: Pair,
        mut facts: TlsFacts,
    ) -> Self {
        let trust = Trust {
            anchors: partner.anchors.as_ref().unwrap_or(&context.anchors),
            pins: &partner.pins,
            checker: &context.checker,
        };
        let mut report = facts.chain.judge(&pair.remote, &trust, now.wall);
        if report.verdict.is_err() {
            // What proves nothing is not kept: a stranger may send much of it.
            facts.chain = Chain::default();
            report.certificate = None;
        }
        let is_good = report.verdict.is_ok();
        Self {
            expiry: is_good.then(|| Expiry::new(report.until, now)),
            pair,
            facts,
            report,
        }
    }
}
