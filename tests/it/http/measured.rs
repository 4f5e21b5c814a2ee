//! The metrics say what `status` says, of what really passed.

use std::collections::BTreeSet;

use tokio::task::block_in_place;
use xmpp_edge::net::admin::http::metrics::{FAMILIES, Family, Kind, OPEN_METRICS, PLAIN};

use super::{address, ask, found, get, lab, lab_with, sample, until};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};

/// The name of the metric that a sample belongs to, and its labels.
fn parts(line: &str) -> (String, String) {
    let (name, rest) = line.split_once(['{', ' ']).unwrap();
    let labels = match line.contains('{') {
        true => rest.rsplit_once('}').unwrap().0,
        false => "",
    };
    let mut name = name.to_owned();
    let histograms = FAMILIES.iter().filter(|it| it.kind == Kind::Histogram);
    for histogram in histograms.map(Family::name) {
        for end in ["_bucket", "_sum", "_count"] {
            if name == format!("{histogram}{end}") {
                name = histogram.clone();
            }
        }
    }
    (name, labels.to_owned())
}

#[test]
fn every_metric_and_every_label_is_there_from_the_start() {
    let partners = "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
                    [[partner]]\nprimary-domain = \"litware.example\"\ntype = \"federated\"\n\
                    [default-partner]\ntype = \"public-verified\"\n";
    let lab = lab_with(partners);
    let daemon = Daemon::start(&lab);
    let metrics = found(address(&daemon), "/metrics");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    let samples = || metrics.lines().filter(|line| !line.starts_with('#'));
    let names: BTreeSet<_> = samples().map(|line| parts(line).0).collect();
    let wanted: BTreeSet<_> = FAMILIES.iter().map(Family::name).collect();
    assert_eq!(names, wanted);
    for family in FAMILIES {
        let own = samples().filter(|line| parts(line).0 == family.name());
        for line in own.clone() {
            let labels = parts(line).1;
            for label in family.labels {
                assert!(labels.contains(&format!("{label}=\"")), "{line}");
            }
            let mut wanted = family.labels.len();
            wanted += usize::from(labels.contains("le=\""));
            assert_eq!(labels.matches("=\"").count(), wanted, "{line}");
        }
        if family.labels.contains(&"partner") {
            for partner in ["fabrikam.example", "litware.example", "[default-partner]"] {
                let label = format!("partner=\"{partner}\"");
                assert!(
                    own.clone().any(|line| line.contains(&label)),
                    "{family:?} {label}"
                );
            }
        }
    }
    // Each sample once.
    let keys: Vec<_> = samples()
        .map(|line| line.rsplit_once(' ').unwrap().0)
        .collect();
    let once: BTreeSet<_> = keys.iter().collect();
    assert_eq!(once.len(), keys.len());
    // A partner that has shown no certificate has none that ends.
    let unknown =
        "xmpp_edge_partner_certificate_expiry_timestamp_seconds{partner=\"litware.example\"}";
    assert!(
        sample(&metrics, unknown).is_some_and(f64::is_nan),
        "{metrics}"
    );
}

#[test]
fn it_is_written_in_the_form_that_was_asked_for() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    let answer = get(http, "/metrics");
    assert!(
        answer
            .head
            .contains(&format!("content-type: {OPEN_METRICS}")),
        "{}",
        answer.head
    );
    assert!(answer.body.contains("# TYPE xmpp_edge_reasons counter\n"));
    let plain =
        "GET /metrics HTTP/1.1\r\nhost: localhost\r\naccept: text/plain;version=0.0.4\r\n\r\n";
    let answer = ask(http, plain);
    assert!(
        answer.head.contains(&format!("content-type: {PLAIN}")),
        "{}",
        answer.head
    );
    assert!(
        answer
            .body
            .contains("# TYPE xmpp_edge_reasons_total counter\n")
    );
    for part in ["# UNIT", "# EOF", "# TYPE xmpp_edge_reasons counter"] {
        assert!(!answer.body.contains(part), "{part}");
    }
}

