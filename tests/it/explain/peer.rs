//! A partner's server that goes as far as it is told, and then does what it should not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::pki::Identity;

/// What the server is like.
#[derive(Clone)]
pub(crate) struct Peer {
    /// Its settings for TLS; without any it does not offer TLS.
    tls: Option<Arc<ServerConfig>>,
    /// What it offers where TLS is up, or where there is none.
    features: &'static str,
    /// What it answers to SASL EXTERNAL.
    to_external: &'static str,
    /// What it answers to a dialback key.
    to_dialback: &'static str,
    /// Of what type its answer to a ping is, on the stream that the ping came on.
    to_pings: Option<&'static str>,
}

pub(crate) const EXTERNAL: &str = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
    <mechanism>EXTERNAL</mechanism></mechanisms>";
pub(crate) const DIALBACK: &str =
    "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>";
const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const VALID: &str = "<db:result from='fabrikam.example' to='contoso.example' type='valid'/>";

pub(crate) const HEADER: &str = "<stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' \
    from='fabrikam.example' to='contoso.example' id='theirs' version='1.0'>";

impl Peer {
    /// With a certificate, and ready to take whoever comes.
    pub(crate) fn with(identity: &Identity) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())
            .unwrap();
        Self {
            tls: Some(Arc::new(config)),
            ..Self::plain()
        }
    }

    /// Without TLS.
    pub(crate) fn plain() -> Self {
        Self {
            tls: None,
            features: EXTERNAL,
            to_external: SUCCESS,
            to_dialback: VALID,
            to_pings: None,
        }
    }

    pub(crate) fn offers(mut self, features: &'static str) -> Self {
        self.features = features;
        self
    }

    pub(crate) fn answers_external(mut self, answer: &'static str) -> Self {
        self.to_external = answer;
        self
    }

    pub(crate) fn answers_dialback(mut self, answer: &'static str) -> Self {
        self.to_dialback = answer;
        self
    }

    pub(crate) fn answers_pings(mut self, kind: &'static str) -> Self {
        self.to_pings = Some(kind);
        self
    }

    /// Serves as long as the tests run.
    pub(crate) fn start(self) -> SocketAddr {
        serve(move |stream| self.clone().speak(stream))
    }

    fn speak(self, mut stream: TcpStream) -> Option<()> {
        hear(&mut stream, "version='1.0'")?;
        let Some(tls) = self.tls.clone() else {
            return self.prove(stream);
        };
        let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
        say(
            &mut stream,
            &[HEADER, "<stream:features>", starttls, "</stream:features>"],
        )?;
        hear(&mut stream, "<starttls")?;
        say(
            &mut stream,
            &["<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"],
        )?;
        let mut stream = StreamOwned::new(ServerConnection::new(tls).unwrap(), stream);
        hear(&mut stream, "version='1.0'")?;
        self.prove(stream)
    }

    fn prove(self, mut stream: impl Read + Write) -> Option<()> {
        let features = ["<stream:features>", self.features, "</stream:features>"].concat();
        say(&mut stream, &[HEADER, &features])?;
        let heard = hear(&mut stream, ">")?;
        if heard.contains("<auth") {
            say(&mut stream, &[self.to_external])?;
            if self.to_external == SUCCESS {
                hear(&mut stream, "version='1.0'")?;
                say(&mut stream, &[HEADER, "<stream:features/>"])?;
            }
        } else if heard.contains("<db:result") {
            say(&mut stream, &[self.to_dialback])?;
        }
        if let Some(kind) = self.to_pings {
            let ping = hear(&mut stream, "</iq>")?;
            let id = ping.split("id='").nth(1)?.split('\'').next()?;
            let answer = "' from='fabrikam.example' to='contoso.example' id='";
            say(&mut stream, &["<iq type='", kind, answer, id, "'/>"])?;
        }
        hear(&mut stream, "</stream:stream>")?;
        say(&mut stream, &["</stream:stream>"])
    }
}

/// Serves each connection in a thread of its own, as long as the tests run.
pub(crate) fn serve(
    speak: impl Fn(TcpStream) -> Option<()> + Clone + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream
                .set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
            let speak = speak.clone();
            std::thread::spawn(move || speak(stream));
        }
    });
    address
}

/// One that answers the first header with this, and then listens.
pub(crate) fn answering(answer: &'static str) -> SocketAddr {
    serve(move |mut stream| {
        hear(&mut stream, "version='1.0'")?;
        say(&mut stream, &[answer])?;
        hear(&mut stream, "nothing that is ever said").map(drop)
    })
}

/// Reads once, and then until something has come; `None` where the other side has gone.
pub(crate) fn hear(stream: &mut impl Read, until: &str) -> Option<String> {
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while heard.is_empty() || !heard.contains(until) {
        match stream.read(&mut buffer) {
            Ok(count @ 1..) => heard.push_str(&String::from_utf8_lossy(&buffer[..count])),
            Ok(0) | Err(_) => return None,
        }
    }
    Some(heard)
}

pub(crate) fn say(stream: &mut impl Write, parts: &[&str]) -> Option<()> {
    stream.write_all(parts.concat().as_bytes()).ok()?;
    stream.flush().ok()
}
