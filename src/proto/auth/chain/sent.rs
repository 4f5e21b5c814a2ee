//! The certificates of one handshake, of which the first is read once.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::{CertificateDer, UnixTime};

use super::{CertReport, Trust, judge_read};
use crate::proto::auth::certificate::CertFacts;
use crate::proto::jid::Domain;

/// The certificates the other side sent, its own first; empty when it sent none.
#[derive(Clone, Debug, Default)]
pub struct Chain(Arc<Sent>);

#[derive(Debug, Default)]
struct Sent {
    certificates: Vec<CertificateDer<'static>>,
    /// What stands in the first one, from when it was first asked for.
    read: OnceLock<Option<Arc<CertFacts>>>,
}

impl Chain {
    /// What stands in the other side's own certificate; `None` when there is none, or it cannot be read.
    #[must_use]
    pub fn leaf(&self) -> Option<&Arc<CertFacts>> {
        let read = || self.first().and_then(CertFacts::of).map(Arc::new);
        self.0.read.get_or_init(read).as_ref()
    }

    /// Judges it: see [`super::judge`].
    #[must_use]
    pub fn judge(&self, domain: &Domain, trust: &Trust<'_>, now: UnixTime) -> CertReport {
        let leaf = self.leaf().cloned();
        judge_read((self, leaf), domain, trust, now)
    }
}

impl From<Vec<CertificateDer<'static>>> for Chain {
    fn from(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self(Arc::new(Sent {
            certificates,
            read: OnceLock::new(),
        }))
    }
}

impl Deref for Chain {
    type Target = [CertificateDer<'static>];

    fn deref(&self) -> &Self::Target {
        &self.0.certificates
    }
}

/// Two are equal when the same certificates were sent, whether they were read or not.
impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.0.certificates == other.0.certificates
    }
}

impl Eq for Chain {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::proto::auth::chain::{Anchors, Checker};
    use crate::proto::auth::pin::Pins;
    use crate::proto::auth::pki::{Authority, Leaf, NOW};

    #[test]
    fn a_certificate_is_read_once_for_all_who_ask() {
        let root = Authority::root("root");
        let (anchors, _) = Anchors::from_der([root.certificate.clone()]);
        let chain = Chain::from(root.issue(Leaf::new(&["fabrikam.example"])).chain);
        let domain = Domain::parse("fabrikam.example").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        let trust = Trust {
            anchors: &anchors,
            pins: &Pins::default(),
            checker: &Checker::default(),
        };
        let report = chain.judge(&domain, &trust, now);
        assert_eq!(report.verdict, Ok(()));
        let judged = report.certificate.unwrap();
        assert!(Arc::ptr_eq(&judged, chain.leaf().unwrap()));
        assert_eq!(Chain::default().leaf(), None);
    }
}
