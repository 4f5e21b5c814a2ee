//! Every metric: its name, what it says, and what it is filled from.

use std::fmt;

use super::sink::Sink;
use super::{Family, Kind, Measure};
use crate::net::admin::desk::Figures;
use crate::net::admin::report;
use crate::ops::counters::{FlowSnapshot, PartnerSnapshot};
use crate::ops::measures::{Answered, DIRECTIONS, Distribution, METHODS};
use crate::proto::codes::Code;
use crate::proto::policy::{AdmissionLook, Charges, Direction};

use Kind::{Counter, Gauge, Histogram};
use Measure::{Bytes, Seconds};

type Filled = fmt::Result;
type Samples<'a, 'b, 'c> = &'a mut Sink<'b, 'c>;

const fn family(
    stem: &'static str,
    kind: Kind,
    measure: Option<Measure>,
    labels: &'static [&'static str],
    help: &'static str,
    fill: fn(&Figures, &mut Sink<'_, '_>) -> Filled,
) -> Family {
    Family {
        stem,
        kind,
        measure,
        labels,
        help,
        fill,
    }
}

/// All metrics, in the order in which they are written.
#[rustfmt::skip]
pub const FAMILIES: &[Family] = &[
    family("xmpp_edge_build_info", Gauge, None, &["version"],
        "The version of the program; the value is 1.",
        |it, to| to.gauge([("version", &it.status.version)], 1)),
    family("xmpp_edge_start_timestamp", Gauge, Some(Seconds), &[],
        "When the daemon was started, in Unix time.",
        |it, to| to.gauge([], it.since)),
    family("xmpp_edge_configuration_loaded_timestamp", Gauge, Some(Seconds), &[],
        "When the configuration was put in force, in Unix time.",
        |it, to| to.gauge([], it.loaded)),
    family("xmpp_edge_ready", Gauge, None, &[],
        "1 where it can relay: it listens, does not stop, and a gateway is connected; else 0.",
        |it, to| to.gauge([], u64::from(it.ready().is_ok()))),
    family("xmpp_edge_connections", Gauge, None, &["kind"],
        "Connections: proven streams that partners opened (inbound) or we did (outbound), links of gateways, and all that have proven nothing yet (unproven).",
        connections),
    family("xmpp_edge_stream_limit", Gauge, None, &[],
        "How many proven streams there may be.",
        |it, to| to.gauge([], it.connection_limit as u64)),
    family("xmpp_edge_gateway_links", Gauge, None, &["domain"],
        "Links of gateways, by local domain.",
        |it, to| each_gateway(it, |domain, gateway| to.gauge([domain], gateway.links.len() as u64))),
    family("xmpp_edge_gateway_waiting_stanzas", Gauge, None, &["domain"],
        "Stanzas that wait for a gateway, by local domain.",
        |it, to| each_gateway(it, |domain, gateway| to.gauge([domain], gateway.waiting as u64))),
    family("xmpp_edge_gateway_absence", Gauge, Some(Seconds), &["domain"],
        "For how long something has waited for a gateway that is away, by local domain.",
        |it, to| each_gateway(it, |domain, gateway| to.gauge([domain], gateway.waiting_s.unwrap_or_default()))),
    family("xmpp_edge_partner_state", Gauge, None, &["partner", "state"],
        "1 for the state that the partner is in: connected, failing (its last attempt came to nothing, and it has no stream) or idle; 0 for the others.",
        states),
    family("xmpp_edge_streams", Gauge, None, &["partner", "direction", "method", "tls"],
        "Proven streams that live; tls is the version, or none.",
        streams),
    family("xmpp_edge_proofs", Counter, None, &["partner", "direction", "method"],
        "How often a pair of domains was proven on a stream.",
        proofs),
    family("xmpp_edge_outbound_streams_failed", Counter, None, &["partner"],
        "Attempts of ours to open a stream to a partner that came to nothing, over all of its places.",
        |it, to| each_counted(it, |label, snapshot| to.counter([label], snapshot.opened.failed_outbound))),
    family("xmpp_edge_inbound_streams_failed", Counter, None, &["partner", "by"],
        "Streams opened in a partner's name that ended before anything was proven: by the partner, as far as is known, or by anybody, where nothing shows that it was the partner.",
        |it, to| each_counted(it, |label, snapshot| {
            to.counter([label, ("by", "partner")], snapshot.opened.failed_inbound)?;
            to.counter([label, ("by", "anybody")], snapshot.opened.failed_claims)
        })),
    family("xmpp_edge_failure_notices", Counter, None, &["to"],
        "Stanza errors that the edge itself has sent, to local users (gateway) or to partners' users (partner).",
        notices),
    family("xmpp_edge_stanzas_accepted", Counter, None, &["partner", "direction"],
        "Stanzas taken in. At all times accepted = delivered + bounced + dropped + queued.",
        |it, to| each_flow(it, |labels, flow| to.counter(labels, flow.counts.accepted))),
    family("xmpp_edge_stanzas_delivered", Counter, None, &["partner", "direction"],
        "Stanzas written to the other side, and acknowledged where that is agreed on.",
        |it, to| each_flow(it, |labels, flow| to.counter(labels, flow.counts.delivered))),
    family("xmpp_edge_stanzas_bounced", Counter, None, &["partner", "direction"],
        "Stanzas that were answered with an error.",
        |it, to| each_flow(it, |labels, flow| to.counter(labels, flow.counts.bounced))),
    family("xmpp_edge_stanzas_dropped", Counter, None, &["partner", "direction"],
        "Stanzas that ended in silence, because their kind may not be answered.",
        |it, to| each_flow(it, |labels, flow| to.counter(labels, flow.counts.dropped))),
    family("xmpp_edge_stanzas_queued", Gauge, None, &["partner", "direction"],
        "Stanzas that have not ended yet.",
        |it, to| each_flow(it, |labels, flow| to.gauge(labels, flow.counts.queued))),
    family("xmpp_edge_stanzas_balanced", Gauge, None, &[],
        "1 where the equation holds for each partner and direction; 0 is a fault of the edge.",
        |it, to| to.gauge([], u64::from(it.status.delivery.balances))),
    family("xmpp_edge_stanza_ends", Counter, None, &["end", "reason"],
        "Why stanzas were bounced or dropped, by the code of the reason.",
        ends),
    family("xmpp_edge_reasons", Counter, None, &["reason", "phase", "side"],
        "How often each reason was counted that is not the end of an accepted stanza: refusals, failures, faults, ends of streams.",
        reasons),
    family("xmpp_edge_queue", Gauge, Some(Bytes), &["to"],
        "Bytes that wait for gateways, and for partners.",
        |it, to| each_queue(it, |labels, queue| to.gauge(labels, queue.bytes as u64))),
    family("xmpp_edge_queue_limit", Gauge, Some(Bytes), &["to"],
        "How many bytes may wait.",
        |it, to| each_queue(it, |labels, queue| to.gauge(labels, queue.limit as u64))),
    family("xmpp_edge_stanza_delivery", Histogram, Some(Seconds), &["direction"],
        "How long it took from a stanza's acceptance until it was delivered.",
        stanza_times),
    family("xmpp_edge_stream_opening", Histogram, Some(Seconds), &["direction", "outcome"],
        "How long attempts to open a stream took, until a pair was proven or they had failed.",
        openings),
    family("xmpp_edge_dns_lookup", Histogram, Some(Seconds), &["outcome"],
        "How long lookups of partners' servers and of their addresses took; nothing: DNS has no such record.",
        lookups),
    family("xmpp_edge_connect", Histogram, Some(Seconds), &["outcome"],
        "How long connecting to one address of a partner took.",
        connects),
    family("xmpp_edge_certificate_expiry_timestamp", Gauge, Some(Seconds), &["domain"],
        "The last second of validity of our own certificate, in Unix time, by local domain.",
        own_certificates),
    family("xmpp_edge_partner_certificate_expiry_timestamp", Gauge, Some(Seconds), &["partner"],
        "The same of the good certificate that a partner has shown last; NaN where it has shown none since the start.",
        |it, to| each_partner(it, |label, partner| {
            to.known([label], partner.certificate.as_ref().map(|shown| shown.until))
        })),
    family("xmpp_edge_unauthenticated_connections", Gauge, None, &["door", "standing"],
        "Connections that have proven nothing, by where they came to, and by what is known of their addresses: a listed partner has proven itself from there lately, somebody has (acquainted), nobody has (stranger).",
        unauthenticated),
    family("xmpp_edge_unauthenticated_limit", Gauge, None, &[],
        "How many of them there may be at each door; 0: no limit.",
        |it, to| to.gauge([], it.unauthenticated_limit as u64)),
    family("xmpp_edge_admission_charges", Counter, None, &["door", "kind"],
        "How often strangers were charged: for a stream that claims to be a partner (attempt), for a dialback question.",
        |it, to| charges(it, to, |charges| charges.charged)),
    family("xmpp_edge_admission_refunds", Counter, None, &["door", "kind"],
        "How often that was taken back, because it came to something.",
        |it, to| charges(it, to, |charges| charges.refunded)),
    family("xmpp_edge_dials", Gauge, None, &[],
        "How many partners are being dialled.",
        |it, to| to.gauge([], it.dials as u64)),
    family("xmpp_edge_dials_limit", Gauge, None, &[],
        "How many may be; 0: no limit.",
        |it, to| to.gauge([], it.dials_limit as u64)),
    family("xmpp_edge_unknown_domains", Gauge, None, &[],
        "How many domains that no entry covers have knocked lately; status names them.",
        |it, to| to.gauge([], it.status.knocks_known as u64)),
];

