//! Each step of the way, in words: a label, and what was met.

use std::time::Duration;

use super::walk::Walk;
use crate::net::live::trail::{Fact, Shown, Step};
use crate::proto::auth::certificate::{Purposes, utc};
use crate::proto::discover::{Fallback, Target, Via, service};
use crate::proto::policy::{Method, Partner, Reason};
use crate::proto::stream::{Offered, Pong};

/// A line of the report; longer texts are broken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) label: &'static str,
    pub(super) text: String,
    pub(super) kind: Kind,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A step.
    Step,
    /// A place begins.
    Place,
    /// Something is wrong.
    Bad,
}

/// The lines about the last of some steps; none for what another step says as well.
pub(super) fn lines(walk: &Walk, steps: &[Step]) -> Vec<Line> {
    let Some((Step { fact, .. }, before)) = steps.split_last() else {
        return Vec::new();
    };
    // What came before at this place, the newest first.
    let here = || {
        let facts = before.iter().rev().map(|step| &step.fact);
        facts.take_while(|fact| !matches!(fact, Fact::Place { .. }))
    };
    let step = |label, text: String| Line {
        label,
        text,
        kind: Kind::Step,
    };
    let bad = |label, text: String| Line {
        label,
        text,
        kind: Kind::Bad,
    };
    let one = match fact {
        Fact::Permitted { partner, .. } => step("Policy", policy(walk, partner)),
        Fact::Called(Some(domain)) => step("Came", format!("asked for {domain}")),
        Fact::Called(None) => step("Came", "asked for no domain".to_owned()),
        Fact::AsksAuthority(domain) => step(
            "Dialback",
            format!("the authoritative server of {domain} is asked"),
        ),
        Fact::AsksDns => step(
            "DNS",
            format!("asked for {}", service(walk.pair.remote.as_str())),
        ),
        Fact::Places { targets, ttl } => return places(walk, targets, *ttl),
        Fact::Place {
            target,
            try_external,
        } => Line {
            label: "",
            text: match try_external {
                true => target.to_string(),
                false => format!("{target} again, without SASL EXTERNAL"),
            },
            kind: Kind::Place,
        },
        Fact::Addresses { family, answer } => match answer {
            Ok(found) => {
                let texts: Vec<_> = found
                    .iter()
                    .map(|(address, kind)| match kind {
                        Some(kind) => format!("{address} (not tried: it is {kind})"),
                        None => address.to_string(),
                    })
                    .collect();
                step("Address", format!("{family}: {}", texts.join(", ")))
            }
            Err(fault) => step("Address", format!("{family}: {fault}")),
        },
        Fact::Connecting(address) => step("TCP", format!("connecting to {address}")),
        Fact::Connected {
            address,
            outcome,
            took,
        } => match outcome {
            Ok(()) => step("TCP", format!("connected to {address} in {}", ms(*took))),
            Err(fault) => bad("TCP", format!("{address} {fault}")),
        },
        Fact::Header => return Vec::new(),
        Fact::Features(offered) => {
            // After EXTERNAL nothing is left to be offered.
            if here().any(|fact| matches!(fact, Fact::Tries(Method::SaslExternal))) {
                return Vec::new();
            }
            let mut lines = vec![step("Offered", features(*offered))];
            lines.extend(limits(walk, *offered).map(|text| step("Limits", text)));
            return lines;
        }
        Fact::TlsBegins => return Vec::new(),
        Fact::Tls {
            version,
            cipher,
            chain,
            sent,
        } => {
            let mut lines = vec![step("TLS", format!("{version}, {cipher}"))];
            for (depth, shown) in chain.iter().enumerate() {
                lines.push(step("Certificate", certificate(walk, depth, shown)));
            }
            if *sent > chain.len() {
                let more = sent - chain.len();
                lines.push(step("", format!("{more} more certificates were sent")));
            }
            return lines;
        }
        Fact::Judged(Ok(())) => step(
            "Judged",
            format!(
                "good: leads to a trust anchor, and names {}",
                walk.pair.remote
            ),
        ),
        Fact::Judged(Err(fault)) => bad("Judged", format!("{}: {fault}", fault.code())),
        Fact::NotPinned(fault) => step("Pins", fault.to_string()),
        Fact::Tries(method) => {
            let wanted = walk.partner().map(Partner::methods);
            let is_second = *method == Method::TlsDialback
                && wanted.is_some_and(|methods| methods.contains(Method::SaslExternal));
            let why = if is_second { why(here()) } else { "" };
            step("Proof", format!("{} is tried{why}", title(*method)))
        }
        Fact::MethodFailed(method, reason) => {
            bad("Proof", format!("{} failed: {reason}", title(*method)))
        }
        Fact::Opened(method) => step("Open", format!("proven by {}", title(*method))),
        Fact::Pinged => step(
            "Ping",
            "sent; the answer comes on the partner's own stream to the daemon, and is not heard \
             here"
                .to_owned(),
        ),
        Fact::NotPinged => step(
            "Ping",
            format!("not sent: keep-alive is false in {}", walk.entry()),
        ),
        Fact::Pong(pong) => {
            let time = round_trip(steps).map(|time| format!(" in {}", ms(time)));
            let how = match pong {
                Pong::OnTheirs => "on the partner's own stream",
                Pong::OnOurs { is_error: false } => "on this very stream",
                Pong::OnOurs { is_error: true } => {
                    "on this very stream, by an error, which proves the way as well"
                }
            };
            step(
                "Ping",
                format!("answered{}, {how}", time.unwrap_or_default()),
            )
        }
        Fact::WithoutRoute(targets) => {
            let list: Vec<_> = targets.iter().map(ToString::to_string).collect();
            step(
                "DNS",
                format!("without `route` it would lead to {}", list.join(", ")),
            )
        }
        // What another line says already is not said again.
        Fact::Failed(Reason::Certificate(_)) => bad(
            "FAILED",
            "the certificate rules SASL EXTERNAL out, and nothing else is allowed".to_owned(),
        ),
        Fact::Failed(Reason::ConnectFailed(..))
            if here().any(|fact| matches!(fact, Fact::Connected { .. })) =>
        {
            bad("FAILED", "no address could be connected to".to_owned())
        }
        Fact::Failed(reason) => bad("FAILED", reason.to_string()),
    };
    vec![one]
}

