//! Records one stream: each input and each output of its machine becomes a line.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

use super::blank::Blanker;
use super::context::{ContextFact, EntryFact, entry_of};
use super::facts::{EndFact, TlsFact, above, pair_text};
use super::line::{Fed, Line, Made, What};
use super::made::{decided, verdict};
use super::opening::{Opening, micros, open};
use crate::proto::auth::Pair;
use crate::proto::auth::chain::Anchors;
use crate::proto::auth::dialback::Question;
use crate::proto::jid::Domain;
use crate::proto::policy::Direction;
use crate::proto::stream::{Context, IdSource, Input, Now, Output, Record};

/// Records one stream.
#[derive(Debug)]
pub struct Recorder {
    stream: u64,
    salt: [u8; 16],
    began: Now,
    context: Arc<Context>,
    theirs: Blanker,
    ours: Blanker,
    /// The ids that the machine draws; `None` on a stream that was there before.
    ids: Option<Ids>,
    /// Whose stream it is, as far as anybody says so.
    remote: Option<Domain>,
    /// Whether it is a gateway's, on which stanzas to all partners come.
    is_link: bool,
    chain: Vec<CertificateDer<'static>>,
    /// What was asked about dialback keys.
    asked: Vec<Asked>,
    /// The domains that were named.
    domains: Vec<Domain>,
    entries: Vec<EntryFact>,
    /// The last input, with what is left of it to be written down.
    input: Option<Pending>,
    /// What came of it.
    outputs: Vec<What>,
    /// Whether all outputs of the last input were taken.
    is_drained: bool,
    /// Whether what the other side says cannot be blanked, because something before it is missing.
    is_lost: bool,
    missed: u64,
    lines: Vec<Line>,
}

/// A question: between whom, about which stream, and what its key is known by.
type Asked = (Pair, String, [u8; 32]);

fn asked(question: &Question) -> Asked {
    (
        question.pair.clone(),
        question.stream_id.clone(),
        Sha256::digest(&question.key).into(),
    )
}

#[derive(Debug)]
struct Ids {
    source: IdSource,
    next: String,
}

#[derive(Debug)]
struct Pending {
    now: Now,
    is_before: bool,
    fed: Body,
}

#[derive(Debug)]
enum Body {
    Fed(Fed),
    /// Blanked, as far as it is decided.
    Bytes(Vec<u8>),
    /// Blanked, and as it is written.
    Deliver(String, Vec<u8>),
}

/// How many domains of one stream, and questions about them, are noted.
const MOST_DOMAINS: usize = 64;
/// The same for a gateway's link: its users write to any partner.
const MOST_DOMAINS_OF_A_LINK: usize = 1024;

impl Recorder {
    /// Begins with a stream: `ids` are those that its machine will draw.
    #[must_use]
    pub fn begin(
        stream: u64,
        opening: &Opening,
        context: Arc<Context>,
        mut ids: IdSource,
        now: Now,
        salt: [u8; 16],
    ) -> Self {
        let next = ids.next_id();
        let mut recorder = Self::new(stream, opening, context, now, salt);
        recorder.ids = Some(Ids { source: ids, next });
        let domains = match opening {
            Opening::Outbound { pair, .. } => vec![pair.remote.clone()],
            Opening::Inbound(_) | Opening::Link { .. } | Opening::Joined(..) => Vec::new(),
        };
        if let Opening::Link { secret, .. } = opening {
            recorder.is_link = true;
            recorder.theirs = recorder.theirs.with_secret(Arc::clone(secret));
        }
        let context = recorder.context_fact(&domains, Vec::new());
        recorder.entries = context.entries.clone();
        recorder.domains = domains;
        let mut open = open(opening, now);
        open.context = Some(Box::new(context));
        recorder.line(now, What::Open(Box::new(open)));
        recorder
    }

