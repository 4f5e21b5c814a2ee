use std::collections::HashMap;

use super::*;
use crate::proto::xml::{Condition, Fault};

/// The stanza errors of RFC 6120 §8.3.3, each with the error types that it names for them.
const STANZA_CONDITIONS: [(&str, &[&str]); 22] = [
    ("bad-request", &["modify"]),
    ("conflict", &["cancel"]),
    ("feature-not-implemented", &["cancel", "modify"]),
    ("forbidden", &["auth"]),
    ("gone", &["cancel"]),
    ("internal-server-error", &["cancel"]),
    ("item-not-found", &["cancel"]),
    ("jid-malformed", &["modify"]),
    ("not-acceptable", &["modify"]),
    ("not-allowed", &["cancel"]),
    ("not-authorized", &["auth"]),
    ("policy-violation", &["modify", "wait"]),
    ("recipient-unavailable", &["wait"]),
    ("redirect", &["modify"]),
    ("registration-required", &["auth"]),
    ("remote-server-not-found", &["cancel"]),
    ("remote-server-timeout", &["wait"]),
    ("resource-constraint", &["wait"]),
    ("service-unavailable", &["cancel"]),
    ("subscription-required", &["auth"]),
    (
        "undefined-condition",
        &["auth", "cancel", "continue", "modify", "wait"],
    ),
    ("unexpected-request", &["wait", "modify"]),
];

/// One reason of each kind.
fn every_reason() -> Vec<Reason> {
    let text = || "text".to_owned();
    let unknown = || Reason::UnknownPartner {
        domain: text(),
        above: Some(text()),
    };
    vec![
        Reason::UnknownLocalDomain(text()),
        unknown(),
        Reason::MethodNotAllowed(Method::TlsDialback),
        Reason::BothLocal,
        Reason::TlsTooOld {
            version: TlsVersion::Tls12,
            minimum: TlsVersion::Tls13,
        },
        Reason::PolicyChanged(Box::new(unknown())),
        Reason::KindNotAllowed(Kind::Iq),
        Reason::NamespaceNotAllowed(text()),
        Reason::StanzaTooBig { bytes: 2, limit: 1 },
        Reason::StanzaTooComplex(Fault::TooDeep(1)),
        Reason::NotAContact,
        Reason::UnaskedAnswer,
        Reason::ConversationNotAllowed(Initiative::Both),
        Reason::AccessDenied,
        Reason::ContactNotKept(text()),
        Reason::TooManyContacts(1),
        Reason::Xml(Fault::Comment),
        Reason::InvalidNamespace,
        Reason::UnsupportedVersion,
        Reason::HeaderAddress("to"),
        Reason::HeaderChanged("to"),
        Reason::MissingStreamId,
        Reason::MalformedAddress {
            attribute: "to",
            text: text(),
        },
        Reason::TooManyBadAddresses,
        Reason::NotAuthorized,
        Reason::LinkSecret,
        Reason::UnexpectedElement(text()),
        Reason::PlaintextInjection,
        Reason::TlsNotOffered,
        Reason::TooManyDials,
        Reason::HeaderTimeout,
        Reason::EstablishmentTimeout("the header"),
        Reason::StanzaUnfinished,
        Reason::PingTimeout,
        Reason::AcknowledgementTimeout,
        Reason::AcknowledgedTooMuch(TooHigh { h: 7, sent: 3 }),
        Reason::Idle,
        Reason::TooManyAttempts,
        Reason::TooManyPending,
        Reason::TooManyPairs(1),
        Reason::SharingOff,
        Reason::TooManyStreams,
        Reason::TooManyPartnerStreams(1),
        Reason::TooManyLinks(1),
        Reason::TooManyStrangers(Code::UNAUTHENTICATED_LIMIT),
        Reason::TooMuchUnproven,
        Reason::Finished,
        Reason::CertificateExpired(0),
        Reason::KeyUsedUp,
        Reason::Shutdown,
        Reason::Replaced,
        Reason::PeerError {
            condition: Condition::HostGone,
            text: text(),
        },
        Reason::PeerClosed,
        Reason::NotServed {
            domain: Domain::parse("fabrikam.example").unwrap(),
            address: Some("192.0.2.7:5269".parse().unwrap()),
        },
        Reason::ClientPort,
        Reason::LeadsBack {
            domain: Domain::parse("fabrikam.example").unwrap(),
            address: Some("192.0.2.7:5269".parse().unwrap()),
            answers_as: Some(Domain::parse("contoso.example").unwrap()),
        },
        Reason::Transport(text()),
        Reason::TlsMissing,
        Reason::TlsDemanded,
        Reason::TlsRefused,
        Reason::TlsFailed {
            code: Code::PROTOCOL,
            detail: text(),
        },
        Reason::Certificate(CertFault::Absent),
        Reason::ExternalMissing,
        Reason::ExternalRefused(text()),
        Reason::SaslFailed("invalid-authzid"),
        Reason::DialbackInvalid,
        Reason::DialbackRefused(text()),
        Reason::DialbackUnanswered(text()),
        Reason::NoService(text()),
        Reason::DnsFailed(text()),
        Reason::ConnectFailed(text(), Code::CONNECTION_REFUSED),
        Reason::BackingOff(Box::new(Reason::ConnectFailed(
            text(),
            Code::CONNECTION_REFUSED,
        ))),
        Reason::ImproperAddressing("to"),
        Reason::InvalidFrom,
        Reason::HostUnknown,
        Reason::MalformedStanza("text"),
        Reason::QueueFull,
        Reason::NoGateway,
        Reason::LinkLost,
    ]
}

/// The name of the variant: `Debug` writes it first.
fn variant(reason: &Reason) -> String {
    let text = format!("{reason:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric());
    text.split_at(end.unwrap_or(text.len())).0.to_owned()
}

#[test]
fn no_reason_is_left_out_here() {
    let source = include_str!("../reason.rs");
    let (_, body) = source.split_once("pub enum Reason {\n").unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let declared: Vec<_> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.split(['(', ' ', ',']).next().unwrap().to_owned())
        .collect();
    let listed: Vec<_> = every_reason().iter().map(variant).collect();
    assert_eq!(listed, declared);
}

#[test]
fn each_reason_has_a_label_of_its_own() {
    let mut seen = HashMap::new();
    for reason in every_reason() {
        // Is labelled by what the new configuration refuses.
        if matches!(reason, Reason::PolicyChanged(_)) {
            continue;
        }
        let code = reason.code().as_str();
        let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(code.chars().all(is_label), "{code}");
        if let Some(other) = seen.insert(code, variant(&reason)) {
            panic!("{code} is {other} and {}", variant(&reason));
        }
    }
}

#[test]
fn each_reason_is_told_in_the_words_of_the_rfc() {
    for reason in every_reason() {
        if let Some(condition) = reason.stream_condition() {
            assert!(Condition::from_name(condition).is_some(), "{reason:?}");
        }
        assert!(reason.row().stanza_condition().is_some(), "{reason:?}");
        let (error_type, condition) = reason.stanza_condition();
        let row = STANZA_CONDITIONS
            .iter()
            .find(|(name, _)| *name == condition);
        let (_, types) = row.unwrap_or_else(|| panic!("{condition}: {reason:?}"));
        assert!(types.contains(&error_type), "{error_type} {condition}");
    }
}

#[test]
fn each_reason_is_said_in_one_line() {
    for reason in every_reason() {
        let text = reason.to_string();
        assert!((8..=160).contains(&text.len()), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(!text.ends_with('.'), "{text}");
    }
}
