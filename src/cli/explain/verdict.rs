//! What is wrong, on whose side, and what to change. The sides and the remedies are those of the
//! table of codes; what was met on this very way, and where to look here, is added to them.

mod cause;
mod detail;

use super::walk::Walk;
use crate::net::live::trail::Fact;
use crate::proto::codes::{Code, Phase, Side};

/// Why it does not work, or what is doubtful about a way that does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The code of the reason, as the log has it.
    pub(super) reason: Code,
    /// The row of the table whose side and remedy are these: the reason's, or one that says more.
    pub(super) cause: Code,
    /// The step that failed.
    pub(super) step: &'static str,
    /// What was met.
    pub(super) what: String,
    /// Where to look here, in one sentence; empty where there is no more to say.
    pub(super) here: String,
}

impl Verdict {
    /// The verdict on a way; `None` where it leads to the partner.
    pub(super) fn of(walk: &Walk) -> Option<Self> {
        let reason = walk.outcome.as_ref().err()?;
        let cause = cause::of(walk, reason);
        Some(Self {
            reason: reason.code(),
            cause,
            step: detail::step(walk, reason),
            what: detail::what(walk, reason, cause),
            here: detail::here(walk, reason, cause),
        })
    }

    /// What is doubtful about a way that leads to the partner.
    pub(super) fn warnings(walk: &Walk) -> Vec<Self> {
        if walk.outcome.is_err() {
            return Vec::new();
        }
        let limit = cause::too_small_a_limit(walk);
        cause::addresses_without_answer(walk)
            .chain(limit)
            .map(|(cause, step, what)| Self {
                reason: cause,
                cause,
                step,
                what,
                here: detail::where_the_entry_stands(walk, cause),
            })
            .collect()
    }

    /// Whose fault it is.
    pub(super) fn side(&self) -> Side {
        match self.cause.side() {
            // What the settings refuse is for us to change.
            Side::Neither if self.cause.phase() == Phase::Policy => Side::Us,
            Side::Neither => Side::Peer,
            side => side,
        }
    }

    /// What to change, and who has to.
    pub(super) fn remedy(&self) -> String {
        let remedy = self.cause.remedy();
        match self.here.as_str() {
            "" => remedy.to_owned(),
            here => format!("{remedy} {here}"),
        }
    }

    /// What the partner has to do, without the words "The partner must".
    pub(super) fn for_the_partner(&self) -> &'static str {
        let must = self.cause.remedy().strip_prefix("The partner must ");
        let must = must.and_then(|rest| rest.split("; ").next());
        must.map_or("see what answers there", |must| must.trim_end_matches('.'))
    }

    /// All of it.
    pub(super) fn sentence(&self) -> String {
        let side = match self.side() {
            Side::Us => "The fault is on this side",
            Side::Network => "The fault is on the way between the two",
            Side::Peer | Side::Neither => "The fault is on the partner's side",
        };
        format!("{side}: {}. {}", self.what, self.remedy())
    }

    /// The same of what is only doubtful.
    pub(super) fn warning(&self) -> String {
        format!("But {}. {}", self.what, self.remedy())
    }
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
            Fact::Pinged | Fact::NotPinged | Fact::Pong(_) => Some("ping"),
            Fact::Called(_) | Fact::AsksAuthority(_) => Some("header"),
            Fact::Place { .. } | Fact::NotPinned(_) | Fact::Failed(_) | Fact::WithoutRoute(_) => {
                None
            }
        });
        name.unwrap_or("policy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is written to must hear what to do.
    #[test]
    fn what_is_the_partners_fault_is_said_in_words_for_the_partner() {
        let before = [Phase::Dns, Phase::Connect, Phase::Header, Phase::Tls];
        // Met by those who come in, or of strangers.
        let inward = [
            "invalid-namespace",
            "unsupported-version",
            "header-address",
            "header-changed",
            "missing-stream-id",
            "tls-not-offered",
            "unauthenticated-per-domain",
            "attempts-per-address",
            "attempts-per-prefix",
            "attempts-per-domain",
            "no-records",
            "certificate-not-pinned",
            "no-such-name",
            "tls-hello",
            "http-request",
            "ssh-hello",
            "header-too-big",
            "plaintext-injection",
        ];
        let mut others = Vec::new();
        for code in Code::all().filter(|code| code.side() == Side::Peer) {
            if before.contains(&code.phase()) && !inward.contains(&code.as_str()) {
                others.extend((!code.remedy().starts_with("The partner must ")).then_some(code));
            }
        }
        assert!(others.is_empty(), "{others:?}");
    }
}
