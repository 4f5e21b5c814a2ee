//! Single facts as the reports have them.

use std::sync::Arc;
use std::time::Instant;

use super::moment::{Moment, is_proven};
use super::{nearest, report};
use crate::net::live::attempts::Attempt;
use crate::net::live::facts::{Certificate, StreamFacts};
use crate::net::live::knocks::Knock;
use crate::net::live::refused_link::RefusedLink;
use crate::ops::peer_text::write_clean;
use crate::proto::auth::certificate::utc;
use crate::proto::codes::Code;
use crate::proto::policy::{Reason, Rules};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// How many pairs of one stream are listed.
const MOST_PAIRS: usize = 20;
/// How long a text from outside is at most, in bytes.
const LONGEST: usize = 300;

/// One connection.
pub(super) fn stream(facts: &Arc<StreamFacts>, moment: &Moment, rules: &Rules) -> report::Stream {
    let learned = facts.learned();
    let about = learned.about.as_ref();
    let partner = about.and_then(|pair| rules.partner_of(&pair.remote));
    let claimed = match (about, &learned.claim.remote) {
        _ if is_proven(facts) => None,
        (Some(pair), _) => Some(pair.remote.as_str().to_owned()),
        (None, text) => text.as_deref().map(clean),
    };
    let pairs = learned.pairs.iter().take(MOST_PAIRS);
    let traffic = &facts.traffic;
    report::Stream {
        stream: facts.id,
        direction: facts.kind.as_str().to_owned(),
        address: facts.address.to_string(),
        partner: partner.map(|entry| entry.primary.as_str().to_owned()),
        claimed,
        pairs: pairs
            .map(|(pair, method)| report::Pair {
                local: pair.local.as_str().to_owned(),
                remote: pair.remote.as_str().to_owned(),
                method: method.as_str().to_owned(),
            })
            .collect(),
        tls: learned.tls.map(|tls| report::Tls {
            version: tls.version.as_str().to_owned(),
            cipher: tls.cipher,
            certificate: tls.certificate.map(|shown| certificate(shown, moment)),
        }),
        age_s: age(facts.opened, moment),
        quiet_s: facts.quiet(moment.now).as_secs(),
        stanzas_in: traffic.stanzas_in.get(),
        stanzas_out: traffic.stanzas_out.get(),
        bytes_in: traffic.bytes_in.get(),
        bytes_out: traffic.bytes_out.get(),
    }
}

fn certificate(shown: Certificate, moment: &Moment) -> report::Certificate {
    report::Certificate {
        days_left: days_left(shown.not_after, moment),
        not_after: utc(shown.not_after),
        subject: shown.subject,
        issuer: shown.issuer,
        pin: shown.pin.to_string(),
        fault: shown
            .judged
            .and_then(Result::err)
            .map(|fault| fault.code().as_str().to_owned()),
    }
}

/// Why an attempt failed. Whose fault it is and what to do is that of the cause, as in the log.
pub(super) fn failure(
    attempt: &Attempt,
    (reason, cause): (&Reason, Code),
    pause_s: Option<u64>,
    moment: &Moment,
) -> report::Failure {
    let code = reason.code();
    report::Failure {
        direction: attempt.direction.as_str().to_owned(),
        domain: attempt.remote.as_str().to_owned(),
        address: attempt.address.map(|address| address.to_string()),
        reason: code.as_str().to_owned(),
        phase: code.phase().as_str().to_owned(),
        side: cause.side().as_str().to_owned(),
        text: clean(&reason.to_string()),
        remedy: cause.remedy().to_owned(),
        first: utc(attempt.first),
        last: utc(attempt.last),
        last_s: moment.wall.saturating_sub(attempt.last),
        times: attempt.times,
        pause_s,
    }
}

/// The last gateway that was refused.
pub(super) fn refused_link(link: &RefusedLink, moment: &Moment) -> report::RefusedLink {
    report::RefusedLink {
        address: link.address.to_string(),
        domain: link.claimed.clone(),
        reason: link.code.as_str().to_owned(),
        text: clean(&link.text),
        remedy: link.code.remedy().to_owned(),
        last: utc(link.at),
        last_s: moment.wall.saturating_sub(link.at),
        times: link.times,
    }
}

/// An unknown domain that knocked.
pub(super) fn knock(knock: &Knock, rules: &Rules, moment: &Moment) -> report::Knock {
    let above = match rules.unknown_partner(&knock.domain) {
        Reason::UnknownPartner { above, .. } => above,
        _ => None,
    };
    report::Knock {
        domain: knock.domain.as_str().to_owned(),
        count: knock.count,
        first_s: age(knock.first, moment),
        last_s: age(knock.last, moment),
        address: knock.address.to_string(),
        above,
        nearest: nearest::listed(knock.domain.as_str(), rules),
    }
}

/// How many days are left until a moment in Unix time; negative where it is over.
pub(super) fn days_left(until: u64, moment: &Moment) -> i64 {
    let (until, now) = (until.cast_signed(), moment.wall.cast_signed());
    until.saturating_sub(now).div_euclid(DAY)
}

fn age(since: Instant, moment: &Moment) -> u64 {
    moment.now.saturating_duration_since(since).as_secs()
}

/// What others wrote, fit for a terminal.
pub(super) fn clean(text: &str) -> String {
    let mut clean = String::new();
    // Writing to a String does not fail.
    write_clean(&mut clean, text, LONGEST).unwrap_or_default();
    clean
}
