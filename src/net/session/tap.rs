//! A machine that is watched while a trace wants it: exactly where the driver and it talk to each other.
//!
//! Without a trace that is one relaxed load an input, and one comparison an output.

use std::sync::Arc;
use std::time::Instant;

use crate::net::edge::Edge;
use crate::net::live::facts::StreamFacts;
use crate::net::live::registry::Kind;
use crate::net::live::traces::{Age, Sink};
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stream::acks::Suspended;
use crate::proto::stream::{Context, IdSource, Input, Machine, Now, Output};
use crate::proto::trace::{Opening, Recorder};

/// A machine, and who watches it.
#[derive(Debug)]
pub(super) struct Tapped<M> {
    machine: M,
    edge: Arc<Edge>,
    facts: Arc<StreamFacts>,
    /// When it looked last whether somebody watches.
    epoch: u32,
    recording: Option<Box<Recording>>,
}

/// What is recorded of one stream.
#[derive(Debug)]
struct Recording {
    recorder: Recorder,
    /// Where it goes; `None` while it is not known whose stream it is.
    sink: Option<Arc<Sink>>,
    /// How much its machine was given before that.
    held_bytes: usize,
    records: usize,
    /// What the machine is given now is not recorded.
    is_skipped: bool,
}

/// After so many records a stream is no longer young.
const YOUNG: usize = 128;
/// How many bytes are kept of a stream of which it is not known whose it is.
const MOST_HELD: usize = 32 << 10;

impl<M: Machine> Tapped<M> {
    /// A machine that was made just now: with a trace, it is recorded from its first input on.
    #[must_use]
    pub(super) fn new(
        machine: M,
        edge: &Arc<Edge>,
        facts: &Arc<StreamFacts>,
        (opening, context, ids): (&Opening, Arc<Context>, IdSource),
        now: Now,
    ) -> Self {
        let traces = &edge.traces;
        let epoch = traces.epoch();
        let begin = |sink: Option<Arc<Sink>>| {
            let salt = match &sink {
                Some(sink) => Some(sink.salt()),
                None => traces.salt(),
            };
            let recorder = Recorder::begin(facts.id, opening, context, ids, now, salt?);
            Some(Box::new(Recording::new(recorder, sink)))
        };
        let recording = match opening {
            _ if !traces.any() => None,
            Opening::Outbound { pair, .. } => {
                let sink = traces.wanting(&pair.remote, &edge.context().rules);
                sink.and_then(|sink| begin(Some(sink)))
            }
            Opening::Inbound(_) | Opening::Joined(..) => begin(None),
        };
        Self {
            machine,
            edge: Arc::clone(edge),
            facts: Arc::clone(facts),
            epoch,
            recording,
        }
    }

    /// A trace has begun or ended.
    #[cold]
    fn look(&mut self, now: Now) {
        let traces = &self.edge.traces;
        self.epoch = traces.epoch();
        let is_watched = self.recording.take_if(|recording| match &recording.sink {
            Some(sink) => !traces.has(sink),
            None => !traces.any(),
        });
        drop(is_watched);
        if self.recording.is_some() {
            return;
        }
        let pair = (self.facts).with(|learned| learned.about.clone());
        let claimed = (self.facts).with(|learned| learned.claim.remote.clone());
        let claimed = claimed.and_then(|text| Domain::parse(&text).ok());
        let context = self.edge.context();
        let remote = pair.as_ref().map(|pair| &pair.remote).or(claimed.as_ref());
        let Some(sink) = remote.and_then(|remote| traces.wanting(remote, &context.rules)) else {
            return;
        };
        let direction = match self.facts.kind {
            Kind::Inbound | Kind::Link => "inbound",
            Kind::Outbound => "outbound",
        };
        let opening = Opening::Joined(direction, self.facts.address, pair);
        let recorder = Recorder::join(self.facts.id, &opening, context, now, sink.salt());
        let mut recording = Recording::new(recorder, Some(sink));
        recording.records = YOUNG;
        if self.machine.is_between() {
            recording.recorder.find();
        }
        self.recording = Some(Box::new(recording));
    }

