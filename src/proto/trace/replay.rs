//! Gives the machines of a trace once more what they were given, and compares what they put out.
//!
//! ```text
//!   in ──► machine ──► outputs          recorded: out, out …
//!                         └──── the same, one for one? ────┘      else: a difference, at that line
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::UnixTime;

use super::blank::Blanker;
use super::context::{LONGEST, NO_LINK_SECRET};
use super::facts::{OpenFact, PurposeFact, SessionFact, pair};
use super::file::Trace;
use super::line::{Decided, Fed, Line, Made, What};
use super::made::{decided, sent};
use super::mint;
use super::opening::LINK;
use super::prepare::Prepared;
use crate::proto::auth::dialback::Question;
use crate::proto::auth::handshake::LinkSecret;
use crate::proto::stanza::{Validated, Written};
use crate::proto::stream::{
    Component, Context, Endpoint, IdSource, Inbound, Input, Machine, Now, Outbound, Output, Purpose,
};
use crate::proto::xml::StreamKind;

/// What came of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Where other things were decided, in the order of the lines.
    pub differences: Vec<Difference>,
    /// What came of each stream.
    pub streams: BTreeMap<u64, Fate>,
}

/// Something was decided otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The line of the file after which.
    pub line: usize,
    /// On which stream.
    pub stream: u64,
    /// What was put out then, from the first that differs.
    pub recorded: Vec<Made>,
    /// What is put out now.
    pub replayed: Vec<Made>,
}