    /// Joins a stream that was there before.
    #[must_use]
    pub fn join(
        stream: u64,
        opening: &Opening,
        context: Arc<Context>,
        now: Now,
        salt: [u8; 16],
    ) -> Self {
        let mut recorder = Self::new(stream, opening, context, now, salt);
        recorder.is_lost = true;
        recorder.ours.begin_between();
        recorder.line(now, What::Open(Box::new(open(opening, now))));
        recorder
    }

    fn new(
        stream: u64,
        opening: &Opening,
        context: Arc<Context>,
        now: Now,
        salt: [u8; 16],
    ) -> Self {
        Self {
            stream,
            salt,
            began: now,
            theirs: Blanker::of_theirs(salt, Arc::clone(&context)),
            context,
            ours: Blanker::of_ours(Some(salt)),
            ids: None,
            remote: match opening {
                Opening::Outbound { pair, .. } | Opening::Joined(_, _, Some(pair)) => {
                    Some(pair.remote.clone())
                }
                Opening::Inbound(_) | Opening::Link { .. } | Opening::Joined(..) => None,
            },
            is_link: false,
            chain: Vec::new(),
            asked: Vec::new(),
            domains: Vec::new(),
            entries: Vec::new(),
            input: None,
            outputs: Vec::new(),
            is_drained: true,
            is_lost: false,
            missed: 0,
            lines: Vec::new(),
        }
    }

    /// The machine is about to be given this.
    pub fn input(&mut self, now: Now, input: &Input<'_>) {
        self.settle();
        let is_before = !std::mem::take(&mut self.is_drained);
        let fed = match input {
            Input::Bytes(bytes) if self.is_lost => Body::Fed(Fed::Unshown(bytes.len())),
            Input::Bytes(bytes) => {
                let mut out = Vec::with_capacity(bytes.len());
                self.theirs.feed(bytes, &mut out);
                self.name(now);
                Body::Bytes(out)
            }
            Input::Deliver(stanza) => {
                let blanked = Blanker::element(Some(self.salt), stanza.bytes());
                let blanked = String::from_utf8_lossy(&blanked).into_owned();
                Body::Deliver(blanked, stanza.bytes().to_vec())
            }
            input => Body::Fed(self.fed(input)),
        };
        self.input = Some(Pending {
            now,
            is_before,
            fed,
        });
    }

    /// The machine has put this out, or nothing more.
    pub fn output(&mut self, output: Option<&Output>) {
        let Some(output) = output else {
            self.is_drained = true;
            return self.settle();
        };
        if let Output::Record(Record::Claimed { remote, .. }) = output {
            let text = remote.as_deref().unwrap_or_default();
            self.remote = Domain::parse(text).ok();
        }
        if let Output::Ask(question) = output
            && self.asked.len() < MOST_DOMAINS
        {
            self.asked.push(asked(question));
        }
        if let Some(remote) = remote_of(output) {
            let entry = self.entry(remote);
            self.outputs.extend(entry);
        }
        let made = match (output, self.input.as_ref().map(|input| &input.fed)) {
            (Output::Send(bytes), Some(Body::Deliver(_, raw))) if raw == bytes => {
                Made::Delivered {}
            }
            (output, _) => {
                self.draw(output);
                self.made(output)
            }
        };
        self.outputs.push(What::Out(made));
    }

    fn made(&mut self, output: &Output) -> Made {
        match output {
            Output::Send(bytes) => Made::Send(super::made::sent(&mut self.ours, bytes)),
            output => Made::Did(decided(output, Some(self.salt))),
        }
    }

    /// What the machine is given is not recorded, because there is too much.
    pub fn miss(&mut self) {
        self.settle();
        self.missed += 1;
        self.is_lost = true;
        self.is_drained = false;
    }

    /// How many inputs were not recorded since the last line.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Whether what the other side says is not shown.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// What comes next from the other side is the beginning of something.
    pub fn find(&mut self) {
        self.is_lost = false;
        self.theirs.begin_between();
    }

