//! Server dialback (XEP-0220): its messages, the questions that are open, and the proof they give.
//!
//! An answer counts only for a question that is still open, on the stream it was asked on, and
//! once. What was never asked changes nothing: that is the whole defence against unsolicited
//! answers (CVE-2012-3525).

use std::fmt;

use super::{Authenticated, Pair};
use crate::proto::jid::Domain;
use crate::proto::policy::{KEY_DENIED, Method, Reason};
use crate::proto::xml::{Condition, Element, Ns};

/// Most dialback requests that may wait for an answer on one stream.
pub const MAX_OPEN: usize = 16;
/// The longest id of a stream, in bytes: it stands in a stream header, and comes back in an answer.
const MAX_ID: usize = 1024;

/// What a dialback element says, `from` and `to` as they stand on it.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// `<db:result>`: let me send as `from` to `to`, here is my key.
    Request(PresentedKey),
    /// `<db:verify>`: is this key, for that stream, one of yours?
    Question(PresentedKey, StreamId),
    /// `<db:result type='…'>`: the receiving server's last word.
    Result(Verdict, PresentedKey),
    /// `<db:verify type='…'>`: the authoritative server's answer.
    Answer(Verdict, PresentedKey, StreamId),
}

/// The stream id that a dialback key is bound to.
pub type StreamId = String;

/// Two domains and a key (empty in answers).
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedKey {
    /// The domain that the element comes from.
    pub from: Domain,
    /// The domain that it goes to.
    pub to: Domain,
    /// The dialback key.
    pub key: String,
}

/// How a question was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The key is good.
    Valid,
    /// The key is not.
    Invalid,
    /// It could not be found out; the stanza error condition that says why.
    Error(String),
}

/// A question to the authoritative server of a partner's domain.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// Who wants to talk to whom.
    pub pair: Pair,
    /// The id of the stream on which the key was presented.
    pub stream_id: StreamId,
    /// The key that was presented.
    pub key: String,
}

/// The answer to one [`Question`]. Only an outbound stream that read it can say that it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    question: Question,
    verdict: Verdict,
}

impl Answer {
    /// An answer as the authoritative server gave it.
    pub(in crate::proto) fn assertion(question: Question, verdict: Verdict) -> Self {
        Self { question, verdict }
    }

    /// The answer of the shell when no authoritative server could be asked.
    #[must_use]
    pub fn unreachable(question: Question, reason: &Reason) -> Self {
        // XEP-0220 §2.5: not found where DNS knows no server, failed where none could be reached.
        let condition = match reason {
            Reason::PeerError {
                condition: Condition::HostUnknown,
                ..
            } => "remote-server-not-found",
            _ => reason.dialback_condition(),
        };
        Self {
            question,
            verdict: Verdict::Error(condition.to_owned()),
        }
    }

    /// What was asked.
    #[must_use]
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// What was answered.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

/// Whoever has the key may send in the name of `from`: it is not for anybody's eyes.
impl fmt::Debug for PresentedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedKey")
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("pair", &self.pair)
            .field("stream_id", &self.stream_id)
            .finish_non_exhaustive()
    }
}

/// The requests on one inbound stream that wait for their authoritative server.
#[derive(Debug, Default)]
pub struct Pending(Vec<Question>);

impl Pending {
    /// Opens a question.
    ///
    /// # Errors
    /// [`Reason::TooManyPending`] when the stream asks for too much at once, or twice for one pair.
    pub fn open(&mut self, question: Question) -> Result<(), Reason> {
        let again = self.0.iter().any(|open| open.pair == question.pair);
        if again || self.0.len() >= MAX_OPEN {
            return Err(Reason::TooManyPending);
        }
        self.0.push(question);
        Ok(())
    }

    /// Closes a question with its answer; `None` if it was never asked here.
    ///
    /// # Errors
    /// The verdict, when it is not [`Verdict::Valid`].
    pub fn close(
        &mut self,
        answer: &Answer,
        method: Method,
    ) -> Option<Result<Authenticated<Pair>, Verdict>> {
        let index = self.0.iter().position(|open| *open == answer.question)?;
        let question = self.0.swap_remove(index);
        Some(match &answer.verdict {
            Verdict::Valid => Ok(Authenticated::assertion(question.pair, Some(method))),
            other => Err(other.clone()),
        })
    }

    /// How many questions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether any question is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The request that an outbound stream has made for itself.
#[derive(Debug)]
pub struct Requested {
    pair: Pair,
    method: Method,
}

impl Requested {
    /// Remembers that a key was sent for this pair.
    #[must_use]
    pub fn new(pair: Pair, method: Method) -> Self {
        Self { pair, method }
    }

