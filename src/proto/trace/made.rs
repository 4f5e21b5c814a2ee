//! Outputs, as they stand in a file.

use super::blank::Blanker;
use super::facts::pair_text;
use super::line::Decided;
use crate::proto::auth::Pair;
use crate::proto::auth::dialback::{Answer, Verdict};
use crate::proto::policy::Reason;
use crate::proto::stanza::{Form, Stanza, Validated};
use crate::proto::stream::{AckChange, Milestone, Output, Record};
use crate::proto::xml::StreamKind;
use crate::proto::xml::writer::write_element;

/// An output that is not written on the stream itself.
pub(super) fn decided(output: &Output, salt: Option<[u8; 16]>) -> Decided {
    let (what, decided) = match output {
        Output::Send(_) => ("send", Decided::default()),
        Output::StartTls { local, remote } => {
            let pair = Pair {
                local: local.clone(),
                remote: remote.clone(),
            };
            ("start-tls", between(&pair))
        }
        Output::Claimed(pair) => ("claimed", between(pair)),
        Output::ClaimedNobody => ("claimed-nobody", Decided::default()),
        Output::Ask(question) => {
            let asked = between(&question.pair);
            ("ask", saying(asked, question.stream_id.clone()))
        }
        Output::Pinged(id) => ("pinged", text(id)),
        Output::GaveUp(reason) => ("gave-up", because(Decided::default(), reason)),
        Output::NotShared(pair, reason) => ("not-shared", because(between(pair), reason)),
        Output::Answered(answer) => ("answered", answered(answer)),
        Output::Authenticated(proof) => {
            let method = proof.method().map(|method| method.as_str().to_owned());
            let decided = between(proof);
            ("authenticated", Decided { method, ..decided })
        }
        Output::LinkUp(domain) => ("link-up", text(domain.as_str())),
        Output::Stanza(stanza) => ("stanza", text(&described(stanza))),
        Output::Refused {
            reason,
            pair,
            answer,
            ..
        } => {
            let decided = pair.as_deref().map(between).unwrap_or_default();
            let answer = answer.as_deref().map(|answer| written(answer, salt));
            let decided = Decided { answer, ..decided };
            ("refused", because(decided, reason))
        }
        Output::Acks(change) => ("acks", text(&acks(change))),
        Output::Pace => ("pace", Decided::default()),
        Output::Record(record) => recorded(record),
        Output::ShutWrite => ("shut-write", Decided::default()),
        Output::Close(reason) => ("close", because(Decided::default(), reason)),
    };
    Decided {
        what: what.to_owned(),
        ..decided
    }
}

/// What is written on the stream.
pub(super) fn sent(ours: &mut Blanker, bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    ours.feed(bytes, &mut out);
    // We write whole elements.
    ours.flush(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What a machine reports.
fn recorded(record: &Record) -> (&'static str, Decided) {
    match record {
        Record::Claimed { local, remote } => {
            let local = local.as_ref().map_or("none of ours", |it| it.as_str());
            let remote = remote.as_deref().unwrap_or("nobody");
            ("claims", text(&format!("{remote}, to {local}")))
        }
        Record::Secured {
            pair,
            version,
            fault,
            ..
        } => {
            let decided = match fault {
                Some(fault) => because(between(pair), &Reason::Certificate(fault.clone())),
                None => saying(between(pair), format!("TLS {version}")),
            };
            ("secured", decided)
        }
        Record::NotPinned { pair, fault } => {
            let reason = Reason::Certificate((**fault).clone());
            ("not-pinned", because(between(pair), &reason))
        }
        Record::Authenticated { pair, method } => {
            let method = Some(method.as_str().to_owned());
            let decided = between(pair);
            ("proven", Decided { method, ..decided })
        }
        Record::MethodFailed {
            pair,
            method,
            reason,
        } => {
            let method = Some(method.as_str().to_owned());
            let decided = because(between(pair), reason);
            ("method-failed", Decided { method, ..decided })
        }
        Record::DialbackAnswered { pair, valid } => {
            let verdict = if *valid { "valid" } else { "invalid" };
            let decided = saying(between(pair), verdict.to_owned());
            ("dialback-answered", decided)
        }
        Record::Ignored(reason) => ("ignored", because(Decided::default(), reason)),
        Record::Reached(milestone) => {
            let (what, method) = match milestone {
                Milestone::Header => ("header", None),
                Milestone::Features(_) => ("features", None),
                Milestone::Tries(method) => ("tries", Some(method.as_str().to_owned())),
                Milestone::Pong(_) => ("pong", None),
            };
            let decided = text(what);
            ("reached", Decided { method, ..decided })
        }
    }
}

fn between(pair: &Pair) -> Decided {
    Decided {
        pair: Some(pair_text(pair)),
        ..Decided::default()
    }
}

fn text(text: &str) -> Decided {
    saying(Decided::default(), text.to_owned())
}

fn saying(decided: Decided, text: String) -> Decided {
    Decided {
        text: Some(text),
        ..decided
    }
}

fn because(decided: Decided, reason: &Reason) -> Decided {
    Decided {
        reason: Some(reason.code().as_str().to_owned()),
        ..saying(decided, reason.to_string())
    }
}

/// The words for what an authoritative server has said.
pub(super) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Valid => "valid".to_owned(),
        Verdict::Invalid => "invalid".to_owned(),
        Verdict::Error(condition) => format!("error {condition}"),
    }
}

fn answered(answer: &Answer) -> Decided {
    saying(between(&answer.question().pair), verdict(answer.verdict()))
}

fn described(stanza: &Stanza) -> String {
    let kind = match stanza.stanza_type() {
        Some(named) => format!("{} of type {named}", stanza.kind.as_str()),
        None => stanza.kind.as_str().to_owned(),
    };
    let (from, to) = (stanza.from.domain(), stanza.to.domain());
    format!("{kind} from {} to {}", from.as_str(), to.as_str())
}

fn written(answer: &Validated<Stanza>, salt: Option<[u8; 16]>) -> String {
    let mut bytes = Vec::new();
    match &answer.form {
        Form::Tree(element) => write_element(StreamKind::Server, element, &mut bytes),
        Form::Span(span) => bytes.extend_from_slice(span.bytes()),
    }
    String::from_utf8_lossy(&Blanker::element(salt, &bytes)).into_owned()
}

fn acks(change: &AckChange) -> String {
    match change {
        AckChange::Begun(Some(id)) => format!("begun, to be resumed by {id}"),
        AckChange::Begun(None) => "begun".to_owned(),
        AckChange::Refused => "refused".to_owned(),
        AckChange::Acknowledged(count) => format!("acknowledged {count}"),
        AckChange::Resumed(h) => format!("resumed, {h} of ours are there"),
        AckChange::NotResumed(Some(h)) => format!("not resumed, {h} of ours are there"),
        AckChange::NotResumed(None) => "not resumed".to_owned(),
        AckChange::Sought { id, h } => format!("sought {id}, of which {h} are there"),
    }
}