    /// Whose stream it is, as far as anybody says so.
    #[must_use]
    pub fn remote(&self) -> Option<&Domain> {
        self.remote.as_ref()
    }

    /// The lines that are there since this was asked, of a trace that began then.
    pub fn take(&mut self, began: Instant) -> Vec<Line> {
        let mut lines = std::mem::take(&mut self.lines);
        if let Some(Line {
            what: What::Open(open),
            ..
        }) = lines.first_mut()
        {
            open.since = micros(self.began.monotonic.saturating_duration_since(began));
        }
        lines
    }

    /// Writes down the last input, and what came of it.
    fn settle(&mut self) {
        let Some(Pending {
            now,
            is_before,
            fed,
        }) = self.input.take()
        else {
            return;
        };
        let fed = match fed {
            Body::Fed(fed) => Some(fed),
            Body::Deliver(text, _) => Some(Fed::Deliver(text)),
            Body::Bytes(mut bytes) => {
                // A fault stands as it came, or it would be none in a replay.
                if self.theirs.is_undecided() && self.outputs.iter().any(is_the_last) {
                    self.theirs.flush(&mut bytes);
                }
                let ours = self.theirs.take_keys();
                let digests = self.theirs.take_digests();
                match String::from_utf8(bytes) {
                    // All of it comes with what comes next.
                    Ok(text) if text.is_empty() && self.outputs.is_empty() => None,
                    Ok(text) => Some(Fed::Bytes {
                        text,
                        ours,
                        digests,
                    }),
                    Err(error) => Some(Fed::Raw(STANDARD.encode(error.as_bytes()))),
                }
            }
        };
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            self.line(now, What::Missed(missed));
        }
        let Some(fed) = fed else {
            // Nothing is written down of it, so nothing was left to be taken.
            self.is_drained |= !is_before;
            return;
        };
        let what = match is_before {
            true => What::InBefore(fed),
            false => What::In(fed),
        };
        self.line(now, what);
        for output in std::mem::take(&mut self.outputs) {
            self.line(now, output);
        }
    }

    fn fed(&mut self, input: &Input<'_>) -> Fed {
        match input {
            Input::Connected => Fed::Connected {},
            Input::Bytes(bytes) => Fed::Unshown(bytes.len()),
            Input::Eof => Fed::Eof {},
            Input::TlsUp(facts) => {
                self.chain = facts.chain.to_vec();
                Fed::Tls(TlsFact::of(facts, self.anchors()))
            }
            Input::Tick => Fed::Tick {},
            Input::Answer(answer) => Fed::Answer {
                asked: (self.asked.iter()).rposition(|it| *it == asked(answer.question())),
                pair: pair_text(&answer.question().pair),
                stream_id: answer.question().stream_id.clone(),
                verdict: verdict(answer.verdict()),
            },
            Input::Held(time) => Fed::Held(micros(*time)),
            Input::Deliver(stanza) => {
                let blanked = Blanker::element(Some(self.salt), stanza.bytes());
                Fed::Deliver(String::from_utf8_lossy(&blanked).into_owned())
            }
            Input::Pong(id) => Fed::Pong((*id).to_owned()),
            Input::Probe => Fed::Probe {},
            Input::Share(pair) => Fed::Share(pair_text(pair)),
            Input::Settled(h) => Fed::Settled(*h),
            Input::Found(found) => Fed::Found(found.is_some()),
            Input::Context(context) => {
                self.context = Arc::clone(context);
                self.theirs.replace(Arc::clone(context));
                let anchors = above(&self.chain, self.anchors());
                let fact = self.context_fact(&self.domains, anchors);
                self.entries.clone_from(&fact.entries);
                Fed::Context(Box::new(fact))
            }
            Input::End(reason) => Fed::End(EndFact::of(reason)),
        }
    }

    /// Writes down the entries for what was named.
    fn name(&mut self, now: Now) {
        for domain in self.theirs.take_domains() {
            if let Some(entry) = self.entry(domain) {
                self.line(now, entry);
            }
        }
    }

    /// The entry for a domain, where it is not written down yet.
    fn entry(&mut self, domain: Domain) -> Option<What> {
        if self.domains.contains(&domain) {
            return None;
        }
        let most = match self.is_link {
            true => MOST_DOMAINS_OF_A_LINK,
            false => MOST_DOMAINS,
        };
        if self.domains.len() >= most {
            // Without it another decision would come of a replay: it stops before.
            self.missed += 1;
            return None;
        }
        let rules = &self.context.rules;
        let entry = entry_of(rules, &domain).map(|entry| EntryFact::of(rules, entry));
        self.domains.push(domain);
        let entry = entry.filter(|entry| !self.entries.contains(entry))?;
        self.entries.push(entry.clone());
        Some(What::Entry(Box::new(entry)))
    }

    /// Notes the ids that the machine has drawn for this output.
    fn draw(&mut self, output: &Output) {
        let Some(ids) = &mut self.ids else {
            return;
        };
        let has = |id: &str| match output {
            Output::Send(bytes) => bytes.windows(id.len()).any(|part| part == id.as_bytes()),
            Output::Pinged(own) => own == id,
            _ => false,
        };
        while has(&ids.next) {
            let next = ids.source.next_id();
            let drawn = std::mem::replace(&mut ids.next, next);
            self.theirs.stream_has_id(&drawn);
            self.outputs.push(What::Named(drawn));
        }
    }

    /// What it decides by.
    fn context_fact(&self, domains: &[Domain], anchors: Vec<String>) -> ContextFact {
        let mut fact = ContextFact::of(&self.context, domains, anchors);
        if self.is_link {
            // As much as the most generous partner takes, whoever of them is named.
            let longest = self.context.rules.max_stanza_bytes();
            fact.max_stanza_bytes = fact.max_stanza_bytes.max(longest);
        }
        fact
    }

    /// The anchors by which the other side's chain is judged.
    fn anchors(&self) -> &Anchors {
        let remote = self.remote.as_ref();
        let entry = remote.and_then(|remote| self.context.rules.partner_of(remote));
        match entry.and_then(|entry| entry.anchors.as_ref()) {
            Some(anchors) => anchors,
            None => &self.context.anchors,
        }
    }

    fn line(&mut self, now: Now, what: What) {
        let at = micros(
            now.monotonic
                .saturating_duration_since(self.began.monotonic),
        );
        let wall = now.wall.as_secs();
        let expected = self.began.wall.as_secs().saturating_add(at / 1_000_000);
        self.lines.push(Line {
            stream: self.stream,
            at,
            wall: (wall != expected).then_some(wall),
            what,
        });
    }
}

/// A domain that somebody has named, as the machine has read it: a header may write it in more than one way.
fn remote_of(output: &Output) -> Option<Domain> {
    match output {
        Output::Record(Record::Claimed { remote, .. }) => Domain::parse(remote.as_deref()?).ok(),
        Output::Claimed(pair)
        | Output::Record(
            Record::MethodFailed { pair, .. } | Record::DialbackAnswered { pair, .. },
        ) => Some(pair.remote.clone()),
        Output::Ask(question) => Some(question.pair.remote.clone()),
        // Of a gateway's: whom it writes to.
        Output::Stanza(stanza) if stanza.direction() == Direction::Outbound => {
            Some(stanza.to.domain().clone())
        }
        Output::Refused {
            pair: Some(pair), ..
        } => Some(pair.remote.clone()),
        _ => None,
    }
}

/// Whether nothing that comes behind this output is read any more: a closing tag is on its way.
fn is_the_last(what: &What) -> bool {
    match what {
        What::Out(Made::Send(text)) => text.contains("</stream:stream>"),
        What::Out(Made::Did(decided)) => decided.what == "close",
        _ => false,
    }
}
