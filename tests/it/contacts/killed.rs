//! A daemon that is killed at random moments holds every change that it has acknowledged.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use xmpp_edge::net::admin::protocol::{ContactsRequest, Entry, Reply, Request};
use xmpp_edge::store::Contacts;

use crate::daemon::lab;
use crate::daemon::process::Daemon;

const CHANGES: usize = 1_000;
const KILLS: usize = 25;
const CLIENTS: usize = 4;

/// Numbers that look random, the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// What one client knows: the state of each of its contacts, and the change it has no answer to.
#[derive(Default)]
struct Client {
    contacts: BTreeMap<u64, bool>,
    unanswered: Option<(u64, bool)>,
}

fn entry(client: usize, number: u64) -> Entry {
    Entry {
        local: format!("user{client}@contoso.example"),
        remote: format!("friend{number}@chat.example"),
    }
}

impl Client {
    /// Changes contacts until the daemon is gone.
    fn work(&mut self, client: usize, socket: &Path, random: &mut Random, done: &AtomicUsize) {
        let Ok(stream) = UnixStream::connect(socket) else {
            return;
        };
        let mut replies = BufReader::new(&stream).lines();
        // The greeting; a daemon that is killed says none.
        let Some(Ok(_)) = replies.next() else {
            return;
        };
        loop {
            let number = random.below(40);
            let present = !self.contacts.get(&number).copied().unwrap_or_default();
            let entry = entry(client, number);
            let request = Request::Contacts(if present {
                ContactsRequest::Add(entry)
            } else {
                ContactsRequest::Remove(entry)
            });
            self.unanswered = Some((number, present));
            let line = serde_json::to_string(&request).unwrap();
            if writeln!(&stream, "{line}").is_err() {
                return;
            }
            let Some(Ok(reply)) = replies.next() else {
                return;
            };
            let reply: Reply = serde_json::from_str(&reply).unwrap();
            assert_eq!(reply, Reply::Changed(true), "{request:?}");
            self.contacts.insert(number, present);
            self.unanswered = None;
            done.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Compares with what is there after the kill; what was not answered may be so or so.
    fn compare(&mut self, client: usize, found: &[Entry]) {
        if let Some((number, _)) = self.unanswered.take() {
            self.contacts
                .insert(number, found.contains(&entry(client, number)));
        }
        for (number, present) in &self.contacts {
            let entry = entry(client, *number);
            assert_eq!(found.contains(&entry), *present, "{entry:?}");
        }
    }
}

#[test]
fn every_acknowledged_change_survives_kill_9() {
    let lab = lab();
    let state = lab.path("state");
    let socket = lab.path("admin.sock");
    let mut random = Random(20_261_120);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::default()).collect();
    let done = AtomicUsize::new(0);
    let mut interrupted = 0;
    for kill in 1..=KILLS {
        let daemon = Daemon::start(&lab);
        let enough = CHANGES * kill / KILLS;
        let moment = Duration::from_micros(random.below(5_000));
        thread::scope(|scope| {
            for (number, client) in clients.iter_mut().enumerate() {
                let mut random = Random(random.below(u64::MAX));
                let (socket, done) = (&socket, &done);
                scope.spawn(move || client.work(number, socket, &mut random, done));
            }
            let deadline = Instant::now() + Duration::from_secs(20);
            while done.load(Ordering::SeqCst) < enough {
                assert!(Instant::now() < deadline, "no answers");
                thread::yield_now();
            }
            let start = Instant::now();
            while start.elapsed() < moment {
                thread::yield_now();
            }
            // SIGKILL.
            drop(daemon);
        });
        interrupted += clients.iter().filter(|it| it.unanswered.is_some()).count();
        let opened = Contacts::open(&state).unwrap();
        assert_eq!(opened.set_aside, None);
        let found: Vec<_> = opened.contacts.list().iter().map(Entry::from).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.compare(number, &found);
        }
        let expected = clients.iter().flat_map(|client| client.contacts.values());
        assert_eq!(found.len(), expected.filter(|present| **present).count());
    }
    assert!(done.load(Ordering::SeqCst) >= CHANGES);
    // Else the kills missed what they were to hit.
    assert!(interrupted >= KILLS, "{interrupted}");
}
