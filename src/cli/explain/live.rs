//! What a running daemon knows of the partner, beside the way that `explain` goes itself.

use std::path::Path;

use serde_json::{Value, json};

use super::walk::Walk;
use crate::cli::paper::{Ink, Paper};
use crate::cli::status;
use crate::net::admin::client::NoAnswer;
use crate::net::admin::report::Live;
use crate::proto::jid::Domain;
use crate::proto::policy::Method;

/// What the daemon decides by, where that is not what was read here.
#[derive(Debug)]
pub(super) struct Otherwise {
    /// What is to be done about it.
    pub(super) text: String,
    /// Whether the partner's own entry differs for certain.
    pub(super) is_the_entry: bool,
}

/// What it says, or why it does not.
#[derive(Debug)]
pub(super) struct Asked(Result<Box<Live>, NoAnswer>);

impl Asked {
    /// Asks the daemon, if there is one.
    pub(super) fn about(domain: &Domain, socket: &Path) -> Self {
        Self(status::ask_about(socket, domain))
    }

    /// That the daemon decides by something else than what was read here, of which this is the hash.
    pub(super) fn otherwise(&self, walk: &Walk, hash: &str) -> Option<Otherwise> {
        let rule = &self.0.as_ref().ok()?.rule;
        let own = walk.partner()?;
        if rule.hash == hash {
            return None;
        }
        let methods: Vec<_> = own.methods().iter().map(Method::as_str).collect();
        let has_entry = rule.partner.as_deref() == Some(own.primary.as_str());
        let (is_the_entry, what) = match has_entry {
            false => (true, "has no such entry"),
            true if rule.methods != methods => (true, "has another form of this entry"),
            true => (false, "may do something else than is shown here"),
        };
        let text = format!(
            "But the running daemon decides by {} as it was read at {}: it {what}. Reload it (systemctl reload xmpp-edge), and see whether \
             that is refused (xmpp-edge status).",
            rule.file, rule.loaded
        );
        Some(Otherwise { text, is_the_entry })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut paper = Paper::for_stdout();
        paper.gap();
        match &self.0 {
            Ok(live) => {
                paper.head(Ink::Bold, "What the running daemon knows");
                status::live(&mut paper, live);
            }
            Err(error) => paper.head(Ink::Faint, &no_daemon(error)),
        }
        paper.into_text()
    }

    /// For programs: the report of the admin socket, or null and why.
    pub(super) fn json(&self) -> Value {
        match &self.0 {
            Ok(live) => json!({ "asked": true, "note": null, "knows": live }),
            Err(error) => json!({ "asked": false, "note": no_daemon(error), "knows": null }),
        }
    }
}

fn no_daemon(error: &NoAnswer) -> String {
    format!("No daemon was asked: {error}.")
}
