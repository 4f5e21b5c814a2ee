//! Blanks a stream as it passes: what people say, who they are and what is secret becomes as many letters.
//!
//! | what | becomes |
//! |---|---|
//! | text in stanzas, and in elements that are not known | `x` for each byte |
//! | attributes in stanzas, but for namespaces, `type`, `id`, `xml:lang` and addresses | `x` for each byte |
//! | users and resources in `from` and `to` of a stanza | letters, for one name in one trace the same |
//! | dialback keys | `x` for each byte; one that is ours, and is asked about: [`OUR_KEY`] |
//! | what is said to prove something by SASL, unless it is a domain | `x` for each byte |
//! | the digest of a gateway's handshake | `x` for each byte; one that is right: [`GOOD_DIGEST`] |
//!
//! Kept are stream headers, features, errors of streams, names of elements and attributes, and white space
//! between elements. What cannot be blanked without mending it stays as it came: a fault of the XML, a reference
//! or letter that was cut by the end of a read with which the stream ended, an address that is none.
//!
//! The scanner is not the one that decides ([`xml`](crate::proto::xml)): it takes everything, and only has to be
//! right about what is well-formed, because nothing is read behind the first fault.

mod address;
mod hide;
mod names;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::names::{Attributes, Kind};
use crate::proto::auth::handshake::LinkSecret;
use crate::proto::jid::Domain;
use crate::proto::stream::Context;

/// What stands for a dialback key that is one of ours: as long as every key of ours.
pub const OUR_KEY: &str = "our-key-our-key-our-key-our-key-our-key-our-key-our-key-our-key-";

/// What stands for the digest of a gateway that knows the link's secret: as long as every digest.
pub const GOOD_DIGEST: &str = "good-digestgood-digestgood-digestgood-di";

/// A digest that is right, somewhere in what was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodDigest {
    /// How many bytes stand before it.
    pub at: usize,
    /// The id of the stream that it was made for.
    pub id: String,
}

/// A gateway's link: by what its handshake is judged.
#[derive(Debug)]
struct LinkHandshake {
    secret: Arc<LinkSecret>,
    /// The id of the stream, when it is drawn.
    id: String,
}

/// A key of ours, somewhere in what was read: what it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OurKey {
    /// How many bytes stand before it.
    pub at: usize,
    /// The domain that was asked by.
    pub receiving: String,
    /// The domain that made it.
    pub originating: String,
    /// The id of the stream that it was made for.
    pub id: String,
}

/// Blanks one direction of one stream.
#[derive(Debug)]
pub struct Blanker {
    /// What users' names are mixed with, so that nobody can try names; `None` where users are letters
    /// already.
    salt: Option<[u8; 16]>,
    /// Which keys are ours; `None` where we write ourselves.
    context: Option<Arc<Context>>,
    /// Which digest is right; `None` on other streams than a gateway's.
    link: Option<LinkHandshake>,
    state: State,
    mode: Mode,
    depth: usize,
    kind: Kind,
    is_header: bool,
    is_empty: bool,
    name: Vec<u8>,
    attribute: Vec<u8>,
    value: Vec<u8>,
    attributes: Attributes,
    /// A reference or letter that is not whole, and how much of it is written.
    token: Vec<u8>,
    told: usize,
    /// What is decided on when it is whole.
    held: Vec<u8>,
    /// How much was kept before the header and between elements.
    kept: usize,
    /// The domains that were named since they were taken.
    domains: Vec<Domain>,
    keys: Vec<OurKey>,
    digests: Vec<GoodDigest>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Text,
    Open,
    Question,
    Bang(usize),
    /// After something that is no XML of a stream's.
    Broken,
    Section(u8),
    EndTag,
    TagName,
    InTag,
    AttributeName,
    AfterName,
    Equals,
    Value(u8),
}

/// What becomes of a text or value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Keep,
    Blank,
    /// It is decided when it is whole.
    Hold,
}

const SECTION: &[u8] = b"[CDATA[";
/// The longest name and value that is noted.
const MOST_NOTED: usize = 1100;