/// What TLS a stream of a method may run on.
const TLS: [&str; 2] = ["1.2", "1.3"];
const CLEAR: &str = "none";

fn connections(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    let counts = &it.status.connections;
    for (kind, count) in [
        ("inbound", counts.inbound),
        ("outbound", counts.outbound),
        ("link", counts.links),
        ("unproven", counts.unproven),
    ] {
        to.gauge([("kind", kind)], count as u64)?;
    }
    Ok(())
}

fn states(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    each_partner(it, |label, partner| {
        for state in ["connected", "failing", "idle"] {
            to.gauge([label, ("state", state)], u64::from(partner.state == state))?;
        }
        Ok(())
    })
}

fn streams(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    each_partner(it, |label, partner| {
        for direction in DIRECTIONS.map(Direction::as_str) {
            for method in METHODS {
                let versions = match method.is_encrypted() {
                    true => &TLS[..],
                    false => &[CLEAR],
                };
                for version in versions {
                    let alike = partner.proven.iter().filter(|it| {
                        let tls = it.tls.as_deref().unwrap_or(CLEAR);
                        (it.direction.as_str(), it.method.as_str(), tls)
                            == (direction, method.as_str(), *version)
                    });
                    let count: usize = alike.map(|it| it.streams).sum();
                    let labels = [
                        label,
                        ("direction", direction),
                        ("method", method.as_str()),
                        ("tls", version),
                    ];
                    to.gauge(labels, count as u64)?;
                }
            }
        }
        Ok(())
    })
}