    /// Takes the receiving server's last word; gives itself back if the word is for another pair.
    ///
    /// # Errors
    /// `Err(Ok(self))` for an answer that was not asked for, `Err(Err(reason))` for a refusal.
    pub fn close(
        self,
        verdict: &Verdict,
        claim: &PresentedKey,
    ) -> Result<Authenticated<Pair>, Result<Self, Reason>> {
        if claim.from != self.pair.remote || claim.to != self.pair.local {
            return Err(Ok(self));
        }
        match verdict {
            Verdict::Valid => Ok(Authenticated::assertion(self.pair, Some(self.method))),
            Verdict::Invalid => Err(Err(Reason::DialbackRefused(KEY_DENIED.to_owned()))),
            Verdict::Error(condition) => Err(Err(Reason::DialbackRefused(condition.clone()))),
        }
    }
}

/// Reads a dialback element.
///
/// # Errors
/// [`Reason::ImproperAddressing`] or [`Reason::UnexpectedElement`] for what is none.
pub fn read(element: &Element) -> Result<Message, Reason> {
    let domain = |name: &'static str| {
        element
            .attribute(name)
            .and_then(|text| Domain::parse(text).ok())
            .ok_or(Reason::ImproperAddressing(name))
    };
    let claim = PresentedKey {
        from: domain("from")?,
        to: domain("to")?,
        key: element.text().trim().to_owned(),
    };
    let unexpected = || Reason::UnexpectedElement(format!("db:{}", element.name()));
    // XEP-0220 §2.4: a missing type is a request; the three others are answers.
    let verdict = match element.attribute("type") {
        None => None,
        Some("valid") => Some(Verdict::Valid),
        Some("invalid") => Some(Verdict::Invalid),
        Some("error") => Some(Verdict::Error(error_condition(element))),
        Some(_) => return Err(unexpected()),
    };
    match (element.name(), verdict) {
        ("result", None) => Ok(Message::Request(claim)),
        ("result", Some(verdict)) => Ok(Message::Result(verdict, claim)),
        ("verify", verdict) => {
            // XEP-0220 §2.1.2: `id` is required.
            let id = element
                .attribute("id")
                .filter(|id| (1..=MAX_ID).contains(&id.len()))
                .ok_or(Reason::ImproperAddressing("id"))?
                .to_owned();
            Ok(match verdict {
                None => Message::Question(claim, id),
                Some(verdict) => Message::Answer(verdict, claim, id),
            })
        }
        _ => Err(unexpected()),
    }
}

/// `<db:result>` or `<db:verify>` without a type: a request.
#[must_use]
pub fn request(
    name: &'static str,
    from: &Domain,
    to: &Domain,
    id: Option<&str>,
    key: &str,
) -> Element {
    addressed(name, from, to, id).with_text(key)
}

/// The answer to a request or a question: the addresses are turned round.
#[must_use]
pub fn answer(
    name: &'static str,
    from: &Domain,
    to: &Domain,
    id: Option<&str>,
    verdict: &Verdict,
) -> Element {
    let element = addressed(name, from, to, id);
    match verdict {
        Verdict::Valid => element.with_attribute("type", "valid"),
        Verdict::Invalid => element.with_attribute("type", "invalid"),
        // XEP-0220 §2.5: the error is a stanza error's, in the content namespace.
        Verdict::Error(condition) => element.with_attribute("type", "error").with_child(
            Element::new(Ns::CONTENT, "error")
                .with_attribute("type", "cancel")
                .with_child(Element::new(Ns::STANZA_ERRORS, condition.clone())),
        ),
    }
}

fn addressed(name: &'static str, from: &Domain, to: &Domain, id: Option<&str>) -> Element {
    let mut element = Element::new(Ns::DIALBACK, name)
        .with_attribute("from", from.written())
        .with_attribute("to", to.written());
    if let Some(id) = id {
        element.set_attribute("id", id);
    }
    element
}

/// The condition inside `<error/>`, for the operator and for the answer that we pass on.
fn error_condition(element: &Element) -> String {
    element
        .child(&Ns::CONTENT, "error")
        .and_then(|error| {
            error
                .children()
                .find(|child| *child.ns() == Ns::STANZA_ERRORS && child.name() != "text")
        })
        .map_or("undefined-condition", Element::name)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_longer_than_one_of_a_stream() {
        let verify = |id: String| {
            let element = Element::new(Ns::DIALBACK, "verify")
                .with_attribute("from", "a.example")
                .with_attribute("to", "b.example")
                .with_attribute("id", id)
                .with_text("key");
            read(&element).map(|_| ())
        };
        assert_eq!(verify("i".repeat(1024)), Ok(()));
        for bad in ["i".repeat(1025), String::new()] {
            assert_eq!(verify(bad), Err(Reason::ImproperAddressing("id")));
        }
    }

    #[test]
    fn so_many_questions_are_open_on_one_stream_and_no_more() {
        let question = |number: usize| Question {
            pair: Pair {
                local: Domain::parse("contoso.example").unwrap(),
                remote: Domain::parse(&format!("p{number}.example")).unwrap(),
            },
            stream_id: "s".to_owned(),
            key: "k".to_owned(),
        };
        let mut pending = Pending::default();
        for number in 0..MAX_OPEN {
            assert_eq!(pending.open(question(number)), Ok(()));
        }
        let refused = pending.open(question(MAX_OPEN));
        assert_eq!(refused, Err(Reason::TooManyPending));
        // An answer makes room for another.
        let answer = Answer::assertion(question(0), Verdict::Invalid);
        assert!(pending.close(&answer, Method::TcpDialback).is_some());
        assert_eq!(pending.open(question(MAX_OPEN)), Ok(()));
    }
}
