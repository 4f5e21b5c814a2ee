//! A whole edge without sockets: its tasks, its partners' servers and its gateways, on virtual time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::acked::Server;
use super::script::{LOCALS, PARTNERS, SECRET};
use super::{gateway, partner};
use crate::net::daemon::{Daemon, sweep};
use crate::net::edge::{Edge, LinkSettings, Settings};
use crate::net::guard::verifications::Verifications;
use crate::net::io::resolve::DnsResolver;
use crate::net::io::tls::{Credential, TlsConfigs};
use crate::net::io::transport::Transport;
use crate::net::io::transport::memory::{Clock, End, Network, Wire, connection};
use crate::net::session::outbound;
use crate::ops::counters::Ledger;
use crate::proto::auth::chain::Checker;
use crate::proto::auth::dialback_key::DialbackSecret;
use crate::proto::auth::handshake::LinkSecret;
use crate::proto::auth::pki::Leaf;
use crate::proto::discover::Target;
use crate::proto::jid::Domain;
use crate::proto::policy::{AdmissionLimits, DialLimits, HostPort, Negotiation, Partner, Rules};
use crate::proto::stream::{Context, Timing, Unproven};
use crate::store::Contacts;

/// How long stanzas wait for a gateway that is away.
pub(super) const GRACE: Duration = Duration::from_secs(30);
/// A partner's port is this and its number.
const FIRST_PORT: u16 = 5269;

/// What the partners' entries say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sort {
    pub(super) shares: bool,
    pub(super) is_described: bool,
}

impl Default for Sort {
    fn default() -> Self {
        Self {
            shares: true,
            is_described: false,
        }
    }
}

/// Which connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A partner's, to the edge, for a local domain.
    In(usize, usize),
    /// The edge's, to a partner.
    Out(usize),
    /// A gateway's.
    Link(usize),
}

/// A connection, and what both ends have made of it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) kind: Kind,
    pub(super) wire: Wire,
    /// What the other end is to say; gone once it is to say goodbye.
    pub(super) say: Option<tokio::sync::mpsc::Sender<String>>,
    /// Whether the other end reads.
    pub(super) reads: watch::Sender<bool>,
}

/// What the other end is to say.
type Said = tokio::sync::mpsc::Receiver<String>;
/// Whether it reads.
type Reads = watch::Receiver<bool>;

/// The edge and everybody around it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) edge: Arc<Edge>,
    pub(super) around: Arc<Around>,
    /// What stops it.
    pub(super) daemon: Daemon,
}

/// Everybody around the edge.
#[derive(Debug, Default)]
pub(super) struct Around {
    lines: Mutex<Vec<Line>>,
    /// Partners that refuse connections.
    down: Mutex<[bool; PARTNERS.len()]>,
    pub(super) clock: Arc<Mutex<Clock>>,
    /// Who takes the edge's streams to a partner, where it is not the usual script.
    servers: Mutex<[Option<Arc<Server>>; PARTNERS.len()]>,
}

impl World {
    pub(super) fn new() -> Self {
        let ledger = Arc::<Ledger>::default();
        let contacts = Contacts::kept_nowhere();
        let (edge, wanted) = Edge::new(
            context(Sort::default()),
            settings(),
            contacts,
            ledger,
            Vec::new(),
        );
        let around = Arc::<Around>::default();
        let network = Arc::clone(&around) as Arc<dyn Network>;
        edge.network.set(network).unwrap();
        let tasks = vec![
            tokio::spawn(outbound::dial_all(Arc::clone(&edge), wanted)),
            tokio::spawn(sweep(Arc::clone(&edge))),
        ];
        let daemon = Daemon::around(Arc::clone(&edge), tasks);
        Self {
            edge,
            around,
            daemon,
        }
    }

    /// A partner's server opens a stream to a local domain.
    pub(super) fn enter(&self, partner: usize, local: usize) {
        self.enter_as(partner, local, |theirs, said, reads| {
            tokio::spawn(partner::enters(theirs, partner, local, said, reads));
        });
    }

    /// The same, with somebody else to speak on it.
    pub(super) fn enter_as(
        &self,
        partner: usize,
        local: usize,
        run: impl FnOnce(End, Said, Reads),
    ) {
        let (ours, theirs, wire) = connection(&self.around.clock);
        let address = SocketAddr::from((address(partner), 40_000));
        let admitted = self.edge.door.admit(address.ip(), &AdmissionLimits::NONE);
        let edge = Arc::clone(&self.edge);
        tokio::spawn(crate::net::session::inbound::serve(
            edge,
            Transport::Memory(ours),
            address,
            admitted.unwrap(),
        ));
        self.around
            .add(Kind::In(partner, local), wire, |said, reads| {
                run(theirs, said, reads);
            });
    }

    /// A gateway opens a link.
    pub(super) fn link(&self, local: usize) {
        self.link_as(local, |theirs, said, reads| {
            tokio::spawn(gateway::links(theirs, local, said, reads));
        });
    }

    /// The same, with somebody else to speak on it.
    pub(super) fn link_as(&self, local: usize, run: impl FnOnce(End, Said, Reads)) {
        let (ours, theirs, wire) = connection(&self.around.clock);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
        let admitted = self
            .edge
            .link_door
            .admit(address.ip(), &AdmissionLimits::NONE);
        let edge = Arc::clone(&self.edge);
        tokio::spawn(crate::net::session::gateway::serve(
            edge,
            Transport::Memory(ours),
            address,
            admitted.unwrap(),
        ));
        self.around.add(Kind::Link(local), wire, |said, reads| {
            run(theirs, said, reads);
        });
    }

