//! What all machines share: a reader, our own header, and the one ordered queue of outputs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{Output, Record, Unproven};
use crate::proto::policy::Reason;
use crate::proto::stanza::Form;
use crate::proto::xml::writer::write_element;
use crate::proto::xml::{Element, Event, Limits, Reader, StreamKind};

/// One side of a stream: what is read and what is to be done.
#[derive(Debug)]
pub struct Wire {
    stream_kind: StreamKind,
    limits: Limits,
    new_reader: fn(StreamKind, Limits) -> Reader,
    reader: Reader,
    outputs: VecDeque<Output>,
    /// Whether our header of the current document has been sent.
    header_sent: bool,
    /// How many bytes may still be read while nothing is proven; `None` once something is.
    allowance: Option<usize>,
    /// Since when something is there that is not yet whole.
    unfinished_since: Option<Instant>,
    /// How often something came that changed nothing.
    ignored: u8,
}

/// Room that a write begins with, in bytes: what a negotiation says at once fits, and needs not be moved.
const WRITE: usize = 512;

/// How much that changes nothing is worth a line in the log, on one stream.
const MAX_IGNORED: u8 = 16;

impl Wire {
    pub(super) fn new(stream_kind: StreamKind, unproven: &Unproven) -> Self {
        Self::with(Reader::new, stream_kind, unproven)
    }

    /// The same for a stream of ours: what answers it may be an error of any form.
    pub(super) fn of_answers(stream_kind: StreamKind, unproven: &Unproven) -> Self {
        Self::with(Reader::of_answers, stream_kind, unproven)
    }

    fn with(
        new_reader: fn(StreamKind, Limits) -> Reader,
        stream_kind: StreamKind,
        unproven: &Unproven,
    ) -> Self {
        Self {
            stream_kind,
            limits: unproven.limits,
            new_reader,
            reader: new_reader(stream_kind, unproven.limits),
            allowance: Some(unproven.bytes),
            outputs: VecDeque::new(),
            header_sent: false,
            unfinished_since: None,
            ignored: 0,
        }
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// [`Reason::TooMuchUnproven`], with nothing taken, where it is more than was allowed.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        if let Some(left) = &mut self.allowance {
            *left = left
                .checked_sub(bytes.len())
                .ok_or(Reason::TooMuchUnproven)?;
        }
        self.reader.feed(bytes);
        Ok(())
    }

    /// Nothing but the end is waited for any more, and not at any price: so many bytes.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.allowance = Some(bytes);
    }

    /// Whether anything was proven here; not to be asked any more after [`Wire::allow`].
    pub(super) fn is_proven(&self) -> bool {
        self.allowance.is_none()
    }

    /// The next thing that is whole.
    pub(super) fn next_event(&mut self, now: Instant) -> Result<Option<Event>, Reason> {
        let event = self.reader.next().map_err(Reason::Xml)?;
        if event.is_some() {
            self.unfinished_since = None;
        } else if !self.reader.is_drained() {
            self.unfinished_since.get_or_insert(now);
        }
        Ok(event)
    }

    /// Whether nothing is there that was begun and is not yet whole.
    pub(super) fn is_drained(&self) -> bool {
        self.reader.is_drained()
    }

    /// Since when something is there that was begun and is not yet whole.
    pub(super) fn unfinished_since(&self) -> Option<Instant> {
        self.unfinished_since
    }

    /// For so long nothing was read, and it was not the other side's fault.
    pub(super) fn held(&mut self, time: Duration) {
        self.unfinished_since = self.unfinished_since.map(|since| since + time);
    }

    /// Whether a stanza waits to be acted on. Reading goes on when it has been taken: a tree is many
    /// times what was read, so no more than one of a stream is held.
    pub(super) fn has_stanza(&self) -> bool {
        let is_stanza =
            |output: &Output| matches!(output, Output::Stanza(_) | Output::Refused { .. });
        self.outputs.iter().any(is_stanza)
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn record(&mut self, record: Record) {
        self.push(Output::Record(record));
    }

    /// Notes what came unasked, and changes nothing; not for ever, because it costs the sender little.
    pub(super) fn ignore(&mut self, what: Reason) {
        if self.ignored < MAX_IGNORED {
            self.ignored += 1;
            self.record(Record::Ignored(what));
        }
    }

    /// Appends to the last write where there is one, so that a burst is one system call.
    pub(super) fn send_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if let Some(Output::Send(bytes)) = self.outputs.back_mut() {
            write(bytes);
        } else {
            let mut bytes = Vec::with_capacity(WRITE);
            write(&mut bytes);
            self.push(Output::Send(bytes));
        }
    }

    pub(super) fn send(&mut self, element: &Element) {
        let stream_kind = self.stream_kind;
        self.send_with(|bytes| write_element(stream_kind, element, bytes));
    }

    pub(super) fn send_form(&mut self, form: &Form) {
        match form {
            Form::Tree(element) => self.send(element),
            Form::Span(span) => self.send_with(|bytes| bytes.extend_from_slice(span.bytes())),
        }
    }

    pub(super) fn stream_kind(&self) -> StreamKind {
        self.stream_kind
    }

    pub(super) fn header_sent(&self) -> bool {
        self.header_sent
    }

    pub(super) fn mark_header_sent(&mut self) {
        self.header_sent = true;
    }

    /// Something is proven: these limits hold from here on, and what is read is not counted.
    pub(super) fn proven(&mut self, limits: Limits) {
        self.allowance = None;
        self.limits = limits;
        self.reader.set_limits(limits);
        self.reader.give_spans();
    }

    /// RFC 6120 §5.4.3.3: TLS starts on an empty buffer, and what was learned before it is gone.
    pub(super) fn begin_tls(&mut self) -> Result<(), Reason> {
        if !self.reader.is_drained() {
            return Err(Reason::PlaintextInjection);
        }
        self.reader = (self.new_reader)(self.stream_kind, self.limits);
        self.header_sent = false;
        Ok(())
    }

    /// RFC 6120 §6.4.6: after SASL a new document starts on the same connection.
    pub(super) fn restart(&mut self) {
        self.reader.restart();
        self.header_sent = false;
    }
}
