//! A partner's server, as capable as it is told to be.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use xmpp_edge::proto::policy::Method::{self, SaslExternal, TcpDialback, TlsDialback};
use xmpp_edge::proto::xml::writer::write_element;
use xmpp_edge::proto::xml::{Element, Ns, StreamKind};

use super::diary::Diary;
use super::wire::{Tls, Wire};

/// What a partner can do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Able {
    /// Stands in the domains of those who can do this.
    pub(crate) name: &'static str,
    tls: bool,
    clear: bool,
    external: bool,
    dialback: bool,
}

impl Able {
    pub(crate) const ALL: [Self; 4] = [
        Self::of("all", true, true, true, true),
        Self::of("external", true, false, true, false),
        Self::of("tls", true, false, false, true),
        Self::of("tcp", false, true, false, true),
    ];

    const fn of(
        name: &'static str,
        tls: bool,
        clear: bool,
        external: bool,
        dialback: bool,
    ) -> Self {
        Self {
            name,
            tls,
            clear,
            external,
            dialback,
        }
    }

    /// What a partner of this domain can do: it stands in its first label.
    fn of_domain(domain: &str) -> Self {
        let label = domain.split('.').next().unwrap();
        let found = Self::ALL
            .into_iter()
            .find(|able| label.ends_with(able.name));
        found.unwrap_or(Self::ALL[0])
    }

    /// Whether this partner can be proven so.
    pub(crate) fn can(self, method: Method) -> bool {
        match method {
            SaslExternal => self.external && self.tls,
            TlsDialback => self.dialback && self.tls,
            TcpDialback => self.dialback && self.clear,
        }
    }
}

fn header(from: &str, to: &str, rest: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' from='{from}' to='{to}' {rest} version='1.0'>"
    )
}

/// Opens a stream to the edge in the name of `domain`, and proves it in the strongest way that both
/// can; else why not.
pub(crate) async fn enter(
    edge: SocketAddr,
    tls: &Tls,
    domain: &str,
) -> Result<(Wire, Method), String> {
    let able = Able::of_domain(domain);
    let mut wire = Wire::new(TcpStream::connect(edge).await.unwrap(), StreamKind::Server);
    loop {
        wire.send(&header(domain, "contoso.example", "")).await;
        wire.header().await.ok_or("no header")?;
        let features = next(&mut wire).await?;
        if !features.is(&Ns::STREAM, "features") {
            return Err(written(&features));
        }
        let offers_tls = features.child(&Ns::TLS, "starttls").is_some();
        if able.tls && offers_tls {
            wire.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
                .await;
            expect(&mut wire, &Ns::TLS, "proceed").await?;
            wire.connect_tls(tls)
                .await
                .map_err(|error| error.to_string())?;
            continue;
        }
        if !wire.is_encrypted() && !able.clear {
            return Err("STARTTLS is not offered".to_owned());
        }
        let offers_external = features.child(&Ns::SASL, "mechanisms").is_some();
        if able.external && offers_external {
            wire.send(
                "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
            )
            .await;
            expect(&mut wire, &Ns::SASL, "success").await?;
            wire.restart();
            wire.send(&header(domain, "contoso.example", "")).await;
            expect(&mut wire, &Ns::STREAM, "features").await?;
            return Ok((wire, SaslExternal));
        }
        if !able.dialback {
            return Err("SASL EXTERNAL is not offered".to_owned());
        }
        wire.send(&format!(
            "<db:result from='{domain}' to='contoso.example'>key</db:result>"
        ))
        .await;
        let answer = next(&mut wire).await?;
        return match answer.attribute("type") {
            Some("valid") if wire.is_encrypted() => Ok((wire, TlsDialback)),
            Some("valid") => Ok((wire, TcpDialback)),
            _ => Err(written(&answer)),
        };
    }
}

async fn next(wire: &mut Wire) -> Result<Element, String> {
    wire.element().await.ok_or_else(|| "closed".to_owned())
}

async fn expect(wire: &mut Wire, ns: &Ns, name: &str) -> Result<(), String> {
    let element = next(wire).await?;
    if element.is(ns, name) {
        Ok(())
    } else {
        Err(written(&element))
    }
}

pub(crate) fn written(element: &Element) -> String {
    let mut bytes = Vec::new();
    write_element(StreamKind::Server, element, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// Takes streams for every partner's domain, and writes down what arrives: domain, method, stanza.
pub(crate) async fn serve(listener: TcpListener, tls: Tls, diary: Arc<Diary>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let wire = Wire::new(stream, StreamKind::Server);
        tokio::spawn(receive(wire, tls.clone(), Arc::clone(&diary)));
    }
}

async fn receive(mut wire: Wire, tls: Tls, diary: Arc<Diary>) -> Option<()> {
    let mut external = false;
    'document: loop {
        let opening = wire.header().await?;
        let (own, peer) = (opening.attribute("to")?, opening.attribute("from")?);
        let able = Able::of_domain(own);
        wire.send(&header(own, peer, "id='s1'")).await;
        wire.send(&features(able, wire.is_encrypted(), external))
            .await;
        let mut method = external.then_some(SaslExternal);
        loop {
            let element = wire.element().await?;
            if element.is(&Ns::TLS, "starttls") {
                wire.send("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
                    .await;
                wire.accept_tls(&tls).await.ok()?;
                continue 'document;
            }
            if element.is(&Ns::SASL, "auth") && able.external && wire.is_encrypted() {
                wire.send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
                    .await;
                wire.restart();
                external = true;
                continue 'document;
            }
            if *element.ns() == Ns::DIALBACK {
                let id = element.attribute("id").unwrap_or("none");
                let willing = able.dialback && (able.clear || wire.is_encrypted());
                let verdict = if willing { "valid" } else { "invalid" };
                let name = element.name();
                wire.send(&format!(
                    "<db:{name} from='{own}' to='{peer}' id='{id}' type='{verdict}'/>"
                ))
                .await;
                if name == "result" && willing {
                    let dialback = if wire.is_encrypted() {
                        TlsDialback
                    } else {
                        TcpDialback
                    };
                    method = Some(dialback);
                }
                continue;
            }
            if let (Ns::CONTENT, Some(method)) = (element.ns().clone(), method) {
                diary.write(&format!("{own} {method} {}", written(&element)));
            } else {
                diary.write(&format!("{own} fault {}", written(&element)));
            }
        }
    }
}

fn features(able: Able, encrypted: bool, proven: bool) -> String {
    let mut features = "<stream:features>".to_owned();
    if able.tls && !encrypted {
        features += "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    }
    if able.external && encrypted && !proven {
        features += "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                     <mechanism>EXTERNAL</mechanism></mechanisms>";
    }
    if able.dialback && (encrypted || able.clear) {
        features += "<dialback xmlns='urn:xmpp:features:dialback'/>";
    }
    features + "</stream:features>"
}
