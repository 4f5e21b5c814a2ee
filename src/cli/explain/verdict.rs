//! What is wrong, on whose side, and what to change: one row for each reason that a way ends with.

mod certificate;
mod connection;

use super::walk::Walk;
use crate::net::live::trail::Fact;
use crate::proto::codes::{self, Code, Mark};
use crate::proto::discover::service;
use crate::proto::policy::Reason;
use crate::proto::xml::Condition;

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The edge, its settings, its host.
    Ours,
    /// The partner.
    Theirs,
    /// What is between the two.
    Network,
}

impl Side {
    /// Its name in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Theirs => "theirs",
            Self::Network => "network",
        }
    }
}

/// Why it does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The code of the reason.
    pub(super) code: Code,
    /// The step that failed.
    pub(super) step: &'static str,
    pub(super) side: Side,
    /// What is wrong.
    pub(super) what: String,
    /// What must be done, by whoever's side it is: begins with a verb.
    pub(super) change: String,
    /// What may be done on this side instead; empty as a rule.
    pub(super) instead: String,
}

impl Verdict {
    /// The verdict on a way; `None` where it leads to the partner.
    pub(super) fn of(walk: &Walk) -> Option<Self> {
        let reason = walk.outcome.as_ref().err()?;
        Some(judge(walk, reason))
    }

    /// What to change, and who has to.
    pub(super) fn remedy(&self) -> String {
        let mut text = match self.side {
            Side::Theirs => format!("the partner must {}", self.change),
            Side::Ours | Side::Network => self.change.clone(),
        };
        if !self.instead.is_empty() {
            text.push_str(&format!("; else {}", self.instead));
        }
        text
    }

    /// All of it in one sentence.
    pub(super) fn sentence(&self) -> String {
        let side = match self.side {
            Side::Ours => "The fault is on this side",
            Side::Theirs => "The fault is on the partner's side",
            Side::Network => "The fault is on the way between the two",
        };
        format!("{side}: {}; {}.", self.what, self.remedy())
    }
}

/// A row: the step that failed, whose side, what is wrong, what to change, what to do instead.
type Row = (&'static str, Side, String, String, String);

fn judge(walk: &Walk, reason: &Reason) -> Verdict {
    let (step, side, what, change, instead) = row(walk, reason);
    Verdict {
        code: reason.code(),
        step,
        side,
        what,
        change,
        instead,
    }
}

fn row(walk: &Walk, reason: &Reason) -> Row {
    use Side::{Network, Ours, Theirs};
    let (local, remote) = (&walk.pair.local, &walk.pair.remote);
    let entry = walk.entry();
    let full = |step, side, what: String, change: &str, instead: &str| -> Row {
        (step, side, what, change.to_owned(), instead.to_owned())
    };
    // What is wrong is what the reason says.
    let said = |step, side, change: &str, instead: &str| {
        full(step, side, reason.to_string(), change, instead)
    };
    match reason {
        // --- policy ---
        Reason::UnknownPartner { .. } if remote == local || walk.is_local(remote) => full(
            "policy",
            Ours,
            format!("{remote} is a domain of this edge itself"),
            "name the domain of a partner",
            "",
        ),
        Reason::UnknownPartner { above, .. } => {
            let change = match (above, walk.nearest()) {
                (Some(above), _) => format!("add it to additional-domains of {above} in {entry}"),
                (None, Some(near)) => {
                    format!("add an entry for it to {entry} (or did you mean {near}?)")
                }
                (None, None) => format!("add an entry for it to {entry}"),
            };
            let what = format!("{remote} is not a partner");
            full("policy", Ours, what, &change, "")
        }
        Reason::MethodNotAllowed(_) => said(
            "policy",
            Ours,
            &format!("loosen tls, sasl or dialback in {entry}"),
            "",
        ),
        Reason::TlsTooOld { .. } => said(
            "tls",
            Theirs,
            "offer a later version of TLS",
            &format!("lower minimum-tls-version in {entry}"),
        ),
        reason if reason.has(Mark::OwnDecision) => {
            said("policy", Ours, "raise the limit that it names", "")
        }

        // --- the way ---
        Reason::NoService(_) if walk.is_routed() => {
            said("dns", Ours, &format!("correct `route` in {entry}"), "")
        }
        Reason::NoService(_) => said(
            "dns",
            Theirs,
            &format!(
                "publish SRV records at {}, whose targets have addresses",
                service(remote.as_str())
            ),
            &format!("correct the domain in {entry}, or set `route` there"),
        ),
        Reason::DnsFailed(_) => said(
            "dns",
            Network,
            NAME_SERVERS,
            "if other domains are found, the partner must mend its name servers",
        ),
        Reason::ConnectFailed(_) => connection::row(walk, reason),
        Reason::Transport(_) => said(
            walk.last_step(),
            Network,
            "look for a firewall or a proxy that cuts connections",
            "ask the partner what its log says",
        ),

        // --- a server that is not the partner's ---
        Reason::NotServed { .. } | Reason::ClientPort | Reason::LeadsBack { .. } => {
            connection::elsewhere(walk, reason)
        }

        // --- the stream ---
        Reason::HeaderTimeout => full(
            "header",
            Theirs,
            format!("{} takes connections, and says nothing", walk.server()),
            "see whether an XMPP server listens there, and why it is silent",
            "",
        ),
        Reason::EstablishmentTimeout(awaited) if *awaited == "the answer of DNS" => {
            said("dns", Network, NAME_SERVERS, "")
        }
        Reason::EstablishmentTimeout(awaited) if *awaited == "a connection" => {
            said("connect", Network, "look at your own firewall first", "")
        }
        Reason::EstablishmentTimeout(_) => said(
            walk.last_step(),
            Theirs,
            "see why the server does not go on",
            "raise stream-establishment-timeout under [s2s]",
        ),
        Reason::PeerError { condition, .. } => {
            let what = format!("{} ended the stream: {}", walk.server(), told(reason));
            let change = match condition {
                Condition::PolicyViolation | Condition::NotAuthorized => {
                    format!("admit {local} in the settings of the server")
                }
                _ => format!("see in the server's log why it refuses {local}"),
            };
            full(walk.last_step(), Theirs, what, &change, "")
        }
        Reason::PeerClosed => full(
            walk.last_step(),
            Theirs,
            format!("{} closed the connection without a word", walk.server()),
            &format!("see in the server's log why it refuses {local}"),
            "",
        ),
        Reason::TlsMissing => full(
            "tls",
            Theirs,
            format!(
                "{} does not offer STARTTLS, which {entry} requires",
                walk.server()
            ),
            "switch TLS on for connections between servers",
            "",
        ),
        Reason::TlsDemanded => said(
            "tls",
            Ours,
            &format!("set tls = \"required\" in {entry}"),
            "",
        ),
        Reason::TlsRefused => said(
            "tls",
            Theirs,
            "see in the server's log why TLS cannot start: its certificate or key, most often",
            "",
        ),
        Reason::TlsFailed { code, .. } => tls(walk, reason, code.as_str()),
        Reason::Certificate(fault) => certificate::row(walk, fault),

        // --- the proof ---
        Reason::ExternalMissing | Reason::ExternalRefused(_) => certificate::ours(walk, reason),
        Reason::DialbackRefused(_) => connection::dialback(walk, reason),
        Reason::PingTimeout => said(
            "ping",
            Theirs,
            "answer pings",
            &format!("set keep-alive = false in {entry}"),
        ),
        reason => general(walk, reason),
    }
}

/// What the table of reasons says, where nothing more is known.
fn general(walk: &Walk, reason: &Reason) -> Row {
    let code = reason.code();
    let side = match code.side() {
        codes::Side::Us => Side::Ours,
        codes::Side::Network => Side::Network,
        codes::Side::Peer | codes::Side::Neither => Side::Theirs,
    };
    let change = match side {
        Side::Theirs => "see what answers there: it breaks the rules of XMPP".to_owned(),
        Side::Ours | Side::Network => in_a_sentence(code.remedy()),
    };
    (
        walk.last_step(),
        side,
        reason.to_string(),
        change,
        String::new(),
    )
}

/// A sentence as the end of another one.
fn in_a_sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut rest = text.chars();
    let first = rest.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(rest).collect()
}

