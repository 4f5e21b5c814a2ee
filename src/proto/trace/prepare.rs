//! What is found out of a stream's lines before it is replayed: contexts that are whole, and what was read
//! with keys that are good in a replay.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::blank::{GOOD_DIGEST, GoodDigest, OUR_KEY, OurKey};
use super::context::{ContextFact, EntryFact, NO_LINK_SECRET, no_secret};
use super::facts::certificates;
use super::line::{Fed, Line, What};
use crate::proto::auth::chain::Anchors;
use crate::proto::auth::dialback::Verdict;
use crate::proto::auth::handshake;
use crate::proto::jid::Domain;
use crate::proto::stream::Context;

/// What a replay takes besides the lines.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// What the machine decides by: first what it was made with, then what each reload brought. `None` for
    /// one that cannot be made.
    pub(super) contexts: VecDeque<Option<Arc<Context>>>,
    /// What was read, by the place of the line.
    pub(super) read: HashMap<usize, Vec<u8>>,
    /// The ids that were drawn.
    pub(super) ids: VecDeque<String>,
}

/// A context, and what was found out for it later.
struct Draft<'l> {
    fact: &'l ContextFact,
    entries: Vec<&'l EntryFact>,
    anchors: Vec<String>,
}

impl Prepared {
    /// Of the lines of one stream.
    pub(super) fn of(lines: &[&Line]) -> Self {
        let mut drafts: Vec<Draft<'_>> = Vec::new();
        let mut prepared = Self::default();
        let draft = |fact| Draft {
            fact,
            entries: Vec::new(),
            anchors: Vec::new(),
        };
        for (place, line) in lines.iter().enumerate() {
            match &line.what {
                What::Open(open) => drafts.extend(open.context.as_deref().map(draft)),
                What::In(Fed::Context(fact)) | What::InBefore(Fed::Context(fact)) => {
                    drafts.push(draft(fact));
                }
                What::Entry(entry) => {
                    if let Some(draft) = drafts.last_mut() {
                        draft.entries.push(entry);
                    }
                }
                What::In(Fed::Tls(tls)) | What::InBefore(Fed::Tls(tls)) => {
                    if let Some(draft) = drafts.last_mut() {
                        draft.anchors.extend_from_slice(&tls.anchors);
                    }
                }
                What::Named(id) => prepared.ids.push_back(id.clone()),
                What::In(fed) | What::InBefore(fed) => {
                    if let Some(bytes) = bytes(fed) {
                        prepared.read.insert(place, bytes);
                    }
                }
                What::Out(_) | What::Missed(_) => {}
            }
        }
        prepared.contexts = drafts.iter().map(Draft::context).collect();
        prepared
    }
}

impl Draft<'_> {
    fn context(&self) -> Option<Arc<Context>> {
        let mut texts = self.anchors.clone();
        texts.extend_from_slice(&self.fact.anchors);
        let (anchors, rejected) = Anchors::from_der(certificates(&texts)?);
        let context = self.fact.context(&self.entries, &Arc::new(anchors))?;
        rejected.is_empty().then_some(context)
    }
}

/// What was read, with keys of ours, and a gateway's good digest, where these stood.
fn bytes(fed: &Fed) -> Option<Vec<u8>> {
    match fed {
        Fed::Bytes {
            text,
            ours,
            digests,
        } => {
            let mut bytes = text.clone().into_bytes();
            for key in ours {
                put_key(key, &mut bytes);
            }
            for digest in digests {
                put_digest(digest, &mut bytes);
            }
            Some(bytes)
        }
        Fed::Raw(text) => STANDARD.decode(text).ok(),
        _ => None,
    }
}

/// Puts a key there that is good in a replay, where there is a place for one.
fn put_key(key: &OurKey, bytes: &mut [u8]) -> Option<()> {
    let receiving = Domain::parse(&key.receiving).ok()?;
    let originating = Domain::parse(&key.originating).ok()?;
    let made = no_secret()?.generate(&receiving, &originating, &key.id);
    put(&made, (key.at, OUR_KEY), bytes)
}

/// The same for the digest of a gateway.
fn put_digest(digest: &GoodDigest, bytes: &mut [u8]) -> Option<()> {
    let made = handshake::digest(&digest.id, NO_LINK_SECRET);
    put(&made, (digest.at, GOOD_DIGEST), bytes)
}

/// Puts a text in the place of what stands for it.
fn put(made: &str, (at, stands): (usize, &str), bytes: &mut [u8]) -> Option<()> {
    let end = at.checked_add(made.len())?;
    let place = bytes.get_mut(at..end)?;
    if place == stands.as_bytes() {
        place.copy_from_slice(made.as_bytes());
    }
    Some(())
}

/// What an authoritative server has said, from the words for it.
pub(super) fn verdict(text: &str) -> Option<Verdict> {
    Some(match text.split_once(' ') {
        None if text == "valid" => Verdict::Valid,
        None if text == "invalid" => Verdict::Invalid,
        Some(("error", condition)) => {
            let is_name = condition
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            (is_name && !condition.is_empty() && !condition.starts_with('-'))
                .then(|| Verdict::Error(condition.to_owned()))?
        }
        _ => return None,
    })
}
