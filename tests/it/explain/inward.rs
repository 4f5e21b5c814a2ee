//! The same set-ups as the daemon meets them when the partner comes in: what its log says of them,
//! whose fault it is and what to do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use xmpp_edge::proto::codes::Code;

use super::peer::{hear, say, serve};
use super::{ENTRY, lab, soon};
use crate::daemon::process::Daemon;
use crate::lab::{FREE_PORTS, Lab};
use crate::pki::{Authority, Identity, Leaf};

/// The running edge, with these other lines in the partner's entry.
fn daemon(lab: &Lab, lines: &str) -> Daemon {
    lab.write("edge.toml", &FREE_PORTS, 0o644);
    lab.write("partners.toml", &format!("{ENTRY}{lines}"), 0o644);
    Daemon::start(lab)
}

/// Finds the line of this event with this reason, and holds it to the table.
fn logged(daemon: &Daemon, event: &str, reason: &str) -> Value {
    let wanted = [format!("\"{event}\""), format!("\"reason\":\"{reason}\"")];
    let lines = daemon.log_lines(1, |line| wanted.iter().all(|part| line.contains(part)));
    let line: Value = serde_json::from_str(&lines[0]).unwrap();
    let fields = line.get("fields").unwrap_or(&line);
    let row = Code::all().find(|code| *code == reason).unwrap();
    assert_eq!(fields["side"], row.side().as_str(), "{line}");
    assert_eq!(fields["remedy"], row.remedy(), "{line}");
    assert_eq!(fields["direction"], "inbound", "{line}");
    line
}

fn header(from: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         xmlns:db='jabber:server:dialback' from='{from}' to='contoso.example' version='1.0'>"
    )
}

fn connect(edge: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(edge).unwrap();
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream
}

/// Up to the handshake of TLS.
fn ready_for_tls(edge: SocketAddr) -> TcpStream {
    let mut stream = connect(edge);
    say(&mut stream, &[&header("fabrikam.example")]).unwrap();
    hear(&mut stream, "</stream:features>").unwrap();
    say(
        &mut stream,
        &["<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"],
    )
    .unwrap();
    hear(&mut stream, "<proceed").unwrap();
    stream
}

/// Up to the features under TLS, which this returns, if the edge lets it come so far.
fn under_tls(
    edge: SocketAddr,
    trusted: &Authority,
    shown: Option<&Identity>,
) -> (StreamOwned<ClientConnection, TcpStream>, Option<String>) {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.certificate.clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shown {
        Some(identity) => config
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .unwrap(),
        None => config.with_no_client_auth(),
    };
    let name = ServerName::try_from("contoso.example").unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, ready_for_tls(edge));
    say(&mut stream, &[&header("fabrikam.example")]);
    let features = hear(&mut stream, "</stream:features>");
    (stream, features)
}

/// Until the edge hangs up.
fn to_the_end(stream: &mut (impl Read + Write)) {
    say(stream, &["</stream:stream>"]);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).map(drop).unwrap_or_default();
}

#[test]
fn a_bad_certificate_of_a_partner_that_comes_in() {
    let (lab, authority) = lab();
    let daemon = daemon(&lab, "");
    let leaf = || Leaf::new(&["fabrikam.example"]);
    let unknown = Authority::root("Unknown Authority");
    let whole = unknown.issue(leaf());
    let sent = [&whole.chain[..], std::slice::from_ref(&unknown.certificate)].concat();
    for (reason, identity) in [
        (
            "expired",
            authority.issue(leaf().valid((2020, 1, 1), (2021, 1, 1))),
        ),
        (
            "not-yet-valid",
            authority.issue(leaf().valid((2090, 1, 1), (2099, 1, 1))),
        ),
        ("clock-skew", authority.issue(leaf().begins_at(soon()))),
        (
            "wrong-name",
            authority.issue(Leaf::new(&["adatum.example"])),
        ),
        (
            "issuer-not-sent",
            authority
                .intermediate("Test Intermediate")
                .issue(leaf())
                .without_intermediates(),
        ),
        ("client-auth-only", authority.issue(leaf().client_only())),
        ("unknown-issuer", whole.with_chain(sent)),
        ("self-signed", leaf().self_signed()),
    ] {
        let (mut stream, _) = under_tls(daemon.s2s, &authority, Some(&identity));
        let line = logged(&daemon, "certificate-rejected", reason);
        assert!(line.to_string().contains("fabrikam.example"), "{line}");
        to_the_end(&mut stream);
    }
    // And one that shows none at all.
    let (mut stream, _) = under_tls(daemon.s2s, &authority, None);
    logged(&daemon, "certificate-rejected", "no-certificate");
    to_the_end(&mut stream);
}

