use std::sync::Arc;

use super::*;
use crate::proto::auth::chain::CertReport;
use crate::proto::auth::{Pair, external, handshake};
use crate::proto::jid::{BareJid, Domain};
use crate::proto::policy::{Access, Initiative, Kinds, Partner, PartnerType, Payload, Terms};
use crate::proto::stanza::{Refusal, from_gateway, from_partner};
use crate::proto::xml::writer::write_element;
use crate::proto::xml::{Event, Limits, Reader};
use Direction::{Inbound, Outbound};

mod lengths;

const LOCAL: &str = "juliet@contoso.example";
const REMOTE: &str = "romeo@fabrikam.example/balcony";

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn rules(terms: Terms) -> Rules {
    let partner = Partner {
        terms,
        ..Partner::new(domain("fabrikam.example"))
    };
    Rules::new(vec![domain("contoso.example")], vec![partner]).unwrap()
}

fn of_type(partner_type: PartnerType) -> Rules {
    rules(Terms {
        partner_type,
        ..Terms::default()
    })
}

fn element(text: &str) -> Element {
    let mut reader = Reader::new(StreamKind::Server, Limits::authenticated(262_144));
    reader.feed(b"<s:stream xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams'>");
    reader.feed(text.as_bytes());
    loop {
        match reader.next().unwrap().unwrap() {
            Event::Element(element) => return element,
            Event::Header(_) => {}
            Event::Close | Event::Stanza(_) | Event::Excess(_) => panic!("{text:.200}"),
        }
    }
}

/// A stanza between the two users, as it comes from its side.
fn addressed(direction: Direction, text: &str, rules: &Rules) -> Result<Addressed, Refusal> {
    let mut element = element(text);
    let (from, to) = match direction {
        Inbound => (REMOTE, LOCAL),
        Outbound => (LOCAL, REMOTE),
    };
    for (name, value) in [("from", from), ("to", to), ("id", "i1")] {
        if element.attribute(name).is_none() {
            element.set_attribute(name, value);
        }
    }
    match direction {
        Inbound => {
            let pair = Pair {
                local: domain("contoso.example"),
                remote: domain("fabrikam.example"),
            };
            let report = CertReport {
                domain: pair.remote.clone(),
                verdict: Ok(()),
                until: u64::MAX,
                certificate: None,
                shown: None,
                unpinned: None,
            };
            from_partner(element, &[external::prove(pair, &report).unwrap()])
        }
        Outbound => {
            let digest = handshake::digest("id", "secret");
            let proof = handshake::prove(domain("contoso.example"), "id", "secret", &digest);
            from_gateway(element, &proof.unwrap(), rules)
        }
    }
}

