//! Two edges that are each other's partner, over TLS, each a process with gateways of its own. What stands between them
//! can be cut, and every stanza has a number.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use xmpp_edge::proto::auth::handshake::digest;
use xmpp_edge::proto::xml::{Element, Event, Limits, Reader, StreamKind};

use super::process::Daemon;
use super::proxy::Proxy;
use crate::lab::{FREE_PORTS, Lab, with};
use crate::pki::{Authority, Identity, Leaf, pem};

/// The domains of the one edge.
pub(super) const OURS: [&str; 2] = ["contoso.example", "eu.contoso.example"];
/// The domain of the other.
pub(super) const THEIRS: &str = "fabrikam.example";
const SECRET: &str = "0123456789abcdef";
const SM: &str = "xmlns='urn:xmpp:sm:3'";
const PATIENCE: Duration = Duration::from_secs(30);
/// A gateway looks so often whether there is something to write.
const EVERY: Duration = Duration::from_millis(5);
/// How many pairs of users write to each other.
const USERS: usize = 3;

/// An edge as a process, on sockets that outlive it.
pub(super) struct Site {
    lab: Lab,
    sockets: [TcpListener; 2],
    daemon: Option<Daemon>,
    /// Its partner file, without the terms.
    entry: String,
}

impl Site {
    /// Of these domains; its partner's are `partners`, and the server of theirs is at `route`.
    pub(super) fn start(
        sockets: [TcpListener; 2],
        domains: &[&str],
        (partners, route): (&[&str], SocketAddr),
        (authority, terms): (&Authority, &str),
    ) -> Self {
        let (primary, additional) = partners.split_first().unwrap();
        let entry = format!(
            "[[partner]]\nprimary-domain = \"{primary}\"\nadditional-domains = {additional:?}\n\
             type = \"federated\"\nroute = [\"{route}\"]\n"
        );
        let log = "filter = \"info,xmpp_edge::decision=debug\"";
        let mut edge = with(&FREE_PORTS, &[("log", log)])
            .replace("[\"contoso.example\"]", &format!("{domains:?}"));
        for socket in &sockets {
            let address = socket.local_addr().unwrap().to_string();
            edge = edge.replacen("127.0.0.1:0", &address, 1);
        }
        let lab = Lab::with(&edge, "");
        let identity: Identity = authority.issue(Leaf::new(domains));
        lab.write("ca.pem", &pem(&authority.certificate), 0o600);
        lab.write("edge.pem", &identity.chain_pem(), 0o600);
        lab.write("edge.key", identity.key_pem(), 0o600);
        let mut site = Self {
            lab,
            sockets,
            daemon: None,
            entry,
        };
        site.terms(terms);
        site.again();
        site
    }

    pub(super) fn lab(&self) -> &Lab {
        &self.lab
    }

    pub(super) fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    /// Writes its partner file with other terms.
    fn terms(&self, terms: &str) {
        let entry = format!("{}{terms}\n", self.entry);
        self.lab.write("partners.toml", &entry, 0o644);
    }

    /// Reads its files again, with other terms.
    pub(super) fn rereads(&self, terms: &str) {
        self.terms(terms);
        self.daemon().signal("HUP");
    }

    /// SIGKILL.
    pub(super) fn dies(&mut self) {
        drop(self.daemon.take());
    }

    /// A new process, where there is none.
    pub(super) fn again(&mut self) {
        let [s2s, gateway] = &self.sockets;
        self.daemon = Some(Daemon::start_with_sockets(&self.lab, [s2s, gateway]));
    }

    /// A gateway for one of its domains, which writes to users of `other`.
    pub(super) fn gateway(&self, domain: &'static str, other: &'static str) -> Gateway {
        let address = self.sockets[1].local_addr().unwrap();
        Gateway::start(address, domain, other)
    }
}

impl Drop for Site {
    /// Whoever looks for what went wrong needs the log.
    #[expect(clippy::print_stdout, reason = "that of a test which has failed")]
    fn drop(&mut self) {
        if let Some(daemon) = self.daemon.as_ref().filter(|_| std::thread::panicking()) {
            let log = daemon.whole_log();
            let log = log.lock().unwrap_or_else(PoisonError::into_inner);
            println!("the log of the edge at {}:\n{}", daemon.s2s, log.join("\n"));
        }
    }
}

/// The two, and what stands on the way from the first to the second.
pub(super) struct Stage {
    pub(super) ours: Site,
    pub(super) theirs: Site,
    pub(super) way: Proxy,
    // Last: what runs in it ends with it.
    _runtime: Runtime,
}

