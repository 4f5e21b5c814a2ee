//! Compares what a partner's certificate says with what it said before, and remembers it.

use crate::net::edge::Edge;
use crate::net::session::driver::now;
use crate::ops::events::Event;
use crate::proto::auth::continuity::{Continuity, Shown};
use crate::proto::codes::Code;
use crate::proto::jid::Domain;
use crate::proto::stream::Record;

/// What there is to tell about a certificate.
#[derive(Debug)]
pub struct Change {
    /// Which line of the log tells it.
    pub event: Event,
    /// What it is counted as.
    pub code: Code,
    /// What was there before.
    pub detail: String,
}

/// How the certificate in a record of a handshake differs from those before it, if the record has one
/// that is good. Nothing is remembered of domains that no entry of the partner file lists: strangers may
/// come with any number of them.
#[must_use]
pub fn change(edge: &Edge, record: &Record) -> Option<Change> {
    match record {
        Record::Secured {
            pair,
            shown: Some(shown),
            ..
        } => compare(edge, &pair.remote, shown),
        _ => None,
    }
}

fn compare(edge: &Edge, remote: &Domain, shown: &Shown) -> Option<Change> {
    let entry = edge.context().rules.listed_as(remote)?.to_string();
    let Shown {
        issuer_name, key, ..
    } = shown;
    let change = |event, code, detail| {
        Some(Change {
            event,
            code,
            detail,
        })
    };
    match edge.certificates.note(&entry, shown, now().wall.as_secs()) {
        Continuity::First | Continuity::Same => None,
        Continuity::NewKey { before } => change(
            Event::CertificateKeyChanged,
            Code::CERTIFICATE_KEY_CHANGED,
            format!("{key} where {before} was, issued by {issuer_name} as before"),
        ),
        Continuity::NewIssuer { before } => change(
            Event::CertificateIssuerChanged,
            Code::CERTIFICATE_ISSUER_CHANGED,
            format!("issued by {issuer_name}, and before by {before}; the key is {key}"),
        ),
    }
}
