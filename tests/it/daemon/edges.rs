//! Two edges for one domain: the same secret, two SRV records, and a gateway with a link to each. Their partner
//! is an edge, too, which finds them in DNS.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::process::Daemon;
use crate::dns;
use crate::lab::{FREE_PORTS, Lab, with};
use crate::pki::{Authority, Leaf};

const PATIENCE: Duration = Duration::from_secs(20);
const SECRET: &str = "the same on both edges, and long enough";

/// The partner's entry, which is proven by dialback over TCP alone.
fn entry(domain: &str, more: &str) -> String {
    format!(
        "[[partner]]\nprimary-domain = \"{domain}\"\ntype = \"federated\"\ntls = \"not-supported\"\n\
         sasl = \"not-supported\"\ndialback = true\n{more}"
    )
}

/// The partner, and the two.
struct Stage {
    _labs: Vec<Lab>,
    partner: Daemon,
    edges: [Option<Daemon>; 2],
}

impl Stage {
    /// `first` is the edge that the partner's name server names first.
    fn new(first: usize) -> Self {
        // The edges find the partner by its route, and the partner finds them in DNS: so one of them has to be
        // there before the other, with the address of what is not there yet.
        let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let route = place.local_addr().unwrap();
        let own = "secret-file = \"dialback.secret\"";
        let edge = with(&FREE_PORTS, &[("dialback", own)]);
        let mut labs = Vec::new();
        let edges = [(); 2].map(|()| {
            let route = format!("route = [\"{route}\"]\n");
            let lab = Lab::with(&edge, &entry("fabrikam.example", &route));
            lab.write("dialback.secret", SECRET, 0o600);
            let daemon = Daemon::start(&lab);
            labs.push(lab);
            daemon
        });
        let [primary, other] = [first, 1 - first].map(|at| edges[at].s2s.port());
        let server = dns::serve(&format!(
            "_xmpp-server._tcp.contoso.example. 60 IN SRV 10 0 {primary} edge.contoso.example.\n\
             _xmpp-server._tcp.contoso.example. 60 IN SRV 20 0 {other} edge.contoso.example.\n\
             edge.contoso.example. 60 IN A 127.0.0.1\n"
        ));
        let names = format!("nameservers = [\"{server}\"]\nallow-private-addresses = true");
        let partner = FREE_PORTS.replace("contoso", "fabrikam").replacen(
            "127.0.0.1:0",
            &route.to_string(),
            1,
        );
        let partner = with(&partner, &[("dns", &names)]);
        let lab = Lab::with(&partner, &entry("contoso.example", ""));
        let identity = Authority::root("Theirs").issue(Leaf::new(&["fabrikam.example"]));
        lab.write("edge.pem", &identity.chain_pem(), 0o600);
        lab.write("edge.key", identity.key_pem(), 0o600);
        drop(place);
        let partner = Daemon::start(&lab);
        labs.push(lab);
        Self {
            _labs: labs,
            partner,
            edges: edges.map(Some),
        }
    }

    fn link(&self, edge: usize) -> Link {
        Link::open(
            self.edges[edge].as_ref().unwrap().gateway,
            "contoso.example",
        )
    }
}

/// A gateway's link.
struct Link {
    stream: TcpStream,
    domain: &'static str,
    heard: String,
}

impl Link {
    fn open(edge: SocketAddr, domain: &'static str) -> Self {
        let stream = TcpStream::connect(edge).unwrap();
        let stream = super::link_for(stream, domain);
        stream.set_nonblocking(true).unwrap();
        Self {
            stream,
            domain,
            heard: String::new(),
        }
    }

    fn say(&mut self, id: &str) {
        let other = match self.domain {
            "contoso.example" => "fabrikam.example",
            _ => "contoso.example",
        };
        let message = format!(
            "<message from='a@{}' to='b@{other}' id='{id}'/>",
            self.domain
        );
        self.stream.write_all(message.as_bytes()).unwrap();
    }

    fn has(&mut self, id: &str) -> bool {
        let mut piece = [0; 16 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return false,
                Ok(count) => self
                    .heard
                    .push_str(str::from_utf8(&piece[..count]).unwrap()),
                Err(error) => {
                    let is_dead = error.kind() != ErrorKind::WouldBlock;
                    return !is_dead && self.heard.contains(&format!("id='{id}'"));
                }
            }
        }
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        sleep(Duration::from_millis(10));
    }
}

/// The partner asks the edge that its name server names first, whichever has made the key.
#[test]
fn either_edge_verifies_the_keys_of_the_other() {
    for first in [0, 1] {
        let stage = Stage::new(first);
        let mut partner = Link::open(stage.partner.gateway, "fabrikam.example");
        for edge in [0, 1] {
            let mut link = stage.link(edge);
            let id = format!("by-{edge}");
            link.say(&id);
            until(&id, || partner.has(&id));
        }
    }
}

#[test]
fn when_one_edge_is_killed_traffic_resumes_over_the_other_within_seconds() {
    let mut stage = Stage::new(0);
    let mut partner = Link::open(stage.partner.gateway, "fabrikam.example");
    let mut links = [stage.link(0), stage.link(1)];
    // Both ways over the first one.
    partner.say("in-before");
    until("in-before", || links[0].has("in-before"));
    links[0].say("out-before");
    until("out-before", || partner.has("out-before"));
    // SIGKILL.
    drop(stage.edges[0].take());
    let killed = Instant::now();
    let [_, link] = &mut links;
    link.say("out-after");
    until("out-after", || partner.has("out-after"));
    let outward = killed.elapsed();
    // What was written to the dead one in the first moment may be lost or bounced; users write again.
    let mut count = 0;
    until("anything in", || {
        partner.say(&format!("in-after-{count}"));
        count += 1;
        sleep(Duration::from_millis(50));
        (0..count).any(|number| link.has(&format!("in-after-{number}")))
    });
    let inward = killed.elapsed();
    println!("outward after {outward:?}, inward after {inward:?}, {count} were written");
    assert!(outward < Duration::from_secs(5) && inward < Duration::from_secs(5));
}