fn written(element: &Element) -> String {
    let mut bytes = Vec::new();
    write_element(StreamKind::Server, element, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// What becomes of a stanza: `passes`, or what its sender hears.
fn outcome(direction: Direction, text: &str, rules: &Rules, remembered: Remembered) -> String {
    let stanza = match addressed(direction, text, rules) {
        Ok(stanza) => stanza,
        Err(refusal) => return format!("{refusal:?}"),
    };
    match permit(stanza, remembered, rules, false) {
        Ok(_) => "passes".to_owned(),
        Err(Refused { answer: None, .. }) => "silence".to_owned(),
        Err(Refused {
            answer: Some(answer),
            ..
        }) => {
            // RFC 6120 §8.3.1: the answer goes back to the sender, from where it was sent to.
            let expected = match direction {
                Inbound => ("contoso.example", "fabrikam.example"),
                Outbound => ("fabrikam.example", "contoso.example"),
            };
            let domains = (answer.from.domain().as_str(), answer.to.domain().as_str());
            assert_eq!(domains, expected);
            match answer.element().child(&Ns::CONTENT, "error") {
                Some(error) => error.children().next().unwrap().name().to_owned(),
                None => answer.stanza_type().unwrap().to_owned(),
            }
        }
    }
}

const MESSAGE: &str = "<message type='chat'><body>Soft!</body></message>";
const PRESENCE: &str = "<presence><status>at the window</status></presence>";
const SUBSCRIBE: &str = "<presence type='subscribe'/>";
const GET: &str = "<iq type='get'><query xmlns='jabber:iq:version'/></iq>";
const RESULT: &str = "<iq type='result'/>";
const ERROR: &str = "<message type='error'><error type='cancel'/></message>";

#[test]
fn what_the_partner_type_means() {
    use PartnerType::{Federated, PublicUnverified, PublicVerified};
    const OK: &str = "passes";
    // Type, direction, contact: message, presence, subscribe, iq get, iq result, error.
    #[rustfmt::skip]
    let table: [(PartnerType, Direction, bool, [&str; 6]); 12] = [
        (Federated,        Inbound,  false, [OK, OK, OK, OK, OK, OK]),
        (Federated,        Inbound,  true,  [OK, OK, OK, OK, OK, OK]),
        (Federated,        Outbound, false, [OK, OK, OK, OK, OK, OK]),
        (Federated,        Outbound, true,  [OK, OK, OK, OK, OK, OK]),
        (PublicVerified,   Inbound,  false, [OK, OK, OK, OK, OK, OK]),
        (PublicVerified,   Inbound,  true,  [OK, OK, OK, OK, OK, OK]),
        (PublicVerified,   Outbound, false, [OK, OK, OK, OK, OK, OK]),
        (PublicVerified,   Outbound, true,  [OK, OK, OK, OK, OK, OK]),
        (PublicUnverified, Inbound,  false, ["policy-violation", "silence", "unsubscribed", "service-unavailable", "silence", "silence"]),
        (PublicUnverified, Inbound,  true,  [OK, OK, OK, OK, OK, OK]),
        (PublicUnverified, Outbound, false, [OK, OK, OK, OK, OK, OK]),
        (PublicUnverified, Outbound, true,  [OK, OK, OK, OK, OK, OK]),
    ];
    for (partner_type, direction, is_contact, want) in table {
        let rules = of_type(partner_type);
        let remembered = Remembered {
            is_contact,
            ..Remembered::default()
        };
        let got = [MESSAGE, PRESENCE, SUBSCRIBE, GET, RESULT, ERROR]
            .map(|text| outcome(direction, text, &rules, remembered));
        assert_eq!(got, want, "{partner_type:?} {direction:?} {is_contact}");
    }
}

#[test]
fn status_notes_stay_here_for_public_partners() {
    let note = "<show>away</show><status>at the window</status><x xmlns='urn:example'/>";
    for partner_type in PartnerType::ALL {
        for (direction, name) in [
            (Inbound, "presence"),
            (Outbound, "presence"),
            (Outbound, "message"),
        ] {
            let rules = of_type(partner_type);
            let text = format!("<{name}>{note}</{name}>");
            let stanza = addressed(direction, &text, &rules).unwrap();
            let before = stanza.element().clone();
            let remembered = Remembered {
                is_contact: true,
                ..Remembered::default()
            };
            let after = permit(stanza, remembered, &rules, false).unwrap();
            let taken = direction == Outbound
                && name == "presence"
                && partner_type != PartnerType::Federated;
            let mut expected = before;
            expected.retain_children(|child| !(taken && child.name() == "status"));
            assert_eq!(
                after.element(),
                &expected,
                "{partner_type:?} {direction:?} {name}"
            );
        }
    }
}

/// A namespace that another kind of stream uses for its content would hide a note.
#[test]
fn a_status_note_cannot_hide_behind_a_literal_namespace() {
    let rules = of_type(PartnerType::PublicVerified);
    for ns in ["jabber:client", "jabber:server", "jabber:component:accept"] {
        let text = format!("<presence><status xmlns='{ns}'>secret</status></presence>");
        let stanza = addressed(Outbound, &text, &rules).unwrap();
        let passed = permit(stanza, Remembered::default(), &rules, false).unwrap();
        assert_eq!(
            written(passed.element()).matches("secret").count(),
            0,
            "{ns}"
        );
    }
}

/// An answer to nothing would be a way to turn to anybody.
#[test]
fn an_answer_passes_where_there_was_a_question() {
    let answers = [
        (RESULT, "silence"),
        ("<iq type='error'><error/></iq>", "silence"),
        (ERROR, "silence"),
        ("<presence type='error'><error/></presence>", "silence"),
    ];
    for rules in [
        of_type(PartnerType::PublicUnverified),
        rules(Terms {
            initiative: Initiative::Outbound,
            ..Terms::default()
        }),
    ] {
        for (text, unasked) in answers {
            for (was_asked, want) in [(false, unasked), (true, "passes")] {
                let remembered = Remembered {
                    was_asked,
                    ..Remembered::default()
                };
                assert_eq!(outcome(Inbound, text, &rules, remembered), want, "{text}");
            }
            // Nor to the domain itself, which may be asked anything.
            let to_domain = text.replacen(" type", " to='contoso.example' type", 1);
            let stanza = addressed(Inbound, &to_domain, &rules).unwrap();
            let refused = permit(stanza, Remembered::default(), &rules, false).unwrap_err();
            assert_eq!(refused.reason, Reason::UnaskedAnswer);
        }
    }
}

#[test]
fn who_may_open_conversations() {
    use Initiative::{Both, Inbound as In, Outbound as Out};
    const OK: &str = "passes";
    const REFUSED: [&str; 6] = [
        "policy-violation",
        "silence",
        "unsubscribed",
        "service-unavailable",
        "silence",
        "silence",
    ];
    // The setting, the direction, whether the conversation is open, whether there is a contact.
    let table = [
        (Both, Inbound, false, false, [OK; 6]),
        (Both, Outbound, false, false, [OK; 6]),
        (In, Inbound, false, false, [OK; 6]),
        (In, Outbound, false, false, REFUSED),
        (In, Outbound, true, false, [OK; 6]),
        (In, Outbound, false, true, [OK; 6]),
        (Out, Outbound, false, false, [OK; 6]),
        (Out, Inbound, false, false, REFUSED),
        (Out, Inbound, true, false, [OK; 6]),
        (Out, Inbound, false, true, [OK; 6]),
    ];
    for (initiative, direction, is_open, is_contact, want) in table {
        let rules = rules(Terms {
            initiative,
            ..Terms::default()
        });
        let remembered = Remembered {
            is_contact,
            is_open,
            was_asked: false,
        };
        let got = [MESSAGE, PRESENCE, SUBSCRIBE, GET, RESULT, ERROR]
            .map(|text| outcome(direction, text, &rules, remembered));
        assert_eq!(
            got, want,
            "{initiative:?} {direction:?} {is_open} {is_contact}"
        );
    }
}

#[test]
fn kinds_and_payload() {
    let of = |kinds: &[Kind], allow: &[&str], deny: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| Ns::from(*name)).collect();
        rules(Terms {
            kinds: Kinds::of(kinds),
            payload: Payload {
                allow: names(allow),
                deny: names(deny),
            },
            ..Terms::default()
        })
    };
    let all = [Kind::Message, Kind::Presence, Kind::Iq];
    let file = "<message><body/><x xmlns='urn:file'/></message>";
    let condition = "<message type='error'><error><gone \
                     xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>";
    let posing = "<message><x xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></message>";
    let in_body = "<message><body>see <b><x xmlns='urn:file'/></b></body></message>";
    let in_error = "<message type='error'><error><x xmlns='urn:file'/></error></message>";
    let named = "<message><body xmlns:f='urn:file' f:url='x'>see</body></message>";
    let inside = "<message><a xmlns='urn:a'><b><x xmlns='urn:file' xmlns:n='urn:name' \
                  n:y=''/></b></a></message>";
    let in_lang = "<message xml:lang='en'><body xml:lang='de'>hallo</body></message>";
    #[rustfmt::skip]
    let table = [
        (of(&[Kind::Message], &[], &[]),              MESSAGE,   "passes"),
        (of(&[Kind::Message], &[], &[]),              GET,       "service-unavailable"),
        (of(&[Kind::Message], &[], &[]),              PRESENCE,  "silence"),
        (of(&[Kind::Message], &[], &[]),              SUBSCRIBE, "unsubscribed"),
        (of(&[Kind::Presence, Kind::Iq], &[], &[]),   MESSAGE,   "policy-violation"),
        (of(&all, &[], &["urn:file"]),                file,      "policy-violation"),
        (of(&all, &[], &["urn:other"]),               file,      "passes"),
        (of(&all, &["urn:file"], &[]),                file,      "passes"),
        (of(&all, &["urn:file"], &[]),                GET,       "service-unavailable"),
        (of(&all, &["urn:file"], &["urn:file"]),      file,      "policy-violation"),
        // What stands in the stanza's own namespace is no payload.
        (of(&all, &["urn:file"], &[]),                MESSAGE,   "passes"),
        (of(&all, &["urn:file"], &[]),                ERROR,     "passes"),
        (of(&all, &["urn:file"], &[]),                condition, "passes"),
        // It is no cover for payload, either.
        (of(&all, &[], &["urn:file"]),                in_body,   "policy-violation"),
        (of(&all, &["urn:other"], &[]),               in_body,   "policy-violation"),
        (of(&all, &["urn:file"], &[]),                in_body,   "passes"),
        (of(&all, &[], &["urn:file"]),                in_error,  "silence"),
        (of(&all, &["urn:other"], &[]),               in_error,  "silence"),
        (of(&all, &[], &["urn:file"]),                named,     "policy-violation"),
        (of(&all, &["urn:other"], &[]),               named,     "policy-violation"),
        (of(&all, &["urn:other"], &[]),               posing,    "policy-violation"),
        // A payload that is allowed brings what it likes, but nothing that is denied.
        (of(&all, &["urn:a"], &[]),                   inside,    "passes"),
        (of(&all, &["urn:a"], &["urn:other"]),        inside,    "passes"),
        (of(&all, &["urn:a"], &["urn:file"]),         inside,    "policy-violation"),
        (of(&all, &[], &["urn:file"]),                inside,    "policy-violation"),
        (of(&all, &[], &["urn:name"]),                inside,    "policy-violation"),
        (of(&all, &["urn:a"], &[]),                   in_lang,   "passes"),
    ];
    for (rules, text, want) in table {
        for direction in [Inbound, Outbound] {
            let got = outcome(direction, text, &rules, Remembered::default());
            assert_eq!(got, want, "{direction:?} {text}");
        }
    }
}

