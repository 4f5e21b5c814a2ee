//! Drives a machine with arbitrary operations, and holds it to what must always be so.

use std::time::Duration;

use arbitrary::Arbitrary;
use xmpp_edge::proto::auth::Pair;
use xmpp_edge::proto::auth::dialback::Question;
use xmpp_edge::proto::jid::Domain;
use xmpp_edge::proto::policy::Reason;
use xmpp_edge::proto::stanza::{Addressed, Remembered, permit};
use xmpp_edge::proto::stream::{AckChange, Input, Machine, Output};
use xmpp_edge::proto::xml::{Limits, Reader, StreamKind};

use crate::world::{PARTNERS, WORLD};
use crate::xml::readable;

/// What may happen to a stream.
#[derive(Arbitrary, Debug)]
pub enum Operation<'a> {
    /// Arbitrary bytes.
    Bytes(&'a [u8]),
    /// Lines of the script, whole or cut short, in one piece.
    Lines(Vec<(u8, Option<u8>)>),
    Connected,
    Eof,
    TlsUp(u8),
    /// So many seconds later.
    Tick(u16),
    Answer {
        index: u8,
        valid: bool,
    },
    Deliver(u8),
    /// For so many seconds nothing was read, because what was read before had to wait.
    Held(u16),
    Pong(&'a str),
    Reload {
        stricter: bool,
    },
    End(u8),
}

/// One run: which partner, how much of a good beginning, and what happens after.
#[derive(Arbitrary, Debug)]
pub struct Story<'a> {
    /// Its remainder is the partner, its quotient the length of the beginning.
    beginning: u8,
    operations: Vec<Operation<'a>>,
}

impl Operation<'_> {
    /// These lines of the script.
    pub fn lines(numbers: &[u8]) -> Self {
        Self::Lines(numbers.iter().map(|number| (*number, None)).collect())
    }
}

impl Story<'_> {
    /// Whom the story is about.
    pub fn partner(&self) -> &'static str {
        PARTNERS[usize::from(self.beginning) % PARTNERS.len()].0
    }

    /// Tells the story to a machine; `script` is what the other side says in good streams, and
    /// `beginning` how one of them goes, so that what comes late in a stream is not out of reach.
    pub fn tell(
        &self,
        machine: impl Machine,
        stream_kind: StreamKind,
        script: &[&str],
        beginning: &[Operation<'_>],
    ) {
        let script: Vec<_> = script
            .iter()
            .map(|line| WORLD.fill(line, self.partner()))
            .collect();
        let mut run = Run {
            machine,
            elapsed: Duration::ZERO,
            sent: Reader::new(stream_kind, Limits::authenticated(1024 * 1024)),
            begun: false,
            closed: false,
            seeks: false,
            awaits_tls: false,
            proven: Vec::new(),
            links: Vec::new(),
            questions: Vec::new(),
            pinged: String::new(),
        };
        let length = usize::from(self.beginning) / PARTNERS.len() % (beginning.len() + 1);
        for operation in beginning[..length].iter().chain(&self.operations) {
            run.operate(operation, stream_kind, &script);
        }
        run.let_it_end(stream_kind);
    }
}

struct Run<M> {
    machine: M,
    elapsed: Duration,
    /// Reads what the machine sends.
    sent: Reader,
    begun: bool,
    closed: bool,
    /// Whether a session is sought.
    seeks: bool,
    awaits_tls: bool,
    proven: Vec<Pair>,
    links: Vec<Domain>,
    questions: Vec<Question>,
    /// The id of the last ping.
    pinged: String,
}

