//! Handshakes in memory between our settings and a partner's, good and bad.

use rustls::RootCertStore;
use rustls::sign::SingleCertAndKey;

use super::settings::from;
use super::*;
use crate::proto::auth::identity::Names;
use crate::proto::auth::pki::{Authority, Identity, Leaf};
use rustls::server::ServerSessionMemoryCache;
use rustls::sign::CertifiedKey;
use rustls::version::TLS12;
use rustls::{ClientConnection, HandshakeKind, ServerConnection, SupportedProtocolVersion};
use std::io;

/// What became of a handshake on our side, and on the partner's.
type Outcome = (Result<TlsFacts, TlsFault>, Result<TlsFacts, TlsFault>);

struct World {
    root: Authority,
    ours: TlsConfigs,
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn world(minimum: TlsVersion) -> World {
    let root = Authority::root("root");
    let identity = root.issue(Leaf::new(&["local.example"]).server_only());
    let ours = TlsConfigs::new(credential(identity), Vec::new(), minimum).unwrap();
    World { root, ours }
}

fn credential(identity: Identity) -> Credential {
    Credential::new(Vec::new(), identity.chain, identity.key).unwrap()
}

/// Any chain with any key, whether or not they belong together.
fn resolver(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Arc<SingleCertAndKey> {
    let key = provider().key_provider.load_private_key(key).unwrap();
    Arc::new(CertifiedKey::new(chain, key).into())
}

fn partner_as_client(
    root: &Authority,
    version: TlsVersion,
    presents: Option<Arc<SingleCertAndKey>>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.certificate.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(only(version))
        .unwrap()
        .with_root_certificates(roots);
    match presents {
        Some(resolver) => builder.with_client_cert_resolver(resolver),
        None => builder.with_no_client_auth(),
    }
}

fn partner_as_server(version: TlsVersion, presents: Arc<SingleCertAndKey>) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(only(version))
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(presents)
}

fn only(version: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    static ONLY_TLS12: [&SupportedProtocolVersion; 1] = [&TLS12];
    match version {
        TlsVersion::Tls12 => &ONLY_TLS12,
        TlsVersion::Tls13 => from(TlsVersion::Tls13),
    }
}

fn connect(
    server: impl Into<Arc<ServerConfig>>,
    client: impl Into<Arc<ClientConfig>>,
    name: &str,
) -> (ServerConnection, ClientConnection) {
    let name = server_name(&domain(name)).unwrap();
    (
        ServerConnection::new(server.into()).unwrap(),
        ClientConnection::new(client.into(), name).unwrap(),
    )
}

fn pump(server: &mut ServerConnection, client: &mut ClientConnection) -> Outcome {
    let (mut at_server, mut at_client) = (Ok(()), Ok(()));
    for _ in 0..10 {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        while !wire.is_empty() && at_server.is_ok() {
            let mut rest = wire.as_slice();
            server.read_tls(&mut rest).unwrap();
            wire = rest.to_vec();
            at_server = server.process_new_packets().map(|_| ());
        }
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        while !wire.is_empty() && at_client.is_ok() {
            let mut rest = wire.as_slice();
            client.read_tls(&mut rest).unwrap();
            wire = rest.to_vec();
            at_client = client.process_new_packets().map(|_| ());
        }
    }
    let fault = |error| TlsFault::of(&io::Error::new(io::ErrorKind::InvalidData, error));
    (
        at_server.map(|()| facts(server).unwrap()).map_err(fault),
        at_client.map(|()| facts(client).unwrap()).map_err(fault),
    )
}

/// Our side as the server.
fn accept(world: &World, partner: ClientConfig) -> Outcome {
    let ours = world.ours.server(&domain("local.example"), None);
    let (mut server, mut client) = connect(ours, partner, "local.example");
    pump(&mut server, &mut client)
}

/// Our side as the client; ours comes first all the same.
fn dial(world: &World, partner: ServerConfig) -> Outcome {
    let ours = world.ours.client(&domain("local.example"), None);
    let (mut server, mut client) = connect(partner, ours, "partner.example");
    let (theirs, ours) = pump(&mut server, &mut client);
    (ours, theirs)
}

const BOTH: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

#[test]
fn any_chain_is_taken_and_reported_in_both_directions() {
    let world = world(TlsVersion::Tls12);
    let leaf = || Leaf::new(&["partner.example"]);
    for version in BOTH {
        for identity in [
            world.root.issue(leaf()),
            Authority::root("stranger")
                .intermediate("middle")
                .issue(leaf()),
            world.root.issue(leaf().valid((2020, 1, 1), (2021, 1, 1))),
            world.root.issue(leaf().client_only()),
            world.root.issue(Leaf::new(&["other.example"])),
            leaf().self_signed(),
            leaf().authority().self_signed(),
        ] {
            let chain = identity.chain.clone().into();
            let presents = resolver(identity.chain, identity.key);
            let want = TlsFacts { version, chain };
            let partner = partner_as_client(&world.root, version, Some(Arc::clone(&presents)));
            assert_eq!(accept(&world, partner).0, Ok(want.clone()));
            assert_eq!(
                dial(&world, partner_as_server(version, presents)).0,
                Ok(want)
            );
        }
    }
}

#[test]
fn a_partner_may_present_no_certificate() {
    let world = world(TlsVersion::Tls12);
    for version in BOTH {
        let (ours, theirs) = accept(&world, partner_as_client(&world.root, version, None));
        assert!(ours.unwrap().chain.is_empty());
        assert_eq!(theirs.unwrap().chain.len(), 1);
    }
}

#[test]
fn what_no_handshake_can_survive_has_its_own_reason() {
    let world = world(TlsVersion::Tls12);
    let good = world.root.issue(Leaf::new(&["partner.example"]));
    let other = world.root.issue(Leaf::new(&["partner.example"]));
    let old = world.root.issue_version_one();
    for version in BOTH {
        for (want, chain, key) in [
            ("peer-x509-version-1", &old.chain, &old.key),
            ("peer-signature", &good.chain, &other.key),
        ] {
            let presents = resolver(chain.clone(), key.clone_key());
            let partner = partner_as_client(&world.root, version, Some(Arc::clone(&presents)));
            assert_eq!(accept(&world, partner).0.unwrap_err().code(), want);
            let (ours, _) = dial(&world, partner_as_server(version, presents));
            assert_eq!(ours.unwrap_err().code(), want, "{version}");
        }
    }
}

#[test]
fn a_partner_that_refuses_our_certificate_is_told_from_other_failures() {
    let world = world(TlsVersion::Tls12);
    for version in BOTH {
        let stranger = Authority::root("stranger");
        let (ours, _) = accept(&world, partner_as_client(&stranger, version, None));
        let fault = ours.unwrap_err();
        assert_eq!(fault.code(), "our-certificate-rejected");
        assert!(fault.to_string().contains("unknown_ca"), "{fault}");
    }
}

#[test]
fn versions_below_the_minimum_are_refused() {
    let code = |outcome: Outcome| {
        outcome
            .0
            .map(|facts| facts.version)
            .map_err(|f| f.code().as_str())
    };
    let old = TlsVersion::Tls12;
    let modern = world(TlsVersion::Tls13);
    let presents = || {
        let identity = modern.root.issue(Leaf::new(&["partner.example"]));
        resolver(identity.chain, identity.key)
    };
    let refused = Err("no-shared-version");
    assert_eq!(
        code(accept(&modern, partner_as_client(&modern.root, old, None))),
        refused
    );
    assert_eq!(
        code(dial(&modern, partner_as_server(old, presents()))),
        refused
    );

    // A partner's own minimum holds where it is the stricter one, and only there.
    let lax = world(TlsVersion::Tls12);
    for (ours, partners, want) in [
        (&lax, None, Ok(old)),
        (&lax, Some(TlsVersion::Tls13), refused),
        (&modern, Some(TlsVersion::Tls12), refused),
    ] {
        let settings = ours.ours.server(&domain("local.example"), partners);
        let partner = partner_as_client(&ours.root, old, None);
        let (mut server, mut client) = connect(settings, partner, "local.example");
        assert_eq!(code(pump(&mut server, &mut client)), want);
    }
}

#[test]
fn nothing_is_resumed_however_much_the_partner_would_like_to() {
    let world = world(TlsVersion::Tls12);
    for version in BOTH {
        let partner = Arc::new(partner_as_client(&world.root, version, None));
        let identity = world.root.issue(Leaf::new(&["partner.example"]));
        let mut server = partner_as_server(version, resolver(identity.chain, identity.key));
        server.session_storage = ServerSessionMemoryCache::new(10);
        let server = Arc::new(server);
        for _ in 0..2 {
            let ours = world.ours.server(&domain("local.example"), None);
            let (mut ours, mut theirs) = connect(ours, Arc::clone(&partner), "local.example");
            pump(&mut ours, &mut theirs).0.unwrap();
            assert_ne!(ours.handshake_kind(), Some(HandshakeKind::Resumed));
            assert_eq!(theirs.tls13_tickets_received(), 0);

            let ours = world.ours.client(&domain("local.example"), None);
            let (mut theirs, mut ours) = connect(Arc::clone(&server), ours, "partner.example");
            pump(&mut theirs, &mut ours).0.unwrap();
            assert_ne!(ours.handshake_kind(), Some(HandshakeKind::Resumed));
        }
    }
}

#[test]
fn the_name_asked_for_is_the_domain_and_the_key_exchange_is_post_quantum() {
    let world = world(TlsVersion::Tls12);
    let local = domain("local.example");
    let (ours, theirs) = (
        world.ours.client(&local, None),
        world.ours.server(&local, None),
    );
    let (mut server, mut client) = connect(theirs, ours, "exämple.org");
    pump(&mut server, &mut client).1.unwrap();
    assert_eq!(server.server_name(), Some("xn--exmple-cua.org"));
    let group = client.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
    for literal in ["[2001:db8::1]", "192.0.2.1"] {
        let name = server_name(&domain(literal)).unwrap();
        assert!(matches!(name, ServerName::IpAddress(_)), "{literal}");
    }
}

#[test]
fn each_local_domain_presents_its_own_certificate() {
    let root = Authority::root("root");
    let identity = |name: &str| root.issue(Leaf::new(&[name]));
    let mut second = credential(identity("eu.local.example"));
    second.domains = vec![domain("eu.local.example")];
    let first = credential(identity("local.example"));
    let ours = TlsConfigs::new(first, vec![second], TlsVersion::Tls12).unwrap();
    for (local, want) in [
        ("local.example", "local.example"),
        ("eu.local.example", "eu.local.example"),
        ("third.example", "local.example"),
    ] {
        let local = domain(local);
        let (server, client) = (ours.server(&local, None), ours.client(&local, None));
        let (mut server, mut client) = connect(server, client, "partner.example");
        let (at_server, at_client) = pump(&mut server, &mut client);
        for facts in [at_server.unwrap(), at_client.unwrap()] {
            assert_eq!(Names::of(&facts.chain[0]).to_string(), want);
        }
    }
}

#[test]
fn a_gateway_needs_a_certificate_of_the_internal_authority() {
    let inside = Authority::root("inside");
    let mut anchors = RootCertStore::empty();
    anchors.add(inside.certificate.clone()).unwrap();
    let edge = credential(inside.issue(Leaf::new(&["edge.local.example"])));
    let link = LinkTls::new(edge.certified, Arc::new(anchors), TlsVersion::Tls12).unwrap();
    let try_with = |presents: Option<Identity>| {
        let presents = presents.map(|identity| resolver(identity.chain, identity.key));
        let gateway = partner_as_client(&inside, TlsVersion::Tls13, presents);
        let (mut server, mut client) = connect(link.for_one().0, gateway, "edge.local.example");
        pump(&mut server, &mut client).0
    };
    let leaf = || Leaf::new(&["gateway.local.example"]);
    let facts = try_with(Some(inside.issue(leaf()))).unwrap();
    assert_eq!(check_names(&facts, &[]), Ok(()));
    let wanted = [domain("a.example"), domain("gateway.local.example")];
    assert_eq!(check_names(&facts, &wanted), Ok(()));
    assert_eq!(
        check_names(&facts, &[domain("a.example"), domain("b.example")]).unwrap_err(),
        "the gateway's certificate has gateway.local.example, and none of the names in \
         client-names: a.example, b.example"
    );

    let code = |presents| try_with(presents).unwrap_err().code().as_str();
    assert_eq!(code(None), "gateway-certificate-missing");
    assert_eq!(
        code(Some(Authority::root("x").issue(leaf()))),
        "certificate-refused"
    );
    assert_eq!(
        code(Some(inside.issue(leaf().server_only()))),
        "certificate-refused"
    );
}

#[test]
fn unusable_material_is_refused_at_the_start() {
    let root = Authority::root("root");
    let (a, b) = (
        root.issue(Leaf::new(&["a.example"])),
        root.issue(Leaf::new(&["b.example"])),
    );
    let new = |chain, key| Credential::new(Vec::new(), chain, key).unwrap_err();
    assert_eq!(
        new(Vec::new(), a.key.clone_key()),
        TlsSetupError::NoCertificate
    );
    assert_eq!(new(a.chain.clone(), b.key), TlsSetupError::KeyMismatch);
    let nobody = Arc::new(RootCertStore::empty());
    let nobody = LinkTls::new(credential(a).certified, nobody, TlsVersion::Tls12);
    assert_eq!(nobody.unwrap_err(), TlsSetupError::NoClientAnchors);
}

#[test]
fn what_is_not_tls_and_plain_ends_are_named() {
    let world = world(TlsVersion::Tls12);
    let mut server = ServerConnection::new(world.ours.server(&domain("a.example"), None)).unwrap();
    server
        .read_tls(&mut b"<stream:stream xmlns".as_slice())
        .unwrap();
    let error = server.process_new_packets().unwrap_err();
    let fault = TlsFault::of(&io::Error::new(io::ErrorKind::InvalidData, error));
    assert_eq!(fault, TlsFault::NotTls);
    for (kind, want) in [
        (io::ErrorKind::UnexpectedEof, "closed"),
        (io::ErrorKind::ConnectionReset, "closed"),
        (io::ErrorKind::BrokenPipe, "closed"),
        (io::ErrorKind::TimedOut, "timed-out"),
        (io::ErrorKind::OutOfMemory, "io"),
    ] {
        assert_eq!(TlsFault::of(&kind.into()).code(), want);
    }
}

/// On a socket, errors come wrapped, and with TLS 1.3 a refusal comes after the handshake.
#[tokio::test]
async fn a_refusal_is_understood_on_a_socket_too() {
    use tokio::io::AsyncReadExt as _;
    let world = world(TlsVersion::Tls12);
    let inside = Authority::root("inside");
    let mut anchors = RootCertStore::empty();
    anchors.add(inside.certificate.clone()).unwrap();
    let edge = credential(inside.issue(Leaf::new(&["partner.example"])));
    let picky = LinkTls::new(edge.certified, Arc::new(anchors), TlsVersion::Tls12).unwrap();
    let picky = picky.for_one().0;
    let (here, there) = tokio::io::duplex(65536);
    let partner = tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(picky);
        acceptor.accept(there).await.map(|_| ()).unwrap_err()
    });
    let ours = world.ours.client(&domain("local.example"), None);
    let name = server_name(&domain("partner.example")).unwrap();
    let connector = tokio_rustls::TlsConnector::from(ours);
    let mut stream = connector.connect(name, here).await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert_eq!(TlsFault::of(&error).code(), "our-certificate-rejected");
    let refused = TlsFault::of(&partner.await.unwrap());
    assert_eq!(refused.code(), "certificate-refused");

    let (here, there) = tokio::io::duplex(65536);
    drop(there);
    let name = server_name(&domain("partner.example")).unwrap();
    let error = connector.connect(name, here).await.unwrap_err();
    assert_eq!(TlsFault::of(&error), TlsFault::Closed);
}

