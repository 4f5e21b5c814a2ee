//! The elements of XEP-0198: none of them is a stanza, and none of them counts as one.

use crate::proto::xml::{Element, Ns};

/// An element of stream management.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nonza {
    /// Whoever opened the stream wants acknowledgements (XEP-0198 §3).
    Enable {
        /// And wants to be able to resume.
        resume: bool,
        /// For how long after the connection is lost, in seconds, where it says so.
        max: Option<u32>,
    },
    /// They are agreed on.
    Enabled {
        /// What the session is resumed by, where it may be.
        id: Option<String>,
        /// For how long after the connection is lost, in seconds, where the other side says so.
        max: Option<u32>,
    },
    /// They are not, or the session cannot be resumed.
    Failed {
        /// How many stanzas the other side had taken on, where it still knows.
        h: Option<u32>,
    },
    /// How much have you taken on (XEP-0198 §4)?
    Request,
    /// So much.
    Ack(u32),
    /// The session of another connection is to go on here (XEP-0198 §5).
    Resume {
        /// Which one.
        previd: String,
        /// How many stanzas its opener has taken on.
        h: u32,
    },
    /// It does.
    Resumed {
        /// Which one.
        previd: String,
        /// How many stanzas the other side has taken on.
        h: u32,
    },
}

/// XEP-0198 §5: an SM-ID should not be longer, in bytes.
const LONGEST_ID: usize = 4000;

impl Nonza {
    /// Reads an element; `None` if it is no element of stream management, or lacks what it needs.
    #[must_use]
    pub fn read(element: &Element) -> Option<Self> {
        if *element.ns() != Ns::STREAM_MANAGEMENT {
            return None;
        }
        let h = || element.attribute("h").and_then(number);
        let previd = || {
            let previd = element.attribute("previd").filter(|id| is_id(id))?;
            Some(previd.to_owned())
        };
        Some(match element.name() {
            "enable" => Self::Enable {
                resume: element.attribute("resume").is_some_and(is_true),
                max: element.attribute("max").and_then(number),
            },
            "enabled" => {
                let id = element.attribute("id").filter(|id| is_id(id));
                let resumes = element.attribute("resume").is_some_and(is_true);
                Self::Enabled {
                    id: id.filter(|_| resumes).map(str::to_owned),
                    max: element.attribute("max").and_then(number),
                }
            }
            "failed" => Self::Failed { h: h() },
            "r" => Self::Request,
            // XEP-0198 §4: an `<a/>` must have an `h`.
            "a" => Self::Ack(h()?),
            "resume" => Self::Resume {
                previd: previd()?,
                h: h()?,
            },
            "resumed" => Self::Resumed {
                previd: previd()?,
                h: h()?,
            },
            _ => return None,
        })
    }

    /// As it is written.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let named = |name: &'static str| Element::new(Ns::STREAM_MANAGEMENT, name);
        match self {
            Self::Enable { resume, max } => {
                let mut enable = named("enable");
                if *resume {
                    enable.set_attribute("resume", "true");
                }
                if let Some(max) = max {
                    enable.set_attribute("max", max.to_string());
                }
                enable
            }
            Self::Enabled { id, max } => {
                let mut enabled = named("enabled");
                if let Some(id) = id {
                    enabled.set_attribute("id", id.as_str());
                    enabled.set_attribute("resume", "true");
                }
                if let Some(max) = max {
                    enabled.set_attribute("max", max.to_string());
                }
                enabled
            }
            Self::Failed { h } => {
                let mut failed = named("failed");
                if let Some(h) = h {
                    failed.set_attribute("h", h.to_string());
                }
                // XEP-0198 §5: the condition of a session that is not known any more.
                failed.with_child(Element::new(Ns::STANZA_ERRORS, "item-not-found"))
            }
            Self::Request => named("r"),
            Self::Ack(h) => named("a").with_attribute("h", h.to_string()),
            Self::Resume { previd, h } => named("resume")
                .with_attribute("h", h.to_string())
                .with_attribute("previd", previd.as_str()),
            Self::Resumed { previd, h } => named("resumed")
                .with_attribute("h", h.to_string())
                .with_attribute("previd", previd.as_str()),
        }
    }
}

fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
}

/// XML Schema Part 2, §3.3.22: an unsigned int in decimal digits, a sign allowed before it.
fn number(text: &str) -> Option<u32> {
    text.trim_ascii().parse().ok()
}

/// XML Schema Part 2, §3.2.2: a boolean.
fn is_true(text: &str) -> bool {
    matches!(text.trim_ascii(), "true" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for nonza in [
            Nonza::Enable {
                resume: false,
                max: None,
            },
            Nonza::Enable {
                resume: true,
                max: Some(300),
            },
            Nonza::Enabled {
                id: None,
                max: None,
            },
            Nonza::Enabled {
                id: Some("x".to_owned()),
                max: Some(60),
            },
            Nonza::Failed { h: None },
            Nonza::Failed { h: Some(7) },
            Nonza::Request,
            Nonza::Ack(u32::MAX),
            Nonza::Resume {
                previd: "x".to_owned(),
                h: 3,
            },
            Nonza::Resumed {
                previd: "x".to_owned(),
                h: 3,
            },
        ] {
            assert_eq!(Nonza::read(&nonza.to_element()), Some(nonza));
        }
    }

    #[test]
    fn what_lacks_something_is_not_read() {
        let named = |name: &'static str| Element::new(Ns::STREAM_MANAGEMENT, name);
        for element in [
            named("a"),
            named("a").with_attribute("h", "-1"),
            named("a").with_attribute("h", "4294967296"),
            named("a").with_attribute("h", "many"),
            named("resume").with_attribute("h", "1"),
            named("resume").with_attribute("previd", "x"),
            named("resume")
                .with_attribute("previd", "x".repeat(4001))
                .with_attribute("h", "1"),
            named("sm"),
            Element::new(Ns::CONTENT, "a").with_attribute("h", "1"),
        ] {
            assert_eq!(Nonza::read(&element), None, "{element:?}");
        }
    }

    #[test]
    fn an_id_counts_only_where_the_session_may_be_resumed() {
        let enabled = Element::new(Ns::STREAM_MANAGEMENT, "enabled").with_attribute("id", "x");
        let none = Nonza::Enabled {
            id: None,
            max: None,
        };
        assert_eq!(Nonza::read(&enabled), Some(none));
    }
}