/// How long the ping took that the last of some steps answers.
pub(super) fn round_trip(steps: &[Step]) -> Option<Duration> {
    let last = steps.last().filter(|it| matches!(it.fact, Fact::Pong(_)))?;
    let is_ping = |step: &&Step| matches!(step.fact, Fact::Pinged);
    let ping = steps.iter().rev().find(is_ping)?;
    last.at.checked_sub(ping.at)
}

/// In thousandths of a second.
pub(super) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// A method in the words of people.
pub(super) fn title(method: Method) -> &'static str {
    match method {
        Method::SaslExternal => "SASL EXTERNAL",
        Method::TlsDialback => "dialback over TLS",
        Method::TcpDialback => "dialback over plain TCP",
    }
}

/// What the key of a certificate may be used for.
pub(super) fn purposes(purposes: Purposes) -> &'static str {
    match (
        purposes.unrestricted,
        purposes.server_auth,
        purposes.client_auth,
    ) {
        (true, ..) => "for any use",
        (_, true, true) => "serverAuth, clientAuth",
        (_, true, false) => "serverAuth",
        (_, false, true) => "clientAuth only",
        (_, false, false) => "neither serverAuth nor clientAuth",
    }
}

fn policy(walk: &Walk, partner: &Partner) -> String {
    let methods: Vec<_> = partner.methods().iter().map(Method::as_str).collect();
    format!(
        "{}: the entry of {} ({}), methods {}",
        walk.entry(),
        partner.primary,
        partner.terms.partner_type.as_str(),
        methods.join(", ")
    )
}

