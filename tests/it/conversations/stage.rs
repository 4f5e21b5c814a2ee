//! Playing a script: one machine, its inputs as the script gives them, its outputs as it expects.

mod events;
mod words;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use xmpp_edge::proto::auth::Pair;
use xmpp_edge::proto::auth::dialback::Question;
use xmpp_edge::proto::auth::handshake::LinkSecret;
use xmpp_edge::proto::policy::Reason;
use xmpp_edge::proto::stream::acks::{Agreed, Suspended};
use xmpp_edge::proto::stream::{
    AckChange, Component, Context, Endpoint, Inbound, Input, Machine, Outbound, Output, Purpose,
    Record,
};
use xmpp_edge::proto::trace::{Line, Opening, Recorder};
use xmpp_edge::proto::xml::{Element, StreamKind};

use super::compare::{Names, Sent, expected, is_element, matches, sent_in};
use super::lab;
use super::script::{Script, Step, Who};

/// How the peer's bytes are cut into reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Each `P:` step is one read.
    Whole,
    /// Each byte is one read.
    Bytes,
    /// Each `P:` step that is longer is two reads, the first of so many bytes.
    At(usize),
}

/// A script under way.
pub(crate) struct Stage<'s> {
    script: &'s Script,
    machine: Box<dyn Machine>,
    stream_kind: StreamKind,
    context: Arc<Context>,
    seconds: u64,
    names: Names,
    outputs: VecDeque<Done>,
    questions: Vec<Question>,
    /// The domain that is the peer's, for the usual headers.
    pair: Pair,
    inbound: bool,
    closed: bool,
    /// Writes down what the machine is given and puts out, where that is wanted.
    recorder: Option<Recorder>,
}

/// An output, taken apart.
#[derive(Debug)]
enum Done {
    Sent(Sent),
    Said(String),
    /// The code of the reason, and its words.
    Closed(String, String),
    Stanza(Element),
    Refused(String, Option<Element>),
    Record(String),
}

impl<'s> Stage<'s> {
    /// A machine as the head of the script describes it.
    pub(crate) fn set(script: &'s Script) -> Self {
        let context = context(&script.facts);
        let now = lab::at(0);
        let pair = match script.fact("pair").and_then(|pair| pair.split_once(' ')) {
            Some((local, remote)) => lab::pair(local, remote),
            None => lab::pair("contoso.example", "partner.example"),
        };
        let kind = script.fact("machine").expect("machine: …");
        let (machine, stream_kind): (Box<dyn Machine>, _) = match kind {
            "inbound" => (
                Box::new(Inbound::new(Arc::clone(&context), lab::ids(), now)),
                StreamKind::Server,
            ),
            "outbound" => {
                let purpose = purpose(script, &pair);
                let external = script.fact("try-external") != Some("false");
                let context = Arc::clone(&context);
                let machine =
                    Outbound::new(context, lab::ids(), pair.clone(), purpose, external, now);
                let machine = machine.at(Endpoint {
                    is_own: script.fact("place") == Some("own"),
                    ..lab::place()
                });
                let machine = machine.resuming(session(script));
                (Box::new(machine), StreamKind::Server)
            }
            "component" => {
                let secret = Arc::new(LinkSecret::new(lab::LINK_SECRET.to_owned()));
                let context = Arc::clone(&context);
                let machine = Component::new(context, lab::ids(), secret, now);
                (Box::new(machine), StreamKind::Component)
            }
            other => panic!("what is a machine that is {other}?"),
        };
        Self {
            script,
            machine,
            stream_kind,
            context,
            seconds: 0,
            names: Names::new(),
            outputs: VecDeque::new(),
            questions: Vec::new(),
            pair,
            inbound: kind == "inbound",
            closed: false,
            recorder: None,
        }
    }

