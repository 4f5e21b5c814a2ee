//! The way from a certificate to what is trusted, once it has been verified.

use webpki::VerifiedPath;
use x509_cert::der::asn1::Any;
use x509_cert::der::{Decode as _, Encode as _, Tag};
use x509_cert::name::Name;

use crate::proto::auth::certificate::CertFacts;
use crate::proto::auth::identity::printable;
use crate::proto::auth::pin::Pin;

/// One certificate on the way, or the anchor at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proto::auth) struct Link {
    /// The subject, fit for a log line.
    pub(in crate::proto::auth) subject: String,
    /// The digest of its key.
    pub(in crate::proto::auth) key: Pin,
}

impl Link {
    fn of(facts: &CertFacts) -> Self {
        Self {
            subject: facts.subject.clone(),
            key: Pin(facts.spki_sha256),
        }
    }
}

/// The certificates between the partner's own and the anchor, the lowest first. What cannot be
/// read again is left out.
pub(super) fn authorities(path: &VerifiedPath<'_>) -> Vec<Option<CertFacts>> {
    path.intermediate_certificates()
        .map(|authority| CertFacts::of(&authority.der()))
        .collect()
}

/// The whole way: the partner's own certificate first, the anchor last.
pub(super) fn links(
    leaf: &CertFacts,
    authorities: &[Option<CertFacts>],
    path: &VerifiedPath<'_>,
) -> Vec<Link> {
    std::iter::once(leaf)
        .chain(authorities.iter().flatten())
        .map(Link::of)
        .chain(anchor(path))
        .collect()
}

/// The only link of a certificate that is itself trusted.
pub(super) fn alone(leaf: &CertFacts) -> Vec<Link> {
    vec![Link::of(leaf)]
}

/// An anchor has its parts without the tag and length around them.
fn anchor(path: &VerifiedPath<'_>) -> Option<Link> {
    let anchor = path.anchor();
    let subject = sequence(&anchor.subject)?;
    let name = Name::from_der(&subject).ok()?;
    Some(Link {
        subject: printable(&name.to_string()),
        key: Pin::of(&sequence(&anchor.subject_public_key_info)?),
    })
}

fn sequence(content: &[u8]) -> Option<Vec<u8>> {
    Any::new(Tag::Sequence, content).ok()?.to_der().ok()
}
