//! What a reload would do: the files are read anew, each live connection is asked, and nothing changes.
//!
//! ```text
//!   examine ─► prepare ─► difference          as a reload does, but nothing is put in force
//!                 └─► registry.try_all ─► each machine: would_admit      within a second
//!                     registry.would_end: the limits on streams
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout_at;

use super::desk::Desk;
use super::moment::Moment;
use super::render;
use super::report::{self, Affected, CertificateChange, Ending, Preview, Shown};
use crate::config::{self, Config, Severity};
use crate::net::edge::Settings;
use crate::net::io::clock;
use crate::net::live::facts::StreamFacts;
use crate::net::prepare::{Difference, difference, later, prepare, settled};
use crate::proto::auth::certificate::{CertFacts, utc};
use crate::proto::auth::pin::Pin;
use crate::proto::jid::Domain;
use crate::proto::policy::{PartnerChange, Reason, Rules};
use crate::proto::stream::Context;

/// How long the connections have to say whether they would live.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many of each kind a report lists.
const MOST: usize = 500;

/// What a reload would do now.
///
/// # Errors
/// When it could not be found out.
pub async fn preview(desk: &Arc<Desk>) -> Result<Preview, JoinError> {
    let _one_at_a_time = desk.trying.lock().await;
    let own = Arc::clone(desk);
    let (mut preview, context) = spawn_blocking(move || read(&own)).await?;
    if let Some(context) = context {
        ask(desk, &context, &mut preview).await;
    }
    Ok(preview)
}

