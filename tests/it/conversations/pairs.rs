//! Two edges that talk to each other: whatever either administrator has set, the strongest method
//! that both allow is what results, or both sides know why there is none.

use std::collections::VecDeque;
use std::sync::Arc;

use xmpp_edge::proto::auth::Pair;
use xmpp_edge::proto::auth::dialback::{Answer, Question};
use xmpp_edge::proto::auth::handshake::LinkSecret;
use xmpp_edge::proto::policy::{Method, Methods, Negotiation, Reason};
use xmpp_edge::proto::stream::{
    Component, Context, Inbound, Input, Machine, Outbound, Output, Purpose,
};

use super::lab;

/// `tls`, `sasl`, `dialback`: the thirteen rows that leave a method, of the modelled product's
/// eighteen.
const ROWS: [(&str, &str, &str); 13] = [
    ("required", "required", "true"),
    ("required", "required", "false"),
    ("optional", "required", "true"),
    ("optional", "required", "false"),
    ("not-supported", "required", "true"),
    ("required", "optional", "true"),
    ("required", "optional", "false"),
    ("optional", "optional", "true"),
    ("optional", "optional", "false"),
    ("not-supported", "optional", "true"),
    ("required", "not-supported", "true"),
    ("optional", "not-supported", "true"),
    ("not-supported", "not-supported", "true"),
];

/// Rows: what the side that opens the stream has set; columns: the other, in the same order.
///
/// S, D and P are EXTERNAL, dialback over TLS and dialback in the clear. Where there is none: `m`
/// TLS is missing, `d` it is demanded, `e` EXTERNAL is not offered, `x` dialback is refused.
const OUTCOMES: [&str; 13] = [
    "S S S S m S S S S m e e m", // required       required       true
    "S S S S m S S S S m e e m", // required       required       false
    "S S S S P S S S S P D D P", // optional       required       true
    "S S S S m S S S S m e e m", // optional       required       false
    "d d P d P d d P d P d P P", // not-supported  required       true
    "S S S S m S S S S m D D m", // required       optional       true
    "S S S S m S S S S m e e m", // required       optional       false
    "S S S S P S S S S P D D P", // optional       optional       true
    "S S S S m S S S S m e e m", // optional       optional       false
    "d d P d P d d P d P d P P", // not-supported  optional       true
    "x x D x m D x D x m D D m", // required       not-supported  true
    "x x D x P D x D x P D D P", // optional       not-supported  true
    "d d P d P d d P d P d P P", // not-supported  not-supported  true
];

const GOOD: [&str; 2] = ["contoso.example", "partner.example"];

#[test]
fn the_strongest_common_method_results_or_both_know_why_there_is_none() {
    let grid: Vec<String> = ROWS
        .iter()
        .map(|ours| {
            let cells: Vec<_> = ROWS
                .iter()
                .map(|theirs| letter(&meet(ours, theirs, GOOD)))
                .collect();
            cells.join(" ")
        })
        .collect();
    assert_eq!(grid, OUTCOMES, "{grid:#?}");
}

#[test]
fn a_bad_certificate_on_either_side_takes_away_external_and_nothing_else() {
    let bad = [
        ["expired:contoso.example", "partner.example"],
        ["contoso.example", "self-signed:partner.example"],
        ["none", "unknown-ca:partner.example"],
    ];
    for ours in &ROWS {
        for theirs in &ROWS {
            let (ours_left, theirs_left) = (methods(ours), methods(theirs));
            let want = [Method::TlsDialback, Method::TcpDialback]
                .into_iter()
                .find(|method| ours_left.contains(*method) && theirs_left.contains(*method));
            for certificates in bad {
                let met = meet(ours, theirs, certificates);
                let got = met.as_ref().ok();
                assert_eq!(got, want.as_ref(), "{ours:?} {theirs:?} {certificates:?}");
            }
        }
    }
}

