//! That what is written is what the daemon gets.

use std::path::Path;
use std::time::Duration;

use xmpp_edge::config::{Config, DialbackSource, Transport};
use xmpp_edge::ops::logging::Format;
use xmpp_edge::proto::auth::chain::TlsVersion;
use xmpp_edge::proto::auth::identity::Names;
use xmpp_edge::proto::jid::{Domain, Jid};
use xmpp_edge::proto::policy::{
    Access, AdmissionLimits, Initiative, Kinds, Method, Negotiation, PartnerType, Payload, Rates,
    Terms,
};
use xmpp_edge::proto::stanza::Kind;
use xmpp_edge::proto::stream::Unproven;
use xmpp_edge::proto::xml::{Limits, Ns};

use crate::lab::Lab;

/// Every key with a value that is not its default.
const EDGE: &str = r#"domains = ["contoso.example", "EU.contoso.example."]
partners = "others.toml"
state-directory = "var"

[s2s]
listen = ["127.0.0.1:1", "[::1]:2"]
connection-limit = 3
partner-connection-limit = 2
stream-establishment-timeout = "4s"
stream-inactivity-timeout = "50s"
keep-alive-interval = "6s"
max-stanza-bytes = 70000
max-stanza-depth = 63
pairs-per-stream = 60
queue-bytes = 9000000
dials-at-once = 62
dials-at-once-per-partner = 61

[admission]
unauthenticated-limit = 1
unauthenticated-per-address = 2
unauthenticated-per-prefix = 3
unauthenticated-per-domain = 4
connections-per-address = 0
attempts-per-address = 5
attempts-per-prefix = 6
attempts-per-domain = 7
questions-per-address = 8
questions-per-prefix = 9
questions-per-domain = 10
questions-at-once = 11
questions-at-once-per-domain = 12

[admission.stream]
header-bytes = 1025
element-bytes = 1026
depth = 5
elements = 9
attributes = 10
name-bytes = 33
namespaces = 11
white-space-bytes = 17
bytes = 9002
handshake-bytes = 9001

[tls]
certificate-chain = "edge.pem"
private-key = "edge.key"
trust-anchors = "ca.pem"
minimum-version = "1.3"

[[identity]]
domains = ["eu.contoso.example"]
certificate-chain = "eu.pem"
private-key = "eu.key"

[dialback]
secret-file = "gateway.secret"

[dns]
nameservers = ["192.0.2.53", "[2001:db8::53]:5353"]
allow-private-addresses = true

[gateway]
listen = ["192.0.2.8:9"]
secret-file = "gateway.secret"
reconnect-grace = "250ms"
annotate = true
links-per-domain = 3

[gateway.tls]
certificate-chain = "internal.pem"
private-key = "internal.key"
client-trust-anchors = "ca.pem"
client-names = ["gateway.contoso.example"]

[access]
default = "deny"
exceptions = ["CEO@contoso.example"]
contact-limit = 9999

[admin]
socket = "a.sock"

[log]
format = "json"
filter = "warn,xmpp_edge::net=debug"
message-bodies = true
addresses = true
"#;

const PARTNERS: &str = r#"# The first line.
[[partner]]
primary-domain = "Fabrikam.example"
description = "Fabrikam"
additional-domains = ["corp.fabrikam.example", "*.rooms.fabrikam.example"]
type = "public-unverified"
direction = "outbound"
connection-limit = 7
minimum-tls-version = "1.3"
max-stanza-bytes = 80000
stanza-rate = 9
kinds = ["message", "iq"]
allow-namespaces = ["urn:a", "urn:b"]
deny-namespaces = ["urn:c"]
tls = "optional"
sasl = "not-supported"
dialback = true
keep-alive = false
route = ["xmpp.fabrikam.example:10", "[2001:db8::1]:11"]
trust-anchors = "ca.pem"

[[partner]]
primary-domain = "litware.example"
type = "public-verified"

[default-partner]
type = "public-unverified"
"#;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn load(edge: &str) -> Config {
    let lab = Lab::with(edge, "");
    lab.write("others.toml", PARTNERS, 0o600);
    let examination = lab.examine();
    assert_eq!(examination.problems, []);
    examination.config.unwrap()
}

