//! The steps of a remembered attempt, one short text each.

use super::report;
use crate::net::live::trail::{Fact, Step};
use crate::proto::auth::certificate::utc;

/// The steps that say something.
pub(super) fn of(steps: &[Step]) -> Vec<report::Step> {
    let told = steps.iter().filter_map(|step| {
        let (name, text) = told(&step.fact)?;
        Some(report::Step {
            at_ms: u64::try_from(step.at.as_millis()).unwrap_or(u64::MAX),
            step: name.to_owned(),
            text: text.chars().take(report::whose::LONGEST_STEP).collect(),
        })
    });
    told.collect()
}

fn told(fact: &Fact) -> Option<(&'static str, String)> {
    Some(match fact {
        Fact::Permitted { partner, .. } => (
            "policy",
            format!("the entry of {} admits it", partner.primary),
        ),
        Fact::Called(Some(domain)) => ("called", format!("came, and asked for {domain}")),
        Fact::Called(None) => ("called", "came, and asked for no domain".to_owned()),
        Fact::AsksAuthority(domain) => (
            "asks-authority",
            format!("the authoritative server of {domain} was asked about a dialback key"),
        ),
        Fact::AsksDns => ("dns-question", "DNS was asked".to_owned()),
        Fact::Places { targets, .. } => {
            let all: Vec<_> = targets.iter().map(ToString::to_string).collect();
            ("places", format!("places: {}", all.join(", ")))
        }
        Fact::Place { target, .. } => ("place", format!("{target} was tried")),
        Fact::Addresses { family, answer } => match answer {
            Ok(found) => {
                let all: Vec<_> = found
                    .iter()
                    .map(|(address, _)| address.to_string())
                    .collect();
                ("addresses", format!("{family}: {}", all.join(", ")))
            }
            Err(fault) => ("addresses", format!("{family}: {fault}")),
        },
        Fact::Connected {
            address, outcome, ..
        } => match outcome {
            Ok(()) => ("connected", format!("connected to {address}")),
            Err(fault) => ("connected", format!("{address} {fault}")),
        },
        Fact::Tls {
            version,
            cipher,
            chain,
            ..
        } => {
            let shown = chain.first().map(|it| {
                let until = utc(it.not_after);
                format!("; {}, by {}, until {until}", it.subject, it.issuer)
            });
            let shown = shown.unwrap_or_else(|| "; no certificate".to_owned());
            ("tls", format!("TLS {}, {cipher}{shown}", version.as_str()))
        }
        Fact::Judged(Ok(())) => ("certificate", "the certificate is good".to_owned()),
        Fact::Judged(Err(fault)) => ("certificate", fault.to_string()),
        Fact::NotPinned(fault) => ("pins", fault.to_string()),
        Fact::Tries(method) => ("proof", format!("{method} was tried")),
        Fact::MethodFailed(method, reason) => {
            ("proof-failed", format!("{method} failed: {reason}"))
        }
        Fact::Opened(method) => ("opened", format!("proven by {method}")),
        Fact::Failed(reason) => ("failed", reason.to_string()),
        // What the next step says as well, or nothing.
        Fact::Connecting(_)
        | Fact::Header
        | Fact::Features(_)
        | Fact::TlsBegins
        | Fact::Pinged
        | Fact::NotPinged
        | Fact::WithoutRoute(_)
        | Fact::Pong(_) => return None,
    })
}
