//! Gateways that are set up wrongly: the log names the gateway's fault, and where to mend it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::process::Daemon;
use super::{EDGE, converse, lab};
use crate::lab::Lab;
use crate::pki::{self, Authority, Identity, Leaf};

const PATIENCE: Duration = Duration::from_secs(20);

/// An edge whose link has TLS, and the authority inside.
struct Inside {
    authority: Authority,
    lab: Lab,
    daemon: Daemon,
}

impl Inside {
    fn new(names: &str) -> Self {
        let authority = Authority::root("Inside");
        let lab = lab();
        let edge = authority.issue(Leaf::new(&["edge.internal"]).server_only());
        lab.write("inside.pem", &pki::pem(&authority.certificate), 0o644);
        lab.write("link.pem", &edge.chain_pem(), 0o644);
        lab.write("link.key", edge.key_pem(), 0o600);
        let tls = format!(
            "[gateway.tls]\ncertificate-chain = \"link.pem\"\nprivate-key = \"link.key\"\n\
             client-trust-anchors = \"inside.pem\"\nclient-names = [{names}]\n"
        );
        lab.write(
            "edge.toml",
            &EDGE.replace("plaintext = true\n", &tls),
            0o644,
        );
        let daemon = Daemon::start(&lab);
        Self {
            authority,
            lab,
            daemon,
        }
    }

