//! Streams, attempts and knocks, as `status` and `explain` show them.

use std::net::{SocketAddr, TcpListener, TcpStream};

use serde_json::Value;
use tokio::task::block_in_place;

use super::status;
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::federation::stage::Stage;
use crate::lab::{FREE_PORTS, Lab};

const MESSAGE: &str = "<message from='anne@contoso.example/a' to='bob@fabrikam.example'>\
                       <body>hello</body></message>";

fn partner(json: &Value) -> &Value {
    &json["partners"][0]
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_both_directions_are_shown_with_what_is_known_of_them() {
    let entry = "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\nROUTE\n";
    let stage = Stage::new(&["fabrikam.example"], entry).await;
    let (mut wire, _) = stage.enter("fabrikam.example").await.unwrap();
    wire.send(
        "<message xmlns='jabber:server' from='bob@fabrikam.example' to='anne@contoso.example'>\
         <body>hello</body></message>",
    )
    .await;
    stage.inside.find(&["hello"]).await;
    stage.send(MESSAGE);
    stage.outside.find(&["hello"]).await;
    let (text, json) = block_in_place(|| status(stage.lab(), &[]));
    assert_eq!(partner(&json)["state"], "connected");
    assert_eq!(partner(&json)["inbound"], 1, "{json:#}");
    assert_eq!(partner(&json)["outbound"], 1, "{json:#}");
    let streams = json["streams"].as_array().unwrap();
    for (direction, counter) in [("inbound", "stanzas-in"), ("outbound", "stanzas-out")] {
        let stream = streams.iter().find(|it| it["direction"] == direction);
        let stream = stream.unwrap();
        assert_eq!(stream["partner"], "fabrikam.example");
        assert_eq!(stream["pairs"][0]["method"], "sasl-external");
        assert_eq!(stream["tls"]["version"], "1.3");
        assert_eq!(stream[counter], 1, "{stream:#}");
        for bytes in ["bytes-in", "bytes-out"] {
            assert!(stream[bytes].as_u64().unwrap() > 100, "{stream:#}");
        }
        let certificate = &stream["tls"]["certificate"];
        assert!(certificate["fault"].is_null(), "{stream:#}");
        assert!(certificate["pin"].as_str().unwrap().starts_with("sha256:"));
        assert!(certificate["days-left"].as_i64().unwrap() > 0);
    }
    assert_eq!(json["delivery"]["inbound"]["accepted"], 1);
    assert_eq!(json["delivery"]["balances"], true);
    assert!(
        text.contains("Partners: 1 connected, none failing"),
        "{text}"
    );
    assert!(
        text.contains("fabrikam.example           in  sasl-external 1.3"),
        "{text}"
    );
    assert!(
        text.contains("fabrikam.example           out sasl-external 1.3"),
        "{text}"
    );

    let (text, json) = block_in_place(|| status(stage.lab(), &["fabrikam.example"]));
    let attempts = json["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 2, "{json:#}");
    for attempt in attempts {
        assert_eq!(attempt["method"], "sasl-external", "{json:#}");
        let steps = attempt["steps"].as_array().unwrap();
        assert!(steps.iter().any(|step| step["step"] == "tls"), "{json:#}");
        assert_eq!(steps.last().unwrap()["step"], "opened", "{json:#}");
    }
    assert_eq!(json["rule"]["covered"], "listed");
    assert_eq!(json["rule"]["line"], 1);
    assert!(text.contains("proven by sasl-external"), "{text}");
    drop(wire);
    stage.stop().await;
}

fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A stream header, as somebody's server would send it.
fn come(daemon: &Daemon, from: &str, to: &str) {
    let stream = TcpStream::connect(daemon.s2s).unwrap();
    let header = format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         from='{from}' to='{to}' version='1.0'>"
    );
    converse(&stream, &header, "</stream:stream>");
    drop(stream);
    daemon.log_line("stream-refused");
}

#[test]
fn what_attempts_of_both_directions_met_is_remembered() {
    let route = closed_port();
    let partners = format!(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
         route = [\"{route}\"]\n\
         [[partner]]\nprimary-domain = \"litware.example\"\ntype = \"federated\"\n\
         [[partner]]\nprimary-domain = \"adatum.example\"\ntype = \"federated\"\n"
    );
    let lab = Lab::with(&FREE_PORTS, &partners);
    let daemon = Daemon::start(&lab);
    let gateway = link(&daemon);
    converse(&gateway, MESSAGE, "</message>");
    for _ in 0..3 {
        come(&daemon, "fabrikam.example", "contosso.example");
    }
    let (text, json) = status(&lab, &[]);
    let fabrikam = partner(&json);
    assert_eq!(
        fabrikam["partner"], "fabrikam.example",
        "failing ones come first"
    );
    assert_eq!(fabrikam["state"], "failing");
    let [outbound] = fabrikam["failures"].as_array().unwrap().as_slice() else {
        panic!("{json:#}");
    };
    assert_eq!(outbound["reason"], "connect-failed");
    // The same as `explain` and the log say of a port on which nothing listens.
    assert_eq!(outbound["side"], "peer");
    // Who has shown nothing but the name may be anybody.
    let [claim] = fabrikam["claims"].as_array().unwrap().as_slice() else {
        panic!("{json:#}");
    };
    assert_eq!(claim["reason"], "unknown-local-domain");
    assert_eq!(claim["times"], 3);
    for part in [
        "Partners: 0 connected, 2 without a stream, 1 FAILING\n",
        "! fabrikam.example is not reached: connect-failed,",
        "? somebody came as fabrikam.example and proved nothing: 3 times,",
        "To do",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }

    let (text, json) = status(&lab, &["fabrikam.example"]);
    assert_eq!(json["attempts"].as_array().unwrap().len(), 2, "{json:#}");
    assert!(text.contains(", 3 times since "), "{text}");
    let address = format!("· {route} ");
    assert!(text.contains(&address), "{address}\n{text}");
    // A stranger who names the other one does not make it fail.
    come(&daemon, "litware.example", "contosso.example");
    let (text, json) = status(&lab, &[]);
    let partners = json["partners"].as_array().unwrap();
    let litware = &partners[2];
    assert_eq!(litware["partner"], "litware.example");
    assert_eq!(litware["state"], "idle", "{json:#}");
    assert_eq!(litware["failures"], Value::Array(Vec::new()));
    assert!(
        text.contains("? somebody came as litware.example and proved nothing: once,"),
        "{text}"
    );
    // Of the third partner nothing is known, and that is said.
    let (text, json) = status(&lab, &["adatum.example"]);
    assert_eq!(json["partner"]["state"], "idle");
    assert!(
        text.contains("there was none since the daemon was started"),
        "{text}"
    );
}

#[test]
fn a_mistyped_partner_that_knocks_is_shown_beside_the_name_that_was_meant() {
    let lab = crate::daemon::lab();
    let daemon = Daemon::start(&lab);
    for _ in 0..2 {
        come(&daemon, "fabrikan.example", "contoso.example");
    }
    come(&daemon, "rooms.fabrikam.example", "contoso.example");
    let (text, json) = status(&lab, &[]);
    assert_eq!(json["knocks-known"], 2, "{json:#}");
    let knocks = json["knocks"].as_array().unwrap();
    let of = |name: &str| knocks.iter().find(|it| it["domain"] == name).unwrap();
    assert_eq!(of("fabrikan.example")["count"], 2);
    assert_eq!(of("fabrikan.example")["nearest"], "fabrikam.example");
    assert_eq!(of("rooms.fabrikam.example")["above"], "fabrikam.example");
    for part in [
        "2 unknown domains have knocked",
        "did you mean",
        "which does not list it",
    ] {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(part), "{part}\n{text}");
    }
    let (text, json) = status(&lab, &["fabrikan.example"]);
    assert_eq!(json["rule"]["covered"], "unknown");
    assert_eq!(json["knock"]["count"], 2);
    assert!(text.contains("Knocked"), "{text}");
    // Whoever looks for the partner sees them, too.
    let (_, json) = status(&lab, &["fabrikam.example"]);
    assert_eq!(
        json["similar-knocks"].as_array().unwrap().len(),
        2,
        "{json:#}"
    );
    // What becomes a partner is not unknown any more.
    lab.write(
        "partners.toml",
        "[[partner]]\nprimary-domain = \"fabrikan.example\"\ntype = \"federated\"\n",
        0o644,
    );
    daemon.signal("HUP");
    daemon.log_line("reload-done");
    let (_, json) = status(&lab, &[]);
    assert_eq!(json["knocks-known"], 1, "{json:#}");
}

#[test]
fn explain_shows_what_a_running_daemon_knows() {
    let partners = format!(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
         route = [\"{}\"]\n",
        closed_port()
    );
    let lab = Lab::with(&FREE_PORTS, &partners);
    let explain = |format: &[&str]| {
        let command = ["explain", "fabrikam.example", "--config", "edge.toml"];
        let (exit, output, errors) = lab.run(&[&command[..], format].concat());
        assert_eq!((exit, errors.as_str()), (76, ""), "{output}");
        for line in output.lines().filter(|_| format.is_empty()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
        output
    };
    let text = explain(&[]);
    assert!(
        text.contains("\nNo daemon was asked: there is no socket at"),
        "{text}"
    );
    let json: Value = serde_json::from_str(&explain(&["--format", "json"])).unwrap();
    assert_eq!(json["daemon"]["asked"], false);

    let daemon = Daemon::start(&lab);
    come(&daemon, "fabrikam.example", "contosso.example");
    let text = explain(&[]);
    for part in [
        "\nWhat the running daemon knows\n",
        "\nWhat the last attempts met\n",
        "unknown-local-domain",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // The end is of the way that was gone.
    let (_, last) = text.rsplit_once("\n\n").unwrap();
    assert!(last.starts_with("  On "), "{last}");
    let json: Value = serde_json::from_str(&explain(&["--format", "json"])).unwrap();
    let knows = &json["daemon"]["knows"];
    crate::schemas::holds("status-domain", knows);
    crate::schemas::holds("explain", &json);
    assert_eq!(
        knows["attempts"][0]["failure"]["reason"],
        "unknown-local-domain"
    );
}