/// What came of the replay of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was replayed to its end in the file; how many outputs there were.
    Whole(usize),
    /// It was replayed up to this line, and why no further.
    Until(usize, &'static str),
    /// It was not replayed, and why.
    Not(&'static str),
}

/// Replays all streams of a trace; `begin` is any moment.
#[must_use]
pub fn replay(trace: &Trace, begin: Instant) -> Replayed {
    let mut streams: BTreeMap<u64, Vec<&(usize, Line)>> = BTreeMap::new();
    for line in &trace.lines {
        streams.entry(line.1.stream).or_default().push(line);
    }
    let mut replayed = Replayed::default();
    for (stream, lines) in streams {
        let fate = replay_stream(&lines, begin, &mut replayed.differences);
        replayed.streams.insert(stream, fate);
    }
    replayed
        .differences
        .sort_by_key(|difference| difference.line);
    replayed
}

const JOINED: &str = "it was there before the trace";
const NO_BEGINNING: &str = "its beginning is missing";
const UNREADABLE: &str = "what it was made from cannot be read";
const MISSING: &str = "records are missing from here on";
const UNKNOWN: &str = "what it was given cannot be read";
const RESUMED: &str = "it goes on with a session that began elsewhere";
const AGAIN: &str = "it begins a second time";

fn replay_stream(
    lines: &[&(usize, Line)],
    begin: Instant,
    differences: &mut Vec<Difference>,
) -> Fate {
    let bare: Vec<&Line> = lines.iter().map(|(_, line)| line).collect();
    let mut prepared = Prepared::of(&bare);
    let Some((
        Line {
            what: What::Open(open),
            ..
        },
        rest,
    )) = bare.split_first()
    else {
        return Fate::Not(NO_BEGINNING);
    };
    if open.context.is_none() {
        return Fate::Not(JOINED);
    }
    let Some(machine) = machine(open, &mut prepared, begin) else {
        return Fate::Not(UNREADABLE);
    };
    let mut run = Run {
        machine,
        kind: match open.direction == LINK {
            true => StreamKind::Component,
            false => StreamKind::Server,
        },
        begin,
        wall: open.wall,
        elapsed: Duration::ZERO,
        ours: Blanker::of_ours(None),
        questions: Vec::new(),
        delivered: None,
        prepared,
        outputs: 0,
        overdue: None,
    };
    let number = |place: usize| lines.get(place).map_or(0, |(number, _)| *number);
    let mut recorded: Vec<Made> = Vec::new();
    let mut last = 0;
    for (index, line) in rest.iter().enumerate() {
        let place = index + 1;
        let (fed, is_before) = match &line.what {
            What::In(fed) => (fed, false),
            What::InBefore(fed) => (fed, true),
            What::Out(made) => {
                recorded.push(made.clone());
                continue;
            }
            What::Entry(_) | What::Named(_) => continue,
            What::Open(_) => return Fate::Until(number(last), AGAIN),
            What::Missed(_) => {
                run.compare(
                    &mut recorded,
                    true,
                    (number(last), line.stream),
                    differences,
                );
                return Fate::Until(number(place), MISSING);
            }
        };
        let before = (number(last), line.stream);
        run.compare(&mut recorded, is_before, before, differences);
        // While the shell does not listen, no time is up.
        if !is_before && !matches!(fed, Fed::Tick {} | Fed::Held(_)) {
            differences.extend(run.overdue(line, before));
        }
        last = place;
        if let Err(why) = run.feed(line, place, fed) {
            return Fate::Until(number(place), why);
        }
    }
    let stream = bare.first().map_or(0, |line| line.stream);
    // A trace may end in the middle of what comes of an input.
    run.compare(&mut recorded, true, (number(last), stream), differences);
    Fate::Whole(run.outputs)
}

/// A machine as it was made then.
fn machine(open: &OpenFact, prepared: &mut Prepared, begin: Instant) -> Option<Box<dyn Machine>> {
    let context = prepared.contexts.pop_front()??;
    let ids = IdSource::recorded(std::mem::take(&mut prepared.ids));
    let now = Now {
        monotonic: begin,
        wall: wall(open.wall),
    };
    if open.direction == "inbound" {
        return Some(Box::new(Inbound::new(context, ids, now)));
    }
    if open.direction == LINK {
        let secret = Arc::new(LinkSecret::new(NO_LINK_SECRET.to_owned()));
        return Some(Box::new(Component::new(context, ids, secret, now)));
    }
    let pair = pair(open.pair.as_ref()?)?;
    let purpose = match open.purpose.as_ref()? {
        PurposeFact::Carry {} => Purpose::Carry,
        PurposeFact::Ask {
            stream_id,
            key_bytes,
        } => Purpose::Ask(Box::new(Question {
            pair: pair.clone(),
            stream_id: stream_id.clone(),
            key: "x".repeat((*key_bytes).min(MOST_KEY)),
        })),
    };
    let place = Endpoint {
        address: open.address.parse().ok()?,
        is_own: open.is_own,
    };
    let until = begin.checked_add(micros(open.until?))?;
    let machine = Outbound::new(context, ids, pair, purpose, open.try_external, now);
    let session = open.resumes.as_ref().map(SessionFact::session);
    Some(Box::new(machine.at(place).until(until).resuming(session)))
}

/// No key that was presented is longer.
const MOST_KEY: usize = 64 << 10;
/// No clock shows more, in Unix time: the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

fn micros(count: u64) -> Duration {
    Duration::from_micros(count).min(LONGEST)
}

fn wall(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds.min(LAST_SECOND)))
}

/// A stream under way.
struct Run {
    machine: Box<dyn Machine>,
    kind: StreamKind,
    begin: Instant,
    wall: u64,
    elapsed: Duration,
    ours: Blanker,
    questions: Vec<Question>,
    delivered: Option<Validated<Written>>,
    prepared: Prepared,
    outputs: usize,
    /// The deadline that was last said to be over.
    overdue: Option<Instant>,
}

/// A busy host may notice so late that a time is up.
const PUNCTUAL: Duration = Duration::from_secs(10);

impl Run {
    /// Takes what the last input has brought, and compares it with what was recorded. `is_before`: not all
    /// of it was taken then.
    fn compare(
        &mut self,
        recorded: &mut Vec<Made>,
        is_before: bool,
        (line, stream): (usize, u64),
        differences: &mut Vec<Difference>,
    ) {
        let recorded = std::mem::take(recorded);
        let mut replayed = Vec::new();
        while !is_before || replayed.len() < recorded.len() {
            let Some(output) = self.machine.poll_output() else {
                break;
            };
            replayed.push(self.made(output));
        }
        self.outputs += replayed.len();
        let pairs = recorded.iter().zip(&replayed);
        let alike = pairs.take_while(|(then, now)| then.is_as(now)).count();
        let rest = |all: &[Made]| all.get(alike..).unwrap_or_default().to_vec();
        let (recorded, replayed) = (rest(&recorded), rest(&replayed));
        if !recorded.is_empty() || !replayed.is_empty() {
            differences.push(Difference {
                line,
                stream,
                recorded,
                replayed,
            });
        }
    }

