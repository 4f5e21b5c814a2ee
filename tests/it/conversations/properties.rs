//! Whatever comes, in whatever order: nothing passes unproven, TLS starts once, every stream ends.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use xmpp_edge::proto::auth::Pair;
use xmpp_edge::proto::auth::dialback::Question;
use xmpp_edge::proto::auth::handshake::LinkSecret;
use xmpp_edge::proto::policy::{Method, Reason};
use xmpp_edge::proto::stream::{
    Component, Context, Inbound, Input, Machine, Outbound, Output, Purpose,
};
use xmpp_edge::proto::xml::StreamKind;

use super::compare::sent_in;
use super::lab;

/// Something that happens to a machine.
#[derive(Clone, Debug)]
enum Happening {
    Bytes(Vec<u8>),
    TlsUp(&'static str),
    /// The answer to a question that was asked, if there is one of this number.
    Answer(usize, &'static str),
    /// The answer to a question that never was.
    StrayAnswer(&'static str),
    Wait(u64),
    Tick,
    Reload(usize),
    Deliver,
    Pong,
    HangUp,
    End(Reason),
}

const GOOD: &str = "partner.example";

/// Rules to start with, and to reload.
const RULES: [&str; 4] = [
    "partner.example tls=optional sasl=optional dialback=true also=second.example",
    "partner.example",
    "partner.example tls=not-supported sasl=not-supported dialback=true",
    "third.example",
];

const PIECES: [&str; 38] = [
    "<?xml version='1.0'?>",
    "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' xmlns:stream='http://etherx.jabber.org/streams' from='partner.example' to='contoso.example' id='s' version='1.0'>",
    "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' xmlns:stream='http://etherx.jabber.org/streams' from='second.example' to='eu.contoso.example' id='t' version='1.0'>",
    "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>",
    "<stream:features/>",
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>",
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>=</auth>",
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>",
    "<db:result from='partner.example' to='contoso.example'>k</db:result>",
    "<db:result from='second.example' to='contoso.example'>k</db:result>",
    "<db:result from='partner.example' to='contoso.example' type='valid'/>",
    "<db:result from='partner.example' to='contoso.example' type='invalid'/>",
    "<db:verify from='partner.example' to='contoso.example' id='s'>k</db:verify>",
    "<db:verify from='partner.example' to='contoso.example' id='s' type='valid'/>",
    "<handshake/>",
    "<message from='a@partner.example' to='b@contoso.example'/>",
    "<message from='a@second.example' to='b@contoso.example'/>",
    "<message from='a@partner.example' to='b@eu.contoso.example'/>",
    "<message from='b@contoso.example' to='a@partner.example'/>",
    "<iq from='a@partner.example' to='b@contoso.example' type='get'/>",
    "<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "<unknown xmlns='urn:example'/>",
    "</stream:stream>",
    " ",
    "<",
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' from='other.example' version='1.0'>",
    "<stream:stream id='s' version='1.0'>",
    "<stream:error><host-unknown/></stream:error>",
    "<stream:error>",
];

/// What brings a stream far: without these, random happenings seldom leave its beginning.
const OPENINGS: [&[&str]; 8] = [
    &[],
    &["1", "7", "tls", "1", "10", "1"],
    &["1", "17", "answer"],
    &["1", "5", "8", "tls", "1", "6", "15", "1", "4"],
    // A stanza too early, in the clear and under TLS.
    &["1", "24"],
    &["1", "7", "tls", "1", "24"],
    // A header that is not right, and one that declares nothing.
    &["34"],
    &["35"],
];

fn happening() -> impl Strategy<Value = Happening> {
    let piece = select(PIECES.to_vec());
    prop_oneof![
        12 => vec(piece.clone(), 1..3)
            .prop_map(|pieces| Happening::Bytes(pieces.concat().into_bytes())),
        // Half of something.
        2 => (piece, any::<prop::sample::Index>()).prop_map(|(piece, at)| {
            let (half, _) = piece.split_at(at.index(piece.len()));
            Happening::Bytes(half.into())
        }),
        1 => vec(any::<u8>(), 0..40).prop_map(Happening::Bytes),
        3 => select(vec![GOOD, "expired:partner.example", "second.example", "none"])
            .prop_map(Happening::TlsUp),
        4 => (0..3_usize, select(vec!["valid", "invalid", "error item-not-found"]))
            .prop_map(|(number, verdict)| Happening::Answer(number, verdict)),
        1 => select(vec!["partner.example", "second.example"]).prop_map(Happening::StrayAnswer),
        2 => (0..700_u64).prop_map(Happening::Wait),
        1 => Just(Happening::Tick),
        2 => (0..RULES.len()).prop_map(Happening::Reload),
        1 => Just(Happening::Deliver),
        1 => Just(Happening::Pong),
        1 => Just(Happening::HangUp),
        1 => select(vec![
            Reason::Shutdown,
            Reason::Replaced,
            Reason::Transport("reset".to_owned()),
        ])
        .prop_map(Happening::End),
    ]
}

fn story() -> impl Strategy<Value = Vec<Happening>> {
    (select(OPENINGS.to_vec()), vec(happening(), 0..30))
        .prop_map(|(opening, rest)| told(opening).into_iter().chain(rest).collect())
}

fn told(opening: &[&str]) -> Vec<Happening> {
    let happenings = opening.iter().map(|word| match *word {
        "tls" => Happening::TlsUp(GOOD),
        "answer" => Happening::Answer(0, "valid"),
        number => Happening::Bytes(PIECES[number.parse::<usize>().unwrap()].into()),
    });
    happenings.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stanza_passes_on_an_inbound_stream_but_of_a_proven_pair(rules in 0..RULES.len(), story in story()) {
        Watch::of_theirs(rules_of(rules)).follow(story)?;
    }

    #[test]
    fn no_stanza_passes_on_an_outbound_stream_and_none_is_sent_before_it_is_proven(
        rules in 0..RULES.len(),
        asks in any::<bool>(),
        story in story(),
    ) {
        let context = rules_of(rules);
        let pair = lab::pair("contoso.example", "partner.example");
        let purpose = if asks {
            Purpose::Ask(Box::new(Question { pair, stream_id: "s".to_owned(), key: "k".to_owned() }))
        } else {
            Purpose::Carry
        };
        Watch::of_ours(context, purpose).follow(story)?;
    }

    #[test]
    fn no_stanza_passes_on_a_link_without_the_secret(story in story()) {
        let context = rules_of(0);
        let secret = Arc::new(LinkSecret::new(lab::LINK_SECRET.to_owned()));
        let machine = Component::new(Arc::clone(&context), lab::ids(), secret, lab::at(0));
        Watch::new(machine, context, StreamKind::Component).follow(story)?;
    }
}

/// Else the properties would hold because nothing ever happens.
#[test]
fn the_openings_lead_where_they_should() {
    for (opening, rules, ours, methods) in [
        (1, 0, false, vec![Method::SaslExternal]),
        (1, 1, false, vec![Method::SaslExternal]),
        (2, 0, false, vec![Method::TcpDialback]),
        (2, 2, false, vec![Method::TcpDialback]),
        (3, 0, true, vec![Method::SaslExternal]),
        (0, 0, false, vec![]),
    ] {
        let story = told(OPENINGS[opening]);
        let found = if ours {
            let mut watch = Watch::of_ours(rules_of(rules), Purpose::Carry);
            watch.follow(story).unwrap();
            watch.methods
        } else {
            let mut watch = Watch::of_theirs(rules_of(rules));
            watch.follow(story).unwrap();
            watch.methods
        };
        assert_eq!(found, methods, "{opening} {rules}");
    }
}

fn rules_of(number: usize) -> Arc<Context> {
    lab::context(lab::LOCAL, vec![lab::partner(RULES[number])])
}

/// A machine under observation.
struct Watch<M> {
    machine: M,
    context: Arc<Context>,
    stream_kind: StreamKind,
    /// Whether we have opened the stream.
    is_ours: bool,
    seconds: u64,
    /// What was sent since TLS or the beginning.
    sent: Vec<u8>,
    questions: Vec<Question>,
    /// Questions that were answered with valid.
    confirmed: Vec<Question>,
    good_certificate: bool,
    claimed: bool,
    tls_starts: usize,
    tls_is_up: bool,
    proven: Vec<Pair>,
    methods: Vec<Method>,
    said_goodbye: bool,
    closed: bool,
}

impl Watch<Inbound> {
    fn of_theirs(context: Arc<Context>) -> Self {
        let machine = Inbound::new(Arc::clone(&context), lab::ids(), lab::at(0));
        Self::new(machine, context, StreamKind::Server)
    }
}

impl Watch<Outbound> {
    fn of_ours(context: Arc<Context>, purpose: Purpose) -> Self {
        let pair = lab::pair("contoso.example", "partner.example");
        let now = lab::at(0);
        let mut machine = Outbound::new(Arc::clone(&context), lab::ids(), pair, purpose, true, now);
        machine.handle(now, Input::Connected);
        Self {
            is_ours: true,
            ..Self::new(machine, context, StreamKind::Server)
        }
    }
}

impl<M: Machine> Watch<M> {
    fn new(machine: M, context: Arc<Context>, stream_kind: StreamKind) -> Self {
        Self {
            machine,
            context,
            stream_kind,
            is_ours: false,
            seconds: 0,
            sent: Vec::new(),
            questions: Vec::new(),
            confirmed: Vec::new(),
            good_certificate: false,
            claimed: false,
            tls_starts: 0,
            tls_is_up: false,
            proven: Vec::new(),
            methods: Vec::new(),
            said_goodbye: false,
            closed: false,
        }
    }

    fn follow(&mut self, story: Vec<Happening>) -> Result<(), TestCaseError> {
        self.observe()?;
        for happening in story {
            self.happen(happening)?;
            self.observe()?;
        }
        // A link may be silent for as long as it likes; everything else ends by itself.
        if self.stream_kind == StreamKind::Component {
            self.machine
                .handle(lab::at(self.seconds), Input::End(Reason::Shutdown));
            self.observe()?;
        }
        for _ in 0..8 {
            let Some(deadline) = self.machine.deadline() else {
                break;
            };
            while lab::at(self.seconds).monotonic < deadline {
                self.seconds += 1;
            }
            self.machine.handle(lab::at(self.seconds), Input::Tick);
            self.observe()?;
        }
        prop_assert!(self.closed, "the stream never ends");
        prop_assert!(self.machine.deadline().is_none());
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        let now = lab::at(self.seconds);
        match happening {
            Happening::Bytes(bytes) => self.machine.handle(now, Input::Bytes(&bytes)),
            Happening::TlsUp(certificate) => {
                // A second handshake, or one that was not asked for, must not count.
                let asked = self.tls_starts == 1 && !self.tls_is_up;
                self.tls_is_up |= asked;
                self.good_certificate |= asked && certificate == GOOD;
                self.machine
                    .handle(now, Input::TlsUp(lab::tls(certificate)));
            }
            Happening::Answer(number, verdict) => {
                let Some(question) = self.questions.get(number) else {
                    return Ok(());
                };
                if verdict == "valid" {
                    self.confirmed.push(question.clone());
                }
                let answer = lab::answer(question, verdict);
                self.machine.handle(now, Input::Answer(answer));
            }
            Happening::StrayAnswer(remote) => {
                let question = Question {
                    pair: lab::pair("contoso.example", remote),
                    stream_id: "s".to_owned(),
                    key: "k".to_owned(),
                };
                let answer = lab::answer(&question, "valid");
                self.machine.handle(now, Input::Answer(answer));
            }
            Happening::Wait(seconds) => {
                let until = self.seconds + seconds;
                while self.seconds < until {
                    self.seconds += 1;
                    let now = lab::at(self.seconds);
                    if self
                        .machine
                        .deadline()
                        .is_some_and(|due| due <= now.monotonic)
                    {
                        self.machine.handle(now, Input::Tick);
                        self.observe()?;
                    }
                }
            }
            Happening::Tick => self.machine.handle(now, Input::Tick),
            Happening::Reload(number) => {
                self.context = rules_of(number);
                let context = Arc::clone(&self.context);
                self.machine.handle(now, Input::Context(context));
            }
            Happening::Deliver => {
                let text = "<message from='b@contoso.example' to='a@partner.example'/>";
                let stanza = lab::from_local(&rules_of(0), text).write(self.stream_kind);
                let before = self.sent.len();
                self.machine.handle(now, Input::Deliver(&stanza));
                self.observe()?;
                let carries = !self.proven.is_empty() || self.stream_kind == StreamKind::Component;
                prop_assert!(
                    self.sent.len() == before || carries,
                    "sent before it was proven"
                );
            }
            Happening::Pong => {
                self.machine.handle(now, Input::Pong("a-guess"));
                self.machine.handle(now, Input::Probe);
            }
            Happening::HangUp => self.machine.handle(now, Input::Eof),
            Happening::End(reason) => self.machine.handle(now, Input::End(reason)),
        }
        Ok(())
    }

    fn observe(&mut self) -> Result<(), TestCaseError> {
        while let Some(output) = self.machine.poll_output() {
            prop_assert!(!self.closed, "after its end: {output:?}");
            match output {
                Output::Send(bytes) => {
                    prop_assert!(!self.said_goodbye, "after the closing tag: {bytes:?}");
                    self.said_goodbye = bytes.ends_with(b"</stream:stream>");
                    self.sent.extend(bytes);
                }
                Output::Claimed(_) | Output::ClaimedNobody => {
                    prop_assert!(!self.claimed, "one connection is charged twice");
                    self.claimed = true;
                }
                Output::NotShared(..) => {}
                Output::GaveUp(_) => {
                    let is_open = !self.proven.is_empty();
                    prop_assert!(self.is_ours && !is_open, "an open stream has given up");
                }
                Output::StartTls { .. } => {
                    prop_assert!(
                        self.claimed || self.is_ours,
                        "TLS starts and nobody is charged"
                    );
                    self.tls_starts += 1;
                    prop_assert_eq!(self.tls_starts, 1, "TLS is started twice");
                    self.check_sent();
                }
                Output::Ask(question) => {
                    prop_assert!(self.claimed, "somebody is asked and nobody is charged");
                    self.questions.push(question);
                }
                Output::Authenticated(proof) => {
                    let pair = (*proof).clone();
                    self.is_proven(&pair, proof.method())?;
                    self.proven.push(pair);
                    self.methods.extend(proof.method());
                }
                Output::LinkUp(_) => prop_assert!(false, "a link without the secret"),
                Output::Stanza(stanza) => {
                    let pair = Pair {
                        local: stanza.to.domain().clone(),
                        remote: stanza.from.domain().clone(),
                    };
                    prop_assert!(self.proven.contains(&pair), "not proven: {pair}");
                }
                Output::ShutWrite => {
                    prop_assert!(self.said_goodbye, "sends no more before the closing tag");
                    prop_assert!(self.proven.is_empty(), "a partner has the whole grace");
                }
                Output::Close(_) => {
                    self.closed = true;
                    self.check_sent();
                }
                Output::Answered(_)
                | Output::Pinged(_)
                | Output::Pace
                | Output::Acks(_)
                | Output::Refused { .. }
                | Output::Record(_) => {}
            }
        }
        Ok(())
    }

    /// What was sent is XML.
    fn check_sent(&mut self) {
        sent_in(self.stream_kind, &std::mem::take(&mut self.sent));
    }

    /// Whether there was evidence for a pair. On streams of ours the partner's word is enough.
    fn is_proven(&self, pair: &Pair, method: Option<Method>) -> Result<(), TestCaseError> {
        match method {
            Some(Method::SaslExternal) => {
                prop_assert!(self.good_certificate && pair.remote.as_str() == GOOD);
            }
            Some(Method::TlsDialback | Method::TcpDialback) => {
                let confirmed = self.confirmed.iter().any(|question| question.pair == *pair);
                prop_assert!(confirmed || self.is_ours, "nobody has confirmed {pair}");
            }
            None => prop_assert!(false, "proven by nothing"),
        }
        Ok(())
    }
}
