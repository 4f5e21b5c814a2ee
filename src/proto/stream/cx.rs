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

impl<'a> Cx<'a> {
    /// Asks policy about a pair on this stream, and about a method as far as there is one.
    pub(super) fn allowed(
        &self,
        pair: &Pair,
        method: Option<Method>,
    ) -> Result<&'a Arc<Partner>, Reason> {
        let facts = Facts {
            method,
            tls: self.security.version(),
            ..Facts::of_pair(&pair.local, &pair.remote)
        };
        match evaluate(facts, &self.context.rules) {
            Decision::Allow(partner) => Ok(partner),
            Decision::Refuse(reason) => Err(reason),
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

    /// Judges a chain that was good by the rules in force now.
    pub(super) fn judge_again(&mut self) -> Result<(), Reason> {
        match take(self.security) {
            Security::Judged(before) if before.report.verdict.is_ok() => {
                let Judged { pair, facts, .. } = *before;
                // Policy is asked about the version, too.
                *self.security = Security::Unjudged(facts);
                let partner = self.allowed(&pair, None)?;
                if let Security::Unjudged(facts) = take(self.security) {
                    let judged = Judged::new((self.context, partner, self.now), pair, facts);
                    *self.security = Security::Judged(Box::new(judged));
                }
            }
            other => *self.security = other,
        }
        Ok(())
    }
}
