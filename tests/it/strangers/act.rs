//! What a slow peer does, and TLS for those who get so far.

use std::io::{ErrorKind, Read, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned};

use super::{header, proceed};
use crate::lab::Lab;
use crate::pki::Identity;

/// What may pass until a connection is gone: the grace of a close, and a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What a peer does before it falls silent; `Drip` goes on one byte at a time.
pub(super) enum Act {
    Say(String),
    Drip(String),
    HalfAHello,
    UnderTls(&'static str),
}

/// Does the act, then waits for the end: how long after the act's beginning it came.
pub(super) fn dawdle(stream: TcpStream, act: Act, lab: &Lab) -> JoinHandle<Duration> {
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let tls = client(lab);
    spawn(move || {
        let begun = Instant::now();
        match act {
            Act::Say(text) => {
                (&stream).write_all(text.as_bytes()).unwrap();
                until_the_end(&stream);
            }
            Act::Drip(text) => drip(&stream, &text),
            Act::HalfAHello => {
                proceed(&stream);
                let mut hello = Vec::new();
                tls.connection().write_tls(&mut hello).unwrap();
                (&stream).write_all(&hello[..hello.len() / 2]).unwrap();
                until_the_end(&stream);
            }
            Act::UnderTls(text) => {
                proceed(&stream);
                let mut stream = StreamOwned::new(tls.connection(), stream);
                let text = header("fabrikam.example") + text;
                stream.write_all(text.as_bytes()).unwrap();
                until_the_end(stream);
            }
        }
        begun.elapsed()
    })
}

/// One byte ten times a second: never silent, never done.
fn drip(mut stream: &TcpStream, text: &str) {
    stream
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut buffer = [0; 4096];
    for byte in text.bytes().chain(std::iter::repeat(b' ')) {
        if stream.write_all(&[byte]).is_err() {
            return;
        }
        match stream.read(&mut buffer) {
            Ok(1..) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}

fn until_the_end(mut stream: impl Read) {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(1..) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it is still there"),
            Ok(0) | Err(_) => return,
        }
    }
}

/// TLS as a partner begins it.
pub(super) struct Client(Arc<ClientConfig>, RootCertStore);

/// One that has no certificate to show.
pub(super) fn client(lab: &Lab) -> Client {
    let mut anchors = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(lab.path("ca.pem")).unwrap();
    anchors.add(authority).unwrap();
    let config = begin(&anchors).with_no_client_auth();
    Client(Arc::new(config), anchors)
}

fn begin(anchors: &RootCertStore) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(anchors.clone())
}

impl Client {
    /// The same with a certificate to show.
    pub(super) fn showing(self, identity: &Identity) -> Self {
        let config = begin(&self.1)
            .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
            .unwrap();
        Self(Arc::new(config), self.1)
    }

    pub(super) fn connection(&self) -> ClientConnection {
        let name = ServerName::try_from("contoso.example").unwrap();
        ClientConnection::new(Arc::clone(&self.0), name).unwrap()
    }
}