fn places(walk: &Walk, targets: &[Target], ttl: Option<u32>) -> Vec<Line> {
    let line = |text: String| Line {
        label: "DNS",
        text,
        kind: Kind::Step,
    };
    if walk.is_routed() {
        let list: Vec<_> = targets.iter().map(ToString::to_string).collect();
        return vec![line(format!(
            "not asked: `route` of the entry is {}",
            list.join(", ")
        ))];
    }
    let lines = targets.iter().map(|target| match &target.via {
        Via::Srv { priority, weight } => {
            let ttl = ttl.map_or_else(String::new, |ttl| format!(", TTL {ttl} s"));
            line(format!(
                "SRV {target}, priority {priority}, weight {weight}{ttl}"
            ))
        }
        Via::Fallback(Fallback::NoRecord) => line(format!(
            "there is no SRV record: {target} is tried, as the standard says"
        )),
        Via::Fallback(Fallback::NoAnswer(why)) => line(format!("{why}: {target} is tried")),
        Via::Literal | Via::Route => line(format!("not asked: {target} is an address")),
    });
    lines.collect()
}

fn features(offered: Offered) -> String {
    let mut list = Vec::new();
    if offered.starttls {
        list.push(match offered.starttls_required {
            true => "STARTTLS (required)".to_owned(),
            false => "STARTTLS".to_owned(),
        });
    }
    if offered.external {
        list.push("SASL EXTERNAL".to_owned());
    }
    if offered.dialback {
        list.push("dialback".to_owned());
    }
    if list.is_empty() {
        list.push("no way to prove anything".to_owned());
    }
    list.join(", ")
}

/// What the partner says of its limits, beside ours; nothing where it says nothing.
fn limits(walk: &Walk, offered: Offered) -> Option<String> {
    let mut theirs = Vec::new();
    if let Some(bytes) = offered.max_bytes {
        theirs.push(format!("stanzas of {bytes} bytes"));
    }
    if let Some(seconds) = offered.idle_seconds {
        theirs.push(format!("{seconds} s of silence"));
    }
    let ours = walk.partner()?.terms.max_stanza_bytes;
    (!theirs.is_empty()).then(|| {
        format!(
            "the partner takes {}; this edge takes, and sends, stanzas of {ours} bytes, and {} s of \
             silence",
            theirs.join(", "),
            walk.idle.as_secs()
        )
    })
}

fn certificate(walk: &Walk, depth: usize, shown: &Shown) -> String {
    let mut text = format!("{depth}: {}", shown.subject);
    if !shown.is_authority {
        text.push_str(&format!("; names {}", shown.names));
    }
    text.push_str(&format!("; issued by {}", shown.issuer));
    let days = |seconds: u64| seconds / 86400;
    let (from, until, now) = (shown.not_before, shown.not_after, walk.since);
    text.push_str(&if now > until {
        format!(
            "; expired on {}, {}",
            utc(until),
            match days(now - until) {
                0 => "less than a day ago".to_owned(),
                1 => "a day ago".to_owned(),
                days => format!("{days} days ago"),
            }
        )
    } else if now < from {
        format!("; not valid before {}", utc(from))
    } else {
        format!("; {} days left", days(until - now))
    });
    if !shown.is_authority || !shown.purposes.unrestricted {
        text.push_str(&format!("; {}", purposes(shown.purposes)));
    }
    text
}

/// Why dialback is tried where EXTERNAL was wanted.
fn why<'s>(mut here: impl Iterator<Item = &'s Fact>) -> &'static str {
    here.find_map(|fact| match fact {
        Fact::MethodFailed(..) => Some(", since EXTERNAL was refused"),
        Fact::Features(offered) if !offered.external => Some(", since EXTERNAL is not offered"),
        Fact::Judged(Err(_)) => Some(", since the certificate rules EXTERNAL out"),
        _ => None,
    })
    .unwrap_or_default()
}
