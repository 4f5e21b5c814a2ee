//! One XML stream on a socket, spoken by a script.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use xmpp_edge::proto::xml::{Element, Event, Header, Limits, Reader, StreamKind};

use crate::pki::Identity;

/// How long anything may take before the test has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Wire {
    channel: Channel,
    reader: Reader,
    stream_kind: StreamKind,
}

enum Channel {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Gone,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, stream_kind: StreamKind) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            channel: Channel::Clear(stream),
            reader: Reader::new(stream_kind, Limits::authenticated(10_000_000)),
            stream_kind,
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        // Whoever sends to a closed stream reads of it next.
        let sent = match &mut self.channel {
            Channel::Clear(stream) => stream.write_all(text.as_bytes()).await,
            // TLS may keep what was written until it is flushed.
            Channel::Tls(stream) => match stream.write_all(text.as_bytes()).await {
                Ok(()) => stream.flush().await,
                broken => broken,
            },
            Channel::Gone => Ok(()),
        };
        sent.unwrap_or_default();
    }

    /// The next thing read; `None` when the other side has closed the connection.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            if let Some(event) = self.reader.next().unwrap() {
                return Some(event);
            }
            let read = async {
                match &mut self.channel {
                    Channel::Clear(stream) => stream.read(&mut buffer).await,
                    Channel::Tls(stream) => stream.read(&mut buffer).await,
                    Channel::Gone => Ok(0),
                }
            };
            let count = timeout(PATIENCE, read).await.expect("nothing was said");
            match count {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.reader.feed(&buffer[..count]),
            }
        }
    }

    pub(crate) async fn header(&mut self) -> Option<Header> {
        match self.event().await? {
            Event::Header(header) => Some(header),
            _ => None,
        }
    }

    /// The next element; `None` at the end of the stream.
    pub(crate) async fn element(&mut self) -> Option<Element> {
        match self.event().await? {
            Event::Element(element) => Some(element),
            Event::Header(_) => Box::pin(self.element()).await,
            Event::Stanza(_) | Event::Excess(_) | Event::Close => None,
        }
    }

    /// After SASL a new document begins.
    pub(crate) fn restart(&mut self) {
        self.reader.restart();
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }

    /// The certificate that the other side has shown.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        let Channel::Tls(stream) = &self.channel else {
            return None;
        };
        let (_, connection) = stream.get_ref();
        Some(connection.peer_certificates()?.first()?.to_vec())
    }

    pub(crate) async fn connect_tls(&mut self, tls: &Tls) -> io::Result<()> {
        let name = ServerName::try_from("contoso.example").unwrap();
        let stream = TlsConnector::from(Arc::clone(&tls.client))
            .connect(name, self.clear())
            .await?;
        self.secured(TlsStream::Client(stream));
        Ok(())
    }

    pub(crate) async fn accept_tls(&mut self, tls: &Tls) -> io::Result<()> {
        let stream = TlsAcceptor::from(Arc::clone(&tls.server))
            .accept(self.clear())
            .await?;
        self.secured(TlsStream::Server(stream));
        Ok(())
    }

    fn clear(&mut self) -> TcpStream {
        match std::mem::replace(&mut self.channel, Channel::Gone) {
            Channel::Clear(stream) => stream,
            _ => panic!("TLS is there already"),
        }
    }

    fn secured(&mut self, stream: TlsStream<TcpStream>) {
        self.channel = Channel::Tls(Box::new(stream));
        self.reader = Reader::new(self.stream_kind, Limits::authenticated(10_000_000));
    }
}

/// What the partners show, and whom they trust.
#[derive(Clone)]
pub(crate) struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// The same, but of TLS nothing newer than 1.2 when it comes to the edge.
    pub(crate) fn only_tls12(identity: &Identity, anchors: RootCertStore) -> Self {
        let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(anchors.clone())
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .unwrap();
        Self {
            client: Arc::new(client),
            ..Self::new(identity, anchors)
        }
    }

    pub(crate) fn new(identity: &Identity, anchors: RootCertStore) -> Self {
        let provider = Arc::new(default_provider());
        let (chain, key) = (identity.chain.clone(), &identity.key);
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(anchors)
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .unwrap();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key.clone_key())
            .unwrap();
        Self {
            client: Arc::new(client),
            server: Arc::new(server),
        }
    }
}
