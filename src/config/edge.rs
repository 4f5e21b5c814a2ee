//! `edge.toml` as a whole: from a path to the configuration and everything that is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::UnixTime;

use super::model::{Config, NamedCertificate};
use super::problem::{Findings, Severity};
use super::reader::Section;
use super::state::State;
use super::{
    Examination, access, admin, admission, files, gateway, identity, partners, sections, syntax,
};
use crate::ops::logging::Format;
use crate::proto::auth::chain::Anchors;
use crate::proto::policy::Terms;

/// Reads and checks everything.
pub(super) fn examine(path: &Path, now: UnixTime) -> Examination {
    let findings = Findings::default();
    let Read {
        config,
        partners,
        log_format,
        state,
        certificates,
        anchors,
    } = read(path, now, &findings);
    let (problems, files) = findings.into_sorted(path);
    let refused = problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    Examination {
        config: config.filter(|_| !refused),
        partners,
        problems,
        log_format,
        certificates,
        anchors,
        state,
        files,
    }
}

/// What could be read.
#[derive(Default)]
struct Read {
    config: Option<Config>,
    partners: Vec<partners::PartnerSummary>,
    log_format: Format,
    state: Option<State>,
    certificates: Option<Vec<NamedCertificate>>,
    anchors: Option<Arc<Anchors>>,
}

fn read(path: &Path, now: UnixTime, findings: &Findings) -> Read {
    let absent = "name the file with --config (without it, /etc/xmpp-edge/edge.toml is read); \
                  config/edge.toml in the source is one to begin with";
    let Some(source) = files::source(path, None, absent, findings) else {
        return Read::default();
    };
    let Some(table) = syntax::parse(&source, findings) else {
        // What the partner file says can be judged without this one.
        let file = path.with_file_name("partners.toml");
        let partners = if file.is_file() {
            partners::read(&file, None, &[], (&Terms::default(), now), findings).summaries
        } else {
            Vec::new()
        };
        return Read {
            partners,
            log_format: sections::log_format(&source.text),
            ..Read::default()
        };
    };
    let root = Section::root(&source, findings, &table);

    let mark = findings.len();
    root.require("domains", "[\"contoso.example\"]");
    let locals = sections::domains(&root).unwrap_or_default();
    let are_sound = !findings.has_error_since(mark);
    let named = root.text("state-directory");
    let state_directory = named.as_ref().map_or_else(
        || PathBuf::from("/var/lib/xmpp-edge"),
        |text| root.resolve(&text.value),
    );
    let state = State {
        directory: state_directory.clone(),
        place: named.map_or_else(|| root.place(), |text| text.place),
    };
    let partners_file = root.text("partners");
    let partners_path = root.resolve(
        partners_file
            .as_ref()
            .map_or("partners.toml", |text| &text.value),
    );
    let partners_place = partners_file.map_or_else(|| root.place(), |text| text.place);
    let s2s = sections::s2s(&root);
    let (admission, unproven) = admission::admission(&root);
    let identity::Read {
        tls,
        identities,
        certificates,
        anchors,
    } = identity::read(&root, &locals, now);
    let mut defaults = Terms {
        connection_limit: s2s.partner_connection_limit,
        max_stanza_bytes: s2s.max_stanza_bytes,
        ..Terms::default()
    };
    if let Some(tls) = &tls {
        defaults.minimum_tls = tls.minimum_version;
    }
    let place = Some(&partners_place);
    let partners = partners::read(&partners_path, place, &locals, (&defaults, now), findings);
    if let Some(rules) = &partners.rules {
        let longest = rules.max_stanza_bytes().max(s2s.max_stanza_bytes);
        sections::check_queue_bytes(&root, s2s.queue_bytes, longest);
    }
    let (access, contact_limit) = access::read(&root, &locals);
    let dialback = sections::dialback(&root, &state_directory);
    let dns = sections::dns(&root);
    let gateway = gateway::read(&root, now);
    let admin = admin::read(&root);
    let log = sections::log(&root);
    let log_format = log.as_ref().map_or_else(Format::default, |log| log.format);
    root.finish();

    let rules = partners.rules;
    let config = || {
        Some(Config {
            file: path.to_owned(),
            domains: locals.into_iter().map(|local| local.value).collect(),
            state_directory,
            s2s,
            admission,
            unproven,
            tls: tls?,
            identities: identities?,
            dialback: dialback?,
            dns,
            gateway: gateway?,
            log: log?,
            admin,
            contact_limit,
            rules: rules?.with_access(access),
            partners_file: partners_path,
        })
    };
    Read {
        config: config(),
        partners: partners.summaries,
        log_format,
        state: Some(state),
        certificates: certificates.filter(|_| are_sound),
        anchors,
    }
}