/// A server that was reached by mistake has a header of its own and then an error: the error counts.
#[test]
fn two_edges_understand_why_there_is_no_stream() {
    let context = |local: &str, remote: &str| lab::context(local, vec![lab::partner(remote)]);
    let inbound = |local: &str, remote: &str| -> Box<dyn Machine> {
        Box::new(Inbound::new(context(local, remote), lab::ids(), lab::at(0)))
    };
    let link: Box<dyn Machine> = Box::new(Component::new(
        context("other.example", "third.example"),
        lab::ids(),
        Arc::new(LinkSecret::new(lab::LINK_SECRET.to_owned())),
        lab::at(0),
    ));
    let table = [
        (
            inbound("other.example", "contoso.example"),
            "not-served: the server at 192.0.2.7:5269 does not serve partner.example: DNS or `route` \
             leads to the wrong host",
            "unknown-local-domain",
        ),
        (
            inbound("partner.example", "third.example"),
            "peer-error: the other side ended the stream: policy-violation (contoso.example is not a \
             partner: no entry of partners.toml covers it)",
            "unknown-partner",
        ),
        // The way to the partner ends where it began.
        (
            inbound("contoso.example", "partner.example"),
            "leads-back: the server at 192.0.2.7:5269 answers as contoso.example: DNS or `route` of \
             partner.example leads back to this edge",
            "unknown-local-domain",
        ),
        (
            link,
            "peer-error: the other side ended the stream: invalid-namespace (not a stream of this \
             port: wrong root element or content namespace)",
            "invalid-namespace",
        ),
    ];
    for (receiver, ours, theirs) in table {
        let dialling = context("contoso.example", "partner.example");
        let mut meeting = Meeting::with(
            [Arc::clone(&dialling), dialling],
            GOOD,
            lab::pair("contoso.example", "partner.example"),
            Purpose::Carry,
            receiver,
        );
        meeting.run();
        let [mine, other] = meeting.ended.map(|reason| reason.expect("an end"));
        assert_eq!(format!("{}: {mine}", mine.code()), ours);
        assert_eq!(other.code(), theirs, "{other}");
    }
}

fn letter(met: &Result<Method, [Reason; 2]>) -> &'static str {
    let [ours, theirs] = match met {
        Ok(Method::SaslExternal) => return "S",
        Ok(Method::TlsDialback) => return "D",
        Ok(Method::TcpDialback) => return "P",
        Err(reasons) => reasons,
    };
    match (ours.code().as_str(), theirs.code().as_str()) {
        ("tls-missing", "peer-error") => "m",
        ("tls-demanded", "peer-error") => "d",
        ("external-missing", "peer-error") => "e",
        // The other side refused, and recorded why; it needs no telling.
        ("dialback-denied" | "dialback-unreachable" | "dialback-refused", "peer-closed") => "x",
        other => panic!("no reasons for the two sides: {other:?}"),
    }
}

fn methods((tls, sasl, dialback): &(&str, &str, &str)) -> Methods {
    let read = |word: &str| match word {
        "required" => Negotiation::Required,
        "optional" => Negotiation::Optional,
        _ => Negotiation::NotSupported,
    };
    Methods::of(read(tls), read(sasl), *dialback == "true")
}

/// Contoso opens a stream to its partner; each side has its certificate and its settings for the
/// other.
fn meet(
    ours: &(&str, &str, &str),
    theirs: &(&str, &str, &str),
    certificates: [&str; 2],
) -> Result<Method, [Reason; 2]> {
    let context = |local: &str, remote: &str, (tls, sasl, dialback): &(&str, &str, &str)| {
        let line = format!("{remote} tls={tls} sasl={sasl} dialback={dialback}");
        lab::context(local, vec![lab::partner(&line)])
    };
    let contexts = [
        context("contoso.example", "partner.example", ours),
        context("partner.example", "contoso.example", theirs),
    ];
    let mut meeting = Meeting::new(contexts, certificates, Purpose::Carry);
    meeting.run();
    match (meeting.opened, meeting.admitted) {
        (Some(method), Some(other)) => {
            assert_eq!(method, other, "the two sides disagree on the method");
            Ok(method)
        }
        (None, None) => Err(meeting
            .ended
            .map(|reason| reason.expect("a stream that neither opened nor ended"))),
        (opened, admitted) => panic!("one side only: {opened:?} {admitted:?}"),
    }
}

