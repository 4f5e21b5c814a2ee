//! What the administrator allows: [`Rules`] are data, [`evaluate`] decides, [`Reason`] says why.

mod access;
mod admission;
mod budget;
pub mod contact;
mod conversations;
#[cfg(test)]
pub(crate) mod counted;
mod dial_limits;
mod difference;
mod direction;
mod method;
mod partner;
mod reason;
mod recent;
mod rules;
mod sent;
mod terms;
mod user_pair;

pub use access::Access;
pub use admission::{
    Admission, AdmissionLimits, Charges, Look as AdmissionLook, Network, Party, Rates, Visit,
};
pub use budget::{BURST, Budget};
pub use conversations::Conversations;
pub use dial_limits::DialLimits;
pub use difference::{Changes, PartnerChange};
pub use direction::{Direction, Initiative};
pub use method::{Method, Methods, Negotiation};
pub use partner::{DomainPattern, HostPort, Partner};
pub use reason::{KEY_DENIED, Reason};
pub use rules::{EntryClaim, Rules, RulesError};
pub use sent::Sent;
pub use terms::{Kinds, PartnerType, Payload, Terms};
pub use user_pair::PairDigest;

use std::sync::Arc;

use crate::proto::auth::chain::TlsVersion;
use crate::proto::jid::Domain;
use crate::proto::stanza::{Form, Kind};

/// What follows from facts and rules: never a bool without a reason.
#[derive(Clone, Debug)]
#[must_use]
pub enum Decision<T> {
    /// Allowed; the value is what makes the next step possible.
    Allow(T),
    /// Refused, and why.
    Refuse(Reason),
}

/// What is known when a decision is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The domain the edge speaks for.
    pub local: &'a Domain,
    /// The domain the other side claims.
    pub remote: &'a Domain,
    /// How the pair was proven, or is about to be; `None` when only the pair is known.
    pub method: Option<Method>,
    /// The version of TLS that the stream runs on, where it is up.
    pub tls: Option<TlsVersion>,
    /// The stanza that is to pass; `None` when the question is about a stream.
    pub stanza: Option<StanzaFacts<'a>>,
}

impl<'a> Facts<'a> {
    /// A pair of domains, and nothing else yet.
    #[must_use]
    pub fn of_pair(local: &'a Domain, remote: &'a Domain) -> Self {
        Self {
            local,
            remote,
            method: None,
            tls: None,
            stanza: None,
        }
    }
}

/// What policy knows about a stanza.
#[derive(Clone, Copy, Debug)]
pub struct StanzaFacts<'a> {
    /// Which way it goes.
    pub direction: Direction,
    /// Which of the three it is.
    pub kind: Kind,
    /// Whether it answers: an iq result, or an error of any kind.
    pub is_answer: bool,
    /// Whether the address on this side is the domain itself and no user of it.
    pub to_service: bool,
    /// The whole of it.
    pub form: &'a Form,
    /// How long it is when it is written for the other side, in bytes.
    pub bytes: usize,
    /// Whether it answers what the local user has sent lately.
    pub was_asked: bool,
    /// Whether the local user has added the remote one.
    pub is_contact: bool,
    /// Whether the side that may open conversations has opened this one.
    pub is_open: bool,
    /// Whether the local user may use federation at all.
    pub is_allowed: bool,
}

/// The one place where policy decides: may this pair talk, in this way, and may this stanza pass?
pub fn evaluate<'r>(facts: Facts<'_>, rules: &'r Rules) -> Decision<&'r Arc<Partner>> {
    #[cfg(test)]
    counted::evaluation();
    match decide(facts, rules) {
        Ok(partner) => Decision::Allow(partner),
        Err(reason) => Decision::Refuse(reason),
    }
}

/// The second half of [`evaluate`], where the pair was allowed and its entry is known: may this stanza
/// pass under the partner's terms?
pub fn evaluate_stanza(stanza: &StanzaFacts<'_>, partner: &Partner) -> Decision<()> {
    #[cfg(test)]
    counted::evaluation();
    match judge_stanza(stanza, &partner.terms) {
        Ok(()) => Decision::Allow(()),
        Err(reason) => Decision::Refuse(reason),
    }
}