impl<M: Machine> Run<M> {
    fn operate(&mut self, operation: &Operation<'_>, stream_kind: StreamKind, script: &[String]) {
        match operation {
            Operation::Bytes(bytes) => self.bytes(bytes),
            Operation::Lines(lines) => {
                let mut bytes = Vec::new();
                for (line, cut) in lines {
                    let line = choose(script, *line).as_bytes();
                    let length = cut.map_or(line.len(), |cut| usize::from(cut).min(line.len()));
                    bytes.extend_from_slice(&line[..length]);
                }
                self.bytes(&bytes);
            }
            Operation::Connected => self.handle(Input::Connected, 1),
            Operation::Eof => self.handle(Input::Eof, 1),
            // The shell reports a handshake only where one was asked for.
            Operation::TlsUp(which) if std::mem::take(&mut self.awaits_tls) => {
                self.handle(Input::TlsUp(choose(&WORLD.handshakes, *which).clone()), 1);
            }
            Operation::TlsUp(_) => {}
            Operation::Tick(seconds) => {
                self.elapsed += Duration::from_secs(u64::from(*seconds));
                self.handle(Input::Tick, 1);
            }
            Operation::Answer { index, valid } if !self.questions.is_empty() => {
                let question = choose(&self.questions, *index);
                let answer = WORLD.answer(question, if *valid { "valid" } else { "invalid" });
                self.handle(Input::Answer(answer), 1);
            }
            Operation::Answer { .. } => {}
            Operation::Deliver(which) => {
                let stanzas = match stream_kind {
                    StreamKind::Server => &WORLD.outbound,
                    StreamKind::Component => &WORLD.inbound,
                };
                self.handle(Input::Deliver(choose(stanzas, *which)), 1);
            }
            Operation::Held(seconds) => {
                let time = Duration::from_secs(u64::from(*seconds));
                self.elapsed += time;
                self.handle(Input::Held(time), 1);
            }
            Operation::Pong(id) => {
                self.handle(Input::Pong(id), 1);
                let pinged = self.pinged.clone();
                self.handle(Input::Pong(&pinged), 1);
                self.handle(Input::Probe, 1);
                let pair = self.proven.first().cloned();
                if let Some(pair) = pair {
                    self.handle(Input::Share(pair), 1);
                }
            }
            Operation::Reload { stricter } => {
                let context = if *stricter {
                    &WORLD.stricter
                } else {
                    &WORLD.context
                };
                self.handle(Input::Context(context.clone()), 1);
            }
            Operation::End(which) => {
                let transport = || Reason::Transport("cut".to_owned());
                let reasons = [
                    Reason::Shutdown,
                    Reason::Replaced,
                    Reason::Finished,
                    transport(),
                ];
                self.handle(Input::End(choose(&reasons, *which).clone()), 1);
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // The shell reads nothing in the clear while a handshake is on.
        if !self.awaits_tls {
            self.handle(Input::Bytes(bytes), bytes.len());
        }
    }

    /// `size`: what the input costs the one who causes it; what comes of it must be in proportion.
    fn handle(&mut self, input: Input<'_>, size: usize) {
        self.machine.handle(WORLD.at(self.elapsed), input);
        let mut outputs = 0;
        while let Some(output) = self.machine.poll_output() {
            outputs += 1;
            assert!(outputs <= 16 + size, "too much comes of {size} bytes");
            assert!(!self.closed, "after the end: {output:?}");
            self.output(output);
        }
        // Nobody has a session here.
        if std::mem::take(&mut self.seeks) {
            self.handle(Input::Found(None), size);
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Send(bytes) => self.send(&bytes),
            Output::StartTls { .. } => {
                self.awaits_tls = true;
                assert!(self.proven.is_empty(), "TLS begins after authentication");
            }
            Output::Ask(question) => self.questions.push(question),
            Output::Authenticated(pair) => self.proven.push((*pair).clone()),
            Output::LinkUp(domain) => self.links.push((*domain).clone()),
            Output::Stanza(stanza) => self.stanza(stanza),
            Output::Pinged(id) => self.pinged = id,
            Output::Close(_) => self.closed = true,
            Output::Acks(AckChange::Sought { .. }) => self.seeks = true,
            Output::Claimed(_)
            | Output::ClaimedNobody
            | Output::ShutWrite
            | Output::Answered(_)
            | Output::GaveUp(_)
            | Output::NotShared(..)
            | Output::Pace
            | Output::Acks(_)
            | Output::Refused { .. }
            | Output::Record(_) => {}
        }
    }

    /// What we send is XML that we would accept.
    fn send(&mut self, bytes: &[u8]) {
        let text = std::str::from_utf8(bytes).expect("we write UTF-8");
        for (index, document) in text.split("<?xml").enumerate() {
            let mut whole = document.to_owned();
            if index > 0 {
                if std::mem::replace(&mut self.begun, true) {
                    self.sent.restart();
                }
                whole.insert_str(0, "<?xml");
            }
            self.sent.feed(whole.as_bytes());
            loop {
                match self.sent.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(fault) => panic!("{fault} in what we send: {text}"),
                }
            }
        }
    }

    /// Nothing passes for a pair that was not proven before, and whatever passes can be written.
    fn stanza(&self, stanza: Addressed) {
        let (local, remote) = (stanza.local().domain(), stanza.remote().domain());
        let is_proven = |pair: &Pair| pair.local == *local && pair.remote == *remote;
        assert!(
            self.proven.iter().any(is_proven) || self.links.contains(local),
            "{local} and {remote} are not proven"
        );
        for is_contact in [false, true] {
            let remembered = Remembered {
                is_contact,
                is_open: !is_contact,
                was_asked: !is_contact,
            };
            let passed = match permit(stanza.clone(), remembered, &WORLD.context.rules, true) {
                Ok(stanza) => stanza,
                Err(refused) => match refused.answer {
                    Some(answer) => *answer,
                    None => continue,
                },
            };
            for stream_kind in [StreamKind::Server, StreamKind::Component] {
                readable(
                    stream_kind,
                    &passed.form.tree().expect("what is written is read"),
                );
            }
        }
    }

    /// Time alone ends every stream, except a link that is up.
    fn let_it_end(&mut self, stream_kind: StreamKind) {
        for _ in 0..8 {
            if self.closed {
                return;
            }
            let Some(deadline) = self.machine.deadline() else {
                break;
            };
            let now = WORLD.at(self.elapsed).monotonic;
            self.elapsed += deadline.saturating_duration_since(now);
            self.handle(Input::Tick, 1);
        }
        let is_link = stream_kind == StreamKind::Component && self.machine.is_open();
        assert!(self.closed || is_link, "the stream does not end");
    }
}

fn choose<T>(items: &[T], which: u8) -> &T {
    &items[usize::from(which) % items.len()]
}
