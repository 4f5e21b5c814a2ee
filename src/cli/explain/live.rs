//! What a running daemon knows of the partner, beside the way that `explain` goes itself.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::paper::{Ink, Paper};
use crate::cli::status;
use crate::net::admin::client::NoAnswer;
use crate::net::admin::report::Live;
use crate::proto::jid::Domain;

/// What it says, or why it does not.
#[derive(Debug)]
pub(super) struct Asked(Result<Box<Live>, NoAnswer>);

impl Asked {
    /// Asks the daemon, if there is one.
    pub(super) fn about(domain: &Domain, socket: &Path) -> Self {
        Self(status::ask_about(socket, domain))
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
