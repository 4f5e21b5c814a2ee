use super::*;
use crate::net::admin::report::{
    Attempt, Configuration, Connections, Counts, Delivery, FailedAttempts, Failure, Knock,
    Listeners, Live, OwnCertificate, Partner, Proven, Queue, Queues, RefusedLink, RefusedReload,
    Rule, Step, Validity,
};

/// What somebody might have written who wants to be more than text.
const HOSTILE: &str =
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;</td></bdi>\u{202e}";

fn failure() -> Failure {
    let text = || HOSTILE.to_owned();
    Failure {
        direction: "outbound".to_owned(),
        domain: text(),
        address: Some(text()),
        reason: text(),
        phase: text(),
        side: text(),
        text: text(),
        remedy: text(),
        first: text(),
        last: text(),
        last_s: 1,
        times: 2,
        pause_s: Some(3),
    }
}

fn hostile_partner() -> Partner {
    let text = || HOSTILE.to_owned();
    Partner {
        partner: text(),
        state: text(),
        inbound: 1,
        outbound: 0,
        proven: vec![Proven {
            direction: text(),
            method: text(),
            tls: Some(text()),
            streams: 1,
        }],
        failures: vec![failure()],
        claims: vec![failure()],
        failed: FailedAttempts::default(),
        certificate: Some(Validity {
            not_after: text(),
            days_left: -1,
            until: 0,
        }),
        received: Counts::default(),
        sent: Counts::default(),
    }
}

fn knock() -> Knock {
    let text = || HOSTILE.to_owned();
    Knock {
        domain: text(),
        count: 1,
        first_s: 1,
        last_s: 1,
        address: text(),
        above: None,
        nearest: Some(text()),
    }
}

fn stream() -> crate::net::admin::report::Stream {
    use crate::net::admin::report::{Certificate, Pair, Stream, Tls};
    let text = || HOSTILE.to_owned();
    Stream {
        stream: 1,
        direction: text(),
        address: text(),
        partner: Some(text()),
        claimed: Some(text()),
        pairs: vec![Pair {
            local: text(),
            remote: text(),
            method: text(),
        }],
        tls: Some(Tls {
            version: text(),
            cipher: text(),
            certificate: Some(Certificate {
                subject: text(),
                issuer: text(),
                not_after: text(),
                days_left: 1,
                pin: text(),
                fault: Some(text()),
            }),
        }),
        age_s: 1,
        quiet_s: 1,
        stanzas_in: 1,
        stanzas_out: 1,
        bytes_in: 1,
        bytes_out: 1,
    }
}

fn status() -> Status {
    let text = || HOSTILE.to_owned();
    let queue = || Queue {
        stanzas: 0,
        bytes: 0,
        limit: 1,
    };
    Status {
        time: text(),
        version: text(),
        process: 1,
        state: text(),
        started: text(),
        uptime_s: 1,
        configuration: Configuration {
            hash: text(),
            loaded: text(),
            partners_file: text(),
            partners: 1,
            default_partner: true,
            refused_reload: Some(RefusedReload {
                at: text(),
                ago_s: 1,
                why: text(),
            }),
            waits_for_restart: vec![text()],
        },
        listeners: Listeners {
            partners: vec![text()],
            gateways: vec![text()],
            admin: vec![text()],
        },
        gateways: [vec![stream()], Vec::new()]
            .map(|links| Gateway {
                domain: text(),
                links,
                waiting: 1,
                waiting_s: Some(1),
            })
            .into(),
        refused_link: Some(RefusedLink {
            address: text(),
            domain: Some(text()),
            reason: text(),
            text: text(),
            remedy: text(),
            last: text(),
            last_s: 1,
            times: 2,
        }),
        partners: vec![hostile_partner()],
        partners_left_out: 0,
        connections: Connections::default(),
        streams: vec![stream()],
        streams_left_out: 0,
        queues: Queues {
            to_gateways: queue(),
            to_partners: queue(),
        },
        delivery: Delivery {
            inbound: Counts::default(),
            outbound: Counts::default(),
            balances: false,
            bounced_by: Default::default(),
            dropped_by: Default::default(),
        },
        certificates: vec![OwnCertificate {
            domains: vec![text()],
            subject: text(),
            issuer: text(),
            not_after: text(),
            days_left: 1,
            pin: text(),
            until: 0,
        }],
        reasons: Default::default(),
        knocks: vec![knock()],
        knocks_known: 2,
        knocks_uncounted: 0,
    }
}

