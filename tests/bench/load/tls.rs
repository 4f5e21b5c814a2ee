//! TLS of the partners, on sockets that block.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};

use crate::pki::{Authority, Identity};

/// What partners show, and whom they trust.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

/// A partner's end of a stream that it has opened.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

impl Tls {
    pub fn new(identity: &Identity, authority: &Authority) -> Self {
        let mut anchors = RootCertStore::empty();
        anchors.add(authority.certificate.clone()).unwrap();
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
