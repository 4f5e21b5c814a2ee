//! What becomes of texts and values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::names::Kind;
use super::{
    Blanker, GOOD_DIGEST, GoodDigest, LinkHandshake, Mode, OUR_KEY, OurKey, State, address, note,
};
use crate::proto::auth::handshake;
use crate::proto::jid::{Domain, Jid};
use crate::proto::xml::{is_char, is_reference};

/// The longest that is held until it is whole.
const MOST_HELD: usize = 8192;
/// How much outside of elements is kept: more is none of a stream's.
const MOST_OUTSIDE: usize = 512;
/// The longest reference.
const MOST_TOKEN: usize = 32;

/// What was made from a secret of ours.
enum Ours {
    Key(OurKey),
    /// For the stream with this id.
    Digest(String),
}

impl Blanker {
    /// A byte of a text or value.
    pub(super) fn content(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.mode {
            Mode::Keep => {
                let is_outside = self.depth <= 1 && self.state == State::Text;
                self.kept += usize::from(is_outside);
                if self.kept > MOST_OUTSIDE && byte.is_ascii_alphanumeric() {
                    out.push(b'x');
                } else {
                    out.push(byte);
                }
                if !is_outside {
                    note(&mut self.value, byte);
                }
            }
            Mode::Blank => self.blank(byte, out),
            Mode::Hold => {
                self.held.push(byte);
                if self.held.len() > MOST_HELD {
                    self.mode = Mode::Blank;
                    self.blank_held(out);
                }
            }
        }
    }

    fn blank_held(&mut self, out: &mut Vec<u8>) {
        for byte in std::mem::take(&mut self.held) {
            self.blank(byte, out);
        }
    }

    /// Blanks a byte of a text or value in which references stand.
    fn blank(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.token.first() {
            Some(b'&') => {
                self.token.push(byte);
                let name = self.token.get(1..self.token.len() - 1).unwrap_or_default();
                if byte == b';' {
                    let is_good = str::from_utf8(name).is_ok_and(is_reference);
                    self.end_token(is_good, out);
                } else if self.token.len() > MOST_TOKEN {
                    self.end_token(false, out);
                }
            }
            None if byte == b'&' => self.token.push(byte),
            _ => self.plain(byte, out),
        }
    }

    /// Blanks a byte of text without references.
    pub(super) fn plain(&mut self, byte: u8, out: &mut Vec<u8>) {
        let is_space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        // Between the children of a stanza it is no word of anybody's.
        let is_layout = is_space && self.depth == 2 && self.state == State::Text;
        match byte {
            0x80.. => {
                self.token.push(byte);
                let length = match self.token.first() {
                    Some(0xc2..=0xdf) => 2,
                    Some(0xe0..=0xef) => 3,
                    Some(0xf0..=0xf4) => 4,
                    _ => 1,
                };
                if self.token.len() >= length {
                    let mut letters = str::from_utf8(&self.token).unwrap_or("\0").chars();
                    let is_good = letters.all(is_char);
                    self.end_token(is_good, out);
                }
            }
            _ => {
                self.end_token(false, out);
                let is_faulty = byte < b' ' && !is_space;
                let stays = is_faulty || is_layout || matches!(byte, b']' | b'>' | b'<');
                out.push(if stays { byte } else { b'x' });
            }
        }
    }

    /// A reference or letter is whole, or will never be.
    fn end_token(&mut self, is_good: bool, out: &mut Vec<u8>) {
        if is_good && self.told == 0 {
            out.resize(out.len() + self.token.len(), b'x');
        } else {
            out.extend_from_slice(self.token.get(self.told..).unwrap_or_default());
        }
        self.token.clear();
        self.told = 0;
    }

    pub(super) fn end_text(&mut self, out: &mut Vec<u8>) {
        if self.mode == Mode::Hold {
            match self.kind {
                Kind::Key | Kind::Digest => self.key(out),
                _ => self.proof(out),
            }
        }
        self.end_token(false, out);
    }