fn live() -> Live {
    let text = || HOSTILE.to_owned();
    let attempt = |method, failure| Attempt {
        direction: text(),
        stream: Some(1),
        local: Some(text()),
        remote: text(),
        address: Some(text()),
        method,
        failure,
        first: text(),
        last: text(),
        last_s: 1,
        times: 2,
        took_ms: 1,
        steps: vec![Step {
            at_ms: 1,
            step: text(),
            text: text(),
        }],
    };
    Live {
        time: text(),
        domain: text(),
        rule: Rule {
            covered: text(),
            partner: Some(text()),
            listed_as: Some(text()),
            file: text(),
            loaded: text(),
            hash: text(),
            line: Some(1),
            partner_type: Some(text()),
            methods: vec![text()],
            nearest: Some(text()),
        },
        partner: Some(hostile_partner()),
        streams: vec![stream()],
        attempts: vec![attempt(Some(text()), None), attempt(None, Some(failure()))],
        pause_s: Some(1),
        knock: Some(knock()),
        similar_knocks: vec![knock()],
    }
}

/// Everything that a page shows may come from outside: whatever stands there stays text.
#[test]
fn no_text_becomes_more_than_text() {
    let trends = Trends::default();
    let harmless = |html: &str| {
        let tags = html.matches('<').count();
        (
            tags,
            html.matches("<script").count(),
            html.matches("<img").count(),
        )
    };
    let pages = [overview(&status(), &trends), partner(&live(), &trends)];
    for html in &pages {
        assert_eq!(harmless(html).1, 1, "{html}");
        assert_eq!(harmless(html).2, 0, "{html}");
        assert!(!html.contains("\"'>"), "{html}");
        assert!(
            html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
            "{html}"
        );
        assert!(html.contains("&amp;amp;"), "{html}");
        // Nor does it end what it stands in: there are as many ends as beginnings.
        for name in ["td", "bdi", "p", "section"] {
            let begins = html.matches(&format!("<{name}>")).count()
                + html.matches(&format!("<{name} ")).count();
            let ends = html.matches(&format!("</{name}>")).count();
            assert_eq!(begins, ends, "{name}: {html}");
        }
    }
    // All that is hostile is what the same pages have with plain words.
    let [first, _] = &pages;
    let plain: Status = {
        let json = serde_json::to_string(&status()).unwrap();
        let hostile = serde_json::to_string(HOSTILE).unwrap();
        serde_json::from_str(&json.replace(&hostile, "\"plain\"")).unwrap()
    };
    // A plain name is a link to a page of its own.
    let (a, b) = (overview(&plain, &trends), first.clone());
    assert_eq!(
        harmless(&a).0,
        harmless(&b).0 + "a bdi /a /bdi".split(' ').count()
    );
}

#[test]
fn who_does_not_see_hears_states_and_lines_in_words() {
    let trends = Trends::default();
    for step in [3, 10] {
        let mut snapshot = crate::ops::counters::PartnerSnapshot::default();
        snapshot.inbound.counts.accepted = step;
        trends.note(&[("fabrikam.example".to_owned(), snapshot)]);
    }
    let mut snapshot = crate::ops::counters::PartnerSnapshot::default();
    snapshot.inbound.counts.accepted = 12;
    trends.note(&[("fabrikam.example".to_owned(), snapshot)]);
    let mut status = status();
    status.partners[0].partner = "fabrikam.example".to_owned();
    status.partners[0].state = "failing".to_owned();
    let html = overview(&status, &trends);
    for part in [
        "<html lang=\"en\">",
        "role=\"status\"",
        "data-state=\"failing\">failing<",
        "href=\"/partner/fabrikam.example\"",
        "aria-label=\"Stanzas from fabrikam.example in steps of 15 seconds: 7 at most, 2 in the last one\"",
        ">most: 7 in 15 s<",
        "A line shows how many stanzas were accepted in each 15 seconds of the last 10 min.",
        "expired",
        "THE SUM IS WRONG",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
}

#[test]
fn what_an_attempt_came_to_stands_on_its_page_once() {
    let why = "the certificate expired";
    let mut live = live();
    live.partner = None;
    let mut attempt = live.attempts.pop().unwrap();
    let step = |step: &str, text: &str| Step {
        at_ms: 1,
        step: step.to_owned(),
        text: text.to_owned(),
    };
    attempt.failure.as_mut().unwrap().text = why.to_owned();
    attempt.steps = vec![
        step("tls", "TLS 1.3"),
        step("certificate", why),
        step("failed", "the first place says more"),
        step("failed", why),
    ];
    let mut page = |attempt: &Attempt| {
        live.attempts = vec![attempt.clone()];
        partner(&live, &Trends::default())
    };
    let html = page(&attempt);
    for part in [why, "TLS 1.3", "the first place says more"] {
        assert_eq!(html.matches(part).count(), 1, "{part}\n{html}");
    }
    // Where nothing more was met there is no list.
    attempt.steps = vec![step("failed", why)];
    let html = page(&attempt);
    assert_eq!(html.matches(why).count(), 1, "{html}");
    assert!(!html.contains("class=\"steps\""), "{html}");
    // One that went well has all its steps.
    attempt.failure = None;
    assert!(page(&attempt).contains(why));
}
