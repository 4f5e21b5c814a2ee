//! However stanzas and reloads follow each other, nothing passes that policy refuses.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use xmpp_edge::net::relay::learning::{Learning, Next, Taken};
use xmpp_edge::net::relay::partners::Partners;
use xmpp_edge::net::relay::queue::QueuedStanza;
use xmpp_edge::net::relay::stanza_policy::StanzaPolicy;
use xmpp_edge::ops::counters::Ledger;
use xmpp_edge::proto::auth::chain::{Anchors, CertReport, Checker};
use xmpp_edge::proto::auth::dialback_key::DialbackSecret;
use xmpp_edge::proto::auth::{Pair, external, handshake};
use xmpp_edge::proto::jid::{BareJid, Domain, Jid};
use xmpp_edge::proto::policy::{
    Access, Decision, Direction, Facts, Initiative, Kinds, Partner, PartnerType, Rules,
    StanzaFacts, Terms, evaluate,
};
use xmpp_edge::proto::stanza::{Addressed, Kind, from_gateway, from_partner};
use xmpp_edge::proto::stream::{Context, Timing, Unproven};
use xmpp_edge::proto::xml::{Element, Ns, StreamKind};
use xmpp_edge::store::Contacts;

/// What may happen.
#[derive(Clone, Debug)]
enum Step {
    Reload(Policy),
    Stanza {
        direction: Direction,
        /// Which of three users on each side.
        local: usize,
        remote: usize,
        /// Which of [`STANZAS`].
        what: usize,
    },
}

/// What a reload may set.
#[derive(Clone, Debug)]
struct Policy {
    known: bool,
    partner_type: PartnerType,
    initiative: Initiative,
    kinds: Vec<Kind>,
    denied: Option<usize>,
}

/// Name, type, and the namespace of a payload.
const STANZAS: [(&str, Option<&str>, Option<&str>); 11] = [
    ("message", None, None),
    ("message", Some("chat"), Some("urn:example")),
    ("message", Some("error"), None),
    ("presence", None, None),
    ("presence", Some("subscribe"), None),
    ("presence", Some("subscribed"), None),
    ("presence", Some("unsubscribe"), None),
    ("presence", Some("unsubscribed"), None),
    ("iq", Some("get"), Some("urn:example")),
    ("iq", Some("result"), None),
    ("iq", Some("error"), None),
];

