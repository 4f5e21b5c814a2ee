//! A crowd of strangers, each holding as much as it may: the memory of the daemon stays within what
//! follows from its configuration, the honest do not wait, and in the end everything is given back.

use std::any::Any;
use std::io::{Read as _, Write as _};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustls::StreamOwned;
use xmpp_edge::proto::xml::Limits;

use super::act::{Client, client};
use super::honest::Honest;
use super::{connect_from, header, lab, proceed};
use crate::daemon::converse;
use crate::daemon::process::Daemon;
use crate::hostile::authority::Authority;
use crate::lab::Lab;
use crate::pki::Leaf;

/// How many come if nobody says otherwise; the limit of descriptors must be twice that.
const CROWD: usize = 1000;
/// The variable that says otherwise.
const VARIABLE: &str = "XMPP_EDGE_CROWD";

/// What any connection costs: task, machine, the state of TLS, timers, and where it is counted.
const FIXED: usize = 24 << 10;
/// Most that a handshake may say, the certificates that TLS keeps of it included.
const HANDSHAKE: usize = 32 << 10;
/// A record of TLS that has begun.
const RECORD: usize = 18 << 10;
/// What the allocator keeps for itself in a process that has grown.
const SLACK: usize = 8 << 20;

/// How often the honest are measured: enough for the slowest hundredth to be more than one.
const EXCHANGES: usize = 5000;
/// What other programs on the machine may add to an exchange of some tenths of a millisecond.
const NOISE: Duration = Duration::from_millis(1);

pub(super) const NO_LIMITS: &str = "unauthenticated-per-address = 0\nunauthenticated-per-prefix = 0\n\
                         unauthenticated-per-domain = 0\nconnections-per-address = 0\n\
                         attempts-per-prefix = 0\nattempts-per-domain = 0";

pub(super) fn crowd() -> usize {
    std::env::var(VARIABLE).map_or(CROWD, |text| text.parse().unwrap())
}

/// So many places that this crowd finds some, and leaves those that are kept for others.
pub(super) fn places(crowd: usize) -> usize {
    crowd + crowd / 5 + 10
}

/// What docs/security.md says that strangers may cost.
fn bound(unauthenticated_limit: usize) -> usize {
    let limits = Limits::UNAUTHENTICATED;
    // A buffer that grows may have room for twice what is in it.
    let xml = limits.header_bytes + 2 * limits.element_bytes;
    unauthenticated_limit * (FIXED + HANDSHAKE + RECORD + xml) + SLACK
}