/// Reads everything anew, as a reload does; returns the rules, too, where they could be put in force.
fn read(desk: &Desk) -> (Preview, Option<Arc<Context>>) {
    let moment = Moment::now();
    let mut examination = Config::examine(&desk.file, UnixTime::now());
    let mut preview = Preview {
        time: utc(moment.wall),
        file: desk.file.display().to_string(),
        refused: true,
        errors: problems(&examination.problems, Severity::Error),
        errors_left_out: 0,
        fault: None,
        warnings: problems(&examination.problems, Severity::Warning),
        warnings_left_out: 0,
        partners: Vec::new(),
        partners_left_out: 0,
        settings: Vec::new(),
        restart: Vec::new(),
        certificates: Vec::new(),
        ends: Vec::new(),
        ends_left_out: 0,
        unknown: Vec::new(),
        unknown_left_out: 0,
        stays: 0,
    };
    preview.errors_left_out = shorten(&mut preview.errors);
    preview.warnings_left_out = shorten(&mut preview.warnings);
    let Some(mut config) = examination.config.take() else {
        return (preview, None);
    };
    let restart = later(&desk.settled, &settled(&config));
    // A reload may make a secret, and this must not write.
    let prepared = match config.dialback.without_a_file() {
        Ok(dialback) => {
            config.dialback = dialback;
            prepare(config).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    let (context, settings) = match prepared {
        Ok(prepared) => prepared,
        Err(fault) => {
            preview.fault = Some(fault);
            return (preview, None);
        }
    };
    let (before, running) = (desk.edge.context(), desk.edge.settings.load_full());
    let Difference { rules, others } = difference((&before, &running), (&context, &settings));
    preview.refused = false;
    let entries = rules.partners.iter();
    preview.partners = entries
        .map(|it| partner(it, &before.rules, &context.rules))
        .collect();
    preview.partners_left_out = shorten(&mut preview.partners);
    let more = [("domains", rules.domains), ("access", rules.access)];
    let more = more.into_iter().filter(|(_, differs)| *differs);
    let settings_changed = more.map(|(name, _)| name).chain(others);
    preview.settings = settings_changed.map(str::to_owned).collect();
    preview.restart = restart.into_iter().map(str::to_owned).collect();
    let shown = |rules, settings| shown(rules, settings, &moment);
    preview.certificates = certificates(
        &shown(&before.rules, &running),
        &shown(&context.rules, &settings),
    );
    (preview, Some(Arc::new(context)))
}

/// Asks each live connection whether the rules would let it live.
async fn ask(desk: &Desk, context: &Arc<Context>, preview: &mut Preview) {
    let deadline = (clock::instant() + PATIENCE).into();
    let registry = &desk.edge.registry;
    let over = registry.would_end(&context.rules);
    for (facts, word) in registry.try_all(context) {
        let reason = match timeout_at(deadline, word).await {
            Ok(Ok(Err(reason))) => Some(reason),
            Ok(Ok(Ok(()))) => over.get(&facts.id).cloned(),
            // It has ended meanwhile.
            Ok(Err(_)) => continue,
            Err(_) => match over.get(&facts.id) {
                Some(reason) => Some(reason.clone()),
                None => {
                    preview.unknown.push(affected(&facts));
                    continue;
                }
            },
        };
        match reason {
            Some(reason) => preview.ends.push(ending(&facts, &reason)),
            None => preview.stays += 1,
        }
    }
    preview.ends_left_out = shorten(&mut preview.ends);
    preview.unknown_left_out = shorten(&mut preview.unknown);
}

/// Keeps as much of a list as a report has room for; returns how many are left out.
fn shorten<T>(list: &mut Vec<T>) -> usize {
    let left_out = list.len().saturating_sub(MOST);
    list.truncate(MOST);
    left_out
}

fn problems(all: &[config::Problem], severity: Severity) -> Vec<report::Problem> {
    let those = all.iter().filter(|problem| problem.severity == severity);
    let those = those.map(|problem| report::Problem {
        code: problem.code.to_owned(),
        message: problem.message.clone(),
        file: problem.place.file().display().to_string(),
        line: problem.place.line(),
        column: problem.place.column(),
        hint: problem.hint.clone(),
        shown: config::report::render(problem, false),
    });
    those.collect()
}

fn partner(change: &PartnerChange, before: &Rules, after: &Rules) -> report::PartnerChange {
    let (was, is) = (change.entries.0.as_ref(), change.entries.1.as_ref());
    let entry = is
        .map(|it| (it, after))
        .or_else(|| was.map(|it| (it, before)));
    report::PartnerChange {
        partner: match entry {
            Some((entry, rules)) if rules.is_listed(entry) => entry.primary.as_str().to_owned(),
            _ => "[default-partner]".to_owned(),
        },
        change: match (was, is) {
            (Some(_), Some(_)) => "changed",
            (None, _) => "added",
            (_, None) => "removed",
        }
        .to_owned(),
        keys: change.keys.iter().map(ToString::to_string).collect(),
    }
}

/// The chain that is shown for each local domain, by its name, and for none.
type Chains = BTreeMap<Option<String>, (Vec<CertificateDer<'static>>, Option<Shown>)>;

fn shown(rules: &Rules, settings: &Settings, moment: &Moment) -> Chains {
    // The first is the default; the others are in the order of the local domains.
    let domains = rules.local().iter().map(|it| Some(it.as_str().to_owned()));
    let chains = std::iter::once(None).chain(domains).zip(&settings.shown);
    let chains = chains.map(|(domain, chain)| {
        let facts = chain.first().and_then(CertFacts::of);
        let facts = facts.map(|facts| Shown {
            days_left: render::days_left(facts.not_after, moment),
            not_after: utc(facts.not_after),
            pin: Pin(facts.spki_sha256).to_string(),
            subject: facts.subject,
            issuer: facts.issuer,
        });
        (domain, (chain.clone(), facts))
    });
    chains.collect()
}

fn certificates(before: &Chains, after: &Chains) -> Vec<CertificateChange> {
    let gone = before.keys().filter(|domain| !after.contains_key(*domain));
    let all = after.keys().chain(gone);
    let chain = |of: &Chains, domain| of.get(domain).map(|(chain, _)| chain.clone());
    let differ = all.filter(|domain| chain(before, domain) != chain(after, domain));
    let facts = |of: &Chains, domain| of.get(domain).and_then(|(_, facts)| facts.clone());
    let changes = differ.map(|domain| CertificateChange {
        domain: domain.clone(),
        before: facts(before, domain),
        after: facts(after, domain),
    });
    changes.collect()
}

fn affected(facts: &StreamFacts) -> Affected {
    let name = |domain: &Domain| domain.as_str().to_owned();
    facts.with(|learned| {
        let (about, claim) = (learned.about.as_ref(), &learned.claim);
        let local = about.map(|pair| &pair.local).or(learned.serves.as_ref());
        let claimed = || claim.remote.as_deref().map(render::clean);
        Affected {
            stream: facts.id,
            direction: facts.kind.as_str().to_owned(),
            address: facts.address.to_string(),
            local: local.or(claim.local.as_ref()).map(name),
            remote: about.map(|pair| name(&pair.remote)).or_else(claimed),
        }
    })
}

fn ending(facts: &StreamFacts, reason: &Reason) -> Ending {
    Ending {
        which: affected(facts),
        reason: reason.code().as_str().to_owned(),
        text: render::clean(&reason.to_string()),
    }
}