fn proofs(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    each_counted(it, |label, snapshot| {
        for (direction, counts) in DIRECTIONS.iter().zip(snapshot.opened.proofs) {
            for (method, count) in METHODS.iter().zip(counts) {
                let direction = ("direction", direction.as_str());
                to.counter([label, direction, ("method", method.as_str())], count)?;
            }
        }
        Ok(())
    })
}

fn notices(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    let [inward, outward] = it.ledger.notices();
    to.counter([("to", "gateway")], inward)?;
    to.counter([("to", "partner")], outward)
}

fn ends(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    let delivery = &it.status.delivery;
    for (end, counts) in [
        ("bounced", &delivery.bounced_by),
        ("dropped", &delivery.dropped_by),
    ] {
        for code in Code::all() {
            let count = counts.get(code.as_str()).copied().unwrap_or_default();
            to.counter([("end", end), ("reason", code.as_str())], count)?;
        }
    }
    Ok(())
}

fn reasons(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    for code in Code::all() {
        let count = it.status.reasons.get(code.as_str()).copied();
        let labels = [
            ("reason", code.as_str()),
            ("phase", code.phase().as_str()),
            ("side", code.side().as_str()),
        ];
        to.counter(labels, count.unwrap_or_default())?;
    }
    Ok(())
}