#[test]
fn a_partner_without_tls_that_comes_in() {
    let (lab, _) = lab();
    let daemon = daemon(&lab, "");
    let mut stream = connect(daemon.s2s);
    say(&mut stream, &[&header("fabrikam.example")]).unwrap();
    hear(&mut stream, "</stream:features>").unwrap();
    let key = "<db:result from='fabrikam.example' to='contoso.example'>key</db:result>";
    say(&mut stream, &[key]).unwrap();
    let line = logged(&daemon, "method-failed", "method-not-allowed");
    assert!(line.to_string().contains("tcp-dialback"), "{line}");
}

/// A library that knows nothing later than TLS 1.0 says so in its first message.
#[test]
fn a_partner_of_tls_1_0_that_comes_in() {
    let (lab, _) = lab();
    let daemon = daemon(&lab, "");
    let mut stream = ready_for_tls(daemon.s2s);
    // Version 3.1, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    let mut hello = vec![3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    stream.write_all(&record).unwrap();
    logged(&daemon, "stream-refused", "no-shared-version");
}

#[test]
fn sasl_external_of_a_partner_that_comes_in_and_fails() {
    let (lab, authority) = lab();
    let daemon = daemon(&lab, "");
    let identity = authority.issue(Leaf::new(&["fabrikam.example"]));
    let (mut stream, features) = under_tls(daemon.s2s, &authority, Some(&identity));
    assert!(features.unwrap().contains("EXTERNAL"));
    // It asks to be adatum.example.
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' \
                mechanism='EXTERNAL'>YWRhdHVtLmV4YW1wbGU=</auth>";
    say(&mut stream, &[auth]).unwrap();
    logged(&daemon, "method-failed", "sasl-failed");
}

/// The authoritative server does not know the key, or cannot be asked.
#[test]
fn a_dialback_key_of_a_partner_that_comes_in() {
    let (lab, authority) = lab();
    let verify = "<db:verify from='fabrikam.example' to='contoso.example' id='";
    let asked = serve(move |mut stream| {
        hear(&mut stream, "version='1.0'")?;
        say(&mut stream, &[super::peer::HEADER, "<stream:features/>"])?;
        let question = hear(&mut stream, "</db:verify>")?;
        let id = question.split("id='").nth(1)?.split('\'').next()?;
        say(&mut stream, &[verify, id, "' type='invalid'/>"])?;
        hear(&mut stream, "</stream:stream>").map(drop)
    });
    let by_dialback = "tls = \"optional\"\nsasl = \"optional\"\ndialback = true\n";
    let key = "<db:result from='fabrikam.example' to='contoso.example'>key</db:result>";
    for (place, reason) in [
        (asked, "dialback-invalid"),
        (super::closed_port(), "dialback-unanswered"),
    ] {
        let daemon = daemon(&lab, &format!("{by_dialback}route = [\"{place}\"]\n"));
        let (mut stream, features) = under_tls(daemon.s2s, &authority, None);
        assert!(features.unwrap().contains("urn:xmpp:features:dialback"));
        say(&mut stream, &[key]).unwrap();
        logged(&daemon, "method-failed", reason);
    }
}

#[test]
fn a_claim_that_no_entry_covers() {
    let (lab, _) = lab();
    let daemon = daemon(&lab, "");
    let mut stream = connect(daemon.s2s);
    say(&mut stream, &[&header("adatum.example")]).unwrap();
    let line = logged(&daemon, "stream-refused", "unknown-partner");
    assert!(line.to_string().contains("adatum.example"), "{line}");
}
