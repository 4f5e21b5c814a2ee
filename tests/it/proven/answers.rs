//! A partner that makes the edge answer, and reads little or nothing of it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use super::{flood_time, lab};
use crate::daemon::process::Daemon;
use crate::daemon::{converse, link};
use crate::hostile::authority::Authority;

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:server' \
    xmlns:db='jabber:server:dialback' xmlns:stream='http://etherx.jabber.org/streams' \
    from='fabrikam.example' to='contoso.example' version='1.0'>";
const RESULT: &str = "<db:result from='fabrikam.example' to='contoso.example'>k</db:result>";
/// How much more memory a flood may take.
const MORE: usize = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// A stream of the partner's that has proven itself.
pub(crate) fn prove(daemon: &Daemon) -> TcpStream {
    let stream = TcpStream::connect(daemon.s2s).unwrap();
    stream.set_nodelay(true).unwrap();
    converse(&stream, HEADER, "</stream:features>");
    let answer = converse(&stream, RESULT, "type='valid'");
    assert!(answer.contains("type='valid'"), "{answer}");
    stream
}

/// Writes a text again and again until it is told to stop.
fn flood(mut stream: TcpStream, text: String, stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    spawn(move || {
        let many = text.repeat((16 << 10) / text.len() + 1);
        while !stop.load(Relaxed) && stream.write_all(many.as_bytes()).is_ok() {}
    });
}

/// Lets a flood last its time: the most memory that the daemon holds beyond what it began with.
fn watch(daemon: &Daemon, before: usize) -> usize {
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < flood_time() {
        sleep(Duration::from_millis(20));
        most = most.max(daemon.resident().saturating_sub(before));
    }
    most
}

#[test]
fn who_always_leaves_answers_unread_makes_no_buffer_grow() {
    let authority = Authority::start();
    // Without a rate: only the buffer's own bound counts.
    let lab = lab(authority.address, "", "");
    let partners = std::fs::read_to_string(lab.path("partners.toml")).unwrap();
    lab.write("partners.toml", &(partners + "stanza-rate = 0\n"), 0o644);
    let daemon = Daemon::start(&lab);
    let stream = prove(&daemon);
    sleep(Duration::from_millis(200));
    let before = daemon.resident();
    let stop = Arc::default();
    // Questions whose answers repeat a long id: so much is answered for little work.
    let id = "9".repeat(1000);
    let question =
        format!("<db:verify from='fabrikam.example' to='contoso.example' id='{id}'>k</db:verify>");
    flood(stream.try_clone().unwrap(), question + RESULT, &stop);
    // It reads without pause, more slowly than the edge could answer.
    let answers = Arc::<AtomicUsize>::default();
    let (mut reading, read) = (stream.try_clone().unwrap(), Arc::clone(&answers));
    spawn(move || {
        let mut piece = [0; 1024];
        while let Ok(count @ 1..) = reading.read(&mut piece) {
            read.fetch_add(count, Relaxed);
            sleep(Duration::from_millis(1));
        }
    });
    let most = watch(&daemon, before);
    stop.store(true, Relaxed);
    stream.shutdown(Shutdown::Both).unwrap();
    let answers = answers.load(Relaxed);
    println!(
        "{} KiB of answers read, {} KiB held",
        answers >> 10,
        most >> 10
    );
    assert!(answers > 128 << 10, "{answers}");
    assert!(most <= MORE, "{most} bytes");
    daemon.signal("TERM");
    daemon.ends_with(0);
}