    /// Whether this version would have acted by itself before this line: it would have waited for less.
    fn overdue(&mut self, line: &Line, (number, stream): (usize, u64)) -> Option<Difference> {
        let due = self.machine.deadline()?;
        let late = (self.begin.checked_add(micros(line.at))?).checked_duration_since(due)?;
        if late < PUNCTUAL || self.overdue == Some(due) {
            return None;
        }
        self.overdue = Some(due);
        let text = format!("a time is up, {} s before what came next", late.as_secs());
        Some(Difference {
            line: number,
            stream,
            recorded: Vec::new(),
            replayed: vec![Made::Did(Decided {
                what: "tick".to_owned(),
                text: Some(text),
                ..Decided::default()
            })],
        })
    }

    fn made(&mut self, output: Output) -> Made {
        match output {
            Output::Send(bytes) => match self.delivered.as_ref() {
                Some(stanza) if stanza.bytes() == bytes => Made::Delivered {},
                _ => Made::Send(sent(&mut self.ours, &bytes)),
            },
            output => {
                let made = Made::Did(decided(&output, None));
                if let Output::Ask(question) = output {
                    self.questions.push(question);
                }
                made
            }
        }
    }

    fn feed(&mut self, line: &Line, place: usize, fed: &Fed) -> Result<(), &'static str> {
        self.elapsed = self.elapsed.max(micros(line.at));
        let seconds = line
            .wall
            .unwrap_or_else(|| self.wall.saturating_add(line.at / 1_000_000));
        let now = Now {
            monotonic: self.begin.checked_add(self.elapsed).unwrap_or(self.begin),
            wall: wall(seconds),
        };
        self.delivered = None;
        let input = match fed {
            Fed::Connected {} => Input::Connected,
            Fed::Eof {} => Input::Eof,
            Fed::Tick {} => Input::Tick,
            Fed::Probe {} => Input::Probe,
            Fed::Share(pair) => Input::Share(self::pair(pair).ok_or(UNKNOWN)?),
            Fed::Bytes { .. } | Fed::Raw(_) => {
                let bytes = self.prepared.read.get(&place).ok_or(UNKNOWN)?;
                self.machine.handle(now, Input::Bytes(bytes));
                return Ok(());
            }
            Fed::Unshown(_) => return Err(MISSING),
            Fed::Tls(tls) => Input::TlsUp(tls.facts().ok_or(UNKNOWN)?),
            Fed::Answer {
                asked,
                pair,
                stream_id,
                verdict,
            } => {
                let pair = self::pair(pair).ok_or(UNKNOWN)?;
                let question = asked.and_then(|asked| self.questions.get(asked));
                // An answer may come that nobody has asked for.
                let stray = Question {
                    pair,
                    stream_id: stream_id.clone(),
                    key: String::new(),
                };
                let question = question.unwrap_or(&stray);
                let answer = mint::answer(question, verdict, self.begin).ok_or(UNKNOWN)?;
                Input::Answer(answer)
            }
            Fed::Held(time) => Input::Held(micros(*time)),
            Fed::Deliver(text) => {
                let (stanza, is_same) = mint::stanza(text, self.kind).ok_or(UNKNOWN)?;
                self.machine.handle(now, Input::Deliver(&stanza));
                self.delivered = is_same.then_some(stanza);
                return Ok(());
            }
            Fed::Pong(id) => Input::Pong(id),
            Fed::Settled(h) => Input::Settled(*h),
            Fed::Found(true) => return Err(RESUMED),
            Fed::Found(false) => Input::Found(None),
            Fed::Context(_) => {
                let context: Option<Arc<Context>> = self.prepared.contexts.pop_front().flatten();
                Input::Context(context.ok_or(UNKNOWN)?)
            }
            Fed::End(end) => Input::End(end.reason().ok_or(UNKNOWN)?),
        };
        self.machine.handle(now, input);
        Ok(())
    }
}
