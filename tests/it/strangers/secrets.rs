//! The log at its loudest, and nothing in it that is nobody's business.

use std::io::Write as _;
use std::net::TcpStream;

use super::act::client;
use super::honest::Honest;
use super::{header, lab, proceed};
use crate::daemon::converse;
use crate::daemon::process::Daemon;
use crate::hostile::authority::Authority;
use crate::proven::answers::prove;

#[test]
fn no_secret_key_or_message_stands_in_the_log() {
    const BODY: &str = "for-your-eyes-only";
    const KEY: &str = "a-dialback-key-of-the-partner";
    let authority = Authority::start();
    let lab = lab(authority.address, "", "", "filter = \"trace\"");
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    honest.exchange();

    // A wrong proof at the link, then messages, good and bad, both ways.
    let stranger = TcpStream::connect(daemon.gateway).unwrap();
    let link = "<stream:stream xmlns='jabber:component:accept' \
                xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>\
                <handshake>0000000000000000000000000000000000000000</handshake>";
    converse(&stranger, link, "</stream:stream>");
    let message = |from: &str, to: &str| {
        format!("<message from='{from}' to='{to}'><body>{BODY}</body></message>")
    };
    honest.say(&message("b@contoso.example", "a@fabrikam.example"));
    daemon.log_lines(1, |line| {
        line.contains("\"stream-authenticated\"") && line.contains("\"outbound\"")
    });
    honest.say(&message("b@contoso.example", "a@nowhere.example"));
    honest.hear("not-allowed");
    let malformed = message("b@contoso.example", "a@fabrikam.example").replace("message", "iq");
    honest.say(&malformed);
    honest.hear("bad-request");
    let refused = daemon.log_lines(2, |line| line.contains("\"stanza-bounced\""));
    for (line, reason, remote) in [
        (&refused[0], "unknown-partner", "nowhere.example"),
        (&refused[1], "malformed-stanza", "fabrikam.example"),
    ] {
        for part in [
            reason,
            remote,
            "\"direction\":\"outbound\"",
            "\"local\":\"contoso.example\"",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }

    // Dialback with a key of the partner's, keys that are asked about, and what cannot be read.
    let peer = TcpStream::connect(daemon.s2s).unwrap();
    converse(&peer, &header("fabrikam.example"), "</stream:features>");
    for name in ["db:verify id='1'", "db:result"] {
        let end = &name[..9];
        let request = format!("<{name} from='fabrikam.example' to='contoso.example'>{KEY}</{end}>");
        converse(&peer, &request, "/>");
    }
    let broken = message("a@fabrikam.example", "b@contoso.example").replace("</body>", "</doby>");
    converse(&peer, &broken, "</stream:stream>");
    let tls = TcpStream::connect(daemon.s2s).unwrap();
    proceed(&tls);
    let mut tls = rustls::StreamOwned::new(client(&lab).connection(), tls);
    tls.write_all(header("fabrikam.example").as_bytes())
        .unwrap();
    drop(tls);

    daemon.signal("HUP");
    daemon.log_line("reload-done");
    drop(honest);
    daemon.signal("TERM");
    let log = daemon.whole_log();
    daemon.ends_with(0);
    let log = log.lock().unwrap().join("\n");
    assert!(log.contains("\"stream-authenticated\"") && log.contains("\"TRACE\""));

    let read = |name: &str| std::fs::read_to_string(lab.path(name)).unwrap();
    let heard = authority.heard.lock().unwrap().clone();
    let mut secrets = vec![
        read("gateway.secret").trim().to_owned(),
        read("state/dialback.secret").trim().to_owned(),
        KEY.to_owned(),
        BODY.to_owned(),
    ];
    let key = read("edge.key");
    secrets.extend(
        key.lines()
            .filter(|line| !line.starts_with('-'))
            .map(str::to_owned),
    );
    // The keys that the edge made itself.
    let own: Vec<_> = heard
        .split("<db:result ")
        .skip(1)
        .filter_map(|text| Some(text.split_once('>')?.1.split_once('<')?.0.to_owned()))
        .collect();
    assert!(
        own.iter().all(|key| key.len() == 64) && !own.is_empty(),
        "{own:?}"
    );
    secrets.extend(own);
    for secret in secrets {
        assert!(secret.len() >= 10, "{secret} would be found anywhere");
        assert!(!log.contains(&secret), "{secret} stands in the log");
    }
}

#[test]
fn no_memory_of_the_process_is_left_behind_on_the_disk() {
    let daemon = Daemon::start(&crate::daemon::lab());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let core = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .unwrap();
    assert_eq!(
        core.split_whitespace().collect::<Vec<_>>(),
        ["0", "0", "bytes"]
    );
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// Between which users a stanza was refused is logged where the configuration says so.
#[test]
fn users_stand_in_the_log_where_they_are_wanted_and_only_there() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "", "addresses = true");
    let edge = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
    let access = format!("{edge}\n[access]\nexceptions = [\"ceo@contoso.example\"]\n");
    lab.write("edge.toml", &access, 0o644);
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let partner = prove(&daemon);
    let refuse = |honest: &mut Honest| {
        // By policy: by a user who may not, and to a domain that is no partner.
        for to in ["a@fabrikam.example/x", "nobody@northwind.example/x"] {
            honest.say(&format!(
                "<message from='ceo@contoso.example/y' to='{to}'/>"
            ));
        }
        // By its form.
        let broken = "<iq from='a@fabrikam.example/x' to='b@contoso.example/y' type='get'/>";
        (&partner).write_all(broken.as_bytes()).unwrap();
        daemon.log_lines(3, |line| {
            line.contains("\"stanza-bounced\"") || line.contains("\"stanza-dropped\"")
        })
    };
    let field = |name: &str, value: &str| format!("\"{name}\":\"{value}\"");
    let lines = refuse(&mut honest).join("\n");
    for (from, to) in [
        ("ceo@contoso.example", "a@fabrikam.example"),
        ("ceo@contoso.example", "nobody@northwind.example"),
        ("a@fabrikam.example", "b@contoso.example"),
    ] {
        let both = format!("{},{}", field("from", from), field("to", to));
        assert!(lines.contains(&both), "{both}\n{lines}");
    }
    let start = daemon.whole_log().lock().unwrap().join("\n");
    assert_eq!(start.matches("\"addresses-logged\"").count(), 1, "{start}");

    lab.write("edge.toml", &access.replace("addresses = true", ""), 0o644);
    daemon.signal("HUP");
    let line = daemon.log_line("reload-done");
    assert!(line.contains("[log] addresses"), "{line}");
    let lines = refuse(&mut honest);
    assert!(lines.iter().all(|line| !line.contains('@')), "{lines:?}");
    lab.write("edge.toml", &access, 0o644);
    daemon.signal("HUP");
    daemon.log_line("addresses-logged");
}

