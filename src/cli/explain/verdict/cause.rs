//! The row of the table that says most, by all that was met on the way.

use crate::cli::explain::walk::Walk;
use crate::net::io::connect::AttemptFault;
use crate::net::live::trail::Fact;
use crate::proto::codes::Code;
use crate::proto::discover::Target;
use crate::proto::policy::Reason;

/// The row for a way that came to nothing.
pub(super) fn of(walk: &Walk, reason: &Reason) -> Code {
    match reason {
        Reason::UnknownPartner { .. } if walk.is_local(&walk.pair.remote) => Code::BOTH_LOCAL,
        Reason::ConnectFailed(..) | Reason::HeaderTimeout if leads_elsewhere(walk).is_some() => {
            Code::WRONG_ROUTE
        }
        Reason::ConnectFailed(..) => of_connections(walk, reason),
        Reason::ExternalMissing | Reason::ExternalRefused(_) => of_our_certificate(walk, reason),
        Reason::TlsFailed { code, .. } if *code == Code::OUR_CERTIFICATE_REJECTED => {
            of_our_certificate(walk, reason)
        }
        reason => reason.cause(walk.is_routed()),
    }
}

/// The place to which DNS leads, where a `route` leads to another.
pub(super) fn leads_elsewhere(walk: &Walk) -> Option<&Target> {
    let targets = walk.facts().rev().find_map(|fact| match fact {
        Fact::WithoutRoute(targets) => Some(targets),
        _ => None,
    })?;
    let is_routed = |target: &&Target| {
        let mut routes = walk.partner().into_iter().flat_map(|it| &it.route);
        routes.any(|route| route.host == target.host && route.port == target.port)
    };
    match targets.iter().any(|target| is_routed(&target)) {
        true => None,
        false => targets.first(),
    }
}

/// No address could be connected to: the attempt that says most tells why.
fn of_connections(walk: &Walk, reason: &Reason) -> Code {
    let fault = |wanted: fn(&AttemptFault) -> bool| {
        let mut faults = walk.facts().filter_map(|fact| match fact {
            Fact::Connected {
                outcome: Err(fault),
                ..
            } => Some(fault),
            _ => None,
        });
        faults.find(|fault| wanted(fault)).map(AttemptFault::code)
    };
    fault(|fault| *fault == AttemptFault::Refused)
        .or_else(|| fault(|fault| *fault == AttemptFault::TimedOut))
        .or_else(|| is_cut_short(walk).then_some(Code::CONNECTION_TIMED_OUT))
        .or_else(|| fault(|_| true))
        .or_else(|| has_addresses_not_tried(walk).then_some(Code::NOT_A_PUBLIC_ADDRESS))
        .unwrap_or_else(|| reason.code())
}

/// Whether an address was still being connected to when the time for its place was used up.
fn is_cut_short(walk: &Walk) -> bool {
    let count = |wanted: fn(&Fact) -> bool| walk.facts().filter(|fact| wanted(fact)).count();
    let begun = count(|fact| matches!(fact, Fact::Connecting(_)));
    begun > count(|fact| matches!(fact, Fact::Connected { .. }))
}

fn has_addresses_not_tried(walk: &Walk) -> bool {
    walk.facts().any(|fact| match fact {
        Fact::Addresses {
            answer: Ok(found), ..
        } => found.iter().any(|(_, kind)| kind.is_some()),
        _ => false,
    })
}

/// The partner does not accept what we show: what is wrong with it, as far as can be seen from here.
fn of_our_certificate(walk: &Walk, reason: &Reason) -> Code {
    let Some(own) = &walk.own else {
        return reason.code();
    };
    // A certificate that lacks a local domain is refused with the configuration.
    if walk.since > own.not_after {
        Code::OUR_CERTIFICATE_EXPIRED
    } else if !own.purposes.unrestricted && !own.purposes.client_auth {
        Code::OUR_PURPOSE_REFUSED
    } else {
        reason.code()
    }
}

/// What is doubtful: the row, the step and what was met.
type Doubt = (Code, &'static str, String);

/// The addresses that did not answer, beside the one that did.
pub(super) fn addresses_without_answer(walk: &Walk) -> impl Iterator<Item = Doubt> {
    let failed = walk.facts().filter_map(|fact| match fact {
        Fact::Connected {
            address,
            outcome: Err(fault),
            ..
        } => Some((*address, fault)),
        _ => None,
    });
    failed.map(|(address, fault)| {
        let what = format!("{address} {fault}; another address answered");
        (fault.code(), "connect", what)
    })
}

/// What the partner takes in one stanza, where that is less than gateways may send.
pub(super) fn too_small_a_limit(walk: &Walk) -> Option<Doubt> {
    let theirs = walk.offered_limits()?.0?;
    let ours = walk.partner()?.terms.max_stanza_bytes;
    (u64::from(theirs) < ours as u64).then(|| {
        let what = format!(
            "the partner takes stanzas of {theirs} bytes at most, and gateways may send {ours}"
        );
        (Code::PARTNER_LIMIT, "features", what)
    })
}
