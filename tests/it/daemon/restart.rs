//! A restart under load, where somebody else holds the listening sockets (systemd's socket activation): nobody
//! is refused, and nothing is lost.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::faults::Edge;
use super::peers::{Peer, ground, outcome};

const PATIENCE: Duration = Duration::from_secs(30);
const BURST: usize = 5;
const EVERY: Duration = Duration::from_millis(20);

struct Stage {
    edge: Edge,
    addresses: [SocketAddr; 2],
    gateway: Arc<Peer>,
    sender: Arc<Peer>,
    receiver: Arc<Peer>,
    _runtime: Runtime,
}

impl Stage {
    fn new(acks: bool) -> Self {
        let (runtime, sockets, [gateway, sender, receiver]) = ground(acks);
        let addresses = [0, 1].map(|at: usize| sockets[at].local_addr().unwrap());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let route = listener.local_addr().unwrap();
        runtime.spawn(Arc::clone(&receiver).serves(listener));
        let edge = Edge::start(sockets, route);
        runtime.spawn(Arc::clone(&gateway).lives(addresses[1]));
        runtime.spawn(Arc::clone(&sender).lives(addresses[0]));
        Self {
            edge,
            addresses,
            gateway,
            sender,
            receiver,
            _runtime: runtime,
        }
    }

    /// Stops the one process, which bounces and drops nothing, and starts the next.
    fn restart(&mut self) {
        let (ledger, line) = self.edge.stop();
        assert_eq!((ledger.bounced, ledger.dropped), (0, 0), "{line}");
        self.edge.again();
    }

    /// Connects to both ports again and again, until it is told to stop: how often.
    fn knocks(&self, stop: &Arc<AtomicBool>) -> JoinHandle<usize> {
        let (addresses, stop) = (self.addresses, Arc::clone(stop));
        spawn(move || {
            let mut count = 0;
            while !stop.load(SeqCst) {
                for address in addresses {
                    drop(TcpStream::connect(address).unwrap());
                    count += 1;
                }
                sleep(Duration::from_millis(10));
            }
            count
        })
    }

    fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            sleep(Duration::from_millis(10));
        }
    }

    /// Everything has come, once, and in its order.
    fn check(&self) {
        self.until("all is said", |stage| {
            stage.gateway.unsaid() + stage.sender.unsaid() == 0
        });
        let [inward, outward] = [
            (&self.sender, &self.gateway, &self.receiver),
            (&self.gateway, &self.receiver, &self.gateway),
        ];
        for (from, to, told) in [inward, outward] {
            self.until("all has come", |_| {
                let outcome = outcome(from, to, told).unwrap();
                outcome.came == outcome.said
            });
            let outcome = outcome(from, to, told).unwrap();
            let amiss = (outcome.lost, outcome.refused, outcome.twice);
            assert_eq!(amiss, (0, 0, 0), "{outcome:?}");
        }
    }
}

#[test]
fn a_restart_under_load_refuses_nobody_and_loses_and_doubles_nothing() {
    for acks in [true, false] {
        let mut stage = Stage::new(acks);
        let stop = Arc::<AtomicBool>::default();
        let knocks = stage.knocks(&stop);
        let talk = {
            let (gateway, sender) = (Arc::clone(&stage.gateway), Arc::clone(&stage.sender));
            let stop = Arc::clone(&stop);
            spawn(move || {
                while !stop.load(SeqCst) {
                    gateway.say(BURST);
                    sender.say(BURST);
                    sleep(EVERY);
                }
            })
        };
        for _ in 0..2 {
            let so_far = stage.gateway.came().len() + stage.receiver.came().len();
            stage.until("traffic", |stage| {
                stage.gateway.came().len() + stage.receiver.came().len() > so_far + 200
            });
            stage.restart();
        }
        stop.store(true, SeqCst);
        talk.join().unwrap();
        assert!(knocks.join().unwrap() > 50);
        stage.check();
    }
}

#[test]
fn what_waits_for_a_stalled_gateway_is_delivered_when_it_reads_on_before_the_deadline() {
    for acks in [true, false] {
        let mut stage = Stage::new(acks);
        stage.sender.say(1);
        stage.until("a stanza", |stage| stage.gateway.came().len() == 1);
        stage.gateway.reads(false);
        stage.sender.say(2000);
        stage.until("2000 are written", |stage| stage.sender.unwritten() == 0);
        let stop = Arc::<AtomicBool>::default();
        let knocks = stage.knocks(&stop);
        let gateway = Arc::clone(&stage.gateway);
        let reads_on = spawn(move || {
            sleep(Duration::from_secs(3));
            gateway.reads(true);
        });
        let begun = Instant::now();
        stage.restart();
        assert!(begun.elapsed() >= Duration::from_secs(3));
        reads_on.join().unwrap();
        stop.store(true, SeqCst);
        assert!(knocks.join().unwrap() > 50);
        stage.check();
        assert_eq!(stage.gateway.came().len(), 2001);
    }
}
