//! One short word for what a configuration means: equal on the edges of a pool, or they would decide
//! differently.
//!
//! It covers policy, domains and limits. It does not cover what may well differ between hosts: paths,
//! listen addresses, certificates, keys, the log; nor what says nothing: order, descriptions, spelling.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::model::Config;
use crate::proto::policy::Partner;

/// How many bytes of the digest are shown.
const SHOWN: usize = 8;

impl Config {
    /// The word. Edges of one version that have the same decide alike.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut lines = vec![self.limits()];
        lines.extend(self.domains.iter().map(|it| format!("domain {it:?}")));
        lines.extend(self.rules.partners().iter().map(|it| partner(it)));
        let default = self.rules.default_partner();
        lines.extend(default.map(|it| format!("default {}", partner(it))));
        lines.push(format!("{:?}", self.rules.access()));
        lines.sort_unstable();
        let digest = Sha256::digest(lines.join("\n"));
        digest
            .iter()
            .take(SHOWN)
            .fold(String::new(), |mut text, byte| {
                // Writing to a String does not fail.
                write!(text, "{byte:02x}").unwrap_or_default();
                text
            })
    }

    fn limits(&self) -> String {
        let s2s = &self.s2s;
        format!(
            "{:?}",
            (
                (
                    s2s.connection_limit,
                    s2s.establishment_timeout,
                    s2s.inactivity_timeout,
                    s2s.keep_alive_interval,
                    s2s.max_stanza_bytes,
                    s2s.max_stanza_depth,
                    s2s.queue_bytes,
                    s2s.pairs_per_stream,
                    s2s.dials,
                ),
                (self.admission, self.unproven),
                (self.tls.minimum_version, self.dns.allow_private_addresses),
                (self.gateway.reconnect_grace, self.gateway.annotate),
                self.contact_limit,
            )
        )
    }
}

fn partner(partner: &Partner) -> String {
    let mut additional: Vec<_> = partner.additional.iter().map(ToString::to_string).collect();
    additional.sort_unstable();
    let route: Vec<_> = partner.route.iter().map(ToString::to_string).collect();
    let mut pins: Vec<_> = partner.pins.pins.iter().map(ToString::to_string).collect();
    pins.sort_unstable();
    format!(
        "partner {} {:?}",
        partner.primary.as_str(),
        (
            (additional, partner.tls, partner.sasl, partner.dialback),
            (
                partner.keep_alive,
                partner.share_streams,
                route,
                partner.anchors.is_some()
            ),
            (pins, partner.pins.enforced),
            &partner.terms,
        )
    )
}
