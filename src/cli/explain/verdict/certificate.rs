//! Certificates: the partner's, judged by us, and ours, judged by the partner.

use super::{Row, Side};
use crate::cli::explain::walk::Walk;
use crate::proto::auth::cert_fault::CertFault;
use crate::proto::auth::certificate::utc;
use crate::proto::policy::Reason;

/// The partner's certificate does not prove its domain, and nothing else is allowed.
pub(super) fn row(walk: &Walk, fault: &CertFault) -> Row {
    let entry = walk.entry();
    let (what, change, instead) = match fault {
        CertFault::Absent => (
            "its server shows no certificate".to_owned(),
            "set the server to show its certificate",
            String::new(),
        ),
        CertFault::SelfSigned => (
            "its certificate is self-signed".to_owned(),
            "get a certificate from a certification authority",
            format!("put this very certificate into trust-anchors of {entry}"),
        ),
        CertFault::Expired {
            since,
            now,
            authority,
        } => (
            format!(
                "{} expired on {} (it is {} by the clock here)",
                whose(authority),
                utc(*since),
                utc(*now)
            ),
            match authority {
                Some(_) => "install the authority's current intermediate certificate",
                None => "renew it, and reload the server",
            },
            "set the clock of this host, if that time is wrong".to_owned(),
        ),
        CertFault::NotYetValid {
            from,
            now,
            authority,
        } => (
            format!(
                "{} is not valid before {} (it is {} by the clock here)",
                whose(authority),
                utc(*from),
                utc(*now)
            ),
            "wait, or use the certificate before it",
            "set the clock of this host, if that time is wrong".to_owned(),
        ),
        CertFault::ClientAuthOnly => (
            "its certificate is for TLS clients only (clientAuth without serverAuth)".to_owned(),
            "get one with serverAuth",
            String::new(),
        ),
        CertFault::UnknownIssuer {
            issuer,
            issuer_sent: true,
        } => (
            format!("its chain ends at {issuer}, which is not among the trust anchors"),
            "get a certificate from an authority that we know",
            format!("add that authority to trust-anchors of {entry}, if you trust it"),
        ),
        CertFault::UnknownIssuer { issuer, .. } => (
            format!("the issuer of its chain, {issuer}, was not sent and is not a trust anchor"),
            "send the intermediate certificates, too",
            format!("add that authority to trust-anchors of {entry}, if it is a root you trust"),
        ),
        CertFault::WrongName { domain, presented } => (
            format!("its certificate does not name {domain} (it names: {presented})"),
            "get a certificate with the domain as a subject alternative name",
            String::new(),
        ),
        CertFault::NotPinned { .. } => (
            "none of the pins of its entry is in its chain".to_owned(),
            "say by another way than XMPP whether the key or the authority has changed",
            format!("correct certificate-pins in {entry} then"),
        ),
        fault => (
            fault.to_string(),
            "have a sound certificate installed, with its whole chain",
            String::new(),
        ),
    };
    (
        "certificate",
        Side::Theirs,
        what,
        change.to_owned(),
        instead,
    )
}

fn whose(authority: &Option<String>) -> String {
    match authority {
        Some(authority) => format!("the certificate of its authority {authority}"),
        None => "its certificate".to_owned(),
    }
}

/// The partner does not accept what we show, and no other method is left.
pub(super) fn ours(walk: &Walk, reason: &Reason) -> Row {
    let local = &walk.pair.local;
    let entry = walk.entry();
    let verb = match reason {
        Reason::ExternalRefused(text) => format!("refuses our SASL EXTERNAL ({text})"),
        _ => "does not offer SASL EXTERNAL to us".to_owned(),
    };
    let what = format!("the partner {verb}, and no other method is allowed");
    let of_ours = |why: String, change: String| {
        let what = format!("{what}, for {why}");
        ("proof", Side::Ours, what, change, String::new())
    };
    match &walk.own {
        Some(own) if !own.names.covers(local) => of_ours(
            format!("our certificate does not name {local}"),
            "get a certificate that does, and name it under [tls] or [[identity]]".to_owned(),
        ),
        Some(own) if walk.since > own.not_after => of_ours(
            format!("our certificate expired on {}", utc(own.not_after)),
            "renew it".to_owned(),
        ),
        Some(own) if !own.purposes.unrestricted && !own.purposes.client_auth => {
            let what = format!("{what}; it may want clientAuth, which our certificate has not");
            let change = format!("accept the certificate of {local} for server-to-server streams");
            ("proof", Side::Theirs, what, change, dialback(&entry))
        }
        _ => {
            let change = format!(
                "accept the certificate of {local}: know its authority, and switch SASL EXTERNAL on"
            );
            ("proof", Side::Theirs, what, change, dialback(&entry))
        }
    }
}

fn dialback(entry: &str) -> String {
    format!("allow dialback in {entry}")
}
