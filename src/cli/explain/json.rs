//! The report for programs: one object, once all is known.

use serde::Serialize;
use serde_json::{Value, json};

use super::letter;
use super::live::Asked;
use super::screen::works;
use super::verdict::Verdict;
use super::walk::Walk;
use super::words::{lines, round_trip};
use crate::net::live::trail::{Fact, Shown, Step};
use crate::proto::codes::Side;
use crate::proto::discover::{Fallback, Target, Via};
use crate::proto::jid::Domain;
use crate::proto::policy::Method;
use crate::proto::stream::Pong;

/// The contract of `--format json`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'w> {
    local: &'w str,
    remote: &'w str,
    works: bool,
    /// How the stream was proven; null where it was not.
    method: Option<&'static str>,
    took_ms: f64,
    steps: Vec<Value>,
    /// Null where it works.
    verdict: Option<Reported<'w>>,
    /// What is doubtful about a way that works.
    warnings: Vec<Reported<'w>>,
    /// The one sentence.
    summary: String,
    /// What a running daemon knows.
    daemon: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Reported<'w> {
    reason: &'static str,
    /// The code in the reference that has the side and the remedy: the reason's, or one that says more.
    cause: &'static str,
    step: &'static str,
    side: &'static str,
    what: &'w str,
    remedy: String,
    /// What to send to the partner's administrator; null where it is not the partner's fault.
    to_the_partner: Option<String>,
}

/// The report as JSON.
pub(super) fn render(walk: &Walk, verdict: Option<&Verdict>, asked: &Asked) -> String {
    let warnings = Verdict::warnings(walk);
    let report = Report {
        local: walk.pair.local.as_str(),
        remote: walk.pair.remote.as_str(),
        works: verdict.is_none(),
        method: walk.method().map(Method::as_str),
        took_ms: ms(walk.took),
        steps: (1..=walk.steps.len())
            .filter_map(|count| step(walk, walk.steps.get(..count)?))
            .collect(),
        verdict: verdict.map(|verdict| reported(walk, verdict)),
        warnings: { warnings.iter() }
            .map(|warning| reported(walk, warning))
            .collect(),
        summary: verdict.map_or_else(|| works(walk), Verdict::sentence),
        daemon: asked.json(),
    };
    let mut text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text.push('\n');
    text
}

fn reported<'w>(walk: &Walk, verdict: &'w Verdict) -> Reported<'w> {
    let is_theirs = walk.outcome.is_err() && verdict.side() == Side::Peer;
    Reported {
        reason: verdict.reason.as_str(),
        cause: verdict.cause.as_str(),
        step: verdict.step,
        side: verdict.side().as_str(),
        what: &verdict.what,
        remedy: verdict.remedy(),
        to_the_partner: is_theirs.then(|| letter::paragraph(walk, verdict)),
    }
}

