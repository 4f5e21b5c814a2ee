//! What servers in wide use have been seen to do, done to the real daemon: each time it says what is
//! wrong, passes nothing on, and serves the next one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use super::{RESULT, STARTTLS, authority::Authority, partner, send_the_last};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::lab::{FREE_PORTS as EDGE, Lab};

/// How far a peer gets by the rules, before it breaks them.
enum After {
    Connecting,
    Header,
    Proof,
}

const OPEN: &str = "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
    xmlns:stream='http://etherx.jabber.org/streams' from='fabrikam.example' to='contoso.example' \
    version='1.0'>";

/// What is said, and the condition of the stream error that it earns.
fn sins() -> Vec<(After, Vec<u8>, &'static str)> {
    use After::{Connecting, Header, Proof};
    let message = |inside: &str| {
        let open = "<message from='a@fabrikam.example' to='b@contoso.example' id='smuggled'>";
        format!("{open}{inside}</message>")
    };
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    let clients = message("").replace("<message", "<message xmlns='jabber:client'");
    let nowhere = message("").replace("<message", "<message xmlns=''");
    let utf16 = |bytes: fn(u16) -> [u8; 2]| OPEN.encode_utf16().flat_map(bytes).collect();
    let mut sins = vec![
        (Connecting, utf16(u16::to_le_bytes), "unsupported-encoding"),
        (Connecting, utf16(u16::to_be_bytes), "unsupported-encoding"),
    ];
    let texts = [
        (
            Connecting,
            OPEN.replace("jabber:server'", "jabber:client'"),
            "invalid-namespace",
        ),
        (
            Connecting,
            OPEN.replace("jabber:server'", "urn:x'"),
            "invalid-namespace",
        ),
        (Connecting, format!("<!-- -->{OPEN}"), "restricted-xml"),
        (Connecting, format!("<?x y?>{OPEN}"), "restricted-xml"),
        (Connecting, deep.clone(), "invalid-namespace"),
        (Header, message(""), "not-authorized"),
        (Header, deep.clone(), "policy-violation"),
        (Header, format!("{STARTTLS}{OPEN}"), "policy-violation"),
        (
            Header,
            format!("{STARTTLS}<?xml version='1.0'?>{OPEN}"),
            "policy-violation",
        ),
        (Proof, message(&deep), "policy-violation"),
        (Proof, message("<!-- -->"), "restricted-xml"),
        (Proof, message("<?x y?>"), "restricted-xml"),
        (Proof, clients, "invalid-namespace"),
        (Proof, nowhere, "unsupported-stanza-type"),
    ];
    sins.extend(texts.map(|(after, text, condition)| (after, text.into_bytes(), condition)));
    sins
}

#[test]
fn what_others_fall_for_is_told_and_ends_nothing_but_the_stream() {
    let authority = Authority::start();
    let lab = Lab::with(&EDGE, &partner("fabrikam.example", authority.address));
    let daemon = Daemon::start(&lab);
    let mut inside = link(&daemon);
    for (after, said, condition) in sins() {
        let stream = TcpStream::connect(daemon.s2s).unwrap();
        if !matches!(after, After::Connecting) {
            converse(&stream, OPEN, "</stream:features>");
        }
        if matches!(after, After::Proof) {
            converse(&stream, RESULT, "type='valid'");
        }
        let shown = String::from_utf8_lossy(&said[..said.len().min(200)]).into_owned();
        // It may hang up before it has read everything.
        let _refused = (&stream).write_all(&said);
        let answer = converse(&stream, "", "</stream:stream>");
        assert!(
            answer.contains(&format!("<{condition} ")),
            "{shown}: {answer}"
        );
        let _gone = stream.shutdown(Shutdown::Both);
    }
    send_the_last(&daemon);
    let mut relayed = String::new();
    let mut buffer = [0; 4096];
    while !relayed.contains("the-last") {
        let count = inside.read(&mut buffer).unwrap();
        assert!(count > 0, "{relayed}");
        relayed.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    assert!(!relayed.contains("smuggled"), "{relayed}");
    inside.shutdown(Shutdown::Both).unwrap();
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// What stands on the stream's header, and what a parser would change, arrives with the stanza.
#[test]
fn what_others_lose_on_the_way_arrives() {
    let authority = Authority::start();
    let lab = Lab::with(&EDGE, &partner("fabrikam.example", authority.address));
    let daemon = Daemon::start(&lab);
    let inside = link(&daemon);
    let stream = TcpStream::connect(daemon.s2s).unwrap();
    let open = OPEN.replace("version=", "xmlns:x='urn:x' xml:lang='de' version=");
    converse(&stream, &open, "</stream:features>");
    converse(&stream, RESULT, "type='valid'");
    let stanza = "<message from='a@fabrikam.example' to='b@contoso.example'>\
                  <body>1&#13;2</body><x:y x:z='1&#13;&#10;&#9;2'/></message>";
    (&stream).write_all(stanza.as_bytes()).unwrap();
    let relayed = converse(&inside, "", "</message>");
    for part in [
        "xml:lang='de'",
        "<body>1&#xD;2</body>",
        "<message xmlns:x='urn:x'",
        "<y xmlns='urn:x' x:z='1&#xD;&#xA;&#x9;2'/>",
    ] {
        assert!(relayed.contains(part), "{part}: {relayed}");
    }
    inside.shutdown(Shutdown::Both).unwrap();
    daemon.signal("TERM");
    daemon.ends_with(0);
}