impl Blanker {
    /// What the other side writes. By the context it is known which dialback keys are ours.
    #[must_use]
    pub fn of_theirs(salt: [u8; 16], context: Arc<Context>) -> Self {
        Self {
            context: Some(context),
            ..Self::of_ours(Some(salt))
        }
    }

    /// The same of a gateway, whose handshake is made from this secret.
    #[must_use]
    pub fn with_secret(self, secret: Arc<LinkSecret>) -> Self {
        let id = String::new();
        let link = Some(LinkHandshake { secret, id });
        Self { link, ..self }
    }

    /// The stream of a gateway has this id from here on.
    pub fn stream_has_id(&mut self, id: &str) {
        if let Some(link) = &mut self.link {
            id.clone_into(&mut link.id);
        }
    }

    /// What we write. Without `salt`: in a replay, where users are letters already.
    #[must_use]
    pub fn of_ours(salt: Option<[u8; 16]>) -> Self {
        Self {
            salt,
            context: None,
            link: None,
            state: State::Text,
            mode: Mode::Keep,
            depth: 0,
            kind: Kind::Other,
            is_header: false,
            is_empty: false,
            name: Vec::new(),
            attribute: Vec::new(),
            value: Vec::new(),
            attributes: Attributes::default(),
            token: Vec::new(),
            told: 0,
            held: Vec::new(),
            kept: 0,
            domains: Vec::new(),
            keys: Vec::new(),
            digests: Vec::new(),
        }
    }

    /// Other rules and secrets are in force.
    pub fn replace(&mut self, context: Arc<Context>) {
        self.context = Some(context);
    }

    /// Begins between two elements of an open stream, whatever was before.
    pub fn begin_between(&mut self) {
        let fresh = Self::of_ours(self.salt);
        let context = self.context.take();
        *self = Self {
            context,
            depth: 1,
            ..fresh
        };
    }

