//! The way from a certificate to what is trusted, once it has been verified.

use webpki::VerifiedPath;
use x509_cert::der::asn1::Any;
use x509_cert::der::{Decode as _, Encode as _, Tag};
use x509_cert::name::Name;

use crate::proto::auth::certificate::CertFacts;
use crate::proto::auth::pin::{PathCert, Pin};
use crate::proto::auth::subject;

/// The whole way: the partner's own certificate first, the anchor last.
pub(super) fn certificates(leaf: &CertFacts, path: &VerifiedPath<'_>) -> Vec<PathCert> {
    let authorities = path.intermediate_certificates().map(|authority| PathCert {
        subject: text(authority.subject()),
        key: Pin::of(&authority.subject_public_key_info()),
    });
    let anchor = path.anchor();
    let anchor = PathCert {
        subject: text(&anchor.subject),
        key: Pin::of(&sequence(&anchor.subject_public_key_info)),
    };
    alone(leaf)
        .into_iter()
        .chain(authorities)
        .chain([anchor])
        .collect()
}

/// The path of a certificate that is itself trusted.
pub(super) fn alone(leaf: &CertFacts) -> Vec<PathCert> {
    vec![PathCert {
        subject: leaf.subject.clone(),
        key: Pin(leaf.spki_sha256),
    }]
}

fn text(content: &[u8]) -> String {
    Name::from_der(&sequence(content)).map_or_else(
        |_| "a name that cannot be read".to_owned(),
        |name| subject::text(&name),
    )
}

/// A verified path has its parts without the tag and the length around them.
fn sequence(content: &[u8]) -> Vec<u8> {
    // No certificate is so long that its length could not be written.
    Any::new(Tag::Sequence, content)
        .and_then(|any| any.to_der())
        .unwrap_or_default()
}