#[test]
fn what_fails_is_counted_by_partner_direction_and_reason() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let route = nobody.local_addr().unwrap();
    drop(nobody);
    let partners = format!(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
         route = [\"{route}\"]\n"
    );
    let lab = lab_with(&partners);
    let daemon = Daemon::start(&lab);
    let http = address(&daemon);
    let gateway = link(&daemon);
    let message = "<message from='anne@contoso.example/a' to='bob@fabrikam.example'>\
                   <body>hello</body></message>";
    converse(&gateway, message, "</message>");
    let header = |from: &str, to: &str| {
        format!(
            "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
             from='{from}' to='{to}' version='1.0'>"
        )
    };
    for (from, to) in [
        ("fabrikam.example", "contosso.example"),
        ("fabrikam.example", "contosso.example"),
        ("stranger.example", "contoso.example"),
    ] {
        let stream = std::net::TcpStream::connect(daemon.s2s).unwrap();
        converse(&stream, &header(from, to), "</stream:stream>");
        daemon.log_line("stream-refused");
    }
    let is = |name: &str, value: f64| {
        let metrics = found(http, "/metrics");
        let found = sample(&metrics, name);
        found == Some(value)
    };
    until(|| {
        is(
            "xmpp_edge_inbound_streams_failed_total{partner=\"fabrikam.example\",by=\"anybody\"}",
            2.0,
        )
    });
    for (name, value) in [
        (
            "xmpp_edge_inbound_streams_failed_total{partner=\"(nobody)\",by=\"anybody\"}",
            1.0,
        ),
        (
            "xmpp_edge_outbound_streams_failed_total{partner=\"fabrikam.example\"}",
            1.0,
        ),
        (
            "xmpp_edge_outbound_streams_failed_total{partner=\"(nobody)\"}",
            0.0,
        ),
        ("xmpp_edge_failure_notices_total{to=\"gateway\"}", 1.0),
        ("xmpp_edge_failure_notices_total{to=\"partner\"}", 0.0),
        (
            "xmpp_edge_stanzas_bounced_total{partner=\"fabrikam.example\",direction=\"outbound\"}",
            1.0,
        ),
        (
            "xmpp_edge_stanza_ends_total{end=\"bounced\",reason=\"connect-failed\"}",
            1.0,
        ),
        (
            "xmpp_edge_partner_state{partner=\"fabrikam.example\",state=\"failing\"}",
            1.0,
        ),
        (
            "xmpp_edge_partner_state{partner=\"fabrikam.example\",state=\"idle\"}",
            0.0,
        ),
        (
            "xmpp_edge_reasons_total{reason=\"unknown-partner\",phase=\"policy\",side=\"neither\"}",
            1.0,
        ),
        ("xmpp_edge_connect_seconds_count{outcome=\"failed\"}", 1.0),
        (
            "xmpp_edge_connect_seconds_bucket{le=\"+Inf\",outcome=\"failed\"}",
            1.0,
        ),
        (
            "xmpp_edge_stream_opening_seconds_count{direction=\"outbound\",outcome=\"failed\"}",
            1.0,
        ),
        (
            "xmpp_edge_stream_opening_seconds_count{direction=\"inbound\",outcome=\"failed\"}",
            2.0,
        ),
        ("xmpp_edge_gateway_links{domain=\"contoso.example\"}", 1.0),
        ("xmpp_edge_connections{kind=\"link\"}", 1.0),
        ("xmpp_edge_unauthenticated_limit", 5000.0),
        ("xmpp_edge_unknown_domains", 1.0),
        ("xmpp_edge_stanzas_balanced", 1.0),
        ("xmpp_edge_ready", 1.0),
    ] {
        let metrics = found(http, "/metrics");
        let got = sample(&metrics, name);
        assert_eq!(got, Some(value), "{name}\n{metrics}");
    }
    // The page says it in words, with what to do.
    let page = found(http, "/");
    for part in [
        "data-state=\"failing\">failing<",
        "Not reached",
        "</code>, on the partner's side)",
        "Somebody came in its name",
        "connect-failed",
        "unknown-local-domain",
        "href=\"/partner/fabrikam.example\"",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let page = found(http, "/partner/fabrikam.example");
    for part in [
        "To do: ",
        "We went, failed",
        "In its name, failed",
        "Nothing shows that it was the partner.",
        "; the same 2 times since ",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let address = route.to_string();
    let steps = page.matches("<span class=\"at\">").count();
    assert!(steps >= 4 && page.contains(&address), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_counted_and_timed() {
    use crate::federation::stage::Stage;
    let entry = "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\nROUTE\n";
    let stage = Stage::with_edge(
        &["fabrikam.example"],
        entry,
        &[("admin", "listen = \"127.0.0.1:0\"")],
    )
    .await;
    let (mut wire, _) = stage.enter("fabrikam.example").await.unwrap();
    wire.send(
        "<message xmlns='jabber:server' from='bob@fabrikam.example' to='anne@contoso.example'>\
         <body>hello</body></message>",
    )
    .await;
    stage.inside.find(&["hello"]).await;
    stage.send(
        "<message from='anne@contoso.example/a' to='bob@fabrikam.example'>\
         <body>hello</body></message>",
    );
    stage.outside.find(&["hello"]).await;
    let (text, json) = block_in_place(|| crate::status::status(stage.lab(), &[]));
    let http = json["listeners"]["admin"][0]
        .as_str()
        .unwrap_or_else(|| panic!("{text}"));
    let http = http.parse().unwrap();
    block_in_place(|| {
        let delivered = |direction: &str| {
            format!(
                "xmpp_edge_stanzas_delivered_total{{partner=\"fabrikam.example\",direction=\"{direction}\"}}"
            )
        };
        until(|| {
            let metrics = found(http, "/metrics");
            ["inbound", "outbound"]
                .iter()
                .all(|it| sample(&metrics, &delivered(it)) == Some(1.0))
        });
        let metrics = found(http, "/metrics");
        for direction in ["inbound", "outbound"] {
            let whose = format!("partner=\"fabrikam.example\",direction=\"{direction}\"");
            for (name, value) in [
                (
                    format!("xmpp_edge_streams{{{whose},method=\"sasl-external\",tls=\"1.3\"}}"),
                    1.0,
                ),
                (
                    format!("xmpp_edge_streams{{{whose},method=\"tls-dialback\",tls=\"1.3\"}}"),
                    0.0,
                ),
                (
                    format!("xmpp_edge_proofs_total{{{whose},method=\"sasl-external\"}}"),
                    1.0,
                ),
                (format!("xmpp_edge_stanzas_accepted_total{{{whose}}}"), 1.0),
                (format!("xmpp_edge_stanzas_queued{{{whose}}}"), 0.0),
                (
                    format!("xmpp_edge_stanza_delivery_seconds_count{{direction=\"{direction}\"}}"),
                    1.0,
                ),
                (
                    format!(
                        "xmpp_edge_stream_opening_seconds_count{{direction=\"{direction}\",outcome=\"proven\"}}"
                    ),
                    1.0,
                ),
            ] {
                assert_eq!(sample(&metrics, &name), Some(value), "{name}\n{metrics}");
            }
        }
        let until = |name: &str| sample(&metrics, name).unwrap();
        let now = json["time"].as_str().unwrap();
        assert!(now.starts_with("20"), "{now}");
        for name in [
            "xmpp_edge_certificate_expiry_timestamp_seconds{domain=\"contoso.example\"}",
            "xmpp_edge_partner_certificate_expiry_timestamp_seconds{partner=\"fabrikam.example\"}",
        ] {
            assert!(until(name) > 1.7e9, "{name}\n{metrics}");
        }
        let partner = &json["partners"][0];
        assert_eq!(
            partner["proven"][0]["method"], "sasl-external",
            "{partner:#}"
        );
        assert!(
            partner["certificate"]["days-left"].as_i64().is_some(),
            "{partner:#}"
        );
        assert_eq!(partner["failed"]["outbound"], 0, "{partner:#}");
        let page = found(http, "/");
        for part in ["1 in, 1 out", "sasl-external", "1.3", " days"] {
            assert!(page.contains(part), "{part}\n{page}");
        }
    });
    drop(wire);
    stage.stop().await;
}