/// One connection between two edges: the first has opened it.
struct Meeting {
    contexts: [Arc<Context>; 2],
    certificates: [&'static str; 2],
    machines: [Box<dyn Machine>; 2],
    /// What is on its way to each.
    inputs: VecDeque<(usize, Going)>,
    opened: Option<Method>,
    admitted: Option<Method>,
    answer: Option<Answer>,
    ended: [Option<Reason>; 2],
    /// Whose handshake has been asked for.
    tls: [bool; 2],
}

enum Going {
    Bytes(Vec<u8>),
    TlsUp,
    Answer(Answer),
    HangUp,
}

impl Meeting {
    fn new(contexts: [Arc<Context>; 2], certificates: [&str; 2], purpose: Purpose) -> Self {
        let [ours, theirs] = &contexts;
        let (local, remote) = (&ours.rules.local()[0], &theirs.rules.local()[0]);
        let pair = lab::pair(local.as_str(), remote.as_str());
        let receiver = Inbound::new(Arc::clone(theirs), lab::ids(), lab::at(0));
        Self::with(contexts, certificates, pair, purpose, Box::new(receiver))
    }

    /// The first opens a stream for a pair, and reaches whoever it may be.
    fn with(
        contexts: [Arc<Context>; 2],
        certificates: [&str; 2],
        pair: Pair,
        purpose: Purpose,
        receiver: Box<dyn Machine>,
    ) -> Self {
        let now = lab::at(0);
        let ours = Arc::clone(&contexts[0]);
        let mut opener = Outbound::new(ours, lab::ids(), pair, purpose, true, now).at(lab::place());
        opener.handle(now, Input::Connected);
        let certificates = certificates.map(|name| &*name.to_owned().leak());
        Self {
            machines: [Box::new(opener), receiver],
            contexts,
            certificates,
            inputs: VecDeque::new(),
            opened: None,
            admitted: None,
            answer: None,
            ended: [None, None],
            tls: [false; 2],
        }
    }

    /// Carries everything to where it is going, until nothing moves any more.
    fn run(&mut self) {
        self.collect();
        while let Some((who, going)) = self.inputs.pop_front() {
            let certificate = self.certificates[1 - who];
            let machine = &mut self.machines[who];
            let now = lab::at(0);
            match going {
                Going::Bytes(bytes) => machine.handle(now, Input::Bytes(&bytes)),
                Going::TlsUp => machine.handle(now, Input::TlsUp(lab::tls(certificate))),
                Going::Answer(answer) => machine.handle(now, Input::Answer(answer)),
                Going::HangUp => machine.handle(now, Input::Eof),
            }
            self.collect();
        }
    }

    fn collect(&mut self) {
        for who in [0, 1] {
            while let Some(output) = self.machines[who].poll_output() {
                self.act(who, output);
            }
        }
    }

    fn act(&mut self, who: usize, output: Output) {
        let other = 1 - who;
        match output {
            Output::Send(bytes) => self.inputs.push_back((other, Going::Bytes(bytes))),
            Output::StartTls { .. } => {
                self.tls[who] = true;
                if self.tls == [true; 2] {
                    self.tls = [false; 2];
                    self.inputs.extend([(0, Going::TlsUp), (1, Going::TlsUp)]);
                }
            }
            Output::Ask(question) => {
                let answer = self.ask(question);
                self.inputs.push_back((who, Going::Answer(answer)));
            }
            Output::Answered(answer) => self.answer = Some(answer),
            Output::Authenticated(proof) if who == 0 => self.opened = proof.method(),
            Output::Authenticated(proof) => self.admitted = proof.method(),
            Output::Close(reason) => {
                self.ended[who] = Some(reason);
                self.inputs.push_back((other, Going::HangUp));
            }
            Output::Claimed(_)
            | Output::ClaimedNobody
            | Output::ShutWrite
            | Output::Pinged(_)
            | Output::GaveUp(_)
            | Output::NotShared(..)
            | Output::Pace
            | Output::Acks(_)
            | Output::Record(_)
            | Output::LinkUp(_)
            | Output::Stanza(_)
            | Output::Refused { .. } => {}
        }
    }

    /// The side that was asked opens a connection of its own, the other way round.
    fn ask(&self, question: Question) -> Answer {
        let [ours, theirs] = self.contexts.clone();
        let [our_certificate, their_certificate] = self.certificates;
        let mut back = Self::new(
            [theirs, ours],
            [their_certificate, our_certificate],
            Purpose::Ask(Box::new(question.clone())),
        );
        back.run();
        let [asked, _] = back.ended;
        back.answer.unwrap_or_else(|| {
            Answer::unreachable(question, &asked.expect("a question that found an end"))
        })
    }
}