    /// The edge's streams to a partner lead to this one from here on.
    pub(super) fn served_by(&self, partner: usize, server: Server) -> Arc<Server> {
        let server = Arc::new(server);
        self.around.serve(partner, Arc::clone(&server));
        server
    }

    /// Puts the same rules in force anew.
    pub(super) fn reload(&self) {
        self.edge.replace(context(Sort::default()), settings());
    }

    /// Puts other rules in force.
    pub(super) fn reload_as(&self, sort: Sort) {
        self.edge.replace(context(sort), settings());
    }
}

impl Around {
    /// Looks at all lines there ever were.
    pub(super) fn lines<T>(&self, look: impl FnOnce(&mut Vec<Line>) -> T) -> T {
        look(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whatever was stalled goes on.
    pub(super) fn works_again(&self) {
        self.lines(|lines| {
            for line in lines {
                line.wire.stall(false);
                line.reads.send_replace(true);
            }
        });
    }

    /// This one takes the edge's streams to a partner from here on.
    fn serve(&self, partner: usize, server: Arc<Server>) {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)[partner] = Some(server);
    }

    fn server(&self, partner: usize) -> Option<Arc<Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)[partner].clone()
    }

    /// Whether a partner takes connections from here on.
    pub(super) fn set_down(&self, partner: usize, is_down: bool) {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)[partner] = is_down;
    }

    fn add(
        &self,
        kind: Kind,
        wire: Wire,
        run: impl FnOnce(tokio::sync::mpsc::Receiver<String>, watch::Receiver<bool>),
    ) {
        let (say, said) = tokio::sync::mpsc::channel(4096);
        let (reads, reading) = watch::channel(true);
        self.lines(|lines| {
            lines.push(Line {
                kind,
                wire,
                say: Some(say),
                reads,
            });
        });
        run(said, reading);
    }
}

impl Network for Around {
    fn dial(&self, target: &Target) -> Option<(End, SocketAddr)> {
        let partner = usize::from(target.port - FIRST_PORT);
        if self.down.lock().unwrap_or_else(PoisonError::into_inner)[partner] {
            return None;
        }
        let (ours, theirs, wire) = connection(&self.clock);
        self.add(Kind::Out(partner), wire, |_, reads| {
            match self.server(partner) {
                Some(server) => tokio::spawn(server.lives(theirs)),
                None => tokio::spawn(partner::takes(theirs, partner, reads)),
            };
        });
        Some((ours, SocketAddr::from((address(partner), target.port))))
    }
}

fn address(partner: usize) -> IpAddr {
    let last = u8::try_from(partner + 1).unwrap();
    Ipv4Addr::new(192, 0, 2, last).into()
}

fn context(sort: Sort) -> Context {
    let partners = PARTNERS.iter().zip(0..).map(|(name, number)| {
        let mut partner = Partner::new(domain(name));
        partner.tls = Negotiation::NotSupported;
        partner.sasl = Negotiation::NotSupported;
        partner.dialback = true;
        partner.keep_alive = false;
        // It means something only where the partner's server offers it.
        partner.share_streams = sort.shares;
        if sort.is_described {
            partner.description = "described".to_owned();
        }
        partner.route = vec![HostPort {
            host: address(usize::from(number)).to_string(),
            port: FIRST_PORT + number,
        }];
        partner
    });
    let locals = LOCALS.iter().map(|name| domain(name)).collect();
    Context {
        rules: Rules::new(locals, partners.collect()).unwrap(),
        anchors: Arc::default(),
        checker: Checker::default(),
        dialback: DialbackSecret::new(&[1; 32]).unwrap(),
        timing: Timing {
            establishment: Duration::from_secs(20),
            inactivity: Duration::from_secs(300),
            keep_alive: Duration::from_secs(60),
        },
        unproven: Unproven::default(),
        max_stanza_bytes: 262_144,
        max_stanza_depth: 64,
        pairs_per_stream: 8,
        annotate: false,
    }
}

fn settings() -> Settings {
    type Once = (Credential, Arc<DnsResolver>);
    static ONCE: OnceLock<Once> = OnceLock::new();
    let (credential, resolver) = ONCE.get_or_init(|| {
        let own = Leaf::new(&LOCALS).self_signed();
        let credential = Credential::new(Vec::new(), own.chain, own.key).unwrap();
        (credential, Arc::new(DnsResolver::new(&[]).unwrap()))
    });
    let minimum = crate::proto::auth::chain::TlsVersion::Tls12;
    Settings {
        fingerprint: String::new(),
        partners_file: "partners.toml".into(),
        loaded: 0,
        tls: TlsConfigs::new(credential.clone(), Vec::new(), minimum).unwrap(),
        shown: Vec::new(),
        resolver: Arc::clone(resolver),
        allow_private_addresses: true,
        message_bodies: false,
        log_addresses: false,
        admission: AdmissionLimits::NONE,
        verifications: Arc::new(Verifications::new(64, 8)),
        connection_limit: 1000,
        queue_bytes: 64 << 20,
        dials: DialLimits::default(),
        contact_limit: 100,
        reconnect_grace: GRACE,
        link: LinkSettings {
            secret: Arc::new(LinkSecret::new(SECRET.to_owned())),
            tls: None,
            shown: Vec::new(),
            client_names: Vec::new(),
            per_domain: 8,
        },
    }
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}