impl Stage {
    /// The one's terms for the other, and the other's for the one.
    pub(super) fn new(terms: &str, of_others: &str) -> Self {
        let runtime = runtime();
        let authority = Authority::root("Of both");
        let [ours, theirs] = [sockets(), sockets()];
        let [at_ours, at_theirs] = [&ours, &theirs].map(|it| it[0].local_addr().unwrap());
        let way = runtime.block_on(Proxy::start(at_theirs));
        let [theirs, ours] = [
            (theirs, &[THEIRS][..], (&OURS[..], at_ours), of_others),
            (ours, &OURS[..], (&[THEIRS][..], way.address), terms),
        ]
        .map(|(sockets, domains, partner, terms)| {
            Site::start(sockets, domains, partner, (&authority, terms))
        });
        Self {
            ours,
            theirs,
            way,
            _runtime: runtime,
        }
    }
}

pub(super) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

pub(super) fn sockets() -> [TcpListener; 2] {
    [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap())
}

/// A gateway with acknowledgements. It opens its link again when that breaks, and never resumes.
pub(super) struct Gateway {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    domain: &'static str,
    other: &'static str,
    state: Mutex<State>,
    changed: Condvar,
}

/// What it has said and heard, and what it is to do.
#[derive(Default)]
pub(super) struct State {
    /// How many messages a second it writes, since when, and how many it had written by then.
    rate: Option<(usize, Instant, usize)>,
    is_silent: bool,
    is_over: bool,
    /// How many messages it has written; their numbers begin with 0.
    pub(super) said: usize,
    /// How many of these the edge has acknowledged.
    pub(super) acknowledged: usize,
    /// All that came, in its order: from which domain, and which number.
    came: Vec<(String, usize)>,
    /// What came back as an error.
    pub(super) bounced: Vec<String>,
}

impl State {
    /// The numbers of what came from a domain, in their order.
    pub(super) fn from(&self, domain: &str) -> Vec<usize> {
        let came = self.came.iter().filter(|(from, _)| from == domain);
        came.map(|(_, number)| *number).collect()
    }
}

impl Gateway {
    fn start(address: SocketAddr, domain: &'static str, other: &'static str) -> Self {
        let shared = Arc::new(Shared {
            address,
            domain,
            other,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let living = Arc::clone(&shared);
        let thread = Some(spawn(move || living.lives()));
        Self { shared, thread }
    }

    /// Writes so many messages a second from now on.
    pub(super) fn writes(&self, rate: usize) {
        let mut state = self.shared.lock();
        state.rate = Some((rate, Instant::now(), state.said));
    }

    /// Writes no more: how many it has written.
    pub(super) fn stops(&self) -> usize {
        let mut state = self.shared.lock();
        state.rate = None;
        state.said
    }

    /// Whether it acknowledges what it has.
    pub(super) fn acknowledges(&self, does: bool) {
        self.shared.lock().is_silent = !does;
    }

    /// Waits until something is so.
    pub(super) fn until(&self, what: &str, is_so: impl FnMut(&State) -> bool) {
        let is_so = self.wait(is_so);
        self.with(|state| {
            let (domain, came) = (self.shared.domain, state.came.len());
            let State {
                said, acknowledged, ..
            } = state;
            assert!(
                is_so,
                "{what}: {domain} has said {said}, {acknowledged} of them acknowledged; {came} came"
            );
        });
    }

    /// The same; whether it is.
    fn wait(&self, mut is_so: impl FnMut(&State) -> bool) -> bool {
        let state = self.shared.lock();
        let changed = &self.shared.changed;
        let wait = changed.wait_timeout_while(state, PATIENCE, |state| !is_so(state));
        let (_state, waited) = wait.unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    /// Waits until so many more have come from each of these domains.
    pub(super) fn hears_more(&self, count: usize, domains: &[&str]) {
        let before = self.with(|state| {
            let count = |domain: &&str| state.from(domain).len();
            domains.iter().map(count).collect::<Vec<_>>()
        });
        self.until("more", |state| {
            let mut both = domains.iter().zip(&before);
            both.all(|(domain, before)| state.from(domain).len() >= before + count)
        });
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.lock())
    }

    /// Waits until each of the first `said` messages from a domain has come, and checks their order: the numbers of
    /// those that came more than once.
    pub(super) fn has_all(&self, domain: &str, said: usize) -> Vec<usize> {
        let mut missing: BTreeSet<_> = (0..said).collect();
        let (mut times, mut seen) = (BTreeMap::<usize, usize>::new(), 0);
        let all_came = self.wait(|state| {
            let came = state.came[seen..].iter().filter(|(from, _)| from == domain);
            for (_, number) in came {
                missing.remove(number);
                *times.entry(*number).or_default() += 1;
            }
            seen = state.came.len();
            missing.is_empty()
        });
        assert!(all_came, "{domain}: of {said} are missing {missing:?}");
        assert_eq!(times.len(), said, "{domain}: more came than was said");
        let (mut latest, mut known) = ([None; USERS], BTreeSet::new());
        for number in self.with(|state| state.from(domain)) {
            // What comes again has no place; what comes for the first time comes in its order.
            if known.insert(number) {
                let before = latest[number % USERS].replace(number);
                assert!(
                    before < Some(number),
                    "{domain}: {number} came after {before:?}"
                );
            }
        }
        let twice = times.into_iter().filter(|(_, times)| *times > 1);
        twice.map(|(number, _)| number).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lives(&self) {
        while !self.lock().is_over {
            if let Ok(stream) = TcpStream::connect(self.address) {
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(EVERY)).unwrap();
                Link::new(self, stream).talks();
            }
            std::thread::sleep(EVERY);
        }
    }
}

/// One connection of a gateway's.
struct Link<'a> {
    gateway: &'a Shared,
    stream: TcpStream,
    reader: Reader,
    has_acks: bool,
    /// How many stanzas came.
    h: u32,
    /// Whether an acknowledgement is asked for.
    is_asked: bool,
}

impl<'a> Link<'a> {
    fn new(gateway: &'a Shared, stream: TcpStream) -> Self {
        Self {
            gateway,
            stream,
            reader: Reader::new(StreamKind::Component, Limits::authenticated(1 << 20)),
            has_acks: false,
            h: 0,
            is_asked: false,
        }
    }