    /// A dialback key, or the digest of a gateway's handshake, is whole.
    fn key(&mut self, out: &mut Vec<u8>) {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let held = std::mem::take(&mut self.held);
        let begin = held.iter().take_while(|byte| is_space(byte)).count();
        let end = held.len() - held.iter().rev().take_while(|byte| is_space(byte)).count();
        let (Some(before), Some(key), Some(after)) =
            (held.get(..begin), held.get(begin..end), held.get(end..))
        else {
            return out.extend_from_slice(&held);
        };
        out.extend_from_slice(before);
        let at = out.len();
        match self.ours(key) {
            Some(Ours::Key(found)) => {
                self.keys.push(OurKey { at, ..found });
                out.extend_from_slice(OUR_KEY.as_bytes());
            }
            Some(Ours::Digest(id)) => {
                self.digests.push(GoodDigest { at, id });
                out.extend_from_slice(GOOD_DIGEST.as_bytes());
            }
            None => {
                for byte in key {
                    self.blank(*byte, out);
                }
                self.end_token(false, out);
            }
        }
        out.extend_from_slice(after);
    }

    /// Whether it is made from one of our secrets.
    fn ours(&self, text: &[u8]) -> Option<Ours> {
        match self.kind {
            Kind::Digest => self.good_digest(text).map(Ours::Digest),
            _ => self.our_key(text).map(Ours::Key),
        }
    }

    /// Whether a gateway knows the secret of the link: the id that its digest is for.
    fn good_digest(&self, digest: &[u8]) -> Option<String> {
        let LinkHandshake { secret, id } = self.link.as_ref()?;
        let digest = str::from_utf8(digest).ok()?;
        let is_whole = digest.len() == GOOD_DIGEST.len();
        (is_whole && handshake::is_good(id, secret.expose(), digest)).then(|| id.clone())
    }

    /// Whether a key that is asked about is one of ours.
    fn our_key(&self, key: &[u8]) -> Option<OurKey> {
        let context = self.context.as_ref()?;
        let local = self.name.rsplit(|byte| *byte == b':').next();
        if local != Some(b"verify") || self.attributes.has_type || key.len() != OUR_KEY.len() {
            return None;
        }
        let domain = |text: &[u8]| Domain::parse(str::from_utf8(text).ok()?).ok();
        let from = domain(&self.attributes.from)?;
        let to = domain(&self.attributes.to)?;
        let id = str::from_utf8(&self.attributes.id).ok()?;
        let key = str::from_utf8(key).ok()?;
        context
            .dialback
            .verify(&from, &to, id, key)
            .then(|| OurKey {
                at: 0,
                receiving: from.as_str().to_owned(),
                originating: to.as_str().to_owned(),
                id: id.to_owned(),
            })
    }

    /// What is said in SASL is whole. EXTERNAL says a domain, or nothing; others say passwords.
    fn proof(&mut self, out: &mut Vec<u8>) {
        let text = str::from_utf8(&self.held).unwrap_or_default().trim();
        let says_a_name = || {
            let decoded = STANDARD.decode(text).ok()?;
            let name = String::from_utf8(decoded).ok()?;
            Jid::parse(&name).ok()
        };
        let kept = match self.attributes.mechanism.as_slice() {
            b"EXTERNAL" => true,
            // A response does not say to which mechanism it belongs.
            b"" => says_a_name().is_some(),
            // What is one word may be a password.
            _ => false,
        };
        if kept || matches!(text, "" | "=") {
            out.append(&mut self.held);
        } else {
            self.blank_held(out);
        }
    }

    pub(super) fn end_value(&mut self, out: &mut Vec<u8>) {
        if self.mode == Mode::Hold {
            let held = std::mem::take(&mut self.held);
            match &self.salt {
                Some(salt) => out.extend_from_slice(&address::blanked(salt, &held)),
                None => out.extend_from_slice(&held),
            }
        }
        self.end_token(false, out);
        if self.mode == Mode::Keep && (self.is_header || self.depth == 1) {
            let names_domain = matches!(self.attribute.as_slice(), b"from" | b"to");
            if names_domain && (self.is_header || self.kind != Kind::Stanza) {
                let text = str::from_utf8(&self.value).unwrap_or_default();
                self.domains.extend(Domain::parse(text));
            }
            self.attributes.note(&self.attribute, &self.value);
        }
    }
}