#[test]
fn the_edge_file() {
    let config = load(EDGE);
    assert_eq!(
        config.domains,
        [domain("contoso.example"), domain("eu.contoso.example")]
    );
    assert!(config.state_directory.ends_with("var"));

    let s2s = &config.s2s;
    assert_eq!(
        s2s.listen,
        ["127.0.0.1:1", "[::1]:2"].map(|it| it.parse().unwrap())
    );
    assert_eq!(s2s.connection_limit, 3);
    assert_eq!(s2s.partner_connection_limit, 2);
    assert_eq!(s2s.establishment_timeout, Duration::from_secs(4));
    assert_eq!(s2s.inactivity_timeout, Duration::from_secs(50));
    assert_eq!(s2s.keep_alive_interval, Duration::from_secs(6));
    assert_eq!(s2s.max_stanza_bytes, 70_000);
    assert_eq!(s2s.max_stanza_depth, 63);
    assert_eq!(
        config.admission,
        AdmissionLimits {
            unauthenticated: 1,
            unauthenticated_per_address: 2,
            unauthenticated_per_prefix: 3,
            unauthenticated_per_domain: 4,
            per_address: 0,
            attempts: Rates {
                per_address: 5,
                per_prefix: 6,
                per_domain: 7,
            },
            questions: Rates {
                per_address: 8,
                per_prefix: 9,
                per_domain: 10,
            },
            questions_at_once: 11,
            questions_at_once_per_domain: 12,
            handshake_bytes: 9001,
        }
    );
    assert_eq!(
        config.unproven,
        Unproven {
            limits: Limits {
                header_bytes: 1025,
                element_bytes: 1026,
                depth: 5,
                elements: 9,
                attributes: 10,
                name_bytes: 33,
                bindings: 11,
                whitespace_bytes: 17,
                namespace_bytes: 1024,
                overrun: 1,
            },
            bytes: 9002,
        }
    );

    assert_eq!(config.tls.anchors.len(), 1);
    assert_eq!(config.tls.minimum_version, TlsVersion::Tls13);
    for name in ["contoso.example", "eu.contoso.example"] {
        let shown = config
            .identities
            .of(&domain(name))
            .end_entity_cert()
            .unwrap();
        assert_eq!(Names::of(shown).to_string(), name);
    }
    assert!(matches!(config.dialback, DialbackSource::Known(_)));

    let nameservers = ["192.0.2.53:53", "[2001:db8::53]:5353"].map(|it| it.parse().unwrap());
    assert_eq!(config.dns.nameservers, nameservers);
    assert!(config.dns.allow_private_addresses);

    let gateway = &config.gateway;
    assert_eq!(gateway.listen, ["192.0.2.8:9".parse().unwrap()]);
    assert_eq!(gateway.secret.expose(), b"0123456789abcdef");
    assert_eq!(gateway.reconnect_grace, Duration::from_millis(250));
    assert!(gateway.annotate);
    assert_eq!(gateway.links_per_domain, 3);
    for (user, admitted) in [("ceo@contoso.example", true), ("a@contoso.example", false)] {
        let user = Jid::parse(user).unwrap();
        assert_eq!(config.rules.access().admits(&user), admitted, "{user}");
    }
    let Transport::Tls(tls) = &gateway.transport else {
        panic!("{:?}", gateway.transport);
    };
    let shown = tls.identity.end_entity_cert().unwrap();
    assert_eq!(Names::of(shown).to_string(), "edge.internal");
    assert_eq!(tls.client_anchors.len(), 1);
    assert_eq!(
        tls.client_names,
        ["gateway.contoso.example".try_into().unwrap()]
    );

    assert!(config.admin.socket.ends_with("a.sock"));
    assert_eq!(config.log.format, Format::Json);
    assert!(config.log.message_bodies);
    assert!(config.log.addresses);
    assert_eq!(
        config.log.filter,
        "warn,xmpp_edge::net=debug".parse().unwrap()
    );
}

#[test]
fn a_partner() {
    let config = load(EDGE);
    assert!(config.rules.is_local(&domain("eu.contoso.example")));
    let partner = config
        .rules
        .partner_of(&domain("x.rooms.fabrikam.example"))
        .unwrap();
    assert_eq!(partner.primary, domain("fabrikam.example"));
    assert_eq!(partner.description, "Fabrikam");
    let patterns: Vec<_> = partner.patterns().map(|it| it.to_string()).collect();
    assert_eq!(
        patterns,
        [
            "fabrikam.example",
            "corp.fabrikam.example",
            "*.rooms.fabrikam.example"
        ]
    );
    assert_eq!(
        (partner.tls, partner.sasl, partner.dialback),
        (Negotiation::Optional, Negotiation::NotSupported, true)
    );
    let methods: Vec<_> = partner.methods().iter().collect();
    assert_eq!(methods, [Method::TlsDialback, Method::TcpDialback]);
    assert!(!partner.keep_alive);
    let route: Vec<_> = partner.route.iter().map(ToString::to_string).collect();
    assert_eq!(route, ["xmpp.fabrikam.example:10", "[2001:db8::1]:11"]);
    assert_eq!(partner.anchors.as_ref().unwrap().len(), 1);
    assert_eq!(partner.line, 2);
    let namespaces = |names: &[&str]| names.iter().map(|name| Ns::from(*name)).collect();
    assert_eq!(
        partner.terms,
        Terms {
            partner_type: PartnerType::PublicUnverified,
            initiative: Initiative::Outbound,
            kinds: Kinds::of(&[Kind::Message, Kind::Iq]),
            payload: Payload {
                allow: namespaces(&["urn:a", "urn:b"]),
                deny: namespaces(&["urn:c"]),
            },
            connection_limit: 7,
            minimum_tls: TlsVersion::Tls13,
            max_stanza_bytes: 80_000,
            stanza_rate: 9,
        }
    );
}

