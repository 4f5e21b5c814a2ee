//! An edge, a gateway, and the servers of all its partners, on loopback.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::UnixTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use xmpp_edge::config::Config;
use xmpp_edge::net::daemon::Daemon;
use xmpp_edge::ops::counters::Ledger;
use xmpp_edge::ops::systemd::Listeners;
use xmpp_edge::proto::auth::handshake::digest;
use xmpp_edge::proto::policy::Method;
use xmpp_edge::proto::xml::StreamKind;

use super::diary::Diary;
use super::partner::{self, written};
use super::wire::{Tls, Wire};
use crate::lab::{Lab, free_ports};
use crate::pki::{self, Authority, Leaf};

/// A crowd of partners comes from one address, and the gateway sees who they are.
fn edge() -> String {
    let admission = "unauthenticated-per-address = 0\nconnections-per-address = 0";
    let sections = [("admission", admission), ("gateway", "annotate = true")];
    // The lab has an authority, too: that is another one.
    free_ports(&sections).replace("ca.pem", "authority.pem")
}

pub(crate) struct Stage {
    lab: Lab,
    authority: Authority,
    pub(crate) daemon: Daemon,
    /// What the partners' servers have received, each line with domain and method.
    pub(crate) outside: Arc<Diary>,
    /// What the gateway has received.
    pub(crate) inside: Arc<Diary>,
    /// What the gateway sends.
    gateway: mpsc::UnboundedSender<String>,
    tls: Tls,
    old_tls: Tls,
    route: SocketAddr,
    edge: String,
}

impl Stage {
    /// Partners whose certificate is for `domains`; `entries` is the partner file, in which
    /// `ROUTE` stands for where all their servers are.
    pub(crate) async fn new(domains: &[&str], entries: &str) -> Self {
        Self::with(&edge(), domains, entries).await
    }

    /// With more in `edge.toml`, at its end.
    pub(crate) async fn with_more(more: &str, domains: &[&str], entries: &str) -> Self {
        Self::with(&format!("{}{more}", edge()), domains, entries).await
    }

    /// With more lines in these sections of `edge.toml`.
    pub(crate) async fn with_edge(domains: &[&str], entries: &str, more: &[(&str, &str)]) -> Self {
        Self::with(&crate::lab::with(&edge(), more), domains, entries).await
    }

    async fn with(edge: &str, domains: &[&str], entries: &str) -> Self {
        let lab = Lab::new();
        let authority = Authority::root("Federation Authority");
        let own = authority.issue(Leaf::new(&["contoso.example"]).server_only());
        let partners = authority.issue(Leaf::new(domains).server_only());
        lab.write("authority.pem", &pki::pem(&authority.certificate), 0o600);
        lab.write("edge.pem", &own.chain_pem(), 0o600);
        lab.write("edge.key", own.key_pem(), 0o600);
        let mut anchors = RootCertStore::empty();
        anchors.add(authority.certificate.clone()).unwrap();
        let old_tls = Tls::only_tls12(&partners, anchors.clone());
        let tls = Tls::new(&partners, anchors);

        let (outside, inside) = (Arc::<Diary>::default(), Arc::<Diary>::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let route = listener.local_addr().unwrap();
        tokio::spawn(partner::serve(listener, tls.clone(), Arc::clone(&outside)));

        let config = read(&lab, edge, entries, route);
        let daemon = Daemon::start(config, Listeners::default()).await.unwrap();
        let gateway = gateway(daemon.gateway[0], Arc::clone(&inside)).await;
        Self {
            lab,
            authority,
            daemon,
            outside,
            inside,
            gateway,
            tls,
            old_tls,
            route,
            edge: edge.to_owned(),
        }
    }

    /// Where its files are.
    pub(crate) fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Writes another partner file, and leaves the edge as it is.
    pub(crate) fn write(&self, entries: &str) {
        read(&self.lab, &self.edge, entries, self.route);
    }

    /// Reloads with another partner file.
    pub(crate) fn reload(&self, entries: &str) -> String {
        let config = read(&self.lab, &self.edge, entries, self.route);
        self.daemon.reload(config).unwrap()
    }

    /// Puts another certificate where the edge's own is.
    pub(crate) fn renew_certificate(&self) {
        let own = Leaf::new(&["contoso.example"]).server_only();
        let own = self.authority.issue(own);
        self.lab.write("edge.pem", &own.chain_pem(), 0o600);
        self.lab.write("edge.key", own.key_pem(), 0o600);
    }

    /// Opens a stream as a partner's server.
    pub(crate) async fn enter(&self, domain: &str) -> Result<(Wire, Method), String> {
        partner::enter(self.daemon.s2s[0], &self.tls, domain).await
    }

    /// As one that has no TLS 1.3.
    pub(crate) async fn enter_with_tls12(&self, domain: &str) -> Result<(Wire, Method), String> {
        partner::enter(self.daemon.s2s[0], &self.old_tls, domain).await
    }

    /// Sends a stanza from the gateway.
    pub(crate) fn send(&self, stanza: &str) {
        self.gateway.send(stanza.to_owned()).unwrap();
    }

    /// Stops the edge in good order: what the gateway has received, and the ledger.
    pub(crate) async fn stop(self) -> (Arc<Diary>, Arc<Ledger>) {
        let ledger = Arc::clone(&self.daemon.edge().ledger);
        self.daemon.drain().await;
        (self.inside, ledger)
    }

    /// Whether every stanza that was accepted is accounted for.
    pub(crate) fn is_balanced(&self) -> bool {
        self.daemon.edge().ledger.balances()
    }
}

fn read(lab: &Lab, edge: &str, entries: &str, route: SocketAddr) -> Config {
    lab.write("edge.toml", edge, 0o600);
    let entries = entries.replace("ROUTE", &format!("route = [\"{route}\"]"));
    lab.write("partners.toml", &entries, 0o600);
    Config::load(&lab.path("edge.toml"), UnixTime::now())
        .unwrap_or_else(|problems| panic!("{:#?}", problems.0))
        .config
}

/// Opens a link, and writes down what comes.
pub(crate) async fn gateway(edge: SocketAddr, diary: Arc<Diary>) -> mpsc::UnboundedSender<String> {
    let mut wire = Wire::new(
        TcpStream::connect(edge).await.unwrap(),
        StreamKind::Component,
    );
    wire.send(
        "<stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='contoso.example'>",
    )
    .await;
    let header = wire.header().await.unwrap();
    let proof = digest(header.attribute("id").unwrap(), "0123456789abcdef");
    wire.send(&format!("<handshake>{proof}</handshake>")).await;
    assert_eq!(wire.element().await.unwrap().name(), "handshake");
    let (sender, mut stanzas) = mpsc::unbounded_channel::<String>();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                Some(stanza) = stanzas.recv() => wire.send(&stanza).await,
                element = wire.element() => match element {
                    Some(element) => diary.write(&written(&element)),
                    None => return,
                },
            }
        }
    });
    sender
}