#[test]
fn a_crowd_holds_no_more_than_was_computed_and_gives_it_back() {
    let crowd = crowd();
    let authority = Authority::start();
    let limits = format!("{NO_LIMITS}\nunauthenticated-limit = {}", places(crowd));
    let lab = lab(authority.address, "", &limits, "");
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let alone = honest.times(EXCHANGES);
    let (memory, descriptors) = (daemon.resident(), daemon.descriptors());

    let element = format!(
        "{}<db:result from='fabrikam.example' to='contoso.example'>{}",
        header("fabrikam.example"),
        "k".repeat(Limits::UNAUTHENTICATED.element_bytes - 200)
    );
    let message = long_message();
    let tls = with_many_names(&lab);
    let mut inside = Vec::<Box<dyn Any>>::new();
    for number in 0..crowd {
        let stream = connect_from(address(number), daemon.s2s);
        stream.set_nodelay(true).unwrap();
        match number % 3 {
            0 => {
                converse(&stream, &element, "</stream:features>");
                inside.push(Box::new(stream));
            }
            1 => {
                proceed(&stream);
                (&stream).write_all(&message).unwrap();
                inside.push(Box::new(stream));
            }
            _ => {
                proceed(&stream);
                let mut stream = StreamOwned::new(tls.connection(), stream);
                stream.write_all(element.as_bytes()).unwrap();
                // A record of 16 KiB, but for its last bytes.
                stream.sock.write_all(&[23, 3, 3, 0x40, 0]).unwrap();
                stream.sock.write_all(&[0; 16_300]).unwrap();
                inside.push(Box::new(stream));
            }
        }
        if number % 50 == 0 {
            honest.exchange();
        }
    }
    // One more exchange on each side of a pause: what was sent has been read by now.
    for _ in 0..10 {
        honest.exchange();
        sleep(Duration::from_millis(50));
    }
    let grown = daemon.resident().saturating_sub(memory);
    assert!(
        grown <= bound(crowd),
        "{crowd} strangers cost {grown} bytes, {} each; computed were {}",
        grown / crowd,
        bound(crowd)
    );
    assert!(
        grown >= crowd * (20 << 10),
        "{grown} bytes: they hold too little for this test to tell anything"
    );
    let among_the_crowd = honest.times(EXCHANGES);
    println!(
        "{crowd} strangers hold {} KiB; an exchange takes {among_the_crowd:?}, and {alone:?} without them: \
         p99 is {:.2} times what it was",
        grown >> 10,
        among_the_crowd.p99.as_secs_f64() / alone.p99.as_secs_f64()
    );
    assert!(
        among_the_crowd.median <= 2 * alone.median + NOISE,
        "an exchange takes {among_the_crowd:?} among {crowd} strangers, and {alone:?} without them"
    );
    assert!(
        honest.slowest() < Duration::from_secs(3),
        "{:?}",
        honest.slowest()
    );

    drop(inside);
    let begun = Instant::now();
    loop {
        honest.exchange();
        let kept = daemon.resident().saturating_sub(memory);
        let open = daemon.descriptors();
        // The allocator's own books are as large as the crowd once was.
        if open <= descriptors && kept <= SLACK + grown / 32 {
            break;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{kept} of {grown} bytes are kept, and {open} descriptors of {descriptors}"
        );
        sleep(Duration::from_millis(100));
    }
    drop(honest);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// Elements of no more than four letters, in great number, that make a large tree of little input.
#[test]
fn tiny_elements_hold_no_more_than_their_bytes() {
    let crowd = crowd();
    let authority = Authority::start();
    let limits = format!("{NO_LIMITS}\nunauthenticated-limit = {}", places(crowd));
    let lab = lab(authority.address, "", &limits, "");
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let come = |elements: usize, until: &str| -> Vec<_> {
        let text = format!(
            "{}<x>{}",
            header("fabrikam.example"),
            "<a/>".repeat(elements)
        );
        let one = |number| {
            let stream = connect_from(address(number), daemon.s2s);
            converse(&stream, &text, until);
            stream
        };
        (0..crowd).map(one).collect()
    };
    honest.exchange();
    let before = daemon.resident();
    // As many as may be, and the end of the element does not come.
    let inside = come(Limits::UNAUTHENTICATED.elements - 1, "</stream:features>");
    honest.exchange();
    let held = daemon.resident().saturating_sub(before);
    drop(inside);
    // Two thousand: each of these strangers reads why, and is gone.
    let outside = come(2000, "</stream:stream>");
    honest.exchange();
    let left = daemon.resident().saturating_sub(before);
    drop(outside);
    println!(
        "{crowd} strangers with tiny elements hold {:.1} KiB each, and with 2000 each, refused, {:.1} KiB",
        held as f64 / crowd as f64 / 1024.0,
        left as f64 / crowd as f64 / 1024.0
    );
    let most = crowd * FIXED + SLACK;
    assert!(held <= most && left <= most, "{held} and {left} bytes");
    drop(honest);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// Everybody asks for a handshake at once; whoever has proven itself already does not wait for it.
#[test]
fn a_flood_of_handshakes_delays_nobody_else() {
    let flood = crowd() / 4;
    let authority = Authority::start();
    let lab = lab(authority.address, "", NO_LIMITS, "");
    let daemon = Daemon::start(&lab);
    let mut honest = Honest::new(&daemon);
    let mut hello = Vec::new();
    client(&lab).connection().write_tls(&mut hello).unwrap();

    let ready: Vec<_> = (0..flood)
        .map(|number| {
            let stream = connect_from(address(number), daemon.s2s);
            proceed(&stream);
            stream
        })
        .collect();
    honest.exchange();
    let begun = Instant::now();
    for mut stream in &ready {
        stream.write_all(&hello).unwrap();
    }
    let mut answered = 0;
    let mut buffer = [0; 1];
    for stream in &ready {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut stream = stream;
        // ServerHello: the edge has computed its part.
        stream.read_exact(&mut buffer).unwrap();
        assert_eq!(buffer[0], 22);
        answered += 1;
        if answered % 10 == 0 {
            honest.exchange();
        }
    }
    let all = begun.elapsed();
    assert!(
        honest.slowest() < Duration::from_secs(2),
        "{flood} handshakes took {all:?}, and a stanza {:?}",
        honest.slowest()
    );
    drop(honest);
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// A flood of strangers is some lines in the log, and a partner's own trouble is still among them.
#[test]
fn a_flood_of_strangers_hides_no_line_about_a_partner() {
    let authority = Authority::start();
    let lab = lab(authority.address, "", NO_LIMITS, "");
    let daemon = Daemon::start(&lab);
    let refused = |number: usize, from: &str| {
        let stream = connect_from(address(number), daemon.s2s);
        converse(&stream, &header(from), "</stream:stream>");
    };
    for number in 0..300 {
        refused(number, &format!("stranger-{number}.example"));
    }
    // This partner speaks of a domain that is not here: its administrator will ask why.
    let stream = connect_from(address(7), daemon.s2s);
    let wrong = header("fabrikam.example").replace("contoso.example", "elsewhere.example");
    converse(&stream, &wrong, "</stream:stream>");
    let mut strangers = 0;
    daemon.log_lines(1, |line| {
        strangers += usize::from(line.contains("\"unknown-partner\""));
        line.contains("\"unknown-local-domain\"")
            && line.contains("\"claimed\":\"fabrikam.example\"")
            && line.contains("\"local\":\"elsewhere.example\"")
    });
    assert!((10..=60).contains(&strangers), "{strangers} lines");
    daemon.signal("TERM");
    daemon.ends_with(0);
}

/// A client whose certificate has some 22 KiB.
fn with_many_names(lab: &Lab) -> Client {
    let names: Vec<_> = (0..1000)
        .map(|number| format!("name-{number:05}.example"))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    client(lab).showing(&Leaf::new(&names).self_signed())
}

/// The first 30 KiB of a handshake message that announces twice as much.
fn long_message() -> Vec<u8> {
    let mut bytes = Vec::new();
    // ClientHello, 60000 bytes.
    let mut message = vec![1, 0, 0xea, 0x60];
    message.resize(30 << 10, 0);
    for fragment in message.chunks(15 << 10) {
        let length = u16::try_from(fragment.len()).unwrap();
        bytes.extend([22, 3, 1]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(fragment);
    }
    bytes
}

/// An address of this host: a few hundred in each network.
pub(super) fn address(number: usize) -> [u8; 4] {
    let [_, _, high, low] = u32::try_from(number).unwrap().to_be_bytes();
    [127, 1, high, low.max(1)]
}