/// What users write is logged where the configuration says so, which the log says, too.
#[test]
fn bodies_stand_in_the_log_where_they_are_wanted_and_only_there() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "", "message-bodies = true");
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let message = |body: &str| {
        format!(
            "<message from='b@contoso.example' to='a@fabrikam.example/x'>\
             <body>{body}</body><body xml:lang='de'>zwei\n\u{7f}</body></message>"
        )
    };
    honest.say(&message("one"));
    let lines = daemon.log_lines(2, |line| line.contains("\"message-body\""));
    for (line, body) in lines.iter().zip(["one", r"zwei\\u{a}\\u{7f}"]) {
        for part in [
            &format!("from b@contoso.example to a@fabrikam.example/x: {body}"),
            "\"direction\":\"outbound\"",
            "\"partner\":\"fabrikam.example\"",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }

    let edge = std::fs::read_to_string(lab.path("edge.toml")).unwrap();
    let silent = edge.replace("message-bodies = true", "message-bodies = false");
    lab.write("edge.toml", &silent, 0o644);
    daemon.signal("HUP");
    let line = daemon.log_line("reload-done");
    assert!(line.contains("message-bodies"), "{line}");
    honest.say(&message("two"));
    honest.exchange();
    lab.write("edge.toml", &edge, 0o644);
    daemon.signal("HUP");
    daemon.log_line("bodies-logged");
    drop(honest);
    daemon.signal("TERM");
    let log = daemon.whole_log();
    daemon.ends_with(0);
    let log = log.lock().unwrap().join("\n");
    assert!(!log.contains("two"));
    assert_eq!(log.matches("\"bodies-logged\"").count(), 2, "{log}");
}
