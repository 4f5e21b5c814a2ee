//! One certificate file by itself, judged as those are that a configuration names.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};

use super::problem::{Findings, Place, Problem, Source};
use super::{certificate, files, trust};
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::chain::Anchors;
use crate::proto::jid::Domain;

/// What a file of certificates is, and what is wrong with it.
#[derive(Debug)]
pub struct Inspection {
    /// The certificates, in the order of the file; empty where it cannot be read.
    pub chain: Vec<CertificateDer<'static>>,
    /// Whether the chain leads to a trusted authority; `None` where other faults come first.
    pub reaches_an_anchor: Option<bool>,
    /// Whether the key is the first certificate's; `None` where there is no key to compare.
    pub key_matches: Option<bool>,
    /// Errors and warnings, each about one of the two files.
    pub problems: Vec<Problem>,
}

impl Inspection {
    /// Looks at a file, and at the key that should belong to it. `domains` are those that its first
    /// certificate must name. Without `anchors`, the system's authorities are asked.
    #[must_use]
    pub fn of(
        path: &Path,
        key: Option<&Path>,
        domains: &[Domain],
        anchors: Option<&Anchors>,
        now: UnixTime,
    ) -> Self {
        let findings = Findings::default();
        let place = whole(path);
        let chain = files::certificates(path, &place, &findings).unwrap_or_default();
        let mut inspection = Self {
            reaches_an_anchor: None,
            key_matches: None,
            problems: Vec::new(),
            chain,
        };
        let chain = &inspection.chain;
        if !chain.is_empty() && certificate::check_leaf(chain, path, &place, &findings, now) {
            certificate::check_names(&findings, chain, &place, domains);
            let system;
            let anchors = match anchors {
                Some(anchors) => anchors,
                None => {
                    let certificates = rustls_native_certs::load_native_certs().certs;
                    system = Anchors::from_der(certificates).0;
                    &system
                }
            };
            trust::judge(&findings, chain, &place, anchors, now);
            inspection.reaches_an_anchor = match trust::fault(chain, anchors, now) {
                None => Some(true),
                Some(CertFault::UnknownIssuer { .. } | CertFault::SelfSigned) => Some(false),
                Some(_) => None,
            };
        }
        if let Some(key) = key {
            let key_place = whole(key);
            let private = files::private_key(key, &key_place, &findings);
            if let Some(private) = private.filter(|_| !chain.is_empty()) {
                let places = (&place, &key_place);
                let pair = certificate::certified(chain.clone(), private, places, &findings);
                inspection.key_matches = Some(pair.is_some());
            }
        }
        inspection.problems = findings.into_sorted(path).0;
        inspection
    }
}

/// The file as a whole: nothing in it can be pointed at.
fn whole(path: &Path) -> Place {
    Place::start(&Arc::new(Source {
        path: path.to_owned(),
        text: String::new(),
    }))
}