    /// All outputs of an input were taken.
    fn drained(&mut self) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if recording.recorder.is_lost() && self.machine.is_between() {
            recording.recorder.find();
        }
        if recording.sink.is_none()
            && let Some(remote) = recording.recorder.remote()
        {
            let rules = &self.edge.context().rules;
            match self.edge.traces.wanting(remote, rules) {
                Some(sink) => recording.sink = Some(sink),
                None => {
                    self.recording = None;
                    return;
                }
            }
        }
        if recording.write().is_none() {
            self.recording = None;
        }
    }
}

impl Recording {
    fn new(recorder: Recorder, sink: Option<Arc<Sink>>) -> Self {
        Self {
            recorder,
            sink,
            held_bytes: 0,
            records: 0,
            is_skipped: false,
        }
    }

    fn input(&mut self, now: Now, input: &Input<'_>) {
        let bytes = match input {
            Input::Bytes(bytes) => bytes.len(),
            Input::Deliver(stanza) => stanza.bytes().len(),
            Input::TlsUp(facts) => facts.chain.iter().map(|it| it.len()).sum(),
            _ => 0,
        };
        self.records += 1;
        self.held_bytes += bytes;
        self.is_skipped = !self.admits(bytes, now.monotonic);
        match self.is_skipped {
            true => self.recorder.miss(),
            false => self.recorder.input(now, input),
        }
    }

    fn admits(&self, bytes: usize, now: Instant) -> bool {
        let age = match self.records {
            ..=YOUNG => Age::Young,
            _ => Age::Settled,
        };
        match &self.sink {
            Some(sink) => sink.admits(age, bytes, now),
            None => true,
        }
    }

    /// Writes what there is; `None` where nobody will ever want it.
    fn write(&mut self) -> Option<()> {
        let Some(sink) = &self.sink else {
            return (self.held_bytes <= MOST_HELD).then_some(());
        };
        for line in self.recorder.take(sink.began()) {
            let text = serde_json::to_string(&line).unwrap_or_default();
            if !sink.write(text) {
                // What comes of it would stand alone.
                self.recorder.miss();
                break;
            }
        }
        Some(())
    }
}

impl<M: Machine> Machine for Tapped<M> {
    fn handle(&mut self, now: Now, input: Input<'_>) {
        if self.edge.traces.epoch() != self.epoch {
            self.look(now);
        }
        if let Some(recording) = &mut self.recording {
            recording.input(now, &input);
        }
        self.machine.handle(now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        let output = self.machine.poll_output();
        if let Some(recording) = &mut self.recording {
            if !recording.is_skipped {
                recording.recorder.output(output.as_ref());
            }
            // A stream ends with its last output: nobody asks for another.
            if matches!(output, None | Some(Output::Close(_))) {
                if output.is_some() && !recording.is_skipped {
                    recording.recorder.output(None);
                }
                self.drained();
            }
        }
        output
    }

    fn deadline(&self) -> Option<Instant> {
        self.machine.deadline()
    }

    fn asked(&self) -> Option<&Domain> {
        self.machine.asked()
    }

    fn suspended(&mut self) -> Option<Suspended> {
        self.machine.suspended()
    }

    fn would_admit(&self, context: &Context, now: Now) -> Result<(), Reason> {
        self.machine.would_admit(context, now)
    }

    fn is_between(&self) -> bool {
        self.machine.is_between()
    }

    fn is_open(&self) -> bool {
        self.machine.is_open()
    }
}

impl<M> Drop for Tapped<M> {
    /// What came last is written down, where the driver did not ask what came of it.
    fn drop(&mut self) {
        if let Some(recording) = &mut self.recording {
            if !recording.is_skipped {
                recording.recorder.output(None);
            }
            recording.write().unwrap_or_default();
        }
    }
}
