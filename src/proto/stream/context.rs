//! What every machine decides by.

use std::sync::Arc;
use std::time::Instant;

use rustls::pki_types::UnixTime;

use super::timing::Timing;
use crate::proto::auth::chain::{Anchors, Checker};
use crate::proto::auth::dialback_key::DialbackSecret;
use crate::proto::policy::Rules;
use crate::proto::xml::Limits;

/// Both clocks, as the shell read them.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For deadlines.
    pub monotonic: Instant,
    /// For the validity of certificates.
    pub wall: UnixTime,
}

/// What every machine decides by; replaced whole on a reload.
#[derive(Debug)]
pub struct Context {
    /// Who may talk, and how.
    pub rules: Rules,
    /// The authorities that vouch for partners without their own.
    pub anchors: Arc<Anchors>,
    /// Who checks the signatures of certificates.
    pub checker: Checker,
    /// What our dialback keys are derived from.
    pub dialback: DialbackSecret,
    /// How long things may take.
    pub timing: Timing,
    /// What a stream may bring before anything is proven on it.
    pub unproven: Unproven,
    /// The largest stanza that is read where no partner's own limit holds, in bytes.
    pub max_stanza_bytes: usize,
    /// The levels of the deepest stanza that is read.
    pub max_stanza_depth: usize,
    /// How many pairs may be proven on one inbound stream.
    pub pairs_per_stream: usize,
    /// Whether each stanza that goes inward tells the gateway which partner it is from.
    pub annotate: bool,
}

impl Context {
    /// What one stanza may cost once its sender is known, if it may have so many bytes.
    pub(super) fn limits(&self, max_stanza_bytes: usize) -> Limits {
        Limits {
            depth: self.max_stanza_depth,
            ..Limits::authenticated(max_stanza_bytes)
        }
    }
}

/// What a stream may bring before anything is proven on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// What one element may cost.
    pub limits: Limits,
    /// Bytes in all.
    pub bytes: usize,
}

impl Default for Unproven {
    fn default() -> Self {
        Self {
            limits: Limits::UNAUTHENTICATED,
            // A hundred times what is needed.
            bytes: 64 << 10,
        }
    }
}
