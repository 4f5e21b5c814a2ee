//! One step: stanzas one way and the other, and whether what happened is what should have.

use std::time::Duration;

use super::cast::{Outcome, Role};
use super::gateway::RE;
use super::stage::Actor;
use super::trouble::Trouble;
use super::witness::Decision;
use crate::proto::policy::Method;
use crate::proto::xml::{Element, Ns};

/// What was seen of a step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) role: &'static Role,
    /// From us to them, then from them to us.
    pub(super) ways: Vec<Way>,
    /// The log of our edge meanwhile.
    pub(super) log: Vec<Decision>,
}

/// What became of stanzas in one direction.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) seen: Seen,
    /// What should not have been so.
    pub(super) faults: Vec<String>,
}

/// What the gateways received and the edges decided.
#[derive(Debug)]
pub(super) enum Seen {
    /// Every stanza was answered.
    Passed {
        /// How the stream was proven, in the words of the edge that opened it.
        method: String,
        /// The TLS version; empty without TLS.
        tls: String,
        /// Streams that were proven before the first answer came.
        opened: usize,
        /// Kind of stanza, and the time to its answer.
        answers: Vec<(String, Duration)>,
    },
    /// The first stanza came back.
    Refused {
        /// The condition of the stanza error, as the sender got it.
        condition: String,
        /// Its text.
        text: String,
        /// Our edge's decision, if one was seen.
        decision: Option<Decision>,
    },
}

impl Step {
    pub(super) async fn play(
        role: &'static Role,
        ours: &Actor,
        theirs: &Actor,
    ) -> Result<Self, Trouble> {
        let mark = ours.edge.witness.count();
        let mut ways = Vec::new();
        for (from, to) in [(ours, theirs), (theirs, ours)] {
            ways.push(way(role, from, to, ours).await?);
        }
        let log = ours.edge.witness.since(mark);
        Ok(Self { role, ways, log })
    }

    /// Whether all came out as it should.
    pub(super) fn is_right(&self) -> bool {
        self.ways.iter().all(|way| way.faults.is_empty())
    }
}

const AUTHENTICATED: &str = "stream-authenticated";

async fn way(role: &Role, from: &Actor, to: &Actor, ours: &Actor) -> Result<Way, Trouble> {
    let mark = ours.edge.witness.count();
    let mut answers = Vec::new();
    let mut opened = 0;
    let mut faults = Vec::new();
    let mut refused = None;
    for question in questions(from, to) {
        let kind = question.name().to_owned();
        let gateway = from.gateway.as_ref();
        let gateway = gateway.ok_or_else(|| Trouble("the gateway has left".to_owned()))?;
        let answer = gateway.ask(question.clone()).await?;
        if answers.is_empty() {
            let since = ours.edge.witness.since(mark);
            opened = since
                .iter()
                .filter(|one| one.event == AUTHENTICATED)
                .count();
        }
        if answer.stanza.attribute("type") == Some("error") {
            refused = Some(error_of(&answer.stanza));
            break;
        }
        if !is_answer(&answer.stanza, &question) {
            faults.push(format!("the answer to the {kind} is not what was sent"));
        }
        answers.push((kind, answer.after));
    }
    let seen = match refused {
        None => proof(from, to, opened, answers, &mut faults).await,
        Some((condition, text)) => {
            let decision = refusal(role, from, ours, mark).await;
            Seen::Refused {
                condition,
                text,
                decision,
            }
        }
    };
    judge(role.outcome, &seen, &mut faults);
    Ok(Way {
        from: from.address.clone(),
        to: to.address.clone(),
        seen,
        faults,
    })
}

/// One stanza of each kind, with what an edge could get wrong: characters, and a foreign payload.
fn questions(from: &Actor, to: &Actor) -> [Element; 3] {
    let stanza = |kind: &'static str| {
        Element::new(Ns::CONTENT, kind)
            .with_attribute("from", from.address.as_str())
            .with_attribute("to", to.address.as_str())
            .with_attribute("id", format!("{}-{kind}-{}", from.domain, to.domain))
    };
    let body = Element::new(Ns::CONTENT, "body").with_text(BODY);
    [
        stanza("message")
            .with_attribute("type", "chat")
            .with_child(body),
        stanza("presence"),
        stanza("iq")
            .with_attribute("type", "get")
            .with_child(Element::new(Ns::PING, "ping")),
    ]
}

const BODY: &str = "Is 3 < 4 & 'yes' \"Ja\"? \u{20ac} \u{1f600}";

fn is_answer(answer: &Element, question: &Element) -> bool {
    let body = |stanza: &Element| Some(stanza.child(&Ns::CONTENT, "body")?.text().into_owned());
    answer.name() == question.name()
        && answer.attribute("from") == question.attribute("to")
        && answer.attribute("to") == question.attribute("from")
        && body(answer) == body(question).map(|text| format!("{RE}{text}"))
}

fn error_of(stanza: &Element) -> (String, String) {
    let error = stanza.child(&Ns::CONTENT, "error");
    let children = || error.into_iter().flat_map(Element::children);
    let condition = children()
        .find(|child| *child.ns() == Ns::STANZA_ERRORS && child.name() != "text")
        .map_or("no condition", Element::name);
    let text = children().find(|child| child.is(&Ns::STANZA_ERRORS, "text"));
    let text = text.map(|text| text.text().into_owned());
    (condition.to_owned(), text.unwrap_or_default())
}

