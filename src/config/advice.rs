//! What `tls`, `sasl` and `dialback` mean together, in words.

use super::problem::{Place, Problem};
use super::reader::Section;
use crate::proto::policy::Methods;
use crate::proto::policy::Negotiation::{self, NotSupported, Optional, Required};

/// The three settings of a partner that leave methods together.
pub(super) struct Combination {
    pub(super) tls: Negotiation,
    pub(super) sasl: Negotiation,
    pub(super) dialback: bool,
}

impl Combination {
    /// Reads the settings, and says what is wrong or doubtful about them together.
    pub(super) fn read(section: &Section<'_>) -> Self {
        let mark = section.findings.len();
        let words = [Required, Optional, NotSupported].map(|it| (it.as_str(), it));
        let tls = section.choice("tls", &words);
        let sasl = section.choice("sasl", &words);
        let dialback = section.flag("dialback", false);
        if section.findings.len() > mark {
            // Where one cannot be read, nothing can be said of the three, nor is a method left.
            return Self {
                tls: NotSupported,
                sasl: NotSupported,
                dialback: false,
            };
        }
        let combination = Self {
            tls: tls.as_ref().map_or(Required, |it| it.value),
            sasl: sasl.as_ref().map_or(Required, |it| it.value),
            dialback: dialback.value,
        };
        combination.judge(section, |key| match key {
            Key::Tls => tls.as_ref().map(|it| &it.place),
            Key::Sasl => sasl.as_ref().map(|it| &it.place),
            Key::Dialback => Some(&dialback.place),
        });
        combination
    }

    fn judge<'p>(&self, section: &Section<'_>, place: impl Fn(Key) -> Option<&'p Place>) {
        let header = section.place();
        let place = |key| place(key).unwrap_or(&header);
        if Methods::of(self.tls, self.sasl, self.dialback).is_empty() {
            let said = error(self.tls, self.sasl);
            let problem = Problem::error(said.code, place(said.key), said.message, said.hint);
            section.findings.add(problem);
        } else if let Some(said) = warning(self.tls, self.sasl, self.dialback) {
            let problem = Problem::warning(said.code, place(said.key), said.message, said.hint);
            section.findings.add(problem);
        }
    }
}

/// What is said about a combination.
struct Advice {
    code: &'static str,
    message: String,
    hint: &'static str,
    /// Which of the three keys to point at.
    key: Key,
}

/// One of the three settings.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Tls,
    Sasl,
    Dialback,
}

/// The five combinations that leave no method.
fn error(tls: Negotiation, sasl: Negotiation) -> Advice {
    let (key, hint) = match (tls, sasl) {
        (NotSupported, NotSupported) => (
            Key::Tls,
            "set tls = \"required\" and sasl = \"required\" to prove the partner by certificate, \
             or dialback = true to accept dialback on streams in the clear",
        ),
        (NotSupported, _) => (
            Key::Tls,
            "SASL EXTERNAL needs a certificate, so TLS: set tls = \"required\"; or set \
             dialback = true to accept dialback on streams in the clear",
        ),
        _ => (
            Key::Sasl,
            "set sasl = \"required\" to prove the partner by certificate, or dialback = true \
             to prove it by dialback",
        ),
    };
    Advice {
        code: "no-method",
        message: format!(
            "tls = \"{}\", sasl = \"{}\", dialback = false leave no method",
            tls.as_str(),
            sasl.as_str()
        ),
        hint,
        key,
    }
}

/// The seven combinations that are weaker, or emptier, than they look.
fn warning(tls: Negotiation, sasl: Negotiation, dialback: bool) -> Option<Advice> {
    let sasl_word = sasl.as_str();
    let (code, key, message, hint) = match (tls, sasl, dialback) {
        (Required, Required, true) => (
            "dialback-without-effect",
            Key::Dialback,
            "dialback = true has no effect: tls and sasl are both required".to_owned(),
            "remove it; or set sasl = \"optional\" to accept dialback over TLS from this partner \
             when its certificate does not do",
        ),
        (Optional, Required, true) => (
            "clear-text-admitted",
            Key::Tls,
            "sasl = \"required\" does not protect this partner: dialback in the clear is admitted"
                .to_owned(),
            "whoever can strip TLS or forge DNS can read this partner's messages and speak for \
             it; set tls = \"required\", or dialback = false",
        ),
        (Optional, Optional, true) => (
            "clear-text-admitted",
            Key::Tls,
            "this partner is admitted by dialback in the clear".to_owned(),
            "whoever can strip TLS or forge DNS can read this partner's messages and speak for \
             it; set tls = \"required\" to always encrypt",
        ),
        (Optional, Required | Optional, false) => (
            "tls-not-optional",
            Key::Tls,
            "tls = \"optional\" has no effect: SASL EXTERNAL is the only method, and needs TLS"
                .to_owned(),
            "set tls = \"required\" to say what happens; or dialback = true if the partner has \
             no TLS, which admits it in the clear",
        ),
        (NotSupported, Required | Optional, true) => (
            "sasl-without-tls",
            Key::Sasl,
            format!(
                "sasl = \"{sasl_word}\" has no effect without TLS: dialback in the clear is all there is"
            ),
            "nothing is encrypted, and only DNS says who the partner is; set tls = \"required\", \
             or sasl = \"not-supported\" to say that this is meant",
        ),
        _ => return None,
    };
    Some(Advice {
        code,
        message,
        hint,
        key,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_warning_exactly_where_the_rule_wants_one() {
        for tls in [Required, Optional, NotSupported] {
            for sasl in [Required, Optional, NotSupported] {
                for dialback in [true, false] {
                    assert_eq!(
                        warning(tls, sasl, dialback).is_some(),
                        Methods::deserves_warning(tls, sasl, dialback),
                        "{tls:?} {sasl:?} {dialback}"
                    );
                }
            }
        }
    }
}
