//! What the administrator wrote, checked: [`Config::load`] reads `edge.toml` and the partner file
//! and finds every problem of both at once; [`report`] shows them.
//!
//! The way of a value: `reader` takes it from the TOML tree with its place, one file for each
//! section gives it meaning, [`model`](Config) is what the daemon sees.

mod access;
mod admin;
mod admission;
mod advice;
mod certificate;
mod daemon_user;
mod edge;
mod encoding;
mod files;
mod fingerprint;
mod gateway;
mod identity;
mod inspect;
mod key_kind;
mod model;
mod partners;
mod pem;
mod pins;
mod problem;
mod reader;
pub mod report;
mod rights;
mod secret;
mod sections;
mod state;
mod syntax;
mod terms;
mod trust;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::UnixTime;

use crate::ops::logging::Format;
use crate::proto::auth::chain::Anchors;

pub use inspect::Inspection;
pub use model::{
    Admin, Config, Dns, Gateway, GatewayTls, Identities, Log, NamedCertificate, S2s, Tls, Transport,
};
pub use partners::{PartnerSummary, ROOM_LABELS};
pub use problem::{Place, Problem, Problems, Severity, Source};
pub use rights::User;
pub use secret::{DialbackFileError, DialbackSource, Secret, SecretError};
pub use value::duration;

/// A configuration that can be used, and what is doubtful about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Problems that do not forbid its use.
    pub warnings: Vec<Problem>,
}

/// Everything that was learned about a configuration, whether it can be used or not.
#[derive(Debug)]
pub struct Examination {
    /// The configuration, if it can be used.
    pub config: Option<Config>,
    /// The partners whose entries could be understood, in the order of the file.
    pub partners: Vec<PartnerSummary>,
    /// Errors and warnings, in the order of the files and lines.
    pub problems: Vec<Problem>,
    /// The form of the log, as far as it could be read: in it errors are told.
    pub log_format: Format,
    /// Each certificate that partners see, that of `[tls]` first; known as soon as the local domains
    /// are, even where no such file is there yet.
    pub certificates: Option<Vec<NamedCertificate>>,
    /// The authorities of `[tls]`, if they could be read.
    pub anchors: Option<Arc<Anchors>>,
    state: Option<state::State>,
    /// The files that were read, and where each is named.
    files: Vec<(PathBuf, Place)>,
}

impl Config {
    /// Reads and checks `edge.toml` at `path` and all files it names. Writes nothing.
    ///
    /// `now` is what certificates' dates are compared with.
    ///
    /// # Errors
    /// [`Problems`]: all that is wrong, not only the first.
    pub fn load(path: &Path, now: UnixTime) -> Result<Loaded, Problems> {
        let examination = Self::examine(path, now);
        match examination.config {
            Some(config) => Ok(Loaded {
                config,
                warnings: examination.problems,
            }),
            None => Err(Problems(examination.problems)),
        }
    }

    /// The form of the log, from `edge.toml` alone: for what goes wrong before all else is read, and
    /// where the file has faults.
    #[must_use]
    pub fn log_format(path: &Path) -> Format {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        sections::log_format(&text)
    }

    /// Where a daemon with this `edge.toml` answers, whatever else is wrong with the file.
    #[must_use]
    pub fn admin_socket(path: &Path) -> PathBuf {
        admin::socket(path)
    }

    /// As [`Config::load`]; keeps what could be learned of a configuration that is refused.
    #[must_use]
    pub fn examine(path: &Path, now: UnixTime) -> Examination {
        edge::examine(path, now)
    }
}
