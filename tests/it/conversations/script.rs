//! Scripts: how `tests/conversations/**/*.xmpp` are read. What they may say is in the README there.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::tree;

/// One file.
pub(crate) struct Script {
    pub(crate) path: String,
    /// The facts at its head, by name.
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) struct Step {
    /// Where it begins in the file.
    pub(crate) line: usize,
    pub(crate) who: Who,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// `P:` the partner, or the gateway, sends.
    Peer,
    /// `E:` the edge sends.
    Edge,
    /// `!` what the edge decides.
    Decision,
    /// `*` what happens around the two.
    Event,
}

impl Script {
    /// All scripts, by their paths below `tests/conversations`, without `.xmpp`.
    pub(crate) fn all() -> &'static HashMap<String, Self> {
        static ALL: OnceLock<HashMap<String, Script>> = OnceLock::new();
        ALL.get_or_init(|| {
            let files = tree::files("tests/conversations", "xmpp");
            let scripts = files.iter().map(|source| {
                let name = source
                    .path
                    .strip_prefix("tests/conversations/")
                    .and_then(|path| path.strip_suffix(".xmpp"))
                    .unwrap();
                (name.to_owned(), Self::parse(&source.path, &source.text))
            });
            scripts.collect()
        })
    }

    /// Reads a script.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut script = Self {
            path: path.to_owned(),
            facts: Vec::new(),
            steps: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with(' ') {
                let step = script.steps.last_mut();
                let step =
                    step.unwrap_or_else(|| panic!("{path}:{}: goes on from what?", index + 1));
                step.text.push('\n');
                step.text.push_str(line.trim());
                continue;
            }
            let step = [
                ("P: ", Who::Peer),
                ("E: ", Who::Edge),
                ("! ", Who::Decision),
                ("* ", Who::Event),
            ]
            .into_iter()
            .find_map(|(mark, who)| Some((who, line.strip_prefix(mark)?)));
            if let Some((who, text)) = step {
                script.steps.push(Step {
                    line: index + 1,
                    who,
                    text: text.trim().to_owned(),
                });
            } else {
                let fact = line.split_once(": ");
                let (name, value) = fact.unwrap_or_else(|| panic!("{path}:{}: {line}", index + 1));
                assert!(
                    script.steps.is_empty(),
                    "{path}:{}: facts come first",
                    index + 1
                );
                script
                    .facts
                    .push((name.to_owned(), value.trim().to_owned()));
            }
        }
        assert!(!script.steps.is_empty(), "{path} is empty");
        script
    }

    /// The value of a fact.
    pub(crate) fn fact(&self, name: &str) -> Option<&str> {
        self.facts
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}
