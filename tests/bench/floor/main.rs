//! The floor: a relay that ends TLS and copies bytes. It says what XMPP demands before the first stanza without
//! reading more than it must, and then looks at nothing but the end of what it copies.
//!
//! ```text
//!   floor S2S LINK SERVER DIRECTORY
//!
//!   partners ══ TLS ══► copied, as it was read ──► the gateway's link
//!   SERVER   ◄══ TLS ══ copied, as it was read ◄──
//! ```
//!
//! - A partner's certificate is verified against the authority, as SASL EXTERNAL needs it; whose name is in it,
//!   nobody looks at. A header, `<starttls`, `<auth` are found by their text.
//! - Several streams share one link. A piece that does not end a message keeps the link until the rest of it has come.
//! - Everything from the link goes to SERVER, on one stream, which the first byte opens.
//!
//! No policy, no XML, no limits, no log, no counters: what is left is the sockets, TLS and tokio.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// As much as a TLS record takes.
const PIECE: usize = 16 << 10;
const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";

type Link = Arc<Mutex<Option<OwnedWriteHalf>>>;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [s2s, link_address, server, directory] = arguments.as_slice() else {
        return Err(std::io::Error::other("floor S2S LINK SERVER DIRECTORY"));
    };
    let keys = Keys::read(&PathBuf::from(directory));
    let (acceptor, connector) = (keys.acceptor(), keys.connector());
    let link = Link::default();
    let partners = TcpListener::bind(s2s).await?;
    let gateways = TcpListener::bind(link_address).await?;
    let (to, server) = (Arc::clone(&link), server.clone());
    tokio::spawn(async move {
        while let Ok((gateway, _)) = gateways.accept().await {
            let (to, server, connector) = (Arc::clone(&to), server.clone(), connector.clone());
            tokio::spawn(async move {
                let _ended = outward(gateway, &to, &server, &connector).await;
            });
        }
    });
    loop {
        let (partner, _) = partners.accept().await?;
        let (acceptor, link) = (acceptor.clone(), Arc::clone(&link));
        tokio::spawn(async move {
            let _ended = inward(partner, &acceptor, &link).await;
        });
    }
}

/// A partner's stream, from its header to its end.
async fn inward(mut clear: TcpStream, acceptor: &TlsAcceptor, link: &Link) -> std::io::Result<()> {
    clear.set_nodelay(true)?;
    heard(&mut clear, "version=").await?;
    say(
        &mut clear,
        &opened(&format!("<starttls xmlns='{TLS}'><required/></starttls>")),
    )
    .await?;
    heard(&mut clear, "<starttls").await?;
    say(&mut clear, &format!("<proceed xmlns='{TLS}'/>")).await?;
    let mut stream = acceptor.accept(clear).await?;
    heard(&mut stream, "version=").await?;
    let external =
        format!("<mechanisms xmlns='{SASL}'><mechanism>EXTERNAL</mechanism></mechanisms>");
    say(&mut stream, &opened(&external)).await?;
    heard(&mut stream, "<auth").await?;
    say(&mut stream, &format!("<success xmlns='{SASL}'/>")).await?;
    heard(&mut stream, "version=").await?;
    say(&mut stream, &opened("")).await?;
    let mut piece = vec![0; PIECE];
    loop {
        let mut count = stream.read(&mut piece).await?;
        let mut held = link.lock().await;
        let to = held.as_mut().ok_or(std::io::ErrorKind::NotConnected)?;
        loop {
            if count == 0 {
                return Ok(());
            }
            to.write_all(&piece[..count]).await?;
            if piece[..count].ends_with(b"/message>") {
                break;
            }
            count = stream.read(&mut piece).await?;
        }
    }
}

/// A gateway's link, from its header to its end.
async fn outward(
    mut gateway: TcpStream,
    link: &Link,
    server: &str,
    connector: &TlsConnector,
) -> std::io::Result<()> {
    gateway.set_nodelay(true)?;
    heard(&mut gateway, ">").await?;
    say(&mut gateway, "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1'>").await?;
    heard(&mut gateway, "</handshake>").await?;
    say(&mut gateway, "<handshake/>").await?;
    let (mut from, to) = gateway.into_split();
    *link.lock().await = Some(to);
    let mut piece = vec![0; PIECE];
    let mut stream = None;
    loop {
        let count = from.read(&mut piece).await?;
        if count == 0 {
            return Ok(());
        }
        let stream = match &mut stream {
            Some(stream) => stream,
            none => none.insert(dial(server, connector).await?),
        };
        stream.write_all(&piece[..count]).await?;
        stream.flush().await?;
    }
}

/// A stream to the partner's server.
async fn dial(server: &str, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let mut clear = TcpStream::connect(server).await?;
    clear.set_nodelay(true)?;
    let header = header("p0.example");
    say(&mut clear, &header).await?;
    heard(&mut clear, "</stream:features>").await?;
    say(&mut clear, &format!("<starttls xmlns='{TLS}'/>")).await?;
    heard(&mut clear, "<proceed").await?;
    let name = ServerName::try_from("p0.example").unwrap();
    let mut stream = connector.connect(name, clear).await?;
    say(&mut stream, &header).await?;
    heard(&mut stream, "</stream:features>").await?;
    say(
        &mut stream,
        &format!("<auth xmlns='{SASL}' mechanism='EXTERNAL'>=</auth>"),
    )
    .await?;
    heard(&mut stream, "<success").await?;
    say(&mut stream, &header).await?;
    heard(&mut stream, "</stream:features>").await?;
    Ok(stream)
}

fn header(to: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         from='contoso.example' to='{to}' version='1.0'>"
    )
}

fn opened(features: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         from='contoso.example' id='1' version='1.0'>\
         <stream:features>{features}</stream:features>"
    )
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await
}

/// Reads until a text has come.
async fn heard(stream: &mut (impl AsyncRead + Unpin), text: &str) -> std::io::Result<()> {
    let (mut all, mut piece) = (Vec::new(), [0; 2048]);
    while !all.windows(text.len()).any(|part| part == text.as_bytes()) {
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        all.extend_from_slice(&piece[..count]);
    }
    Ok(())
}

/// What the relay shows, and whom it trusts.
struct Keys {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    anchors: RootCertStore,
}

impl Keys {
    fn read(directory: &Path) -> Self {
        let read = |name: &str| fs::read(directory.join(name)).unwrap();
        let certificates = |name: &str| -> Vec<_> {
            let text = read(name);
            let mut text = text.as_slice();
            let all = rustls_pemfile::certs(&mut text);
            all.map(Result::unwrap).collect()
        };
        let mut anchors = RootCertStore::empty();
        anchors.add_parsable_certificates(certificates("authority.pem"));
        let key = rustls_pemfile::private_key(&mut &*read("own.key"));
        Self {
            chain: certificates("own.pem"),
            key: key.unwrap().unwrap(),
            anchors,
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(default_provider());
        let anchors = Arc::new(self.anchors.clone());
        let verifier = WebPkiClientVerifier::builder_with_provider(anchors, Arc::clone(&provider));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .unwrap();
        // Nobody resumes here.
        config.send_tls13_tickets = 0;
        Arc::new(config).into()
    }

    fn connector(&self) -> TlsConnector {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.anchors.clone())
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .unwrap();
        Arc::new(config).into()
    }
}