#[test]
fn the_librarys_names_of_variants_become_words() {
    use rustls::{AlertDescription as Alert, CertificateError, Error, InvalidMessage};
    use rustls::{OtherError, PeerIncompatible, PeerMisbehaved};
    let other = OtherError(Arc::new(webpki::Error::MalformedExtensions));
    for (error, want) in [
        (
            Error::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            "(no cipher suites in common)",
        ),
        (
            Error::PeerMisbehaved(PeerMisbehaved::MessageInterleavedWithHandshakeMessage),
            "(message interleaved with handshake message)",
        ),
        (
            Error::InvalidMessage(InvalidMessage::MissingKeyExchange),
            "(a damaged message: missing key exchange)",
        ),
        (
            Error::InvalidCertificate(CertificateError::Other(other)),
            "(malformed extensions)",
        ),
        (
            Error::InvalidCertificate(CertificateError::UnknownIssuer),
            "(unknown issuer)",
        ),
        (Error::AlertReceived(Alert::UnknownCA), "(alert unknown_ca)"),
        (
            Error::AlertReceived(Alert::InternalError),
            "the alert internal_error",
        ),
    ] {
        let fault = TlsFault::of(&io::Error::new(io::ErrorKind::InvalidData, error));
        assert!(fault.to_string().contains(want), "{fault}");
    }
}