fn stanza_times(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    for direction in DIRECTIONS {
        let mut took = Distribution::default();
        for (_, snapshot) in &it.counted {
            took += flow(snapshot, direction).took;
        }
        to.histogram([("direction", direction.as_str())], &took)?;
    }
    Ok(())
}

fn openings(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    for direction in DIRECTIONS {
        for (outcome, is_proven) in [("proven", true), ("failed", false)] {
            let took = it.ledger.timings().opening(direction, is_proven).read();
            let direction = ("direction", direction.as_str());
            to.histogram([direction, ("outcome", outcome)], &took)?;
        }
    }
    Ok(())
}

fn lookups(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    for answered in Answered::ALL {
        let took = it.ledger.timings().lookup(answered).read();
        to.histogram([("outcome", answered.as_str())], &took)?;
    }
    Ok(())
}

fn connects(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    for (outcome, is_made) in [("connected", true), ("failed", false)] {
        let took = it.ledger.timings().connect(is_made).read();
        to.histogram([("outcome", outcome)], &took)?;
    }
    Ok(())
}

fn own_certificates(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    for certificate in &it.status.certificates {
        for domain in &certificate.domains {
            to.gauge([("domain", domain)], certificate.until)?;
        }
    }
    Ok(())
}

fn unauthenticated(it: &Figures, to: Samples<'_, '_, '_>) -> Filled {
    each_door(it, |label, door| {
        for (standing, count) in [
            ("stranger", door.strangers),
            ("acquainted", door.acquainted),
            ("listed", door.listed),
        ] {
            to.gauge([label, ("standing", standing)], count as u64)?;
        }
        Ok(())
    })
}

fn charges(it: &Figures, to: Samples<'_, '_, '_>, of: fn(Charges) -> u64) -> Filled {
    each_door(it, |label, door| {
        to.counter([label, ("kind", "attempt")], of(door.attempts))?;
        to.counter([label, ("kind", "question")], of(door.questions))
    })
}

type Label<'a> = (&'static str, &'a str);

fn each_door<'a>(
    it: &'a Figures,
    mut fill: impl FnMut(Label<'a>, &'a AdmissionLook) -> Filled,
) -> Filled {
    let [partners, gateways] = &it.doors;
    fill(("door", "partners"), partners)?;
    fill(("door", "gateways"), gateways)
}

fn each_gateway<'a>(
    it: &'a Figures,
    mut fill: impl FnMut(Label<'a>, &'a report::Gateway) -> Filled,
) -> Filled {
    let mut gateways = it.status.gateways.iter();
    gateways.try_for_each(|gateway| fill(("domain", &gateway.domain), gateway))
}

fn each_partner<'a>(
    it: &'a Figures,
    mut fill: impl FnMut(Label<'a>, &'a report::Partner) -> Filled,
) -> Filled {
    let mut partners = it.status.partners.iter();
    partners.try_for_each(|partner| fill(("partner", &partner.partner), partner))
}

fn each_counted<'a>(
    it: &'a Figures,
    mut fill: impl FnMut(Label<'a>, &'a PartnerSnapshot) -> Filled,
) -> Filled {
    let mut counted = it.counted.iter();
    counted.try_for_each(|(name, snapshot)| fill(("partner", name), snapshot))
}

fn each_flow<'a>(
    it: &'a Figures,
    mut fill: impl FnMut([Label<'a>; 2], &'a FlowSnapshot) -> Filled,
) -> Filled {
    each_counted(it, |label, snapshot| {
        DIRECTIONS.iter().try_for_each(|direction| {
            let labels = [label, ("direction", direction.as_str())];
            fill(labels, flow(snapshot, *direction))
        })
    })
}

fn flow(snapshot: &PartnerSnapshot, direction: Direction) -> &FlowSnapshot {
    match direction {
        Direction::Inbound => &snapshot.inbound,
        Direction::Outbound => &snapshot.outbound,
    }
}

fn each_queue<'a>(
    it: &'a Figures,
    mut fill: impl FnMut([Label<'a>; 1], &'a report::Queue) -> Filled,
) -> Filled {
    let queues = &it.status.queues;
    fill([("to", "gateways")], &queues.to_gateways)?;
    fill([("to", "partners")], &queues.to_partners)
}
