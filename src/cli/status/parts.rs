//! What both reports, on the edge and on one partner, say in the same words.

use crate::cli::paper::{Ink, Paper, age, count, fit, short, short_age};
use crate::net::admin::report::{Failure, Knock, Partner, Stream};

/// How wide the name of a partner is.
pub(super) const NAME: usize = 26;
/// How wide a label is.
pub(super) const LABEL: usize = 13;
/// How many partners that fail are named, and how many streams are shown.
pub(super) const ROWS: usize = 20;
/// A certificate with fewer days left stands out.
pub(super) const SOON: i64 = 21;

/// How often, when, from where, and who may be meant.
pub(super) fn knocked(knock: &Knock) -> String {
    let meant = match (&knock.above, &knock.nearest) {
        (Some(above), _) => format!("; below {above}, which does not list it"),
        (None, Some(near)) => format!("; did you mean {near}?"),
        (None, None) => String::new(),
    };
    let times = match knock.count {
        1 => "once".to_owned(),
        number => format!("{number} times"),
    };
    format!(
        "{times}, {} ago from {}{meant}",
        age(knock.last_s),
        knock.address
    )
}

/// The streams, a row each.
pub(super) fn table(paper: &mut Paper, streams: &[&Stream]) {
    let heading = format!(
        "  {:NAME$} {:3} {:13} {:4} {:>7} {:>7} {:>5} {:>5}",
        "Partner", "Way", "Proven by", "TLS", "Age", "Quiet", "In", "Out"
    );
    paper.row(Ink::Faint, &heading);
    for stream in streams.iter().take(ROWS) {
        let partner = stream.partner.as_deref().unwrap_or("?");
        let way = match stream.direction.as_str() {
            "inbound" => "in",
            _ => "out",
        };
        let method = stream.pairs.last().map_or("", |pair| pair.method.as_str());
        let tls = stream
            .tls
            .as_ref()
            .map_or("none", |tls| tls.version.as_str());
        let row = format!(
            "  {:NAME$} {way:3} {method:13} {tls:4} {:>7} {:>7} {:>5} {:>5}",
            fit(partner, NAME),
            short_age(stream.age_s),
            short_age(stream.quiet_s),
            short(stream.stanzas_in),
            short(stream.stanzas_out)
        );
        paper.row(Ink::Plain, &row);
    }
}

/// In words: colour alone says nothing.
pub(super) fn days(left: i64) -> String {
    match left {
        ..0 => "EXPIRED".to_owned(),
        0 => "EXPIRES within a day".to_owned(),
        1..SOON => format!(
            "EXPIRES in {}",
            count(usize::try_from(left).unwrap_or_default(), "day", "days")
        ),
        _ => format!("{left} days left"),
    }
}

/// Why a partner is not connected: which way, when, what, whose fault, what to do. What both ways have
/// met alike is said once.
pub(super) fn failures(paper: &mut Paper, partner: &Partner) {
    match partner.failures.as_slice() {
        [one, other] if one.reason == other.reason => {
            failure(
                paper,
                &partner.partner,
                one,
                "is not reached, and cannot get in",
            );
        }
        all => {
            for one in all {
                let way = match one.direction.as_str() {
                    "inbound" => "cannot get in",
                    _ => "is not reached",
                };
                failure(paper, &partner.partner, one, way);
            }
        }
    }
}

fn failure(paper: &mut Paper, partner: &str, failure: &Failure, way: &str) {
    let domain = match failure.domain == partner {
        true => String::new(),
        false => format!(" ({})", failure.domain),
    };
    let often = match failure.times {
        1 => String::new(),
        times => format!(", {times} times since {}", failure.first),
    };
    let next = match failure.pause_s {
        Some(pause) => format!(", next try in {}", age(pause)),
        None => String::new(),
    };
    let text = format!(
        "{partner}{domain} {way}: {}, {} ago{often}{next}",
        failure.reason,
        age(failure.last_s)
    );
    paper.item(2, (Ink::Red, "!"), &text);
    words(
        paper,
        (&failure.text, Some(failure.whose())),
        &failure.remedy,
    );
}

/// Somebody has come in a partner's name, and proven nothing: what was met, in case it is the partner.
pub(super) fn claim(paper: &mut Paper, partner: &str, claim: &Failure) {
    let times = match claim.times {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    let from = claim.address.as_deref().unwrap_or("an unknown address");
    let text = format!(
        "somebody came as {partner} and proved nothing: {times}, {} ago from {from}: {}",
        age(claim.last_s),
        claim.reason
    );
    paper.item(2, (Ink::Plain, "?"), &text);
    to_do(paper, &format!("If that was the partner: {}", claim.remedy));
}

/// What is wrong, whose fault it is, and what to do.
pub(super) fn words(paper: &mut Paper, (text, whose): (&str, Option<&str>), remedy: &str) {
    let text = match whose {
        Some(whose) => format!("{text} ({whose})"),
        None => text.to_owned(),
    };
    paper.item(LABEL, (Ink::Plain, ""), &text);
    to_do(paper, remedy);
}

/// What to do.
pub(super) fn to_do(paper: &mut Paper, remedy: &str) {
    paper.item(LABEL, (Ink::Plain, "     To do"), remedy);
}