fn ms(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// The last of some steps: when, which, and its facts.
fn step(walk: &Walk, steps: &[Step]) -> Option<Value> {
    let step = steps.last()?;
    let (name, mut facts) = facts(&step.fact);
    if let Some(object) = facts.as_object_mut() {
        object.insert("at-ms".to_owned(), json!(ms(step.at)));
        object.insert("step".to_owned(), json!(name));
        if let Fact::Permitted { .. } = step.fact {
            object.insert("entry".to_owned(), json!(walk.entry()));
        }
        let words: Vec<_> = lines(walk, steps).into_iter().map(|it| it.text).collect();
        object.insert("text".to_owned(), json!(words.join("; ")));
        if let Some(time) = round_trip(steps) {
            object.insert("round-trip-ms".to_owned(), json!(ms(time)));
        }
    }
    Some(facts)
}

fn facts(fact: &Fact) -> (&'static str, Value) {
    match fact {
        Fact::Permitted { partner, listed_as } => {
            let methods: Vec<_> = partner.methods().iter().map(Method::as_str).collect();
            let facts = json!({
                "primary-domain": partner.primary.as_str(),
                "listed-as": listed_as.as_ref().map(ToString::to_string),
                "methods": methods,
            });
            ("policy", facts)
        }
        Fact::Called(domain) => {
            let domain = domain.as_ref().map(Domain::as_str);
            ("called", json!({ "domain": domain }))
        }
        Fact::AsksAuthority(domain) => ("asks-authority", json!({ "domain": domain.as_str() })),
        Fact::AsksDns => ("dns-question", json!({})),
        Fact::Places { targets, ttl } => {
            let targets: Vec<_> = targets.iter().map(target).collect();
            ("places", json!({ "targets": targets, "ttl": ttl }))
        }
        Fact::Place {
            target: it,
            try_external,
        } => {
            let facts = json!({ "target": target(it), "try-external": try_external });
            ("place", facts)
        }
        Fact::Addresses { family, answer } => {
            let family = family.to_string();
            let facts = match answer {
                Ok(found) => {
                    let all: Vec<_> = found
                        .iter()
                        .map(|(address, kind)| json!({ "address": address, "not-tried": kind }))
                        .collect();
                    json!({ "family": family, "addresses": all, "fault": null })
                }
                Err(fault) => {
                    json!({ "family": family, "addresses": [], "fault": fault.code().as_str() })
                }
            };
            ("addresses", facts)
        }
        Fact::Connecting(address) => ("connecting", json!({ "address": address })),
        Fact::Connected {
            address,
            outcome,
            took,
        } => {
            let fault = outcome.as_ref().err().map(|fault| fault.code().as_str());
            let facts = json!({ "address": address, "fault": fault, "took-ms": ms(*took) });
            ("connected", facts)
        }
        Fact::Header => ("header", json!({})),
        Fact::Features(offered) => {
            let facts = json!({
                "starttls": offered.starttls,
                "starttls-required": offered.starttls_required,
                "external": offered.external,
                "dialback": offered.dialback,
                "max-bytes": offered.max_bytes,
                "idle-seconds": offered.idle_seconds,
            });
            ("features", facts)
        }
        Fact::TlsBegins => ("tls-begins", json!({})),
        Fact::Tls {
            version,
            cipher,
            chain,
            sent,
        } => {
            let chain: Vec<_> = chain.iter().map(shown).collect();
            let facts = json!({
                "version": version.as_str(), "cipher": cipher, "chain": chain, "sent": sent,
            });
            ("tls", facts)
        }
        Fact::Judged(outcome) => {
            let fault = outcome.as_ref().err().map(|fault| fault.code().as_str());
            ("certificate", json!({ "fault": fault }))
        }
        Fact::NotPinned(fault) => ("pins", json!({ "fault": fault.code().as_str() })),
        Fact::Tries(method) => ("proof", json!({ "method": method.as_str() })),
        Fact::MethodFailed(method, reason) => {
            let facts = json!({ "method": method.as_str(), "reason": reason.code().as_str() });
            ("proof-failed", facts)
        }
        Fact::Opened(method) => ("opened", json!({ "method": method.as_str() })),
        Fact::Pinged => ("ping", json!({ "answer-is-heard": false })),
        Fact::NotPinged => ("no-ping", json!({})),
        Fact::Pong(pong) => {
            let is_error = matches!(pong, Pong::OnOurs { is_error: true });
            let on_our_stream = matches!(pong, Pong::OnOurs { .. });
            let facts = json!({ "on-our-stream": on_our_stream, "by-an-error": is_error });
            ("pong", facts)
        }
        Fact::Failed(reason) => ("failed", json!({ "reason": reason.code().as_str() })),
        Fact::WithoutRoute(targets) => {
            let targets: Vec<_> = targets.iter().map(target).collect();
            ("without-route", json!({ "targets": targets }))
        }
    }
}

fn target(target: &Target) -> Value {
    let (via, priority, weight) = match &target.via {
        Via::Route => ("route", None, None),
        Via::Srv { priority, weight } => ("srv", Some(priority), Some(weight)),
        Via::Fallback(Fallback::NoRecord) => ("no-srv-record", None, None),
        Via::Fallback(Fallback::NoAnswer(_)) => ("no-answer", None, None),
        Via::Literal => ("address", None, None),
    };
    json!({
        "host": target.host, "port": target.port, "via": via,
        "priority": priority, "weight": weight,
    })
}

fn shown(shown: &Shown) -> Value {
    json!({
        "subject": shown.subject,
        "issuer": shown.issuer,
        "names": shown.names,
        "not-before": shown.not_before,
        "not-after": shown.not_after,
        "server-auth": shown.purposes.allow_server(),
        "client-auth": shown.purposes.unrestricted || shown.purposes.client_auth,
        "authority": shown.is_authority,
    })
}
