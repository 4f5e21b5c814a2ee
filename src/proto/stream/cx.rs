//! What a step may use of the stream that it is taken on, and what it asks of policy.

use std::mem::take;
use std::sync::Arc;

use super::context::{Context, Now};
use super::id::IdSource;
use super::record::Record;
use super::security::{Judged, Security};
use super::wire::Wire;
use crate::proto::auth::Pair;
use crate::proto::policy::{Decision, Facts, Method, Partner, Reason, evaluate};

/// What a step may use of the stream.
#[derive(Debug)]
pub struct Cx<'a> {
    pub(super) context: &'a Context,
    pub(super) wire: &'a mut Wire,
    pub(super) ids: &'a mut IdSource,
    pub(super) security: &'a mut Security,
    pub(super) now: Now,
}

/// What the rules are asked about a stream by: nothing of the stream changes by it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub(super) context: &'a Context,
    pub(super) security: &'a Security,
    pub(super) now: Now,
}

impl<'a> View<'a> {
    /// Asks policy about a pair on this stream, and about a method as far as there is one.
    pub(super) fn allowed(
        &self,
        pair: &Pair,
        method: Option<Method>,
    ) -> Result<&'a Arc<Partner>, Reason> {
        allowed(self.context, self.security, pair, method)
    }

    /// What a chain that was good is worth by these rules; `None` where there is none.
    pub(super) fn judged_again(&self) -> Result<Option<Box<Judged>>, Reason> {
        match self.security {
            Security::Judged(before) if before.report.verdict.is_ok() => {
                let Judged { pair, facts, .. } = &**before;
                // Policy is asked about the version, too.
                let partner = self.allowed(pair, None)?;
                let terms = (self.context, &**partner, self.now);
                let judged = Judged::new(terms, pair.clone(), facts.clone());
                Ok(Some(Box::new(judged)))
            }
            Security::Clear | Security::Unjudged(_) | Security::Judged(_) => Ok(None),
        }
    }
}

impl<'a> Cx<'a> {
    /// What the rules in force are asked by.
    pub(super) fn view(&self) -> View<'_> {
        View {
            context: self.context,
            security: self.security,
            now: self.now,
        }
    }

    /// Asks policy about a pair on this stream, and about a method as far as there is one.
    pub(super) fn allowed(
        &self,
        pair: &Pair,
        method: Option<Method>,
    ) -> Result<&'a Arc<Partner>, Reason> {
        allowed(self.context, self.security, pair, method)
    }

    /// Puts in force what a chain is worth by the rules of now.
    pub(super) fn put_in_force(&mut self, judged: Option<Box<Judged>>) {
        if let Some(judged) = judged {
            *self.security = Security::Judged(judged);
        }
    }

    /// Judges the partner's chain, if TLS is up and that was not done before.
    pub(super) fn judge(&mut self, pair: &Pair) -> Result<(), Reason> {
        if !matches!(self.security, Security::Unjudged(_)) {
            return Ok(());
        }
        let partner = self.allowed(pair, None)?;
        let Security::Unjudged(facts) = take(self.security) else {
            return Ok(());
        };
        let mut judged = Judged::new((self.context, partner, self.now), pair.clone(), facts);
        self.wire.record(Record::Secured {
            pair: pair.clone(),
            version: judged.facts.version,
            fault: judged.report.verdict.clone().err(),
            shown: judged.report.shown.take().map(Box::new),
        });
        if let Some(fault) = judged.report.unpinned.take().map(Box::new) {
            let pair = pair.clone();
            self.wire.record(Record::NotPinned { pair, fault });
        }
        *self.security = Security::Judged(Box::new(judged));
        Ok(())
    }
}

fn allowed<'a>(
    context: &'a Context,
    security: &Security,
    pair: &Pair,
    method: Option<Method>,
) -> Result<&'a Arc<Partner>, Reason> {
    let facts = Facts {
        method,
        tls: security.version(),
        ..Facts::of_pair(&pair.local, &pair.remote)
    };
    match evaluate(facts, &context.rules) {
        Decision::Allow(partner) => Ok(partner),
        Decision::Refuse(reason) => Err(reason),
    }
}