/// What `edge.toml` says for all partners holds where an entry says nothing.
#[test]
fn partners_without_terms_of_their_own() {
    let config = load(EDGE);
    let general = |partner_type| Terms {
        partner_type,
        connection_limit: 2,
        minimum_tls: TlsVersion::Tls13,
        max_stanza_bytes: 70_000,
        ..Terms::default()
    };
    let terms = |name| &config.rules.partner_of(&domain(name)).unwrap().terms;
    assert_eq!(
        terms("litware.example"),
        &general(PartnerType::PublicVerified)
    );
    assert_eq!(
        terms("anyone.example"),
        &general(PartnerType::PublicUnverified)
    );
    // The edge itself is nobody's partner.
    assert!(
        config
            .rules
            .partner_of(&domain("contoso.example"))
            .is_none()
    );
    let account = |name| config.rules.account_of(&domain(name)).to_string();
    assert_eq!(account("x.rooms.fabrikam.example"), "fabrikam.example");
    assert_eq!(account("anyone.example"), "anyone.example");
}

/// The general minimum cannot be undercut.
#[test]
fn an_older_tls_than_everybodys_has_no_effect() {
    let lab = Lab::with(EDGE, "");
    let partners = PARTNERS.replace("version = \"1.3\"", "version = \"1.2\"");
    lab.write("others.toml", &partners, 0o600);
    let examination = lab.examine();
    let codes: Vec<_> = examination.problems.iter().map(|it| it.code).collect();
    assert_eq!(codes, ["minimum-without-effect"]);
    let rules = examination.config.unwrap().rules;
    let partner = rules.partner_of(&domain("fabrikam.example")).unwrap();
    assert_eq!(partner.terms.minimum_tls, TlsVersion::Tls13);
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = Lab::new().examine().config.unwrap();
    let s2s = &config.s2s;
    assert_eq!(s2s.listen, ["[::]:5269".parse().unwrap()]);
    assert_eq!(s2s.connection_limit, 1000);
    assert_eq!(s2s.establishment_timeout, Duration::from_secs(60));
    assert_eq!(s2s.inactivity_timeout, Duration::from_secs(600));
    assert_eq!(s2s.keep_alive_interval, Duration::from_secs(300));
    assert_eq!(s2s.max_stanza_bytes, 262_144);
    assert_eq!(s2s.max_stanza_depth, 64);
    assert_eq!(config.admission, AdmissionLimits::default());
    assert_eq!(config.unproven, Unproven::default());
    assert_eq!(config.tls.minimum_version, TlsVersion::Tls12);
    let DialbackSource::ToBeMade(path) = &config.dialback else {
        panic!("{:?}", config.dialback);
    };
    assert!(path.ends_with("state/dialback.secret"));
    assert!(!path.exists(), "checking writes nothing");
    assert_eq!(config.dns.nameservers, []);
    assert!(!config.dns.allow_private_addresses);
    assert_eq!(config.gateway.reconnect_grace, Duration::from_secs(30));
    assert!(matches!(config.gateway.transport, Transport::Plain));
    let socket = Path::new("/run/xmpp-edge/admin.sock");
    assert_eq!(config.admin.socket, socket);
    assert_eq!(config.log.format, Format::Auto);
    assert!(!config.log.message_bodies);
    assert!(!config.log.addresses);
    assert_eq!(config.log.filter, "info".parse().unwrap());

    let partner = &config.rules.partners()[0];
    assert_eq!(
        (
            partner.tls,
            partner.sasl,
            partner.dialback,
            partner.keep_alive
        ),
        (Negotiation::Required, Negotiation::Required, false, true)
    );
    assert!(partner.route.is_empty() && partner.anchors.is_none());
    assert_eq!(partner.terms, Terms::default());
    assert_eq!(s2s.partner_connection_limit, 20);
    assert!(!config.gateway.annotate);
    assert_eq!(config.gateway.links_per_domain, 8);
    assert_eq!(config.rules.access(), &Access::default());
    assert!(config.rules.default_partner().is_none());
}
