//! SASL EXTERNAL (XEP-0178): the mechanism's few rules, and the proof it gives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cert_fault::CertFault;
use super::chain::CertReport;
use super::identity::Names;
use super::{Authenticated, Pair};
use crate::proto::jid::Domain;
use crate::proto::policy::Method;

/// The name of the mechanism.
pub const MECHANISM: &str = "EXTERNAL";

/// The proof that a good certificate gives: the only way to a pair proven by EXTERNAL.
///
/// # Errors
/// The certificate's fault; then EXTERNAL is neither offered nor used.
pub fn prove(pair: Pair, report: &CertReport) -> Result<Authenticated<Pair>, CertFault> {
    report.verdict.clone()?;
    // A certificate is good for the name it was judged by, and for no other.
    if report.domain != pair.remote {
        return Err(CertFault::WrongName {
            domain: pair.remote,
            presented: Names::default(),
        });
    }
    Ok(Authenticated::assertion(pair, Some(Method::SaslExternal)))
}

/// What an initiating server sends: its domain as authorization identity.
///
/// XEP-0178 §3, step 9: the identity may be left out, but old servers want it.
#[must_use]
pub fn initial_response(local: &Domain) -> String {
    STANDARD.encode(local.written())
}

/// Checks the authorization identity that a peer sent, for the `from` of its stream.
///
/// # Errors
/// The SASL failure condition (RFC 6120 §6.5) to answer with.
pub fn check_response(text: &str, remote: &Domain) -> Result<(), &'static str> {
    let text = text.trim();
    // RFC 6120 §6.4.2: `=` is an empty response; XEP-0178 §3, step 10: it means the stream's `from`.
    if text == "=" || text.is_empty() {
        return Ok(());
    }
    // RFC 6120 §6.5.5: what is not base64.
    let bytes = STANDARD.decode(text).map_err(|_| "incorrect-encoding")?;
    // RFC 6120 §6.5.6: an identity that is not the stream's `from`.
    std::str::from_utf8(&bytes)
        .ok()
        .and_then(|name| Domain::parse(name).ok())
        .filter(|name| name == remote)
        .map(|_| ())
        .ok_or("invalid-authzid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_proves_the_domain_it_was_judged_by() {
        let [local, remote, other] = ["contoso.example", "partner.example", "other.example"]
            .map(|name| Domain::parse(name).unwrap());
        let report = CertReport {
            domain: remote.clone(),
            verdict: Ok(()),
            until: u64::MAX,
            certificate: None,
            shown: None,
            unpinned: None,
        };
        let pair = |remote| Pair {
            local: local.clone(),
            remote,
        };
        assert!(prove(pair(remote), &report).is_ok());
        assert!(prove(pair(other), &report).is_err());
    }

    #[test]
    fn a_certificate_with_a_fault_proves_nothing() {
        let domain = Domain::parse("partner.example").unwrap();
        let report = CertReport {
            domain: domain.clone(),
            verdict: Err(CertFault::Absent),
            until: 0,
            certificate: None,
            shown: None,
            unpinned: None,
        };
        let pair = Pair {
            local: Domain::parse("contoso.example").unwrap(),
            remote: domain,
        };
        assert_eq!(prove(pair, &report).unwrap_err(), CertFault::Absent);
    }

    #[test]
    fn the_authorization_identity_is_the_streams_from_or_nothing() {
        let remote = Domain::parse("partner.example").unwrap();
        for (text, want) in [
            ("=", Ok(())),
            ("", Ok(())),
            ("cGFydG5lci5leGFtcGxl", Ok(())),
            ("UEFSVE5FUi5leGFtcGxl", Ok(())),
            ("b3RoZXIuZXhhbXBsZQ==", Err("invalid-authzid")),
            ("cGFydG5lci5leGFtcGxl=", Err("incorrect-encoding")),
            ("!", Err("incorrect-encoding")),
            ("/w==", Err("invalid-authzid")),
        ] {
            assert_eq!(check_response(text, &remote), want, "{text}");
        }
    }
}
