//! Where nothing, or something else, is met at the place.

use super::{Row, Side, told};
use crate::cli::explain::walk::Walk;
use crate::net::io::connect::AttemptFault;
use crate::net::live::trail::Fact;
use crate::proto::policy::Reason;

/// No address could be connected to: the attempt that says most tells why.
pub(super) fn row(walk: &Walk, reason: &Reason) -> Row {
    let entry = walk.entry();
    let place = walk.target().map(ToString::to_string).unwrap_or_default();
    let faults = || {
        walk.facts().filter_map(|fact| match fact {
            Fact::Connected {
                outcome: Err(fault),
                ..
            } => Some(fault),
            _ => None,
        })
    };
    let has = |wanted: fn(&AttemptFault) -> bool| faults().any(wanted);
    let (step, side, change, instead) = if has(|fault| *fault == AttemptFault::Refused) {
        (
            "connect",
            Side::Theirs,
            format!("start the server, or open the port of {place}"),
            whose_place(walk),
        )
    } else if has(|fault| *fault == AttemptFault::TimedOut) || is_cut_short(walk) {
        let change = format!(
            "let your own firewall pass connections to {place}; then the partner must look at its \
             host and its firewall"
        );
        ("connect", Side::Network, change, String::new())
    } else if faults().next().is_some() {
        let change = "check the network of this host, and its routes".to_owned();
        ("connect", Side::Network, change, String::new())
    } else if reason.to_string().contains(NOT_TRIED) {
        (
            "dns",
            Side::Theirs,
            "publish an address that is reached from outside".to_owned(),
            "if it is inside your network, set allow-private-addresses = true under [dns]"
                .to_owned(),
        )
    } else {
        let change = format!("look at your own firewall first; the entry is {entry}");
        ("connect", Side::Network, change, String::new())
    };
    (step, side, reason.to_string(), change, instead)
}

/// Whether an address was still being connected to when the time for its place was used up.
fn is_cut_short(walk: &Walk) -> bool {
    let count = |wanted: fn(&Fact) -> bool| walk.facts().filter(|fact| wanted(fact)).count();
    let begun = count(|fact| matches!(fact, Fact::Connecting(_)));
    begun > count(|fact| matches!(fact, Fact::Connected { .. }))
}

/// What the text of an address says that the guard kept from being tried.
const NOT_TRIED: &str = "was not tried";

/// A server answers that is not the partner's.
pub(super) fn elsewhere(walk: &Walk, reason: &Reason) -> Row {
    let entry = walk.entry();
    let what = match reason {
        // Where DNS or `route` leads is known here, so it need not be left open.
        Reason::NotServed { domain, .. } => {
            format!("{} does not serve {domain}", walk.server())
        }
        Reason::LeadsBack {
            domain,
            answers_as: Some(own),
            ..
        } => format!(
            "{} answers as {own}, so the way to {domain} leads back to this edge",
            walk.server()
        ),
        Reason::LeadsBack { domain, .. } => {
            format!("the way to {domain} leads back to this edge itself")
        }
        _ => format!("{} is a port for clients, not for servers", walk.server()),
    };
    if walk.is_routed() {
        let change = format!("correct `route` in {entry}");
        let instead = "the partner must add the domain to that server".to_owned();
        let instead = match reason {
            Reason::NotServed { .. } => instead,
            _ => String::new(),
        };
        return ("header", Side::Ours, what, change, instead);
    }
    let change = "correct the SRV records, or add the domain to that server".to_owned();
    let instead = format!("set `route` in {entry}");
    ("header", Side::Theirs, what, change, instead)
}

/// The partner does not take our dialback key: it could not ask, or it was told no.
pub(super) fn dialback(walk: &Walk, reason: &Reason) -> Row {
    let local = &walk.pair.local;
    let Reason::DialbackRefused(text) = reason else {
        return (
            "proof",
            Side::Theirs,
            told(reason),
            String::new(),
            String::new(),
        );
    };
    let could_not_ask = [
        "remote-server-not-found",
        "remote-connection-failed",
        "remote-server-timeout",
        "item-not-found",
    ];
    if could_not_ask.contains(&text.as_str()) {
        let what = format!("the partner cannot ask this edge about its dialback key ({text})");
        let change = format!(
            "publish SRV records of {local} that lead to this edge, let port 5269 in, and have the \
             daemon running"
        );
        return ("proof", Side::Ours, what, change, String::new());
    }
    if text.contains("invalid") {
        let what = "the partner was told that our dialback key is invalid".to_owned();
        let change = format!(
            "give every edge of {local} the same secret-file under [dialback], and run this as the \
             daemon's user"
        );
        return ("proof", Side::Ours, what, change, String::new());
    }
    let what = format!("the partner refuses dialback ({text})");
    let change = format!("admit {local} in the settings of the server, or accept its certificate");
    ("proof", Side::Theirs, what, change, String::new())
}

/// What is wrong may be where we look.
fn whose_place(walk: &Walk) -> String {
    if walk.is_routed() {
        format!("correct `route` in {}", walk.entry())
    } else {
        String::new()
    }
}
