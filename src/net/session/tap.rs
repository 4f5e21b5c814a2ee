//! A machine that is watched while a trace wants it: exactly where the driver and it talk to each other.
//!
//! Without a trace that is one relaxed load an input, and one comparison an output.

use std::sync::Arc;
use std::time::Instant;

use crate::net::edge::Edge;
use crate::net::live::facts::StreamFacts;
use crate::net::live::registry::Kind;
use crate::net::live::traces::{Age, Recorded, Sink};
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stanza::{Validated, Written};
use crate::proto::stream::acks::Suspended;
use crate::proto::stream::{Context, IdSource, Input, Machine, Now, Output, Record};
use crate::proto::trace::{Opening, Recorder};

/// A machine, and who watches it.
#[derive(Debug)]
pub(super) struct Tapped<M> {
    machine: M,
    edge: Arc<Edge>,
    facts: Arc<StreamFacts>,
    /// When it looked last whether somebody watches.
    epoch: u32,
    /// What the machine was made from, until it is given something.
    made: Option<Box<Made>>,
    recording: Option<Box<Recording>>,
}

/// What a machine was made from.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) opening: Opening,
    pub(super) context: Arc<Context>,
    /// As they were before the machine drew any.
    pub(super) ids: IdSource,
    pub(super) now: Now,
}

impl Made {
    /// Whether the other side has opened it: then it must say first who it is.
    fn came_in(&self) -> bool {
        matches!(self.opening, Opening::Inbound(_) | Opening::Link { .. })
    }
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
    _place: Recorded,
}

/// After so many records a stream is no longer young.
const YOUNG: usize = 128;
/// How many bytes are kept of a stream of which it is not known whose it is.
const MOST_HELD: usize = 16 << 10;

impl<M: Machine> Tapped<M> {
    /// A machine that was made just now: with a trace, it is recorded from its first input on.
    #[must_use]
    pub(super) fn new(machine: M, edge: &Arc<Edge>, facts: &Arc<StreamFacts>, made: Made) -> Self {
        let traces = &edge.traces;
        Self {
            machine,
            epoch: traces.epoch(),
            made: traces.any().then(|| Box::new(made)),
            edge: Arc::clone(edge),
            facts: Arc::clone(facts),
            recording: None,
        }
    }

    /// The machine is given something for the first time.
    #[cold]
    fn begin(&mut self, made: Made) {
        let traces = &self.edge.traces;
        let Made {
            opening,
            context,
            ids,
            now,
        } = made;
        let sink = match &opening {
            Opening::Outbound { pair, .. } => {
                let sink = traces.wanting(&pair.remote, &self.edge.context().rules);
                match sink {
                    None => return,
                    sink => sink,
                }
            }
            Opening::Inbound(_) | Opening::Link { .. } | Opening::Joined(..) => None,
        };
        if let (Some(salt), Some(place)) = (traces.salt(), traces.place()) {
            let recorder = Recorder::begin(self.facts.id, &opening, context, ids, now, salt);
            self.recording = Some(Box::new(Recording::new(recorder, sink, place)));
        }
    }

    fn is_watched(&mut self, now: Now, input: &Input<'_>) {
        // Whoever comes and says nothing costs nothing.
        if matches!(input, Input::Connected) && self.made.as_deref().is_some_and(Made::came_in) {
            return;
        }
        if let Some(made) = self.made.take() {
            let began = made.now;
            let came_in = made.came_in();
            self.begin(*made);
            if let Some(recording) = self.recording.as_mut().filter(|_| came_in) {
                recording.input(began, &Input::Connected);
                recording.recorder.output(None);
            }
        }
        if let Some(recording) = &mut self.recording {
            recording.input(now, input);
        }
    }

    /// A trace has begun or ended.
    #[cold]
    fn look(&mut self, now: Now) {
        let traces = &self.edge.traces;
        self.epoch = traces.epoch();
        if !traces.any() {
            self.made = None;
        }
        if self.made.is_some() {
            return;
        }
        let unwanted = self.recording.take_if(|recording| match &recording.sink {
            Some(sink) => !traces.has(sink),
            None => !traces.any(),
        });
        drop(unwanted);
        if self.recording.is_some() {
            return;
        }
        let pair = (self.facts).with(|learned| learned.about.clone());
        let claimed = (self.facts).with(|learned| learned.claim.remote.clone());
        let claimed = claimed.and_then(|text| Domain::parse(&text).ok());
        let context = self.edge.context();
        let remote = pair.as_ref().map(|pair| &pair.remote).or(claimed.as_ref());
        let Some(sink) = self.wanted(remote) else {
            return;
        };
        let direction = self.facts.kind.as_str();
        let Some(place) = traces.place() else {
            return;
        };
        let opening = Opening::Joined(direction, self.facts.address, pair);
        let recorder = Recorder::join(self.facts.id, &opening, context, now, sink.salt());
        let mut recording = Recording::new(recorder, Some(sink), place);
        recording.records = YOUNG;
        if self.machine.is_between() {
            recording.recorder.find();
        }
        self.recording = Some(Box::new(recording));
    }

    /// The trace that wants this stream, which is of a partner with this domain, or of a gateway.
    fn wanted(&self, remote: Option<&Domain>) -> Option<Arc<Sink>> {
        let traces = &self.edge.traces;
        match self.facts.kind {
            Kind::Link => traces.wanting_links(self.machine.asked()?),
            Kind::Inbound | Kind::Outbound => traces.wanting(remote?, &self.edge.context().rules),
        }
    }

    /// All outputs of an input were taken.
    fn drained(&mut self) {
        if let Some(recording) = &self.recording
            && recording.sink.is_none()
        {
            let remote = recording.recorder.remote();
            let is_told = match self.facts.kind {
                Kind::Link => self.machine.asked().is_some(),
                Kind::Inbound | Kind::Outbound => remote.is_some(),
            };
            let sink = self.wanted(remote);
            if is_told && sink.is_none() {
                self.recording = None;
            } else if let Some(recording) = &mut self.recording {
                recording.sink = sink;
            }
        }
        let Some(recording) = &mut self.recording else {
            return;
        };
        if recording.recorder.is_lost() && self.machine.is_between() {
            recording.recorder.find();
        }
        if recording.write().is_none() {
            self.recording = None;
        }
    }
}

impl Recording {
    fn new(recorder: Recorder, sink: Option<Arc<Sink>>, place: Recorded) -> Self {
        Self {
            recorder,
            sink,
            held_bytes: 0,
            records: 0,
            is_skipped: false,
            _place: place,
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
        if self.made.is_some() || self.recording.is_some() {
            self.is_watched(now, &input);
        }
        self.machine.handle(now, input);
    }

    fn deliver(&mut self, now: Now, stanza: &Validated<Written>, out: &mut Vec<u8>) {
        if self.edge.traces.epoch() != self.epoch {
            self.look(now);
        }
        if self.made.is_none() && self.recording.is_none() {
            return self.machine.deliver(now, stanza, out);
        }
        // Who watches sees it as an input, and what comes of it.
        self.handle(now, Input::Deliver(stanza));
        while let Some(output) = self.poll_output() {
            if let Output::Send(bytes) = output {
                out.extend_from_slice(&bytes);
            }
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        let output = self.machine.poll_output();
        // A stream that came before the trace says only now whose it is.
        if self.recording.is_none()
            && matches!(output, Some(Output::Record(Record::Claimed { .. })))
            && self.edge.traces.any()
        {
            self.epoch = self.edge.traces.epoch().wrapping_sub(1);
        }
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