    /// The same, and all that happens is recorded.
    pub(crate) fn recorded(script: &'s Script) -> Self {
        let mut stage = Self::set(script);
        let now = lab::at(0);
        let address = lab::place().address;
        let opening = match stage.stream_kind {
            StreamKind::Component => Opening::Link {
                address,
                secret: Arc::new(LinkSecret::new(lab::LINK_SECRET.to_owned())),
            },
            StreamKind::Server if stage.inbound => Opening::Inbound(address),
            StreamKind::Server => Opening::Outbound {
                pair: stage.pair.clone(),
                purpose: purpose(script, &stage.pair),
                try_external: script.fact("try-external") != Some("false"),
                place: Endpoint {
                    is_own: script.fact("place") == Some("own"),
                    ..lab::place()
                },
                until: now.monotonic + Duration::from_secs(3600),
                resumes: session(script).map(Box::new),
            },
        };
        let context = Arc::clone(&stage.context);
        let recorder = Recorder::begin(7, &opening, context, lab::ids(), now, [9; 16]);
        stage.recorder = Some(recorder);
        stage
    }

    /// What was recorded.
    pub(crate) fn lines(&mut self) -> Vec<Line> {
        self.recorder.as_mut().unwrap().take(lab::at(0).monotonic)
    }

    /// Plays the steps of a script.
    pub(crate) fn play(&mut self, script: &'s Script, cut: Cut) {
        self.script = script;
        let mut last = 0;
        for step in &script.steps {
            if matches!(step.who, Who::Peer | Who::Event) {
                self.nothing_left(last);
            }
            last = step.line;
            match step.who {
                Who::Peer => {
                    let text = self.expand(&step.text);
                    match cut {
                        Cut::At(byte) if byte < text.len() => {
                            let (first, second) = text.as_bytes().split_at(byte);
                            self.read(first);
                            self.read(second);
                        }
                        Cut::Bytes => {
                            for byte in text.as_bytes() {
                                self.read(std::slice::from_ref(byte));
                            }
                        }
                        _ => self.read(text.as_bytes()),
                    }
                }
                Who::Event => self.event(step),
                Who::Edge => self.sends(step),
                Who::Decision => self.decides(step),
            }
        }
        self.nothing_left(last);
    }

    /// The length of the longest `P:` step that is this script's own.
    pub(crate) fn longest(&self, script: &Script) -> usize {
        let steps = script.steps.iter().filter(|step| step.who == Who::Peer);
        steps
            .filter(|step| !step.text.starts_with("{peer-stream}"))
            .map(|step| self.expand(&step.text).len())
            .max()
            .unwrap_or_default()
    }

