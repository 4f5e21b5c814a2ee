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
    let what = match is_certificate {
        true => verdict.what.replace("its ", "your "),
        false => verdict.what.clone(),
    };
    text.push_str(&format!(". It failed: {what}."));
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
    text.push_str(&format!(" Please {}.", verdict.change));
    text
}