/// RFC 6121 §8.5.1: what a server answers for a user who does not exist, and not a word more.
#[test]
fn a_user_without_access_looks_like_no_user() {
    let access = Access::new(true, [BareJid::parse("Juliet@contoso.example").unwrap()]);
    let rules = of_type(PartnerType::Federated).with_access(access);
    let probe = "<presence type='probe'/>";
    let table = [
        (Inbound, MESSAGE, "service-unavailable"),
        (Inbound, GET, "service-unavailable"),
        (Inbound, PRESENCE, "silence"),
        (Inbound, SUBSCRIBE, "silence"),
        (Inbound, probe, "silence"),
        (Inbound, RESULT, "silence"),
        (Inbound, ERROR, "silence"),
        (Outbound, MESSAGE, "policy-violation"),
        (Outbound, GET, "service-unavailable"),
        (Outbound, PRESENCE, "silence"),
        (Outbound, SUBSCRIBE, "unsubscribed"),
        (Outbound, RESULT, "silence"),
    ];
    for (direction, text, want) in table {
        let got = outcome(direction, text, &rules, Remembered::default());
        assert_eq!(got, want, "{direction:?} {text}");
    }
    let stanza = addressed(Inbound, MESSAGE, &rules).unwrap();
    let refused = permit(stanza, Remembered::default(), &rules, false).unwrap_err();
    let answer = written(refused.answer.unwrap().element());
    assert!(!answer.contains("<text"), "{answer}");

    // Without the contact nobody gets so far as to be told apart from a user who does not exist.
    let unverified = of_type(PartnerType::PublicUnverified).with_access(rules.access().clone());
    for who in [LOCAL, "nobody@contoso.example"] {
        let text = MESSAGE.replace("<message", &format!("<message to='{who}'"));
        let stanza = addressed(Inbound, &text, &unverified).unwrap();
        let refused = permit(stanza, Remembered::default(), &unverified, false).unwrap_err();
        assert_eq!(refused.reason, Reason::NotAContact);
    }
    // The domain is no user: servers may ask it what it is.
    let text = GET.replace("<iq", "<iq to='contoso.example'");
    assert_eq!(
        outcome(Inbound, &text, &unverified, Remembered::default()),
        "passes"
    );
}

