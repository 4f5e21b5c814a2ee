//! Which directions a stream carries stanzas in: each by a proof of its own.
//!
//! | stream | inward | outward |
//! |---|---|---|
//! | a partner's | every pair that was proven on it | nothing |
//! | ours | nothing | the pair that it was opened for, and every pair that was proven on it besides |
//! | a gateway's link | the gateway's domain | the same |
//!
//! RFC 6120 §4.5: between servers a stream is one-way. Whoever carries stanzas back has a second proof.

use super::context::Context;
use super::cx::Cx;
use super::machine::Output;
use super::record::Record;
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::jid::Domain;
use crate::proto::policy::Method;
use crate::proto::xml::Limits;

/// The directions of a stream.
#[derive(Debug)]
pub(super) struct Directions {
    pub(super) inward: Inward,
    pub(super) outward: Outward,
}

/// Whose stanzas are taken from a stream.
#[derive(Debug)]
pub(super) enum Inward {
    Nobody,
    /// Those of every pair that was proven.
    Partners(Vec<Authenticated<Pair>>),
    Gateway(Authenticated<Domain>),
}

/// To whom stanzas are written on a stream.
#[derive(Debug)]
pub(super) enum Outward {
    Nobody,
    /// Those of every pair that was proven: first that which the stream was opened for.
    Partner(Authenticated<Pair>, Vec<Authenticated<Pair>>),
    Gateway,
}

impl Directions {
    /// A stream that a partner opened.
    pub(super) fn from_partner(proof: Authenticated<Pair>) -> Self {
        Self {
            inward: Inward::Partners(vec![proof]),
            outward: Outward::Nobody,
        }
    }

    /// A stream that we opened.
    pub(super) fn to_partner(proof: Authenticated<Pair>) -> Self {
        Self {
            inward: Inward::Nobody,
            outward: Outward::Partner(proof, Vec::new()),
        }
    }

    /// A gateway's link.
    pub(super) fn of_link(proof: Authenticated<Domain>) -> Self {
        Self {
            inward: Inward::Gateway(proof),
            outward: Outward::Gateway,
        }
    }

    /// The pairs that were proven, of both directions.
    pub(super) fn pairs(&self) -> impl Iterator<Item = &Authenticated<Pair>> {
        let inward = match &self.inward {
            Inward::Partners(pairs) => pairs.as_slice(),
            Inward::Nobody | Inward::Gateway(_) => &[],
        };
        let (outward, shared) = match &self.outward {
            Outward::Partner(pair, shared) => (Some(pair), shared.as_slice()),
            Outward::Nobody | Outward::Gateway => (None, [].as_slice()),
        };
        inward.iter().chain(outward).chain(shared)
    }

    /// Whether several pairs share a stream of ours.
    pub(super) fn is_shared(&self) -> bool {
        matches!(&self.outward, Outward::Partner(_, shared) if !shared.is_empty())
    }

    /// Whether any pair was proven by the certificate.
    pub(super) fn by_certificate(&self) -> bool {
        self.pairs()
            .any(|pair| pair.method() == Some(Method::SaslExternal))
    }

    /// What one stanza may cost here.
    pub(super) fn limits(&self, context: &Context) -> Limits {
        let default = context.max_stanza_bytes;
        match &self.inward {
            // No stanza comes: nothing too large is worth an answer.
            Inward::Nobody => Limits {
                overrun: 1,
                ..context.limits(default)
            },
            // As much as the most generous of the partners may send, because the sender of a stanza
            // is not known before it is read.
            Inward::Partners(pairs) => {
                let partners = pairs
                    .iter()
                    .filter_map(|pair| context.rules.partner_of(&pair.remote));
                let longest = partners.map(|it| it.terms.max_stanza_bytes).max();
                context.limits(longest.unwrap_or(default))
            }
            // As much as the most generous partner takes; policy knows the limit of each.
            Inward::Gateway(_) => context.limits(context.rules.max_stanza_bytes().max(default)),
        }
    }

    /// Tells that a pair is proven.
    pub(super) fn tell(cx: &mut Cx<'_>, proof: &Authenticated<Pair>) {
        if let Some(method) = proof.method() {
            let pair = (**proof).clone();
            cx.wire.record(Record::Authenticated { pair, method });
        }
        cx.wire.push(Output::Authenticated(proof.clone()));
    }
}
