//! What was met on this very way, in words, and where to look here.

use super::cause::leads_elsewhere;
use crate::cli::explain::walk::Walk;
use crate::proto::auth::certificate::utc;
use crate::proto::codes::{Code, Phase};
use crate::proto::discover::service;
use crate::proto::policy::Reason;
use crate::proto::xml::Condition;

/// The step that failed.
pub(super) fn step(walk: &Walk, reason: &Reason) -> &'static str {
    match reason {
        Reason::NoService(_) | Reason::DnsFailed(_) => "dns",
        Reason::ConnectFailed(..) => match super::cause::of(walk, reason) {
            code if code == Code::NOT_A_PUBLIC_ADDRESS => "dns",
            _ => "connect",
        },
        Reason::EstablishmentTimeout("the answer of DNS") => "dns",
        Reason::EstablishmentTimeout("a connection") => "connect",
        Reason::NotServed { .. }
        | Reason::ClientPort
        | Reason::LeadsBack { .. }
        | Reason::HeaderTimeout => "header",
        Reason::TlsTooOld { .. }
        | Reason::TlsMissing
        | Reason::TlsDemanded
        | Reason::TlsRefused
        | Reason::TlsFailed { .. } => "tls",
        Reason::Certificate(_) => "certificate",
        Reason::ExternalMissing | Reason::ExternalRefused(_) | Reason::DialbackRefused(_) => {
            "proof"
        }
        Reason::PingTimeout => "ping",
        reason if reason.code().phase() == Phase::Policy => "policy",
        _ => walk.last_step(),
    }
}

/// What was met.
pub(super) fn what(walk: &Walk, reason: &Reason, cause: Code) -> String {
    let remote = &walk.pair.remote;
    match reason {
        Reason::UnknownPartner { .. } if walk.is_local(remote) => {
            format!("{remote} is a domain of this edge itself")
        }
        Reason::UnknownPartner { .. } => format!("{remote} is not a partner"),
        Reason::HeaderTimeout => format!("{} takes connections, and says nothing", walk.server()),
        Reason::PeerError { condition, text } => {
            let told = told(*condition, text);
            format!("{} ended the stream: {told}", walk.server())
        }
        Reason::PeerClosed => {
            format!("{} closed the connection without a word", walk.server())
        }
        Reason::TlsMissing => format!(
            "{} does not offer STARTTLS, and its entry requires TLS",
            walk.server()
        ),
        Reason::Certificate(fault) if cause == Code::CLOCK_SKEW => {
            format!("one of the clocks is wrong: {fault}")
        }
        // Where DNS or `route` leads is known here, so it need not be left open.
        Reason::NotServed { domain, .. } => {
            format!("{} does not serve {domain}", walk.server())
        }
        Reason::LeadsBack {
            domain,
            answers_as: Some(own),
            ..
        } => format!(
            "{} answers as {own}, so the way to {domain} leads back to this edge",
            walk.server()
        ),
        Reason::LeadsBack { domain, .. } => {
            format!("the way to {domain} leads back to this edge itself")
        }
        Reason::ClientPort => {
            format!("{} is a port for clients, not for servers", walk.server())
        }
        Reason::ExternalMissing => external(
            walk,
            cause,
            "the partner does not offer SASL EXTERNAL to us, and no other method is allowed",
        ),
        Reason::ExternalRefused(text) => {
            let said = format!(
                "the partner refuses our SASL EXTERNAL ({text}), and no other method is allowed"
            );
            external(walk, cause, &said)
        }
        Reason::TlsFailed { .. } => external(walk, cause, &reason.to_string()),
        Reason::DialbackRefused(text) => match cause {
            code if code == Code::DIALBACK_UNREACHABLE => {
                format!("the partner could not ask this edge about its dialback key ({text})")
            }
            code if code == Code::DIALBACK_DENIED => {
                "the partner asked about our dialback key, and was told that it is invalid"
                    .to_owned()
            }
            _ => format!("the partner refuses dialback ({text})"),
        },
        Reason::PingTimeout => "the stream was opened, and a ping over it was not answered: the \
                                partner hears nothing, or its answer does not reach this edge"
            .to_owned(),
        reason => reason.to_string(),
    }
}

/// What the partner's error says, without the words around it.
fn told(condition: Condition, text: &str) -> String {
    match text {
        "" => condition.as_str().to_owned(),
        text => format!("{} ({text})", condition.as_str()),
    }
}

/// What the partner says of our certificate, and what is seen of it here.
fn external(walk: &Walk, cause: Code, said: &str) -> String {
    match (cause, &walk.own) {
        (code, Some(own)) if code == Code::OUR_CERTIFICATE_EXPIRED => {
            format!("{said}; our certificate expired on {}", utc(own.not_after))
        }
        (code, _) if code == Code::OUR_PURPOSE_REFUSED => {
            format!("{said}; it may want clientAuth, which our certificate has not")
        }
        _ => said.to_owned(),
    }
}

/// Where to look here.
pub(super) fn here(walk: &Walk, reason: &Reason, cause: Code) -> String {
    let (local, remote) = (&walk.pair.local, &walk.pair.remote);
    let entry = walk.entry();
    match reason {
        Reason::UnknownPartner { .. } if walk.is_local(remote) => {
            "Name the domain of a partner.".to_owned()
        }
        Reason::UnknownPartner { above, .. } => match (above, walk.nearest()) {
            (Some(above), _) => {
                format!("It is a subdomain: add it to additional-domains of {above} in {entry}.")
            }
            (None, Some(near)) => format!("Did you mean {near}? Entries stand in {entry}."),
            (None, None) => format!("Entries stand in {entry}."),
        },
        _ if cause == Code::WRONG_ROUTE => match leads_elsewhere(walk) {
            Some(target) => format!("`route` is in {entry}; DNS leads to {target}."),
            None => format!("`route` is in {entry}."),
        },
        Reason::NoService(_) => {
            format!(
                "SRV records stand at {}; the entry is {entry}.",
                service(remote.as_str())
            )
        }
        Reason::ConnectFailed(..) | Reason::HeaderTimeout if walk.is_routed() => {
            format!("Or correct `route` in {entry}.")
        }
        Reason::DialbackRefused(_) if cause == Code::DIALBACK_UNREACHABLE => {
            format!("SRV records stand at {}.", service(local.as_str()))
        }
        _ => where_the_entry_stands(walk, cause),
    }
}

/// Where the entry is that a remedy speaks of, if it does.
pub(super) fn where_the_entry_stands(walk: &Walk, cause: Code) -> String {
    match cause.remedy().contains(" entry") {
        true => format!("The entry is {}.", walk.entry()),
        false => String::new(),
    }
}