    /// Blanks what comes next. What cannot be decided yet follows later: see [`Blanker::is_undecided`].
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for byte in bytes {
            self.step(*byte, out);
        }
    }

    /// Blanks one whole element, such as a stanza that we wrote.
    #[must_use]
    pub fn element(salt: Option<[u8; 16]>, bytes: &[u8]) -> Vec<u8> {
        let mut blanker = Self::of_ours(salt);
        blanker.begin_between();
        let mut out = Vec::with_capacity(bytes.len());
        blanker.feed(bytes, &mut out);
        blanker.flush(&mut out);
        out
    }

    /// Whether there is something that follows only when it is whole.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.token.len() > self.told || !self.held.is_empty()
    }

    /// Writes as it came what is undecided: what comes behind it is not read any more.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
        if self.mode == Mode::Hold {
            self.mode = Mode::Keep;
        }
        out.extend_from_slice(self.token.get(self.told..).unwrap_or_default());
        self.told = self.token.len();
    }

    /// The domains that were named since this was asked.
    pub fn take_domains(&mut self) -> Vec<Domain> {
        std::mem::take(&mut self.domains)
    }

    /// The keys of ours that were met since this was asked.
    pub fn take_keys(&mut self) -> Vec<OurKey> {
        std::mem::take(&mut self.keys)
    }

    /// The digests that were right since this was asked.
    pub fn take_digests(&mut self) -> Vec<GoodDigest> {
        std::mem::take(&mut self.digests)
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.state = match (self.state, byte) {
            (State::Text, b'<') => {
                self.end_text(out);
                out.push(byte);
                self.name.clear();
                State::Open
            }
            (State::Text, _) => {
                self.content(byte, out);
                return;
            }
            (State::Broken, _) => {
                out.push(if byte.is_ascii_alphanumeric() {
                    b'x'
                } else {
                    byte
                });
                return;
            }
            (State::Section(2), b'>') => {
                out.push(byte);
                State::Text
            }
            (State::Section(brackets), b']') => {
                out.push(byte);
                State::Section((brackets + 1).min(2))
            }
            (State::Section(_), _) => {
                match self.mode {
                    Mode::Keep => out.push(byte),
                    Mode::Blank | Mode::Hold => self.plain(byte, out),
                }
                State::Section(0)
            }
            (State::Value(quote), _) if byte == quote => {
                self.end_value(out);
                out.push(byte);
                State::InTag
            }
            (State::Value(_), _) => {
                self.content(byte, out);
                return;
            }
            (state, _) => {
                let next = self.markup(state, byte);
                out.push(byte);
                next
            }
        };
    }

    /// What is written as it came, whatever stands in it.
    fn markup(&mut self, state: State, byte: u8) -> State {
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        match (state, byte) {
            (State::Open, b'!') => State::Bang(0),
            (State::Open, b'?') => State::Question,
            (State::Open, b'/') => State::EndTag,
            (State::Open | State::TagName, _) if !is_space && !matches!(byte, b'/' | b'>') => {
                note(&mut self.name, byte);
                State::TagName
            }
            (State::Open | State::TagName, _) => {
                self.named();
                self.markup(State::InTag, byte)
            }
            (State::Question, b'>') => State::Text,
            (State::Bang(at), _) if SECTION.get(at) == Some(&byte) => match at + 1 {
                at if at == SECTION.len() => State::Section(0),
                at => State::Bang(at),
            },
            (State::Bang(_), _) => State::Broken,
            (State::EndTag, b'>') => {
                self.depth = self.depth.saturating_sub(1);
                self.content_follows()
            }
            (State::InTag | State::AttributeName | State::AfterName | State::Equals, b'>') => {
                self.end_tag()
            }
            (State::InTag, b'/') => {
                self.is_empty = true;
                State::InTag
            }
            (State::InTag, _) if is_space => State::InTag,
            (State::InTag, _) => {
                self.attribute.clear();
                note(&mut self.attribute, byte);
                State::AttributeName
            }
            (State::AttributeName | State::AfterName, b'=') => State::Equals,
            (State::AttributeName, _) if is_space => State::AfterName,
            (State::AttributeName, _) => {
                note(&mut self.attribute, byte);
                State::AttributeName
            }
            (State::Equals, b'"' | b'\'') => {
                self.value.clear();
                self.mode = self.value_mode();
                State::Value(byte)
            }
            (state, _) => state,
        }
    }

    /// The name of a start tag is whole.
    fn named(&mut self) {
        let local = self.name.rsplit(|byte| *byte == b':').next();
        let local = local.unwrap_or_default();
        self.is_header = self.depth == 0 || (self.depth == 1 && local == b"stream");
        if self.depth == 1 && !self.is_header {
            self.kind = Kind::of(local);
            self.attributes = Attributes::default();
        }
    }

    fn end_tag(&mut self) -> State {
        match (self.is_header, self.is_empty) {
            (true, _) => self.depth = 1,
            (false, true) => {}
            (false, false) => self.depth += 1,
        }
        (self.is_header, self.is_empty) = (false, false);
        self.content_follows()
    }

    fn content_follows(&mut self) -> State {
        self.mode = match (self.depth, self.kind) {
            (0 | 1, _) | (_, Kind::Known) => Mode::Keep,
            (2, Kind::Key | Kind::Proof | Kind::Digest) => Mode::Hold,
            (_, Kind::Key) => Mode::Keep,
            (_, Kind::Proof | Kind::Digest | Kind::Stanza | Kind::Other) => Mode::Blank,
        };
        self.kept = 0;
        State::Text
    }

    fn value_mode(&self) -> Mode {
        let name = self.attribute.as_slice();
        let is_always_kept = name == b"xmlns" || name.starts_with(b"xmlns:") || name == b"xml:lang";
        if is_always_kept || self.is_header {
            return Mode::Keep;
        }
        match (self.kind, self.depth, name) {
            (Kind::Known | Kind::Key | Kind::Proof, ..) => Mode::Keep,
            (Kind::Stanza, 1, b"from" | b"to") => Mode::Hold,
            (Kind::Stanza, 1, b"id") | (Kind::Stanza, _, b"type") => Mode::Keep,
            (Kind::Stanza | Kind::Digest | Kind::Other, ..) => Mode::Blank,
        }
    }
}

/// Notes a byte of a name or value, as far as anybody needs it.
fn note(text: &mut Vec<u8>, byte: u8) {
    if text.len() < MOST_NOTED {
        text.push(byte);
    }
}

#[cfg(test)]
mod tests;
