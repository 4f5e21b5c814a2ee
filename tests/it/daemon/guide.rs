//! The gateway with acknowledgements that the guide for authors gives, run as its readers would run it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::acknowledged::{Side, edge, with_acks};
use crate::hostile::authority::Authority;
use crate::lab::Lab;
use crate::proven::answers::prove;
use crate::tree;

const PATIENCE: Duration = Duration::from_secs(20);
/// How many messages a round has.
const ROUND: usize = 20;

/// The gateway of the page, and what it prints.
struct Guide {
    child: Child,
    lines: Receiver<String>,
    printed: Vec<String>,
}

impl Guide {
    /// `None` where there is no Python.
    fn start(lab: &Lab, at: SocketAddr) -> Option<Self> {
        let page = tree::read("docs/gateway-link.md");
        let blocks = page.split("```python\n").skip(1);
        let mut programs = blocks.filter_map(|rest| rest.split("```").next());
        let program = programs.find(|it| it.contains("urn:xmpp:sm:3")).unwrap();
        lab.write("gateway.py", program, 0o644);
        let child = Command::new("python3")
            .arg(lab.path("gateway.py"))
            .args([&at.ip().to_string(), &at.port().to_string()])
            .arg("contoso.example")
            .arg(lab.path("gateway.secret"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("{error}"),
        };
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let printed = Vec::new();
        Some(Self {
            child,
            lines,
            printed,
        })
    }

    fn prints(&mut self, wanted: &str) {
        let begun = Instant::now();
        while self.printed.last().is_none_or(|line| line != wanted) {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.printed.push(line),
                Err(_) => panic!("no {wanted}: {:#?}", self.printed),
            }
        }
    }
}

impl Drop for Guide {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// Stands between the gateway and the edge, loses what it is told to, and cuts.
#[derive(Clone)]
struct Cable {
    address: SocketAddr,
    /// Which way is lost: [`INWARD`], [`OUTWARD`] or neither.
    loses: Arc<AtomicUsize>,
    lost: Arc<AtomicUsize>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

const NOTHING: usize = 0;
const INWARD: usize = 1;
const OUTWARD: usize = 2;

impl Cable {
    fn to(edge: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let cable = Self {
            address: listener.local_addr().unwrap(),
            loses: Arc::default(),
            lost: Arc::default(),
            ends: Arc::default(),
        };
        let here = cable.clone();
        std::thread::spawn(move || {
            for gateway in listener.incoming().map_while(Result::ok) {
                let Ok(edge) = TcpStream::connect(edge) else {
                    break;
                };
                let mut ends = here.ends.lock().unwrap();
                ends.extend([&gateway, &edge].map(|end| end.try_clone().unwrap()));
                drop(ends);
                here.pump(INWARD, &edge, &gateway);
                here.pump(OUTWARD, &gateway, &edge);
            }
        });
        cable
    }

    fn pump(&self, way: usize, from: &TcpStream, to: &TcpStream) {
        let here = self.clone();
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut piece) {
                if here.loses.load(SeqCst) == way {
                    here.lost.fetch_add(count, SeqCst);
                } else if to.write_all(&piece[..count]).is_err() {
                    break;
                }
            }
        });
    }

    fn lose(&self, way: usize) {
        self.lost.store(0, SeqCst);
        self.loses.store(way, SeqCst);
    }

    /// Waits until something is lost.
    fn has_lost(&self) {
        let begun = Instant::now();
        while self.lost.load(SeqCst) == 0 {
            assert!(begun.elapsed() < PATIENCE, "nothing is on its way");
            std::thread::yield_now();
        }
    }

    fn cut(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            // The other end may have been quicker.
            end.shutdown(Shutdown::Both).unwrap_or_default();
        }
        self.loses.store(NOTHING, SeqCst);
    }
}

fn messages(round: usize) -> String {
    let numbers = ROUND * round + 1..=ROUND * (round + 1);
    let message = |number| {
        format!(
            "<message from='a@fabrikam.example' to='b@contoso.example' type='chat' \
             id='n{number}'><body>number {number}</body></message>"
        )
    };
    numbers.map(message).collect()
}

fn writes(number: usize) -> String {
    format!("a@fabrikam.example writes: number {number}")
}

/// The numbers behind a mark, in their order.
fn numbers(text: &str, mark: &str) -> Vec<usize> {
    let found = text.split(mark).skip(1);
    let digits = found.map(|rest| rest.split(|it: char| !it.is_ascii_digit()).next());
    digits.map(|it| it.unwrap().parse().unwrap()).collect()
}

#[test]
fn the_guides_gateway_loses_nothing_and_doubles_nothing_when_the_link_is_cut() {
    let authority = Authority::start();
    let (lab, daemon) = edge(&authority);
    let cable = Cable::to(daemon.gateway);
    let Some(mut guide) = Guide::start(&lab, cable.address) else {
        eprintln!("not run: there is no python3 here, and the guide's gateway is written in it");
        return;
    };
    guide.prints("link is up: enabled");
    let (mut partner, _) = with_acks(Side::new(prove(&daemon)));

    // All is well.
    partner.say(&messages(0));
    guide.prints(&writes(ROUND));

    // What is on its way inward is lost.
    cable.lose(INWARD);
    partner.say(&messages(1));
    cable.has_lost();
    cable.cut();
    guide.prints("link is up: resumed");
    guide.prints(&writes(2 * ROUND));

    // What the gateway answers is lost, and its acknowledgements.
    cable.lose(OUTWARD);
    partner.say(&messages(2));
    guide.prints(&writes(3 * ROUND));
    cable.has_lost();
    cable.cut();
    guide.prints("link is up: resumed");

    partner.say(&messages(3));
    guide.prints(&writes(4 * ROUND));
    partner.until("all are acknowledged", |side| {
        side.acknowledged() == 4 * ROUND
    });
    let all: Vec<_> = (1..=4 * ROUND).collect();
    let printed = guide.printed.join("\n");
    assert_eq!(numbers(&printed, "writes: number "), all);
    let begun = Instant::now();
    loop {
        let heard = authority.heard.lock().unwrap().clone();
        let echoes = numbers(&heard, "echo: number ");
        if echoes.last() == all.last() && heard.matches("</message>").count() >= all.len() {
            assert_eq!(echoes, all);
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{echoes:?}");
        std::thread::yield_now();
    }
    assert_eq!(
        guide.printed.iter().filter(|it| *it == "no link").count(),
        2
    );
}
