//! `[gateway]` and `[gateway.tls]`: the internal link.

use std::path::Path;
use std::time::Duration;

use rustls::pki_types::{DnsName, ServerName, UnixTime};

use super::certificate;
use super::files;
use super::model::{Gateway, GatewayTls, Transport};
use super::problem::{Place, Problem};
use super::reader::{Item, Section};
use super::secret::Secret;

/// Reads the section; `None` when something in it keeps the link from being built.
pub(super) fn read(root: &Section<'_>, now: UnixTime) -> Option<Gateway> {
    let section = root.section("gateway");
    if !section.is_present() {
        root.findings.add(Problem::error(
            "missing-section",
            &section.place(),
            "the section [gateway] is missing",
            "add [gateway] with secret-file, and [gateway.tls] or plaintext = true",
        ));
        return None;
    }
    let listen = super::sections::listen(&section, "127.0.0.1:23456");
    let secret = section
        .required_text("secret-file", "gateway.secret")
        .and_then(|file| {
            let path = section.resolve(&file.value);
            let secret = files::secret(&path, &file.place, section.findings)?;
            check_text(&section, &secret, &path, &file.place);
            Some(secret)
        });
    let plaintext = section.flag("plaintext", false);
    let reconnect_grace = section.duration(
        "reconnect-grace",
        Duration::from_secs(30),
        Duration::ZERO..=Duration::from_secs(3600),
    );
    let annotate = section.flag("annotate", false).value;
    let links_per_domain = section.number("links-per-domain", 8, 1..=1000);
    let tls = section.section("tls");
    let transport = if plaintext.value {
        check_plaintext(&section, &plaintext, &listen, &tls);
        Some(Transport::Plain)
    } else {
        read_tls(&tls, &section, now).map(Transport::Tls)
    };
    section.finish();
    Some(Gateway {
        listen: listen.into_iter().map(|item| item.value).collect(),
        secret: secret?,
        transport: transport?,
        reconnect_grace,
        annotate,
        links_per_domain,
    })
}

/// The handshake of XEP-0114 is made of text, so a gateway could not use other bytes.
fn check_text(section: &Section<'_>, secret: &Secret, path: &Path, place: &Place) {
    let text = std::str::from_utf8(secret.expose());
    // Of UTF-16 every second byte is a zero.
    if text.is_ok_and(|text| !text.contains(char::is_control)) {
        return;
    }
    let path = path.display();
    section.findings.add(Problem::error(
        "secret-not-text",
        place,
        format!("the secret in {path} is not one line of UTF-8 text"),
        format!("save it as UTF-8; or make another: openssl rand -hex 32 > {path}"),
    ));
}

fn check_plaintext(
    section: &Section<'_>,
    plaintext: &Item<bool>,
    listen: &[Item<std::net::SocketAddr>],
    tls: &Section<'_>,
) {
    for address in listen.iter().filter(|item| !item.value.ip().is_loopback()) {
        section.findings.add(
            Problem::error(
                "plaintext-not-loopback",
                &address.place,
                format!("plaintext = true, but {} is not loopback", address.value),
                "listen on 127.0.0.1 or [::1] only, or set plaintext = false and use [gateway.tls]",
            )
            .related(&plaintext.place, "the link would not be encrypted"),
        );
    }
    if tls.is_present() {
        section.findings.add(
            Problem::error(
                "plaintext-with-tls",
                &plaintext.place,
                "plaintext = true contradicts [gateway.tls]",
                "remove one of the two",
            )
            .related(&tls.place(), "asks for TLS"),
        );
    }
}

fn read_tls(tls: &Section<'_>, gateway: &Section<'_>, now: UnixTime) -> Option<GatewayTls> {
    if !tls.is_present() {
        tls.findings.add(Problem::error(
            "missing-section",
            &gateway.place(),
            "[gateway] needs [gateway.tls]: the link is encrypted unless plaintext = true",
            "add [gateway.tls] with certificate-chain, private-key and client-trust-anchors, \
             or set plaintext = true where the gateway runs on this host",
        ));
        return None;
    }
    let certified = certificate::read(tls, now).certified;
    let client_anchors = tls
        .required_text("client-trust-anchors", "tls/internal-ca.pem")
        .and_then(|file| certificate::root_store(tls, &file));
    let client_names = tls.parse_each(
        tls.texts("client-names"),
        "bad-name",
        "write a DNS name such as \"gateway.contoso.local\"",
        |text| DnsName::try_from(text.to_owned()).ok(),
    );
    tls.finish();
    let (identity, _) = certified?;
    Some(GatewayTls {
        identity,
        client_anchors: client_anchors?,
        client_names: client_names
            .into_iter()
            .map(|name| ServerName::DnsName(name.value))
            .collect(),
    })
}
