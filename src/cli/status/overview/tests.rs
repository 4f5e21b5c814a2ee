use super::*;
use crate::config::report::WIDTH;
use crate::net::admin::report::{
    Configuration, Connections, Delivery, Failure, Gateway, Listeners, OwnCertificate, Pair,
    Queues, Tls,
};

fn status() -> Status {
    let queue = Queue {
        stanzas: 0,
        bytes: 0,
        limit: 32 << 20,
    };
    Status {
        time: "2027-01-15T09:00:00Z".to_owned(),
        version: "0.1.0".to_owned(),
        process: 4711,
        state: "running".to_owned(),
        started: "2027-01-15T05:48:00Z".to_owned(),
        uptime_s: 11_520,
        configuration: Configuration {
            hash: "0123456789abcdef".to_owned(),
            loaded: "2027-01-15T05:48:00Z".to_owned(),
            partners_file: "partners.toml".to_owned(),
            partners: 1,
            default_partner: false,
            refused_reload: None,
            waits_for_restart: Vec::new(),
        },
        listeners: Listeners {
            partners: vec!["[::]:5269".to_owned()],
            gateways: vec!["127.0.0.1:23456".to_owned()],
            admin: Vec::new(),
        },
        gateways: vec![Gateway {
            domain: "contoso.example".to_owned(),
            links: vec![stream(1, "link", "contoso.example")],
            waiting: 0,
            waiting_s: None,
        }],
        refused_link: None,
        partners: vec![partner("fabrikam.example", "connected")],
        partners_left_out: 0,
        connections: Connections {
            inbound: 1,
            outbound: 0,
            links: 1,
            unproven: 0,
        },
        streams: vec![stream(2, "inbound", "fabrikam.example")],
        streams_left_out: 0,
        queues: Queues {
            to_gateways: queue.clone(),
            to_partners: queue,
        },
        delivery: Delivery {
            inbound: Counts::default(),
            outbound: Counts::default(),
            balances: true,
            bounced_by: Default::default(),
            dropped_by: Default::default(),
        },
        certificates: vec![OwnCertificate {
            domains: vec!["contoso.example".to_owned()],
            subject: "CN=contoso.example".to_owned(),
            issuer: "CN=Authority".to_owned(),
            not_after: "2027-03-15T00:00:00Z".to_owned(),
            days_left: 58,
            pin: "sha256:AAAA".to_owned(),
            until: 0,
        }],
        reasons: Default::default(),
        knocks: Vec::new(),
        knocks_known: 0,
        knocks_uncounted: 0,
    }
}

fn stream(number: u64, direction: &str, partner: &str) -> Stream {
    Stream {
        stream: number,
        direction: direction.to_owned(),
        address: "[2001:db8:1234:5678:9abc:def0:1234:5678]:51234".to_owned(),
        partner: Some(partner.to_owned()),
        claimed: None,
        pairs: vec![Pair {
            local: "contoso.example".to_owned(),
            remote: partner.to_owned(),
            method: "sasl-external".to_owned(),
        }],
        tls: Some(Tls {
            version: "1.3".to_owned(),
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            certificate: None,
        }),
        age_s: 172_799,
        quiet_s: 12,
        stanzas_in: 9_999_999,
        stanzas_out: 120,
        bytes_in: 0,
        bytes_out: 0,
    }
}

fn partner(name: &str, state: &str) -> Partner {
    Partner {
        partner: name.to_owned(),
        state: state.to_owned(),
        inbound: usize::from(state == "connected"),
        outbound: 0,
        proven: Vec::new(),
        failures: Vec::new(),
        claims: Vec::new(),
        failed: Default::default(),
        certificate: None,
        received: Counts::default(),
        sent: Counts::default(),
    }
}

fn failing(name: &str) -> Partner {
    let failure = |direction: &str, reason: &str| Failure {
        direction: direction.to_owned(),
        domain: name.to_owned(),
        address: None,
        reason: reason.to_owned(),
        phase: "connect".to_owned(),
        side: "network".to_owned(),
        text: "no connection: every address refused".to_owned(),
        remedy: "Look whether the host is up.".to_owned(),
        first: "2027-01-15T08:00:00Z".to_owned(),
        last: "2027-01-15T08:59:20Z".to_owned(),
        last_s: 40,
        times: 14,
        pause_s: Some(20),
    };
    Partner {
        failures: vec![
            failure("outbound", "connect-failed"),
            failure("inbound", "establishment-timeout"),
        ],
        ..partner(name, "failing")
    }
}

fn shown(status: &Status) -> String {
    let mut paper = Paper::plain();
    write(&mut paper, status);
    let text = paper.into_text();
    for line in text.lines() {
        assert!(line.chars().count() <= WIDTH, "{line}\n{text}");
    }
    text
}

#[test]
fn where_all_is_well_one_screen_says_all() {
    let text = shown(&status());
    assert!(text.lines().count() <= 24, "{text}");
    for part in [
        "xmpp-edge 0.1.0 is up: 3 h 12 min,",
        "Configuration 0123456789abcdef of",
        "connected for 47 h 59 min",
        "Partners: 1 connected, none failing",
        "  fabrikam.example           in  sasl-external 1.3     47 h    12 s 9999k   120",
        "contoso.example            ours: 58 days left",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn a_gateway_that_is_away_and_an_edge_that_stops_are_seen_without_colour() {
    let mut status = status();
    status.state = "stopping".to_owned();
    for gateway in &mut status.gateways {
        gateway.links.clear();
        gateway.waiting = 14;
        gateway.waiting_s = Some(12);
    }
    status.delivery.balances = false;
    for own in &mut status.certificates {
        own.days_left = 3;
    }
    let text = shown(&status);
    for part in [
        "is STOPPING",
        "NOT CONNECTED; 14 stanzas wait for 12 s",
        "NOT BALANCED",
        "EXPIRES in 3 days",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn forty_partners_that_fail_are_named_and_the_first_ones_told_of() {
    let mut status = status();
    let long = "a-very-long-name-of-a-partner-that-fits-no-column-at-all.rooms.example";
    status.partners = (0..40)
        .map(|number| failing(&format!("p{number}.{long}")))
        .collect();
    let name = format!("{}.example", "x".repeat(200));
    status.partners.push(failing(&name));
    status.streams = (0..100)
        .map(|number| stream(number, "outbound", &format!("p{number}.{long}")))
        .collect();
    let text = shown(&status);
    assert!(text.contains("0 connected, 41 FAILING"), "{text}");
    assert_eq!(text.matches("To do").count(), 2 * IN_WORDS);
    assert!(text.contains("more partners fail"), "{text}");
    assert!(text.contains("80 more streams"), "{text}");
    // The beginning of it is a screen that says who.
    let first: Vec<_> = text.lines().take(24).collect();
    let named = first.iter().filter(|line| line.contains("p0.a-very-long"));
    assert!(named.count() >= 1, "{text}");
}

#[test]
fn what_both_ways_have_met_is_said_once() {
    let mut status = status();
    let mut one = failing("fabrikam.example");
    for failure in &mut one.failures {
        failure.reason = "connect-failed".to_owned();
    }
    status.partners = vec![one];
    let text = shown(&status);
    assert_eq!(text.matches("To do").count(), 1, "{text}");
    assert!(
        text.contains("fabrikam.example is not reached, and cannot get in: connect-failed,"),
        "{text}"
    );
}
