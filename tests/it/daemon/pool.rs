//! Three gateways for one domain, of which one is killed or reads nothing every two seconds: what
//! comes of each stanza.

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::link;
use super::process::Daemon;
use crate::hostile::authority::Authority;
use crate::proven::answers::prove;
use crate::proven::lab;

/// The variable that says for how many seconds.
const SECONDS: &str = "XMPP_EDGE_POOL_SECONDS";
/// Stanzas a second.
const RATE: u64 = 2000;
/// Conversations of which each has many stanzas; every second stanza is of one of these, every other
/// one has a conversation of its own.
const TALKERS: u64 = 100;
/// Something happens to a gateway so often.
const EVENT: Duration = Duration::from_secs(2);
/// For so long it is away, or reads nothing.
const AWAY: Duration = Duration::from_secs(1);
/// A gateway that is about to be killed reads nothing for this long, so that something is in its socket.
const DYING: Duration = Duration::from_millis(20);
/// What is read at once from several sockets was not written in the order in which it is read: so
/// much may lie between.
const GLANCE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

/// A stanza: which conversation, and its number in it.
type Id = (u64, u64);

fn seconds() -> u64 {
    std::env::var(SECONDS).map_or(10, |text| text.parse().unwrap())
}

/// The stanza that is sent as the so-manieth.
fn id_of(count: u64) -> Id {
    match count % 2 {
        0 => (count / 2 % TALKERS, count / 2 / TALKERS),
        _ => (TALKERS + count, 0),
    }
}

/// Writes stanzas at their rate until the time is up; how many.
fn send(mut partner: TcpStream, until: Instant) -> u64 {
    let (begun, mut sent) = (Instant::now(), 0);
    while Instant::now() < until {
        let due = RATE * u64::try_from(begun.elapsed().as_millis()).unwrap() / 1000;
        let burst: String = (sent..due)
            .map(|count| {
                let (user, number) = id_of(count);
                let kind = if number % 3 == 2 {
                    "presence"
                } else {
                    "message"
                };
                format!(
                    "<{kind} from='u{user}@fabrikam.example/{number}' to='b@contoso.example' \
                     id='c{user}n{number}-'/>"
                )
            })
            .collect();
        partner.write_all(burst.as_bytes()).unwrap();
        sent = due;
        std::thread::sleep(Duration::from_millis(5));
    }
    sent
}

/// The ids in a text; what belongs to one that is not whole is left.
fn ids(heard: &mut String) -> Vec<Id> {
    let end = heard.rfind('>').map_or(0, |at| at + 1);
    let whole: String = heard.drain(..end).collect();
    let ids = whole.split("id='c").skip(1);
    let ids = ids.filter_map(|rest| {
        let (user, number) = rest.split_once('-')?.0.split_once('n')?;
        Some((user.parse().unwrap(), number.parse().unwrap()))
    });
    ids.collect()
}

/// One gateway's end of its link.
struct Gateway {
    stream: TcpStream,
    /// No two links have the same.
    number: usize,
    heard: String,
    is_reading: bool,
}

impl Gateway {
    fn open(daemon: &Daemon, number: usize) -> Self {
        let stream = link(daemon);
        stream.set_nonblocking(true).unwrap();
        Self {
            stream,
            number,
            heard: String::new(),
            is_reading: true,
        }
    }