    /// Whatever happens, a stream that has failed or was ended does end, and says nothing more.
    pub(crate) fn end(mut self) {
        self.handle(Input::End(Reason::Shutdown));
        for _ in 0..100 {
            let Some(deadline) = self.machine.deadline() else {
                break;
            };
            while lab::at(self.seconds).monotonic < deadline {
                self.seconds += 1;
            }
            self.handle(Input::Tick);
        }
        assert!(self.closed, "{}: never ends", self.script.path);
        self.outputs.clear();
        let late: [(&str, Input<'_>); 7] = [
            (
                "bytes",
                Input::Bytes(b"<message from='a@partner.example' to='b@contoso.example'/>"),
            ),
            ("a tick", Input::Tick),
            ("an end", Input::End(Reason::Shutdown)),
            ("a connection", Input::Connected),
            ("TLS", Input::TlsUp(lab::tls("partner.example"))),
            ("a reload", Input::Context(Arc::clone(&self.context))),
            ("the end of input", Input::Eof),
        ];
        for (what, input) in late {
            self.handle(input);
            assert!(
                self.outputs.is_empty(),
                "{}: after its end, {what} brought {:?}",
                self.script.path,
                self.outputs
            );
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        self.handle(Input::Bytes(bytes));
    }

    fn handle(&mut self, input: Input<'_>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(lab::at(self.seconds), &input);
        }
        self.machine.handle(lab::at(self.seconds), input);
        let mut written = Vec::new();
        while let Some(output) = self.poll() {
            assert!(
                !self.closed,
                "{}: after its end: {output:?}",
                self.script.path
            );
            if let Output::Send(bytes) = output {
                written.extend(bytes);
                continue;
            }
            self.take_written(&mut written);
            let done = match output {
                // What the shell charges for; the properties say when.
                Output::Send(_)
                | Output::Claimed(_)
                | Output::ClaimedNobody
                | Output::ShutWrite
                | Output::Pinged(_)
                | Output::GaveUp(_) => {
                    continue;
                }
                Output::NotShared(pair, reason) => Done::Said(format!(
                    "not-shared {} {} {}",
                    pair.local,
                    pair.remote,
                    reason.code()
                )),
                Output::StartTls { local, remote } => {
                    Done::Said(format!("start-tls {local} {remote}"))
                }
                Output::Ask(question) => {
                    let Pair { local, remote } = &question.pair;
                    let said = format!("ask {local} {remote} {}", question.key);
                    self.questions.push(question);
                    Done::Said(said)
                }
                Output::Answered(answer) => Done::Said(format!(
                    "answered {}",
                    format!("{:?}", answer.verdict()).to_lowercase()
                )),
                Output::Authenticated(proof) => Done::Said(format!(
                    "authenticated {} {} {}",
                    proof.local,
                    proof.remote,
                    proof.method().expect("a method")
                )),
                Output::LinkUp(domain) => Done::Said(format!("link-up {}", *domain)),
                Output::Stanza(stanza) => Done::Stanza(stanza.form.tree().unwrap()),
                Output::Refused { reason, answer, .. } => Done::Refused(
                    reason.code().to_string(),
                    answer.map(|answer| answer.form.tree().unwrap()),
                ),
                Output::Acks(change) => Done::Said(match change {
                    AckChange::Begun(_) => "acks begun".to_owned(),
                    AckChange::Refused => "acks refused".to_owned(),
                    AckChange::Acknowledged(count) => format!("acknowledged {count}"),
                    AckChange::Resumed(h) => format!("resumed {h}"),
                    AckChange::NotResumed(Some(h)) => format!("not resumed {h}"),
                    AckChange::NotResumed(None) => "not resumed".to_owned(),
                    AckChange::Sought { id, h } => format!("sought {id} {h}"),
                }),
                Output::Pace => Done::Said("paced".to_owned()),
                Output::Record(record) => Done::Record(describe(&record)),
                Output::Close(reason) => {
                    self.closed = true;
                    Done::Closed(reason.code().to_string(), reason.to_string())
                }
            };
            self.outputs.push_back(done);
        }
        self.take_written(&mut written);
        let ends = self.machine.deadline().is_some() || self.stream_kind == StreamKind::Component;
        assert!(
            self.closed || ends,
            "{}: nothing would end this stream",
            self.script.path
        );
    }

    fn poll(&mut self) -> Option<Output> {
        let output = self.machine.poll_output();
        if let Some(recorder) = &mut self.recorder {
            recorder.output(output.as_ref());
        }
        output
    }

    fn take_written(&mut self, bytes: &mut Vec<u8>) {
        let sent = sent_in(self.stream_kind, &std::mem::take(bytes));
        self.outputs.extend(sent.into_iter().map(Done::Sent));
    }

    fn sends(&mut self, step: &Step) {
        let text = self.expand(&step.text);
        for want in expected(self.stream_kind, &text) {
            let got = self.next();
            let fits =
                matches!(&got, Some(Done::Sent(got)) if matches(&want, got, &mut self.names));
            assert!(
                fits,
                "{}: expected\n  {want:?}\nnot\n  {got:?}",
                self.place(step)
            );
        }
    }

    fn decides(&mut self, step: &Step) {
        let want = self.expand(&step.text);
        let (name, rest) = want.split_once(' ').unwrap_or((&want, ""));
        let got = if name == "record" {
            self.outputs.pop_front()
        } else {
            self.next()
        };
        let fits = match (name, &got) {
            ("record", Some(Done::Record(got))) => rest == got,
            ("close", Some(Done::Closed(code, text))) => {
                let (want, words) = rest.split_once(": ").unwrap_or((rest, ""));
                want == code && text.contains(words)
            }
            ("stanza", Some(Done::Stanza(got))) => {
                is_element(&lab::element(self.stream_kind, rest), got, &mut self.names)
            }
            ("refused", Some(Done::Refused(code, answer))) => {
                let (want, element) = rest.split_once([' ', '\n']).unwrap_or((rest, ""));
                want == code
                    && match answer {
                        None => element.is_empty(),
                        Some(got) => {
                            !element.is_empty()
                                && is_element(
                                    &lab::element(self.stream_kind, element),
                                    got,
                                    &mut self.names,
                                )
                        }
                    }
            }
            (_, Some(Done::Said(got))) => want == *got,
            _ => false,
        };
        assert!(
            fits,
            "{}: expected\n  {want}\nnot\n  {got:?}",
            self.place(step)
        );
    }

    /// The next output that a script must mention: records of what other outputs say need not be.
    fn next(&mut self) -> Option<Done> {
        while let Some(Done::Record(text)) = self.outputs.front() {
            let is_said = ["secured", "claimed", REACHED].contains(&text.as_str());
            if text.starts_with("authenticated") || is_said {
                self.outputs.pop_front();
            } else {
                break;
            }
        }
        self.outputs.pop_front()
    }

    fn nothing_left(&mut self, line: usize) {
        let left = self.next();
        assert!(
            left.is_none(),
            "{}:{line}: and then came\n  {left:?}",
            self.script.path
        );
    }

    fn place(&self, step: &Step) -> String {
        format!("{}:{}", self.script.path, step.line)
    }
}

/// The session of an earlier connection: `ID WRITTEN ACKNOWLEDGED RECEIVED`.
fn session(script: &Script) -> Option<Suspended> {
    let words: Vec<_> = script.fact("resumes")?.split(' ').collect();
    let &[id, written, acknowledged, received] = words.as_slice() else {
        panic!("an id and three numbers, not {words:?}");
    };
    let [written, acknowledged, received] =
        [written, acknowledged, received].map(|number| number.parse().unwrap());
    Some(Suspended {
        id: id.to_owned(),
        agreed: Agreed::at(written, acknowledged, received),
        ..Suspended::default()
    })
}

/// What a stream of ours is for.
fn purpose(script: &Script, pair: &Pair) -> Purpose {
    match script.fact("ask").and_then(|ask| ask.split_once(' ')) {
        Some((stream_id, key)) => Purpose::Ask(Box::new(Question {
            pair: pair.clone(),
            stream_id: stream_id.to_owned(),
            key: key.to_owned(),
        })),
        None => Purpose::Carry,
    }
}

fn context(facts: &[(String, String)]) -> Arc<Context> {
    let mut local = lab::LOCAL;
    let mut partners = Vec::new();
    for (name, value) in facts {
        match name.as_str() {
            "partner" => partners.push(lab::partner(value)),
            "local" => local = value,
            _ => {}
        }
    }
    lab::context(local, partners)
}

/// How far a stream has come: the other outputs say so, too.
const REACHED: &str = "reached";

fn describe(record: &Record) -> String {
    match record {
        Record::Claimed { .. } => "claimed".to_owned(),
        Record::Secured { fault: None, .. } => "secured".to_owned(),
        Record::Secured {
            fault: Some(fault), ..
        } => format!("secured {}", fault.code()),
        Record::NotPinned { fault, .. } => fault.code().to_string(),
        Record::Authenticated { pair, method } => {
            format!("authenticated {} {} {method}", pair.local, pair.remote)
        }
        Record::MethodFailed {
            pair,
            method,
            reason,
        } => format!(
            "method-failed {} {} {method} {}",
            pair.local,
            pair.remote,
            reason.code()
        ),
        Record::DialbackAnswered { pair, valid } => format!(
            "dialback-answered {} {} {}",
            pair.local,
            pair.remote,
            if *valid { "valid" } else { "invalid" }
        ),
        Record::Ignored(reason) => format!("ignored {}", reason.code()),
        Record::Reached(_) => REACHED.to_owned(),
    }
}