#[tokio::test]
async fn the_last_word_waits_for_the_end_of_tls_and_leaves_with_it() {
    for (version, records) in [
        // A key of AES-GCM is good for 2^24 (`Transport::most_records`).
        (TlsVersion::Tls12, 1 << 23),
        (TlsVersion::Tls13, u32::MAX),
    ] {
        leaves_with_the_end(version, records).await;
    }
}

async fn leaves_with_the_end(version: TlsVersion, records: u32) {
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsConnector;

    use crate::net::io::transport::{Socket, Transport};

    let world = world(TlsVersion::Tls12);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (theirs, ours) = tokio::join!(TcpStream::connect(address), listener.accept());
    let ours = Transport::Clear(Socket::new(ours.unwrap().0));
    let config = world.ours.server(&domain("local.example"), None);
    let partner = partner_as_client(&world.root, version, None);
    let partner = TlsConnector::from(Arc::new(partner));
    let name = ServerName::try_from("local.example").unwrap();
    let (ours, theirs) = tokio::join!(
        ours.accept_tls(config, 64 << 10),
        partner.connect(name, theirs.unwrap())
    );
    let (mut ours, (below, mut theirs)) = (ours.unwrap().0, theirs.unwrap().into_inner());
    assert_eq!(ours.most_records(), records);

    assert_eq!(ours.take_last(b"the last word").unwrap(), 13);
    let mut wire = [0; 4096];
    let early = below.try_read(&mut wire).unwrap_err();
    assert_eq!(early.kind(), io::ErrorKind::WouldBlock);
    ours.shutdown().await.unwrap();
    below.readable().await.unwrap();
    let read = below.try_read(&mut wire).unwrap();
    theirs.read_tls(&mut &wire[..read]).unwrap();
    let state = theirs.process_new_packets().unwrap();
    assert_eq!(state.plaintext_bytes_to_read(), 13);
    assert!(state.peer_has_closed());
}