/// What to do where DNS does not answer.
const NAME_SERVERS: &str =
    "check `nameservers` under [dns] (or /etc/resolv.conf), and port 53 in the firewall";

/// What the partner's error says, without the words around it.
fn told(reason: &Reason) -> String {
    match reason {
        Reason::PeerError { condition, text } if text.is_empty() => condition.as_str().to_owned(),
        Reason::PeerError { condition, text } => format!("{} ({text})", condition.as_str()),
        reason => reason.to_string(),
    }
}

fn tls(walk: &Walk, reason: &Reason, code: &str) -> Row {
    let entry = walk.entry();
    let (side, change, instead) = match code {
        "our-certificate-rejected" => (
            Side::Ours,
            "check the chain, the names and the dates of certificate-chain under [tls]".to_owned(),
            "the partner must add our certification authority to those it trusts".to_owned(),
        ),
        "no-shared-version" => (
            Side::Theirs,
            "offer TLS 1.2 or 1.3".to_owned(),
            format!("lower minimum-tls-version in {entry}, if it is 1.3"),
        ),
        "no-shared-algorithm" => (
            Side::Theirs,
            "bring the TLS library or its settings up to date".to_owned(),
            String::new(),
        ),
        "io" => (
            Side::Network,
            "look for a firewall or a proxy that cuts connections".to_owned(),
            String::new(),
        ),
        "closed" => (
            Side::Theirs,
            "see in the server's log why it ends the handshake: it may not like our certificate"
                .to_owned(),
            String::new(),
        ),
        _ => (
            Side::Theirs,
            "see in the server's log why the handshake fails".to_owned(),
            String::new(),
        ),
    };
    ("tls", side, reason.to_string(), change, instead)
}

impl Walk {
    /// The server that was spoken to.
    fn server(&self) -> String {
        match self.address() {
            Some(address) => format!("the server at {address}"),
            None => "the partner's server".to_owned(),
        }
    }

    /// The step at which it ended.
    fn last_step(&self) -> &'static str {
        let mut facts = self.facts().rev();
        let name = facts.find_map(|fact| match fact {
            Fact::Permitted { .. } => Some("policy"),
            Fact::AsksDns | Fact::Places { .. } | Fact::Addresses { .. } => Some("dns"),
            Fact::Connecting(_) => Some("connect"),
            Fact::Connected {
                outcome: Err(_), ..
            } => Some("connect"),
            Fact::Connected { .. } => Some("header"),
            Fact::Header => Some("features"),
            Fact::TlsBegins | Fact::Tls { .. } => Some("tls"),
            Fact::Judged(_) => Some("header"),
            Fact::Features(_) | Fact::Tries(_) | Fact::MethodFailed(..) => Some("proof"),
            Fact::Opened(_) => Some("open"),
            Fact::Pinged | Fact::Pong => Some("ping"),
            Fact::Called(_) | Fact::AsksAuthority(_) => Some("header"),
            Fact::Place { .. } | Fact::NotPinned(_) | Fact::Failed(_) => None,
        });
        name.unwrap_or("policy")
    }
}