    /// Speaks until the connection is lost, or all is over.
    fn talks(&mut self) -> Option<()> {
        self.say(&format!(
            "<stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' to='{}' version='1.0'>",
            self.gateway.domain
        ))?;
        let mut piece = [0; 64 << 10];
        while !self.gateway.lock().is_over {
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(count) => self.reader.feed(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
            while let Some(event) = self.reader.next().unwrap() {
                self.takes(&event)?;
            }
            if self.has_acks {
                self.writes()?;
            }
        }
        None
    }

    /// Writes what is due.
    fn writes(&mut self) -> Option<()> {
        let (domain, other) = (self.gateway.domain, self.gateway.other);
        let mut text = String::new();
        let mut state = self.gateway.lock();
        if let Some((rate, since, before)) = state.rate {
            let millis = usize::try_from(since.elapsed().as_millis()).unwrap();
            let due = before + rate * millis / 1000;
            for number in state.said..due {
                let user = number % USERS;
                text.push_str(&format!(
                    "<message from='u{user}@{domain}' to='v{user}@{other}' id='n{number}'>\
                     <body>hi</body></message>"
                ));
            }
            state.said = state.said.max(due);
        }
        if !text.is_empty() {
            text.push_str(&format!("<r {SM}/>"));
        }
        if self.is_asked && !state.is_silent {
            self.is_asked = false;
            text.push_str(&format!("<a {SM} h='{}'/>", self.h));
        }
        drop(state);
        self.gateway.changed.notify_all();
        self.say(&text)
    }

    fn takes(&mut self, event: &Event) -> Option<()> {
        let element = match event {
            Event::Header(header) => {
                let proof = digest(header.attribute("id")?, SECRET);
                return self.say(&format!("<handshake>{proof}</handshake>"));
            }
            Event::Element(element) => element,
            _ => return None,
        };
        match element.name() {
            "features" => self.say(&format!("<enable {SM} resume='true'/>"))?,
            "enabled" => self.has_acks = true,
            "r" => self.is_asked = true,
            "a" => {
                let h = element.attribute("h")?.parse().unwrap();
                self.gateway.lock().acknowledged = h;
            }
            "message" => self.takes_message(element),
            _ => {}
        }
        Some(())
    }

    fn takes_message(&mut self, element: &Element) {
        self.h += 1;
        let get = |name| element.attribute(name).unwrap();
        let (from, id) = (get("from"), get("id"));
        let mut state = self.gateway.lock();
        if element.attribute("type") == Some("error") {
            state.bounced.push(id.to_owned());
        } else {
            let (_, domain) = from.split_once('@').unwrap();
            let number = id.strip_prefix('n').unwrap().parse().unwrap();
            state.came.push((domain.to_owned(), number));
        }
    }

    fn say(&mut self, text: &str) -> Option<()> {
        self.stream.write_all(text.as_bytes()).ok()
    }
}