#[test]
fn what_is_no_stanza_is_held_to_the_partners_rate() {
    const RATE: usize = 20;
    let authority = Authority::start();
    // Another partner has no rate: questions about its keys are charged to who asks.
    let partners = format!(
        "stanza-rate = {RATE}\n[[partner]]\nprimary-domain = \"adatum.example\"\n\
         type = \"federated\"\ntls = \"optional\"\ndialback = true\nstanza-rate = 0\n"
    );
    let lab = lab(authority.address, "", &partners);
    let daemon = Daemon::start(&lab);
    let _gateway = link(&daemon);
    let mut stream = prove(&daemon);
    let stop = Arc::default();
    let of_another = "<db:verify from='adatum.example' to='contoso.example' id='1'>k</db:verify>";
    let text = of_another.to_owned() + RESULT;
    flood(stream.try_clone().unwrap(), text, &stop);
    let begun = Instant::now();
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
    while begun.elapsed() < flood_time() {
        if let Ok(count) = stream.read(&mut piece) {
            heard.extend_from_slice(&piece[..count]);
        }
    }
    stop.store(true, Relaxed);
    let answers = String::from_utf8_lossy(&heard).matches("<db:").count();
    // Five seconds' worth at once, then so many a second.
    let seconds = usize::try_from(flood_time().as_secs()).unwrap();
    let most = RATE * (5 + seconds + 1);
    println!("{answers} answers, at most {most}");
    assert!(answers <= most, "{answers} answers");
    // They are paced one by one, and each is written before the wait for the next.
    assert!(answers > 5 * RATE, "{answers} answers");
    drop(stream);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// Answers to pings that were never sent, on three streams, while the partner's server has a stream
/// of ours: each is an iq like any other.
#[test]
fn pongs_to_no_ping_are_relayed_and_counted_and_make_no_mailbox_grow() {
    for id_bytes in [10, 200_000] {
        let authority = Authority::start();
        let lab = lab(authority.address, "", "");
        let daemon = Daemon::start(&lab);
        let mut gateway = link(&daemon);
        let message = "<message from='b@contoso.example' to='a@fabrikam.example' id='opens'/>";
        gateway.write_all(message.as_bytes()).unwrap();
        let begun = Instant::now();
        while !authority.heard.lock().unwrap().contains("id='opens'") {
            assert!(begun.elapsed() < PATIENCE, "no stream of ours");
            sleep(Duration::from_millis(10));
        }
        let relayed = drink(&gateway);
        let streams: Vec<_> = (0..3).map(|_| prove(&daemon)).collect();
        sleep(Duration::from_millis(200));
        let before = daemon.resident();
        let stop = Arc::default();
        let id = "9".repeat(id_bytes);
        for stream in &streams {
            let pong = format!(
                "<iq type='result' id='xmpp-edge-ping-{id}' from='fabrikam.example' to='contoso.example'/>"
            );
            flood(stream.try_clone().unwrap(), pong, &stop);
        }
        let most = watch(&daemon, before);
        stop.store(true, Relaxed);
        for stream in &streams {
            stream.shutdown(Shutdown::Both).unwrap();
        }
        let bytes = relayed.lock().unwrap().0;
        println!(
            "ids of {id_bytes} bytes: {} KiB relayed, {} KiB held",
            bytes >> 10,
            most >> 10
        );
        assert!(relayed.lock().unwrap().1, "none was relayed");
        assert!(most <= MORE, "{most} bytes");
        drop(gateway);
        daemon.signal("TERM");
        daemon.ends_with(0);
    }
}

/// Reads as a gateway: how much came, and whether an answer to a ping was among it.
fn drink(gateway: &TcpStream) -> Arc<Mutex<(usize, bool)>> {
    let drunk = Arc::<Mutex<(usize, bool)>>::default();
    let (mut link, told) = (gateway.try_clone().unwrap(), Arc::clone(&drunk));
    link.set_read_timeout(None).unwrap();
    spawn(move || {
        let mut piece = vec![0; 64 << 10];
        while let Ok(count @ 1..) = link.read(&mut piece) {
            let mut told = told.lock().unwrap();
            told.0 += count;
            told.1 |= String::from_utf8_lossy(&piece[..count]).contains("xmpp-edge-ping-");
        }
    });
    drunk
}
