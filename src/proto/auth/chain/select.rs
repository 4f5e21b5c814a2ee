//! Which of the certificates that were sent are looked at, and in which order.
//!
//! Whoever connects may send any number of certificates, in any order, that all claim to have issued
//! each other. A search among them costs more with each one, so it is bounded before it begins:
//! few certificates, few paths, and no path with one name twice. A chain in order, with
//! duplicates, with roots or with one cross-signed authority passes as ever.

use rustls::pki_types::CertificateDer;

use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::certificate::{CertFacts, MOST_CANDIDATES, MOST_SENT};

/// How many authorities, a root that was sent included, a path may have. Public ones have one to three.
pub(super) const MOST_ON_PATH: usize = 5;
/// How many paths are tried. A second one is needed where an authority is cross-signed.
const MOST_PATHS: usize = 2;

/// A certificate that may be on the way to an anchor.
#[derive(Debug)]
pub(super) struct Candidate<'c> {
    pub(super) certificate: CertificateDer<'c>,
    pub(super) facts: CertFacts,
}

/// The certificates above `leaf` that issuers' names lead to, each once.
///
/// # Errors
/// [`CertFault::TooManyCertificates`].
pub(super) fn candidates<'c>(
    leaf: &CertFacts,
    above: &'c [CertificateDer<'_>],
) -> Result<Vec<Candidate<'c>>, CertFault> {
    if above.len() > MOST_SENT {
        return Err(CertFault::TooManyCertificates);
    }
    let mut rest: Vec<Candidate<'c>> = Vec::new();
    for certificate in above {
        let is_known = rest.iter().any(|one| one.certificate == *certificate);
        // What cannot be read leads nowhere.
        if let Some(facts) = CertFacts::of(certificate).filter(|_| !is_known) {
            let certificate = CertificateDer::from(certificate.as_ref());
            rest.push(Candidate { certificate, facts });
        }
    }
    let mut found = Vec::new();
    let mut names = vec![leaf.issuer_der.clone()];
    while let Some(name) = names.pop() {
        let (named, others) = rest
            .into_iter()
            .partition(|one: &Candidate<'_>| one.facts.subject_der == name);
        rest = others;
        names.extend(named.iter().map(|one| one.facts.issuer_der.clone()));
        found.extend(named);
    }
    if found.len() > MOST_CANDIDATES {
        return Err(CertFault::TooManyCertificates);
    }
    Ok(found)
}

/// The paths up from `leaf`, as far as the candidates lead, the most likely one first.
pub(super) fn paths<'p>(
    leaf: &'p CertFacts,
    candidates: &'p [Candidate<'_>],
) -> Vec<Vec<&'p Candidate<'p>>> {
    let mut paths = Vec::new();
    extend(leaf, candidates, &mut Vec::new(), &mut paths);
    paths
}

fn extend<'p>(
    below: &'p CertFacts,
    candidates: &'p [Candidate<'_>],
    path: &mut Vec<&'p Candidate<'p>>,
    paths: &mut Vec<Vec<&'p Candidate<'p>>>,
) {
    // No name stands twice on a path: the authority's own certificate ends it, and so does a circle.
    let is_new = |name: &[u8]| path.iter().all(|one| one.facts.subject_der != name);
    let mut next: Vec<_> = candidates
        .iter()
        .filter(|one| one.facts.subject_der == below.issuer_der && is_new(&below.issuer_der))
        .collect();
    if next.is_empty() {
        paths.push(path.clone());
        return;
    }
    // RFC 5280 §4.2.1.1: the identifier of the issuer's key tells those of one name apart.
    next.sort_by_key(|one| !one.facts.has_key_of_issuer(below));
    for one in next {
        if paths.len() >= MOST_PATHS {
            return;
        }
        path.push(one);
        if one.facts.self_issued {
            paths.push(path.clone());
        } else {
            extend(&one.facts, candidates, path, paths);
        }
        path.pop();
    }
}
