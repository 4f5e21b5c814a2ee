//! Server dialback on an inbound stream: we are the receiving server for `<db:result/>`, and the
//! authoritative server for `<db:verify/>` (XEP-0220 §2.1.2, §2.2).

use super::super::{Output, Record};
use super::negotiating::Negotiating;
use crate::proto::auth::dialback::{
    Answer, Message, PresentedKey, Question, Verdict, answer, read,
};
use crate::proto::auth::{Authenticated, Pair};
use crate::proto::policy::Reason;
use crate::proto::stream::cx::Cx;
use crate::proto::xml::Element;

/// The pairs that are proven on the stream already.
type Proven<'a> = &'a [Authenticated<Pair>];

/// A dialback element came.
pub(super) fn element(
    stream: &mut Negotiating,
    cx: &mut Cx<'_>,
    proven: Proven<'_>,
    element: &Element,
) -> Result<(), Reason> {
    match read(element)? {
        Message::Request(claim) => request(stream, cx, proven, claim),
        Message::Question(claim, id) => question(stream, cx, proven, &claim, &id),
        // XEP-0220 §3.1: we ask on streams of our own, so no answer is expected here.
        Message::Result(..) | Message::Answer(..) => {
            let name = format!("db:{} with a type", element.name());
            cx.wire.ignore(Reason::UnexpectedElement(name));
            stream.dialback_failed(proven)
        }
    }
}

/// The authoritative server answered, or could not be asked: the pair, if it is proven.
pub(super) fn answered(
    stream: &mut Negotiating,
    cx: &mut Cx<'_>,
    proven: Proven<'_>,
    said: &Answer,
) -> Result<Option<Authenticated<Pair>>, Reason> {
    let method = cx.security.dialback_method();
    let Some(outcome) = stream.pending.close(said, method) else {
        let name = "answer to a question that is not open".to_owned();
        cx.wire.ignore(Reason::UnexpectedElement(name));
        return Ok(None);
    };
    let pair = &said.question().pair;
    match outcome {
        // The rules may have changed while the answer was on its way.
        Ok(proof) => match cx.allowed(pair, Some(method)) {
            Ok(_) => {
                reply(cx, pair, &Verdict::Valid);
                return Ok(Some(proof));
            }
            Err(reason) => refuse(stream, cx, proven, (pair, reason))?,
        },
        Err(Verdict::Error(condition)) => {
            failed(cx, pair, Reason::DialbackUnanswered(condition.clone()));
            reply(cx, pair, &Verdict::Error(passed_on(&condition).to_owned()));
            stream.dialback_failed(proven)?;
        }
        Err(_) => {
            failed(cx, pair, Reason::DialbackInvalid);
            // XEP-0220 §2.2.1: the end of the stream, unless there are other valid pairs on it.
            if proven.is_empty() {
                reply(cx, pair, &Verdict::Invalid);
                return Err(Reason::DialbackInvalid);
            }
            reply(cx, pair, &Verdict::Error("forbidden".to_owned()));
        }
    }
    Ok(None)
}

/// `<db:result/>`: policy first; only then is anybody asked (open-ended dialling is an attack).
fn request(
    stream: &mut Negotiating,
    cx: &mut Cx<'_>,
    proven: Proven<'_>,
    claim: PresentedKey,
) -> Result<(), Reason> {
    let pair = Pair {
        local: claim.to,
        remote: claim.from,
    };
    if proven.iter().any(|proven| **proven == pair) {
        reply(cx, &pair, &Verdict::Valid);
        return Ok(());
    }
    let question = Question {
        pair: pair.clone(),
        stream_id: stream.stream_id.clone(),
        key: claim.key,
    };
    let limit = cx.context.pairs_per_stream;
    let outcome = cx
        .allowed(&pair, Some(cx.security.dialback_method()))
        .and_then(|_| {
            // What is asked may be proven, so it counts as well.
            if proven.len() + stream.pending.len() >= limit {
                return Err(Reason::TooManyPairs(limit));
            }
            stream.pending.open(question.clone())
        });
    match outcome {
        Ok(()) => {
            cx.wire.push(Output::Ask(question));
            Ok(())
        }
        Err(reason) => refuse(stream, cx, proven, (&pair, reason)),
    }
}

/// `<db:verify/>`: is this key ours? The key itself says, no state is needed (XEP-0185 §2).
fn question(
    stream: &mut Negotiating,
    cx: &mut Cx<'_>,
    proven: Proven<'_>,
    claim: &PresentedKey,
    id: &str,
) -> Result<(), Reason> {
    let pair = Pair {
        local: claim.to.clone(),
        remote: claim.from.clone(),
    };
    let Pair { local, remote } = &pair;
    let verdict = match cx.allowed(&pair, Some(cx.security.dialback_method())) {
        Ok(_) => {
            let valid = cx.context.dialback.verify(remote, local, id, &claim.key);
            let pair = pair.clone();
            cx.wire.record(Record::DialbackAnswered { pair, valid });
            if valid {
                Verdict::Valid
            } else {
                Verdict::Invalid
            }
        }
        Err(reason) => {
            let verdict = Verdict::Error(condition(cx, &reason).to_owned());
            failed(cx, &pair, reason);
            verdict
        }
    };
    cx.wire
        .send(&answer("verify", local, remote, Some(id), &verdict));
    match verdict {
        Verdict::Valid => Ok(()),
        _ => stream.dialback_failed(proven),
    }
}

fn reply(cx: &mut Cx<'_>, pair: &Pair, verdict: &Verdict) {
    cx.wire
        .send(&answer("result", &pair.local, &pair.remote, None, verdict));
}

/// Refuses a request; the stream goes on, because other pairs may be on it (XEP-0220 §2.5).
fn refuse(
    stream: &mut Negotiating,
    cx: &mut Cx<'_>,
    proven: Proven<'_>,
    (pair, reason): (&Pair, Reason),
) -> Result<(), Reason> {
    let verdict = Verdict::Error(condition(cx, &reason).to_owned());
    failed(cx, pair, reason);
    reply(cx, pair, &verdict);
    stream.dialback_failed(proven)
}

fn failed(cx: &mut Cx<'_>, pair: &Pair, reason: Reason) {
    cx.wire.record(Record::MethodFailed {
        pair: pair.clone(),
        method: cx.security.dialback_method(),
        reason,
    });
}

/// The dialback error that says a refusal of ours (the table of XEP-0220 §2.5).
fn condition(cx: &Cx<'_>, reason: &Reason) -> &'static str {
    match reason {
        Reason::UnknownLocalDomain(_) => "item-not-found",
        Reason::TooManyPending | Reason::TooManyPairs(_) => "resource-constraint",
        // A certificate is wanted; in the clear, TLS is wanted first.
        Reason::MethodNotAllowed(_) if cx.security.dialback_method().is_encrypted() => {
            "not-authorized"
        }
        _ => "policy-violation",
    }
}

/// The dialback error that says what went wrong between us and the authoritative server.
fn passed_on(condition: &str) -> &'static str {
    match condition {
        "remote-connection-failed" => "remote-connection-failed",
        "remote-server-timeout" => "remote-server-timeout",
        // The edge itself would not ask now.
        "resource-constraint" => "resource-constraint",
        // XEP-0220 §2.5: an error in step 3, whichever it is.
        _ => "remote-server-not-found",
    }
}