    /// A gateway with a certificate, or without, that trusts an authority.
    fn gateway(
        &self,
        identity: Option<Identity>,
        trusted: &CertificateDer<'static>,
    ) -> StreamOwned<ClientConnection, TcpStream> {
        let mut anchors = RootCertStore::empty();
        anchors.add(trusted.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(anchors);
        let config = match identity {
            Some(it) => builder.with_client_auth_cert(it.chain, it.key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        let name = ServerName::try_from("edge.internal").unwrap();
        let stream = TcpStream::connect(self.daemon.gateway).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        StreamOwned::new(
            ClientConnection::new(Arc::new(config), name).unwrap(),
            stream,
        )
    }

    /// Why a gateway with this certificate is refused: code and detail.
    fn refused(&self, identity: Option<Identity>) -> (String, String) {
        let mut gateway = self.gateway(identity, &self.authority.certificate);
        // The edge hangs up: in the handshake, or behind it.
        gateway.read_to_end(&mut Vec::new()).unwrap_or_default();
        self.told()
    }

    fn told(&self) -> (String, String) {
        told(&self.daemon)
    }
}

fn told(daemon: &Daemon) -> (String, String) {
    let line = daemon.log_line("link-refused");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let text = |field: &str| line[field].as_str().unwrap().to_owned();
    let detail = text("detail");
    assert!(!detail.contains("partner"), "{detail}");
    assert!(detail.contains("the gateway"), "{detail}");
    (text("reason"), detail)
}

fn leaf() -> Leaf {
    Leaf::new(&["gateway.example"])
}

#[test]
fn a_certificate_that_is_refused_is_the_gateways_and_shown() {
    let inside = Inside::new("");
    let issue = |leaf| Some(inside.authority.issue(leaf));
    let others = Authority::root("Others");
    let middle = inside.authority.intermediate("Middle");
    let own = "the gateway's certificate (CN=leaf)";
    for (identity, code, words) in [
        (
            None,
            "gateway-certificate-missing",
            "the gateway showed no certificate: give it one that an authority in \
             client-trust-anchors has issued"
                .to_owned(),
        ),
        (
            Some(leaf().self_signed()),
            "certificate-refused",
            format!(
                "{own} is self-signed: have it issued by an authority, and name that authority"
            ),
        ),
        // As `openssl req -x509` makes it.
        (
            Some(leaf().authority().self_signed()),
            "peer-certificate-unusable",
            format!("{own} is self-signed: "),
        ),
        (
            Some(others.issue(leaf())),
            "certificate-refused",
            format!("{own} was issued by CN=Others, which no authority in client-trust-anchors"),
        ),
        (
            Some(middle.issue(leaf()).without_intermediates()),
            "certificate-refused",
            "CN=Middle, which no authority in client-trust-anchors vouches for; a certificate \
             between the two must be sent by the gateway"
                .to_owned(),
        ),
        (
            issue(leaf().server_only()),
            "certificate-refused",
            format!("{own} is not for clients: it has key usages without clientAuth"),
        ),
        (
            issue(leaf().valid((2020, 1, 1), (2021, 1, 1))),
            "certificate-refused",
            format!("{own} expired on 2021-01-01T00:00:00Z; this host's clock says 20"),
        ),
        (
            issue(leaf().valid((2090, 1, 1), (2091, 1, 1))),
            "certificate-refused",
            format!("{own} is valid only from 2090-01-01T00:00:00Z; this host's clock says 20"),
        ),
    ] {
        let (reason, detail) = inside.refused(identity);
        assert!(detail.contains(&words), "{words}\n{detail}");
        assert_eq!(reason, code, "{detail}");
    }
    // It is let in with a good one.
    let identity = inside.authority.issue(leaf().client_only());
    let mut gateway = inside.gateway(Some(identity), &inside.authority.certificate);
    gateway.write_all(HEADER.as_bytes()).unwrap();
    let mut heard = [0; 5];
    gateway.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"<?xml");
    drop(inside.lab);
}

#[test]
fn a_name_that_is_not_wanted_is_shown_with_those_that_are() {
    let inside = Inside::new("\"a.example\", \"b.example\"");
    let identity = inside
        .authority
        .issue(Leaf::new(&["c.example", "*.d.example"]));
    let (reason, detail) = inside.refused(Some(identity));
    assert_eq!(reason, "gateway-name");
    assert_eq!(
        detail,
        "the gateway's certificate has c.example, *.d.example, and none of the names in \
         client-names: a.example, b.example"
    );
}

#[test]
fn a_gateway_that_does_not_trust_the_edge_is_told_so() {
    let inside = Inside::new("");
    let identity = inside.authority.issue(leaf());
    let mut gateway = inside.gateway(Some(identity), &Authority::root("Others").certificate);
    gateway.read_to_end(&mut Vec::new()).unwrap_err();
    let (reason, detail) = inside.told();
    assert_eq!(reason, "our-certificate-rejected");
    assert!(
        detail.contains("the gateway refused our certificate (alert unknown_ca): it must know"),
        "{detail}"
    );
}

const HEADER: &str = "<stream:stream xmlns='jabber:component:accept' \
                      xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>";

#[test]
fn where_one_end_has_tls_and_the_other_has_none_it_is_said_which() {
    let inside = Inside::new("");
    let stream = TcpStream::connect(inside.daemon.gateway).unwrap();
    (&stream).write_all(HEADER.as_bytes()).unwrap();
    let (reason, detail) = inside.told();
    assert_eq!(reason, "not-tls");
    assert_eq!(
        detail,
        "the gateway sent plain text, and the link has TLS here ([gateway.tls]): switch TLS on in \
         the gateway"
    );

    let daemon = Daemon::start(&lab());
    let mut stream = TcpStream::connect(daemon.gateway).unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00").unwrap();
    let (reason, detail) = told(&daemon);
    assert_eq!(reason, "tls-hello");
    assert!(
        detail.contains("plaintext = true under [gateway]): switch TLS off in the gateway, or put"),
        "{detail}"
    );
}

#[test]
fn the_domain_that_a_refused_gateway_asked_for_is_told() {
    let daemon = Daemon::start(&lab());
    let digest = "<handshake>0000000000000000000000000000000000000000</handshake>";
    for (domain, rest, reason, words) in [
        (
            "contoso.example",
            digest,
            "link-secret",
            "the handshake is wrong: the gateway must use the secret",
        ),
        (
            "litware.example",
            "",
            "unknown-local-domain",
            "the gateway asked for litware.example, which is not among the domains of edge.toml",
        ),
    ] {
        let stream = TcpStream::connect(daemon.gateway).unwrap();
        let header = HEADER.replace("contoso.example", domain);
        converse(&stream, &format!("{header}{rest}"), "</stream:stream>");
        let line = daemon.log_line("link-refused");
        for part in [
            format!("\"claimed\":\"{domain}\""),
            format!("\"reason\":\"{reason}\""),
            words.to_owned(),
        ] {
            assert!(line.contains(&part), "{part}\n{line}");
        }
    }
    let stream = TcpStream::connect(daemon.gateway).unwrap();
    let header = HEADER.replace("jabber:component:accept", "jabber:client");
    converse(&stream, &header, "</stream:stream>");
    let (reason, detail) = told(&daemon);
    assert_eq!(reason, "invalid-namespace");
    assert!(detail.contains("(jabber:component:accept)"), "{detail}");
}