/// How the stream was proven: both edges must say the same.
async fn proof(
    from: &Actor,
    to: &Actor,
    opened: usize,
    answers: Vec<(String, Duration)>,
    faults: &mut Vec<String>,
) -> Seen {
    let proven = async |at: &Actor, direction: &str, remote: &str| {
        let wanted = |one: &Decision| {
            one.event == AUTHENTICATED && one.direction == direction && one.remote == remote
        };
        let decision = at.edge.witness.newest(0, wanted).await;
        decision
            .map(|one| (one.method, one.tls))
            .unwrap_or_default()
    };
    let opener = proven(from, "outbound", to.domain).await;
    let receiver = proven(to, "inbound", from.domain).await;
    if opener != receiver {
        faults.push(format!(
            "{} says {opener:?} and {} says {receiver:?}",
            from.domain, to.domain
        ));
    }
    let (method, tls) = opener;
    Seen::Passed {
        method,
        tls,
        opened,
        answers,
    }
}

/// Our edge's decision about what came back.
async fn refusal(role: &Role, from: &Actor, ours: &Actor, mark: usize) -> Option<Decision> {
    // Where nothing is to be refused, there is no decision to wait for.
    let Outcome::Refused(reason) = role.outcome else {
        return None;
    };
    // A stream of ours that was refused before may still be at its goodbye.
    let (event, direction) = if from.domain == ours.domain {
        ("stanza-bounced", "outbound")
    } else {
        ("stream-refused", "inbound")
    };
    let wanted =
        |one: &Decision| one.event == event && one.direction == direction && one.reason == reason;
    let mut decision = ours.edge.witness.newest(mark, wanted).await?;
    if decision.detail.is_empty() {
        // A line before it has the words: the way to the partner failed.
        let has_words = |one: &Decision| one.event == "dial-failed" && one.reason == reason;
        let words = ours.edge.witness.newest(mark, has_words).await?;
        decision.detail = words.detail;
    }
    Some(decision)
}

/// Whether the sender is told what the log says; there the name of the host may come before it.
fn is_same(text: &str, detail: &str) -> bool {
    text.contains(detail) || (!text.is_empty() && detail.ends_with(text))
}

fn judge(outcome: Outcome, seen: &Seen, faults: &mut Vec<String>) {
    match (outcome, seen) {
        (Outcome::Passes(wanted), Seen::Passed { method, tls, .. }) => {
            if method != wanted.as_str() {
                faults.push(format!("the method should be {}", wanted.as_str()));
            }
            if (wanted == Method::TcpDialback) != tls.is_empty() {
                faults.push("TLS where there should be none, or none".to_owned());
            }
        }
        (Outcome::Refused(reason), Seen::Refused { text, decision, .. }) => match decision {
            None => faults.push(format!("the log should have the reason {reason}")),
            Some(decision) if !is_same(text, &decision.detail) => {
                faults.push("the sender is told something else than the log".to_owned());
            }
            Some(_) => {}
        },
        (Outcome::Passes(_), Seen::Refused { .. }) => {
            faults.push("the stanza should have passed".to_owned());
        }
        (Outcome::Refused(_), Seen::Passed { .. }) => {
            faults.push("the stanza should have been refused".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(method: &str, tls: &str) -> Seen {
        Seen::Passed {
            method: method.into(),
            tls: tls.into(),
            opened: 0,
            answers: Vec::new(),
        }
    }

    fn refused(text: &str, detail: Option<&str>) -> Seen {
        Seen::Refused {
            condition: "not-allowed".into(),
            text: text.into(),
            decision: detail.map(|detail| Decision {
                detail: detail.into(),
                ..Decision::default()
            }),
        }
    }

    #[test]
    fn whatever_is_otherwise_than_it_should_be_is_a_fault() {
        let external = Outcome::Passes(Method::SaslExternal);
        let clear = Outcome::Passes(Method::TcpDialback);
        let expired = Outcome::Refused("expired");
        for (outcome, seen, faults) in [
            (external, passed("sasl-external", "1.3"), 0),
            (external, passed("tls-dialback", "1.3"), 1),
            (external, passed("sasl-external", ""), 1),
            (external, passed("", ""), 2),
            (external, refused("it expired", Some("expired")), 1),
            (clear, passed("tcp-dialback", ""), 0),
            (clear, passed("tcp-dialback", "1.3"), 1),
            (expired, refused("it expired", Some("expired")), 0),
            (expired, refused("try later", Some("expired")), 1),
            (expired, refused("it expired", None), 1),
            (expired, passed("sasl-external", "1.3"), 1),
        ] {
            let mut found = Vec::new();
            judge(outcome, &seen, &mut found);
            assert_eq!(found.len(), faults, "{outcome:?} {seen:?}: {found:?}");
        }
    }

    #[test]
    fn an_answer_has_the_text_and_the_addresses() {
        let stanza = |from: &str, body: &str| {
            let body = Element::new(Ns::CONTENT, "body").with_text(body);
            let to = if from == "a" { "b" } else { "a" };
            Element::new(Ns::CONTENT, "message")
                .with_attribute("from", from)
                .with_attribute("to", to)
                .with_child(body)
        };
        let question = stanza("a", "1 < 2");
        assert!(is_answer(&stanza("b", "Re: 1 < 2"), &question));
        assert!(!is_answer(&stanza("b", "Re: 1 &lt; 2"), &question));
        assert!(!is_answer(&stanza("a", "Re: 1 < 2"), &question));
    }
}