fn policies() -> impl Strategy<Value = Policy> {
    let kinds = [Kind::Message, Kind::Presence, Kind::Iq];
    (
        prop::bool::weighted(0.9),
        prop::sample::select(PartnerType::ALL.to_vec()),
        prop::sample::select(vec![
            Initiative::Both,
            Initiative::Inbound,
            Initiative::Outbound,
        ]),
        prop::sample::subsequence(kinds.to_vec(), 2..=3),
        prop::option::weighted(0.3, 0..3_usize),
    )
        .prop_map(|(known, partner_type, initiative, kinds, denied)| Policy {
            known,
            partner_type,
            initiative,
            kinds,
            denied,
        })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let direction = prop::sample::select(vec![Direction::Inbound, Direction::Outbound]);
    let stanza = (direction, 0..3_usize, 0..3_usize, 0..STANZAS.len());
    let step = prop_oneof![
        1 => policies().prop_map(Step::Reload),
        8 => stanza.prop_map(|(direction, local, remote, what)| Step::Stanza {
            direction,
            local,
            remote,
            what,
        }),
    ];
    prop::collection::vec(step, 1..60)
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn local(number: usize) -> String {
    format!("user{number}@contoso.example")
}

fn remote(number: usize) -> String {
    format!("peer{number}@fabrikam.example")
}

fn context(policy: &Policy) -> Context {
    let partner = Partner {
        terms: Terms {
            partner_type: policy.partner_type,
            initiative: policy.initiative,
            kinds: Kinds::of(&policy.kinds),
            ..Terms::default()
        },
        ..Partner::new(domain("fabrikam.example"))
    };
    let partners = policy.known.then_some(partner).into_iter().collect();
    let denied = policy
        .denied
        .map(|number| BareJid::parse(&local(number)).unwrap());
    let minute = Duration::from_secs(60);
    Context {
        rules: Rules::new(vec![domain("contoso.example")], partners)
            .unwrap()
            .with_access(Access::new(true, denied)),
        anchors: Arc::new(Anchors::default()),
        checker: Checker::default(),
        dialback: DialbackSecret::new(b"0123456789abcdef").unwrap(),
        timing: Timing {
            establishment: minute,
            inactivity: minute,
            keep_alive: minute,
        },
        unproven: Unproven::default(),
        max_stanza_bytes: 100_000,
        max_stanza_depth: 64,
        pairs_per_stream: 64,
        annotate: false,
    }
}

fn element(step: (Direction, usize, usize, usize)) -> Element {
    let (direction, own, other, what) = step;
    let (name, stanza_type, payload) = STANZAS[what];
    let (from, to) = match direction {
        Direction::Inbound => (remote(other), local(own)),
        Direction::Outbound => (local(own), remote(other)),
    };
    let mut element = Element::new(Ns::CONTENT, name)
        .with_attribute("from", from)
        .with_attribute("to", to)
        .with_attribute("id", "i");
    if let Some(stanza_type) = stanza_type {
        element.set_attribute("type", stanza_type);
    }
    if stanza_type == Some("error") {
        element.push(Element::new(Ns::CONTENT, "error"));
    }
    if let Some(payload) = payload {
        element.push(Element::new(payload, "x"));
    }
    element
}

/// As a stream and a link would hand it over: proven long ago, by the rules of then.
fn addressed(direction: Direction, element: Element, proven_by: &Rules) -> Addressed {
    match direction {
        Direction::Inbound => {
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
            let proof = external::prove(pair, &report).unwrap();
            from_partner(element, &[proof]).unwrap()
        }
        Direction::Outbound => {
            let digest = handshake::digest("s", "secret");
            let own = domain("contoso.example");
            let proof = handshake::prove(own, "s", "secret", &digest).unwrap();
            from_gateway(element, &proof, proven_by).unwrap()
        }
    }
}

/// What an onlooker remembers: kept by other means than the edge's own.
#[derive(Default)]
struct Onlooker {
    watching: BTreeSet<(usize, usize)>,
    watched: BTreeSet<(usize, usize)>,
    open: BTreeSet<(usize, usize)>,
    /// What may be answered, by its kind.
    asked: BTreeSet<(usize, usize, &'static str)>,
}

impl Onlooker {
    fn allows(&self, step: (Direction, usize, usize, usize), context: &Context) -> bool {
        let (direction, own, other, what) = step;
        let (name, stanza_type, _) = STANZAS[what];
        let users = (own, other);
        let form = element(step).into();
        let (ours, theirs) = (domain("contoso.example"), domain("fabrikam.example"));
        let facts = Facts {
            stanza: Some(StanzaFacts {
                direction,
                kind: Kind::of(name).unwrap(),
                is_answer: matches!(stanza_type, Some("result" | "error")),
                to_service: false,
                was_asked: direction == Direction::Inbound
                    && matches!(stanza_type, Some("result" | "error"))
                    && self.asked.contains(&(own, other, name)),
                form: &form,
                bytes: 0,
                is_contact: self.watching.contains(&users) || self.watched.contains(&users),
                is_open: self.open.contains(&users),
                is_allowed: context
                    .rules
                    .access()
                    .admits(&Jid::parse(&local(own)).unwrap()),
            }),
            ..Facts::of_pair(&ours, &theirs)
        };
        matches!(evaluate(facts, &context.rules), Decision::Allow(_))
    }

    fn saw(&mut self, step: (Direction, usize, usize, usize), policy: &Policy) {
        let (direction, own, other, what) = step;
        let (name, stanza_type, _) = STANZAS[what];
        let users = (own, other);
        let is_answer = matches!(stanza_type, Some("result" | "error"));
        let begins = policy.initiative != Initiative::Both && policy.initiative.admits(direction);
        if begins && !is_answer {
            self.open.insert(users);
        }
        let asks = policy.initiative != Initiative::Both
            || policy.partner_type == PartnerType::PublicUnverified;
        match direction {
            Direction::Outbound if asks && !is_answer => {
                self.asked.insert((own, other, name));
            }
            // A request is answered once.
            Direction::Inbound if asks && is_answer && name == "iq" => {
                self.asked.remove(&(own, other, name));
            }
            _ => {}
        }
        if direction == Direction::Outbound && name == "presence" {
            match stanza_type {
                Some("subscribe") => self.watching.insert(users),
                Some("subscribed") => self.watched.insert(users),
                Some("unsubscribe") => self.watching.remove(&users),
                Some("unsubscribed") => self.watched.remove(&users),
                _ => false,
            };
        }
    }
}

/// Takes in what a stanza says about a contact, and waits until the disk has it.
async fn learn(learning: &Learning, queued: QueuedStanza, decides: bool) {
    let Taken::Begins(link, _) = learning.take(queued, decides) else {
        return;
    };
    while let Some(next) = learning.next(&link).await {
        assert!(!matches!(next, Next::NotKept(..)), "{next:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn nothing_passes_that_policy_refuses(first in policies(), steps in steps()) {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let contacts = Contacts::open(&directory.path().join("state")).unwrap().contacts;
        let (stanza_policy, learning) = (StanzaPolicy::new(contacts.clone()), Learning::new(contacts));
        // Streams and links were admitted when everybody was.
        let open_doors = context(&Policy { known: true, ..first.clone() });
        let table = Partners::new(Arc::new(Ledger::new()));
        let mut policy = first;
        let mut onlooker = Onlooker::default();
        for step in steps {
            match step {
                Step::Reload(new) => policy = new,
                Step::Stanza { direction, local, remote, what } => {
                    let step = (direction, local, remote, what);
                    let now = Arc::new(context(&policy));
                    let stanza = addressed(direction, element(step), &open_doors.rules);
                    let want = onlooker.allows(step, &now);
                    let moment = Instant::now();
                    let standing = table.standing(stanza.remote().domain(), &now, moment);
                    let got = stanza_policy.judge(stanza, &standing, moment);
                    prop_assert_eq!(got.is_ok(), want, "{:?} under {:?}", step, policy);
                    if let Ok(passed) = got {
                        if direction == Direction::Outbound {
                            let decides = Terms {
                                partner_type: policy.partner_type,
                                initiative: policy.initiative,
                                ..Terms::default()
                            }
                            .asks_for_contacts();
                            runtime.block_on(learn(&learning, QueuedStanza::own(passed.write(StreamKind::Server)), decides));
                        }
                        onlooker.saw(step, &policy);
                    }
                }
            }
        }
    }
}
