//! Server dialback on an inbound stream: we are the receiving server for `<db:result/>`, and the
//! authoritative server for `<db:verify/>` (XEP-0220 §2.1.2, §2.2).

use super::inbound::{Cx, Negotiating};
use super::inbound_admission::allowed;
use super::{Output, Record};
use crate::proto::auth::Pair;
use crate::proto::auth::dialback::{Answer, Claim, Message, Question, Verdict, answer, read};
use crate::proto::policy::Reason;
use crate::proto::xml::Element;

/// A dialback element came.
pub(super) fn element(
    stream: &mut Negotiating,
    cx: &mut Cx<'_>,
    element: &Element,
) -> Result<(), Reason> {
    match read(element)? {
        Message::Request(claim) => request(stream, cx, claim),
        Message::Question(claim, id) => question(stream, cx, &claim, &id),
        // XEP-0220 §2.4: we ask on streams of our own, so no answer is expected here.
        Message::Result(..) | Message::Answer(..) => {
            let name = format!("db:{} with a type", element.name());
            cx.wire
                .record(Record::Ignored(Reason::UnexpectedElement(name)));
        }
    }
    Ok(())
}

/// The authoritative server answered, or could not be asked.
pub(super) fn answered(stream: &mut Negotiating, cx: &mut Cx<'_>, said: &Answer) {
    let method = stream.dialback_method();
    let Some(outcome) = stream.pending.close(said, method) else {
        let name = "answer to a question that is not open".to_owned();
        cx.wire
            .record(Record::Ignored(Reason::UnexpectedElement(name)));
        return;
    };
    let pair = &said.question().pair;
    // The rules may have changed while the answer was on its way.
    let verdict = match outcome {
        Ok(proof) => match allowed(cx, pair, Some(method), stream.tls_version()) {
            Ok(_) => {
                reply(cx, pair, &Verdict::Valid);
                return stream.admit(cx, proof);
            }
            Err(reason) => refused(stream, cx, pair, reason),
        },
        Err(verdict) => {
            let reason = match &verdict {
                Verdict::Error(condition) => Reason::DialbackRefused(condition.clone()),
                _ => Reason::DialbackInvalid,
            };
            let method = stream.dialback_method();
            cx.wire.record(Record::MethodFailed {
                pair: pair.clone(),
                method,
                reason,
            });
            verdict
        }
    };
    reply(cx, pair, &verdict);
}

/// `<db:result/>`: policy first; only then is anybody asked (open-ended dialling is an attack).
fn request(stream: &mut Negotiating, cx: &mut Cx<'_>, claim: Claim) {
    let pair = Pair {
        local: claim.to,
        remote: claim.from,
    };
    if stream.proven.iter().any(|proven| **proven == pair) {
        return reply(cx, &pair, &Verdict::Valid);
    }
    let question = Question {
        pair: pair.clone(),
        stream_id: stream.stream_id.clone(),
        key: claim.key,
    };
    let outcome = allowed(
        cx,
        &pair,
        Some(stream.dialback_method()),
        stream.tls_version(),
    )
    .and_then(|_| stream.pending.open(question.clone()));
    match outcome {
        Ok(()) => cx.wire.push(Output::Ask(question)),
        Err(reason) => {
            let verdict = refused(stream, cx, &pair, reason);
            reply(cx, &pair, &verdict);
        }
    }
}

/// `<db:verify/>`: is this key ours? The key itself says, no state is needed (XEP-0185 §3).
fn question(stream: &Negotiating, cx: &mut Cx<'_>, claim: &Claim, id: &str) {
    let pair = Pair {
        local: claim.to.clone(),
        remote: claim.from.clone(),
    };
    let verdict = match allowed(
        cx,
        &pair,
        Some(stream.dialback_method()),
        stream.tls_version(),
    ) {
        Ok(_) => {
            let Pair { local, remote } = &pair;
            let valid = cx.context.dialback.verify(remote, local, id, &claim.key);
            cx.wire.record(Record::DialbackAnswered {
                pair: pair.clone(),
                valid,
            });
            if valid {
                Verdict::Valid
            } else {
                Verdict::Invalid
            }
        }
        Err(reason) => refused(stream, cx, &pair, reason),
    };
    cx.wire.send(&answer(
        "verify",
        &pair.local,
        &pair.remote,
        Some(id),
        &verdict,
    ));
}

fn reply(cx: &mut Cx<'_>, pair: &Pair, verdict: &Verdict) {
    cx.wire
        .send(&answer("result", &pair.local, &pair.remote, None, verdict));
}

/// Records a refusal, and turns it into the dialback error that says it (XEP-0220 §2.5).
fn refused(stream: &Negotiating, cx: &mut Cx<'_>, pair: &Pair, reason: Reason) -> Verdict {
    let condition = match &reason {
        Reason::UnknownLocalDomain(_) => "item-not-found",
        Reason::TooManyPending => "resource-constraint",
        // TLS came too late, or a certificate is wanted.
        Reason::MethodNotAllowed(_) if stream.dialback_method().is_encrypted() => "not-authorized",
        _ => "policy-violation",
    };
    cx.wire.record(Record::MethodFailed {
        pair: pair.clone(),
        method: stream.dialback_method(),
        reason,
    });
    Verdict::Error(condition.to_owned())
}
