//! Compares what a partner's certificate says with what it said before, and remembers it.

use crate::net::edge::Edge;
use crate::net::session::driver::now;
use crate::ops::events::Event;
use crate::proto::auth::continuity::{Continuity, Shown};
use crate::proto::codes::Code;
use crate::proto::jid::Domain;

/// What there is to tell about a good chain that was shown for a domain. Nothing is remembered of
/// domains that no entry of the partner file lists: strangers may come with any number of them.
#[must_use]
pub fn compare(edge: &Edge, remote: &Domain, shown: &Shown) -> Option<(Event, Code, String)> {
    let entry = edge.context().rules.listed_as(remote)?.to_string();
    let Shown {
        issuer_name, key, ..
    } = shown;
    match edge.certificates.note(&entry, shown, now().wall.as_secs()) {
        Continuity::First | Continuity::Same => None,
        Continuity::NewKey { before } => Some((
            Event::CertificateKeyChanged,
            Code::CERTIFICATE_KEY_CHANGED,
            format!("{key} where {before} was, issued by {issuer_name} as before"),
        )),
        Continuity::NewIssuer { before } => Some((
            Event::CertificateIssuerChanged,
            Code::CERTIFICATE_ISSUER_CHANGED,
            format!("issued by {issuer_name}, and before by {before}; the key is {key}"),
        )),
    }
}
