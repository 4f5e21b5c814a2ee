//! TLS of the partners, on sockets that block.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

/// What partners show, and whom they trust.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// A partner's end of a stream that it has opened.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Tls {
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
        anchor: CertificateDer<'static>,
    ) -> Self {
        let mut anchors = RootCertStore::empty();
        anchors.add(anchor).unwrap();
        let provider = Arc::new(default_provider());
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(anchors)
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .unwrap();
        // Each handshake is a whole one, whatever the other side would keep.
        client.resumption = Resumption::disabled();
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

    pub fn connect(&self, stream: TcpStream) -> Stream {
        let name = ServerName::try_from("contoso.example").unwrap();
        let client = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        StreamOwned::new(client, stream)
    }

    pub fn accept(&self, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        let server = ServerConnection::new(Arc::clone(&self.server)).unwrap();
        StreamOwned::new(server, stream)
    }
}

/// Says something, and reads until `until` has come: what came.
pub fn converse(stream: &mut (impl Read + Write), text: &str, until: &str) -> String {
    stream.write_all(text.as_bytes()).unwrap();
    stream.flush().unwrap();
    let (mut heard, mut piece) = (String::new(), [0; 4096]);
    while !heard.contains(until) {
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "closed after {heard}");
        heard.push_str(str::from_utf8(&piece[..count]).unwrap());
    }
    heard
}
