//! What to send to the partner's administrator: all that is needed at the other end, and no more.

use super::verdict::Verdict;
use super::walk::Walk;
use crate::net::live::trail::Fact;
use crate::proto::auth::certificate::utc;

/// One paragraph, without line breaks.
pub(super) fn paragraph(walk: &Walk, verdict: &Verdict) -> String {
    let pair = &walk.pair;
    let mut text = format!(
        "On {} the XMPP server of {} tried to open a server-to-server stream to {}",
        utc(walk.since),
        pair.local,
        pair.remote
    );
    match (walk.target(), walk.address()) {
        (Some(target), Some(address)) if target.is_literal() => {
            text.push_str(&format!(", at {address}"));
        }
        (Some(target), Some(address)) => text.push_str(&format!(", at {target} ({address})")),
        (Some(target), None) => text.push_str(&format!(", at {target}")),
        (None, _) => {}
    }
    let is_certificate = verdict.step == "certificate";
    text.push_str(&format!(". It failed: {}.", to_them(&verdict.what)));
    let leaf = walk.facts().rev().find_map(|fact| match fact {
        Fact::Tls { chain, .. } => chain.first(),
        _ => None,
    });
    if let Some(leaf) = leaf.filter(|_| is_certificate) {
        text.push_str(&format!(
            " Your server showed the certificate {}, for {}, issued by {}, valid until {}.",
            leaf.subject,
            leaf.names,
            leaf.issuer,
            utc(leaf.not_after)
        ));
    }
    let change = verdict.for_the_partner().replace("its ", "your ");
    text.push_str(&format!(" Please {change}."));
    text
}

/// What was met, said to the partner.
fn to_them(what: &str) -> String {
    what.replace("this host's clock", "our clock")
        .replace("the partner's", "your")
        .replace("the partner", "your server")
        .replace("its entry requires", "we require")
        .replace(", and allow-private-addresses under [dns] is false", "")
}