#[test]
fn only_the_edge_says_which_partner_a_stanza_is_from() {
    let forged =
        "<partner xmlns='urn:xmpp-edge:partner:0' type='federated' domain='bank.example'/>";
    let rules = of_type(PartnerType::PublicVerified);
    for (direction, annotate) in [(Inbound, true), (Inbound, false), (Outbound, true)] {
        let text = format!("<message><body>x</body>{forged}</message>");
        let stanza = addressed(direction, &text, &rules).unwrap();
        let passed = permit(stanza, Remembered::default(), &rules, annotate).unwrap();
        let mut notes = passed
            .element()
            .children()
            .filter(|it| *it.ns() == Ns::PARTNER);
        let note = notes.next();
        assert!(notes.next().is_none());
        assert_eq!(note.is_some(), annotate && direction == Inbound);
        if let Some(note) = note {
            let value = |name| note.attribute(name);
            assert_eq!(value("domain"), Some("fabrikam.example"));
            assert_eq!(value("type"), Some("public-verified"));
            assert_eq!(value("method"), Some("sasl-external"));
        }
    }
    // Nor may it stand deeper inside, nor lend a name to an attribute.
    let hidden = format!(
        "<message xmlns:p='urn:xmpp-edge:partner:0' p:type='federated'>\
         <body>one {forged}two</body><error p:domain='bank.example'>{forged}</error>\
         <x xmlns='urn:example'><y p:method='none' z=''>{forged}<p:partner><q/></p:partner></y></x>\
         </message>"
    );
    for direction in [Inbound, Outbound] {
        let stanza = addressed(direction, &hidden, &rules).unwrap();
        let passed = permit(stanza, Remembered::default(), &rules, false).unwrap();
        let text = written(passed.element());
        assert!(!text.contains("partner"), "{text}");
        assert!(text.contains("<body>one two</body>"), "{text}");
        assert!(text.contains("<y z=''/>"), "{text}");
    }
    // It does not count as the one child that an iq request has.
    let text = format!("<iq type='get'>{forged}</iq>");
    let refused = addressed(Inbound, &text, &rules);
    assert!(matches!(
        refused,
        Err(Refusal::Stanza {
            reason: Reason::MalformedStanza(_),
            ..
        })
    ));
}

#[test]
fn rules_that_changed_on_the_way_hold() {
    let stanza = addressed(Inbound, MESSAGE, &of_type(PartnerType::Federated)).unwrap();
    let empty = Rules::new(vec![domain("contoso.example")], Vec::new()).unwrap();
    let refused = permit(stanza, Remembered::default(), &empty, false).unwrap_err();
    assert!(matches!(refused.reason, Reason::UnknownPartner { .. }));

    let open = empty.with_default_partner(Some(
        (*Arc::clone(&of_type(PartnerType::PublicUnverified).partners()[0])).clone(),
    ));
    let stanza = addressed(Inbound, MESSAGE, &open).unwrap();
    let refused = permit(stanza, Remembered::default(), &open, false).unwrap_err();
    assert_eq!(refused.reason, Reason::NotAContact);
}
