//! A gateway: a small XEP-0114 component whose users answer whatever they are sent.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::trouble::{During, Trouble};
use crate::proto::auth::handshake;
use crate::proto::xml::writer::{write_element, write_header};
use crate::proto::xml::{Element, Event, Limits, Ns, Reader, StreamKind};

/// How long an answer, or the edge's word that there will be none, may take.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_STANZA_BYTES: usize = 262_144;
/// How many stanzas may wait to be written.
const MAX_OUTGOING: usize = 16;
/// How the body of an answer begins.
pub(super) const RE: &str = "Re: ";

/// The link of one domain's users.
#[derive(Debug)]
pub(super) struct Gateway {
    outgoing: mpsc::Sender<Element>,
    questions: Questions,
}

/// Who waits for the answer with which id.
type Questions = Arc<Mutex<HashMap<String, oneshot::Sender<Element>>>>;

/// What came back, and when.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) stanza: Element,
    pub(super) after: Duration,
}

impl Gateway {
    /// Connects to an edge and proves to know the link's secret.
    pub(super) async fn connect(
        address: SocketAddr,
        domain: &str,
        secret: &str,
    ) -> Result<Self, Trouble> {
        let mut link = Link::open(address, domain).await?;
        link.prove(secret).await?;
        let (outgoing, incoming) = mpsc::channel(MAX_OUTGOING);
        let questions = Questions::default();
        tokio::spawn(link.serve(incoming, Arc::clone(&questions)));
        Ok(Self {
            outgoing,
            questions,
        })
    }

    /// Sends a stanza and waits for what comes back with its id: an answer or an error.
    pub(super) async fn ask(&self, stanza: Element) -> Result<Answer, Trouble> {
        let id = stanza.attribute("id").unwrap_or_default().to_owned();
        let (asked, answered) = oneshot::channel();
        lock(&self.questions).insert(id, asked);
        let begin = Instant::now();
        self.outgoing.send(stanza).await.during("sending")?;
        let stanza = timeout(PATIENCE, answered)
            .await
            .map_err(|_| Trouble(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|_| Trouble("the link ended before an answer came".to_owned()))?;
        Ok(Answer {
            stanza,
            after: begin.elapsed(),
        })
    }
}

/// The connection behind a gateway.
struct Link {
    stream: TcpStream,
    reader: Reader,
}

impl Link {
    async fn open(address: SocketAddr, domain: &str) -> Result<Self, Trouble> {
        let what = format!("the link of {domain}");
        let stream = TcpStream::connect(address).await.during(&what)?;
        stream.set_nodelay(true).during(&what)?;
        let limits = Limits::authenticated(MAX_STANZA_BYTES);
        let reader = Reader::new(StreamKind::Component, limits);
        let mut link = Self { stream, reader };
        let mut header = Vec::new();
        write_header(StreamKind::Component, &[("to", domain)], &mut header);
        link.stream.write_all(&header).await.during(&what)?;
        Ok(link)
    }

    /// XEP-0114 §3: the digest binds the secret to this stream.
    async fn prove(&mut self, secret: &str) -> Result<(), Trouble> {
        let Event::Header(header) = self.next().await? else {
            return Err(Trouble("the edge opened no stream on the link".to_owned()));
        };
        let id = header.attribute("id").unwrap_or_default();
        let proof = handshake::digest(id, secret);
        self.send(&Element::new(Ns::CONTENT, "handshake").with_text(&proof))
            .await?;
        match self.next().await? {
            Event::Element(element) if element.is(&Ns::CONTENT, "handshake") => Ok(()),
            _ => Err(Trouble("the edge refused the link".to_owned())),
        }
    }

    async fn serve(mut self, mut outgoing: mpsc::Receiver<Element>, questions: Questions) {
        loop {
            let outcome = tokio::select! {
                stanza = outgoing.recv() => match stanza {
                    Some(stanza) => self.send(&stanza).await,
                    None => {
                        // Closed in order, so that nothing of it is lost; the edge may be gone.
                        self.stream.write_all(b"</stream:stream>").await.unwrap_or_default();
                        break;
                    }
                },
                event = self.next() => match event {
                    Ok(Event::Element(stanza)) => self.received(stanza, &questions).await,
                    Ok(Event::Header(_) | Event::Stanza(_) | Event::Excess(_)) => Ok(()),
                    Ok(Event::Close) => break,
                    Err(trouble) => Err(trouble),
                },
            };
            if outcome.is_err() {
                break;
            }
        }
        // Whoever still waits learns that nothing will come.
        lock(&questions).clear();
    }

    async fn received(&mut self, stanza: Element, questions: &Questions) -> Result<(), Trouble> {
        let waiting = stanza
            .attribute("id")
            .and_then(|id| lock(questions).remove(id));
        if let Some(waiting) = waiting {
            // Who asked may have given up.
            waiting.send(stanza).unwrap_or_default();
            return Ok(());
        }
        match reply(&stanza) {
            Some(reply) => self.send(&reply).await,
            None => Ok(()),
        }
    }

    /// The next event; may be dropped without losing anything.
    async fn next(&mut self) -> Result<Event, Trouble> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(event) = self.reader.next().during("the link")? {
                return Ok(event);
            }
            let read = self.stream.read(&mut buffer).await;
            let length = read.during("the link")?;
            if length == 0 {
                return Err(Trouble("the edge closed the link".to_owned()));
            }
            self.reader.feed(buffer.get(..length).unwrap_or_default());
        }
    }

    async fn send(&mut self, element: &Element) -> Result<(), Trouble> {
        let mut bytes = Vec::new();
        write_element(StreamKind::Component, element, &mut bytes);
        let written = self.stream.write_all(&bytes).await;
        written.during("the link")
    }
}

/// What a user answers, with the id of the question; answers and errors are not answered.
fn reply(stanza: &Element) -> Option<Element> {
    let attribute = |name| stanza.attribute(name).unwrap_or_default();
    let reply = Element::new(Ns::CONTENT, stanza.name().to_owned())
        .with_attribute("from", attribute("to"))
        .with_attribute("to", attribute("from"))
        .with_attribute("id", attribute("id"));
    let text_of = |child| stanza.child(&Ns::CONTENT, child).map(Element::text);
    match (stanza.name(), stanza.attribute("type")) {
        ("message", None | Some("chat" | "normal")) => {
            let body = text_of("body")?;
            // Two users that answer everything would never stop.
            if body.starts_with(RE) {
                return None;
            }
            let text = format!("{RE}{body}");
            let body = Element::new(Ns::CONTENT, "body").with_text(&text);
            Some(reply.with_attribute("type", "chat").with_child(body))
        }
        ("presence", None) => {
            let status = Element::new(Ns::CONTENT, "status").with_text("here, too");
            Some(reply.with_child(status))
        }
        ("iq", Some("get")) if stanza.child(&Ns::PING, "ping").is_some() => {
            Some(reply.with_attribute("type", "result"))
        }
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