fn decide<'r>(facts: Facts<'_>, rules: &'r Rules) -> Result<&'r Arc<Partner>, Reason> {
    if !rules.is_local(facts.local) {
        return Err(Reason::UnknownLocalDomain(facts.local.to_string()));
    }
    let partner = rules
        .partner_of(facts.remote)
        .ok_or_else(|| rules.unknown_partner(facts.remote))?;
    if let Some(method) = facts.method
        && !partner.methods().contains(method)
    {
        return Err(Reason::MethodNotAllowed(method));
    }
    if let Some(version) = facts.tls
        && version < partner.terms.minimum_tls
    {
        return Err(Reason::TlsTooOld {
            version,
            minimum: partner.terms.minimum_tls,
        });
    }
    if let Some(stanza) = facts.stanza {
        judge_stanza(&stanza, &partner.terms)?;
    }
    Ok(partner)
}

/// What a partner's terms leave of a stanza. Access comes last: a user who may not use federation
/// must look like one who does not exist, and a stanza to such a one has passed all the rest.
fn judge_stanza(stanza: &StanzaFacts<'_>, terms: &Terms) -> Result<(), Reason> {
    if !terms.kinds.contains(stanza.kind) {
        return Err(Reason::KindNotAllowed(stanza.kind));
    }
    terms.payload.judge(stanza.form)?;
    let limit = terms.most_written(stanza.direction);
    if stanza.bytes > limit {
        return Err(Reason::StanzaTooBig {
            bytes: stanza.bytes,
            limit,
        });
    }
    // An answer passes where there was a question, or it would be a way to turn to anybody.
    let invited = stanza.was_asked || stanza.is_contact;
    // Servers ask each other what they are, whoever their users are.
    let between_servers = stanza.kind == Kind::Iq && stanza.to_service && !stanza.is_answer;
    let uninvited = |reason| match stanza.is_answer {
        true => Err(Reason::UnaskedAnswer),
        false => Err(reason),
    };
    if stanza.direction == Direction::Inbound
        && !terms.partner_type.comes_unasked()
        && !(invited || between_servers)
    {
        return uninvited(Reason::NotAContact);
    }
    let may_open = terms.initiative.admits(stanza.direction);
    if !(may_open || stanza.is_open || invited || between_servers) {
        return uninvited(Reason::ConversationNotAllowed(terms.initiative));
    }
    if !stanza.is_allowed {
        return Err(Reason::AccessDenied);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eighteen_rows_of_the_modelled_table() {
        use Method::{SaslExternal as S, TcpDialback as DP, TlsDialback as DT};
        use Negotiation::{NotSupported as N, Optional as O, Required as R};
        // tls, sasl, dialback: methods left, warning. No method at all is an error.
        let table: [(Negotiation, Negotiation, bool, &[Method], bool); 18] = [
            (R, R, true, &[S], true),
            (R, R, false, &[S], false),
            (O, R, true, &[S, DT, DP], true),
            (O, R, false, &[S], true),
            (N, R, true, &[DP], true),
            (N, R, false, &[], false),
            (R, O, true, &[S, DT], false),
            (R, O, false, &[S], false),
            (O, O, true, &[S, DT, DP], true),
            (O, O, false, &[S], true),
            (N, O, true, &[DP], true),
            (N, O, false, &[], false),
            (R, N, true, &[DT], false),
            (R, N, false, &[], false),
            (O, N, true, &[DT, DP], false),
            (O, N, false, &[], false),
            (N, N, true, &[DP], false),
            (N, N, false, &[], false),
        ];
        for (tls, sasl, dialback, want, warns) in table {
            let methods = Methods::of(tls, sasl, dialback);
            assert_eq!(
                methods.iter().collect::<Vec<_>>(),
                want,
                "{tls:?} {sasl:?} {dialback}"
            );
            assert_eq!(
                Methods::deserves_warning(tls, sasl, dialback),
                warns,
                "{tls:?} {sasl:?} {dialback}"
            );
        }
    }
}
