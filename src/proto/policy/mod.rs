//! What the administrator allows: [`Rules`] are data, [`evaluate`] decides, [`Reason`] says why.

mod admission;
mod method;
mod partner;
mod reason;
mod rules;

pub use admission::{Admission, AdmissionLimits};
pub use method::{Method, Methods, Negotiation};
pub use partner::{DomainPattern, HostPort, Partner};
pub use reason::Reason;
pub use rules::{Claim, Rules, RulesError};

use std::sync::Arc;

use crate::proto::jid::Domain;

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
}

/// The one place where policy decides: may this pair talk, and in this way?
pub fn evaluate<'r>(facts: Facts<'_>, rules: &'r Rules) -> Decision<&'r Arc<Partner>> {
    if !rules.is_local(facts.local) {
        return Decision::Refuse(Reason::UnknownLocalDomain(facts.local.to_string()));
    }
    let Some(partner) = rules.partner_of(facts.remote) else {
        return Decision::Refuse(Reason::UnknownPartner(facts.remote.to_string()));
    };
    match facts.method {
        Some(method) if !partner.methods().contains(method) => {
            Decision::Refuse(Reason::MethodNotAllowed(method))
        }
        _ => Decision::Allow(partner),
    }
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