    fn read(&mut self) -> Vec<Id> {
        let mut piece = vec![0; 64 << 10];
        while self.is_reading {
            match self.stream.read(&mut piece) {
                Ok(0) => panic!("the edge has ended link {}", self.number),
                Ok(count) => self
                    .heard
                    .push_str(&String::from_utf8_lossy(&piece[..count])),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    break;
                }
            }
        }
        ids(&mut self.heard)
    }

    fn kill(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

/// What has come, and by which link.
#[derive(Default)]
struct Heard {
    by_link: HashMap<Id, usize>,
    /// Of a conversation: the latest, and when it came.
    latest: HashMap<u64, (u64, Instant)>,
    /// Of a conversation and a link: the latest.
    on_link: HashMap<(u64, usize), u64>,
    /// How many of the conversations that have but one stanza each link had while all were there.
    shares: HashMap<usize, usize>,
}

impl Heard {
    fn note(&mut self, (user, number): Id, link: usize, is_calm: bool) {
        let now = Instant::now();
        let before = self.by_link.insert((user, number), link);
        assert_eq!(before, None, "{user} {number} came twice");
        let before = self.on_link.insert((user, link), number);
        assert!(
            before.is_none_or(|before| before < number),
            "{user} {number} on one link"
        );
        let latest = self.latest.entry(user).or_insert((number, now));
        if latest.0 <= number {
            *latest = (number, now);
        } else {
            let late = now.duration_since(latest.1);
            assert!(
                late < GLANCE,
                "{user}: {number} came {late:?} after {}",
                latest.0
            );
        }
        if is_calm && user >= TALKERS {
            *self.shares.entry(link).or_default() += 1;
        }
    }

    /// Whether a stanza that never came can have been in the socket of a link that was killed: the one
    /// before came by it, or by none, and nothing after did.
    fn was_in_a_dead_socket(&self, (user, number): Id, dead: &HashSet<usize>) -> bool {
        let links = dead.iter();
        let mut last = links.map(|link| self.on_link.get(&(user, *link)));
        last.any(|last| last.is_none_or(|last| *last < number))
    }
}

#[test]
fn gateways_may_die_and_stall_and_each_conversation_keeps_its_order() {
    let authority = Authority::start();
    let daemon = Daemon::start(&lab(authority.address, "", "stanza-rate = 0\n"));
    let mut gateways: Vec<_> = (0..3)
        .map(|number| Gateway::open(&daemon, number))
        .collect();
    let partner = prove(&daemon);
    let until = Instant::now() + Duration::from_secs(seconds());
    let is_over = Arc::<AtomicBool>::default();
    let (done, told) = (Arc::clone(&is_over), mpsc::channel());
    std::thread::spawn(move || {
        let sent = send(partner.try_clone().unwrap(), until);
        told.0.send((sent, partner)).unwrap();
        done.store(true, Relaxed);
    });

    let (mut heard, mut dead, mut uneven) = (Heard::default(), HashSet::new(), Vec::new());
    let (mut opened, mut events, mut changed) = (gateways.len(), 0, Instant::now());
    let mut missing = None;
    let mut last_word = Instant::now();
    while !is_over.load(Relaxed) || last_word.elapsed() < AWAY + AWAY {
        let since = changed.elapsed();
        let is_whole = missing.is_none() && gateways.iter().all(|gateway| gateway.is_reading);
        for gateway in &mut gateways {
            for id in gateway.read() {
                last_word = Instant::now();
                heard.note(id, gateway.number, is_whole && since > GLANCE);
            }
        }
        if !is_whole && since > AWAY {
            if missing.take().is_some() {
                gateways.push(Gateway::open(&daemon, opened));
                opened += 1;
            }
            for gateway in &mut gateways {
                gateway.is_reading = true;
            }
            changed = Instant::now();
        } else if is_whole && since > EVENT - AWAY && !is_over.load(Relaxed) {
            // Each time another one, first killed, then only deaf.
            uneven.push(std::mem::take(&mut heard.shares));
            events += 1;
            let which = events % gateways.len();
            gateways[which].is_reading = false;
            if events % 2 == 1 {
                std::thread::sleep(DYING);
                let gateway = gateways.remove(which);
                dead.insert(gateway.number);
                gateway.kill();
                missing = Some(());
            }
            changed = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(1));
    }

    let (sent, partner) = told.1.recv_timeout(PATIENCE).unwrap();
    drop(partner);
    let bounced = {
        let text = authority.heard.lock().unwrap().clone();
        let errors = text
            .split('<')
            .filter(|element| element.contains("type='error'"));
        let mut errors: String = errors.map(|element| format!("<{element}>")).collect();
        ids(&mut errors)
    };
    let bounced: HashSet<_> = bounced.into_iter().collect();
    let lost: Vec<_> = (0..sent)
        .map(id_of)
        .filter(|id| !heard.by_link.contains_key(id) && !bounced.contains(id))
        .collect();
    println!(
        "{sent} sent, {} came, {} were being written and bounced, {} were in {} dead sockets",
        heard.by_link.len(),
        bounced.len(),
        lost.len(),
        dead.len()
    );
    assert!(
        dead.len() >= usize::try_from(seconds() / 5).unwrap(),
        "{} killed",
        dead.len()
    );
    assert!(
        bounced.iter().all(|id| !heard.by_link.contains_key(id)),
        "bounced, and came"
    );
    let log = daemon.whole_log().lock().unwrap().join("\n");
    let told = log.split("that may be lost: ").skip(1);
    let told = told.map(|rest| rest.split(';').next().unwrap().parse::<usize>().unwrap());
    let told = told.sum::<usize>();
    assert!(lost.len() <= told, "{} lost, {told} reported", lost.len());
    for id in &lost {
        assert!(heard.was_in_a_dead_socket(*id, &dead), "{id:?} is lost");
    }
    // No more than a third of what comes while a gateway dies, and a pause of the machine.
    let most = dead.len() * usize::try_from(RATE).unwrap() / 4;
    assert!(lost.len() <= most, "{} lost", lost.len());
    // Each interval in which three were there has its own three.
    let mut total = [0; 3];
    for shares in uneven.iter().filter(|shares| shares.len() == 3) {
        let mut links: Vec<_> = shares.iter().collect();
        links.sort_unstable();
        for (sum, (_, share)) in total.iter_mut().zip(links) {
            *sum += share;
        }
    }
    println!("shares by age of the link: {total:?}");
    let even = total.iter().sum::<usize>() / 3;
    assert!(even > 500, "{total:?}");
    for share in total {
        assert!(share.abs_diff(even) <= even / 10, "{total:?}");
    }
    daemon.signal("TERM");
    let line = daemon.log_line("drained");
    assert!(line.contains(&format!("accepted {sent} ")), "{line}");
    daemon.ends_with(0);
}
