//! The pieces of work. Each opens what it needs, warms it, says `ready`, and works when it is told to.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::checker::Checker;
use crate::ends::{link, open, open_all, serve};
use crate::message::{Block, body, local_user, user};
use crate::options::Options;
use crate::tls::Stream;

/// What takes longer than this has been lost.
const PATIENCE: Duration = Duration::from_secs(60);
const WARM: Duration = Duration::from_millis(200);
/// So many bytes are on their way at most. A slow system is not given more than it does in the time, and outward
/// no system tells its gateway to wait.
const INWARD: u64 = 1 << 20;
const OUTWARD: u64 = 256 << 10;
const THREADS: usize = 8;

/// Partners write as much as they can; the gateway checks.
pub fn inbound(options: &Options) {
    let (received, mut senders) = partners(options);
    let window = window(INWARD, &senders[0].1);
    let mut sent = send(&mut senders, WARM, &received, window);
    arrive(&received, sent);
    ready();
    let (begun, before) = (Instant::now(), sent);
    let time = Duration::from_millis(options.milliseconds);
    sent = send(&mut senders, time, &received, window);
    arrive(&received, sent);
    tell(sent - before, begun.elapsed(), &[]);
}

/// The same without any care for how much is on its way. What arrives is still checked; what is on its way at the
/// end, nobody waits for.
pub fn flood(options: &Options) {
    let (received, mut senders) = partners(options);
    ready();
    let begun = Instant::now();
    let time = Duration::from_millis(options.milliseconds);
    thread::spawn(move || send(&mut senders, time * 2, &AtomicU64::new(0), u64::MAX));
    thread::sleep(time);
    tell(received.load(Relaxed), begun.elapsed(), &[]);
}

/// The partners' streams, each with its messages, and how much has arrived at the gateway.
fn partners(options: &Options) -> (Arc<AtomicU64>, Vec<(Stream, Block)>) {
    let received = gateway(options, |_| ());
    let streams = open_all(options, options.streams).into_iter().enumerate();
    let senders = streams.map(|(number, stream)| {
        let from = user(number, options.partners);
        let to = local_user();
        let block = Block::new(number, &from, &to, options.body, options.batch);
        (stream, block)
    });
    (received, senders.collect())
}

/// Sends for so long: how many messages have been sent by then, in all.
fn send(senders: &mut [(Stream, Block)], time: Duration, received: &AtomicU64, window: u64) -> u64 {
    let share = senders.len().div_ceil(THREADS);
    let sent = AtomicU64::new(senders.iter().map(|(_, block)| block.sent()).sum());
    let begun = Instant::now();
    thread::scope(|scope| {
        for mine in senders.chunks_mut(share) {
            let sent = &sent;
            scope.spawn(move || {
                for turn in (0..mine.len()).cycle() {
                    while sent.load(Relaxed) >= window.saturating_add(received.load(Relaxed)) {
                        thread::sleep(Duration::from_micros(50));
                    }
                    if begun.elapsed() >= time {
                        break;
                    }
                    let (stream, block) = &mut mine[turn];
                    sent.fetch_add(block.count(), Relaxed);
                    if stream.write_all(block.numbered()).is_err() {
                        break;
                    }
                }
            });
        }
    });
    sent.into_inner()
}

/// How many messages are so many bytes; one write at least.
fn window(bytes: u64, block: &Block) -> u64 {
    (bytes / block.length()).max(block.count())
}

/// The gateway writes as much as it can; the partner's server checks.
pub fn outbound(options: &Options) {
    let accepted = serve(options);
    let mut link = link(options);
    let mut block = Block::new(0, &local_user(), &user(0, 1), options.body, options.batch);
    // The first message makes the system dial.
    let mut first = Block::new(0, &local_user(), &user(0, 1), options.body, 1);
    link.write_all(first.numbered()).unwrap();
    let mut stream = accepted
        .recv_timeout(PATIENCE)
        .expect("no stream of the system");
    let received = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&received);
    let mut checker = Checker::new(vec![(local_user(), user(0, 1))], &body(options.body));
    thread::spawn(move || {
        while let Some(count) = checker.read(&mut stream, |_| ()) {
            counted.fetch_add(count, Relaxed);
        }
    });
    arrive(&received, 1);
    block.skip(1);
    let mut pour = |time: Duration| {
        let begun = Instant::now();
        let window = window(OUTWARD, &block);
        while begun.elapsed() < time {
            while block.sent() - received.load(Relaxed) > window {
                thread::sleep(Duration::from_micros(50));
            }
            link.write_all(block.numbered()).unwrap();
        }
        arrive(&received, block.sent());
        block.sent()
    };
    let before = pour(WARM);
    ready();
    let begun = Instant::now();
    let sent = pour(Duration::from_millis(options.milliseconds));
    tell(sent - before, begun.elapsed(), &[]);
}

/// One message in flight: from the partner to the gateway, and its answer to the partner's server.
pub fn trips(options: &Options) {
    let accepted = serve(options);
    let mut link = link(options);
    let mut answers = link.try_clone().unwrap();
    let mut inward = Checker::new(vec![(user(0, 1), local_user())], &body(options.body));
    let mut answer = Block::new(0, &local_user(), &user(0, 1), options.body, 1);
    thread::spawn(move || {
        let mut count = 0;
        while inward.read(&mut link, |_| count += 1).is_some() {
            for _ in 0..std::mem::take(&mut count) {
                answers.write_all(answer.numbered()).unwrap();
            }
        }
    });
    let mut stream = open(options.s2s, &options.tls(0), 0);
    let mut message = Block::new(0, &user(0, 1), &local_user(), options.body, 1);
    stream.write_all(message.numbered()).unwrap();
    let mut back = accepted
        .recv_timeout(PATIENCE)
        .expect("no stream of the system");
    let mut outward = Checker::new(vec![(local_user(), user(0, 1))], &body(options.body));
    while outward.read(&mut back, |_| ()) == Some(0) {}
    let mut trip = || {
        let begun = Instant::now();
        stream.write_all(message.numbered()).unwrap();
        while outward.read(&mut back, |_| ()).expect("closed") == 0 {}
        begun.elapsed()
    };
    (0..50).for_each(|_| {
        trip();
    });
    ready();
    let begun = Instant::now();
    let mut trips = Vec::new();
    while begun.elapsed() < Duration::from_millis(options.milliseconds) {
        trips.push(trip());
    }
    tell(trips.len() as u64, begun.elapsed(), &trips);
}

/// So many messages a second, each by itself: how long each is on its way to the gateway.
pub fn paced(options: &Options) {
    let all = usize::try_from(options.rate * options.milliseconds / 1000).unwrap();
    let begun = Instant::now();
    let sent_at: Arc<Vec<AtomicU64>> = Arc::new((0..=all).map(|_| AtomicU64::new(0)).collect());
    let (told, delays) = sync_channel(all + 1);
    let times = Arc::clone(&sent_at);
    let received = gateway(options, move |number| {
        let sent = times[usize::try_from(number).unwrap()].load(Relaxed);
        told.send(begun.elapsed() - Duration::from_nanos(sent))
            .unwrap();
    });
    let mut stream = open(options.s2s, &options.tls(0), 0);
    let mut block = Block::new(0, &user(0, 1), &local_user(), options.body, 1);
    let mut send = |number: usize| {
        let bytes = block.numbered();
        sent_at[number].store(u64::try_from(begun.elapsed().as_nanos()).unwrap(), Relaxed);
        stream.write_all(bytes).unwrap();
    };
    send(0);
    arrive(&received, 1);
    ready();
    let started = Instant::now();
    for number in 1..=all {
        let due = started
            + Duration::from_secs(1) * u32::try_from(number).unwrap()
                / u32::try_from(options.rate).unwrap();
        thread::sleep(due.saturating_duration_since(Instant::now()));
        send(number);
    }
    arrive(&received, all as u64 + 1);
    let delays: Vec<_> = delays.try_iter().skip(1).collect();
    tell(all as u64, started.elapsed(), &delays);
}

/// Streams are opened, proven and closed, one after the other, each by the next of the partners. The first one has been
/// there before the measurement.
pub fn negotiations(options: &Options) {
    let mut link = link(options);
    thread::spawn(move || while link.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {});
    let tls: Vec<_> = (0..options.partners).map(|it| options.tls(it)).collect();
    let negotiate = |of: usize| {
        let begun = Instant::now();
        let mut stream = open(options.s2s, &tls[of], of);
        let took = begun.elapsed();
        stream.write_all(b"</stream:stream>").unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
        drop(stream);
        // The system closes its side: that is not part of the next one's time.
        thread::sleep(Duration::from_millis(3));
        took
    };
    (0..10).for_each(|_| {
        negotiate(0);
    });
    ready();
    let begun = Instant::now();
    let next = (1..=options.count).map(|it| it % options.partners);
    let times: Vec<_> = next.map(negotiate).collect();
    tell(options.count as u64, begun.elapsed(), &times);
}

/// Streams that are proven and say nothing.
pub fn idle(options: &Options) {
    let _link = link(options);
    // What the system allocates once is there before memory is read for the first time.
    let _first = open_all(options, 32);
    ready();
    let begun = Instant::now();
    let _streams = open_all(options, options.streams);
    tell(options.streams as u64, begun.elapsed(), &[]);
}

/// The gateway checks what arrives: how much has.
fn gateway(options: &Options, mut heard: impl FnMut(u64) + Send + 'static) -> Arc<AtomicU64> {
    let mut from_system = link(options);
    let streams = (0..options.streams).map(|it| (user(it, options.partners), local_user()));
    let mut checker = Checker::new(streams.collect(), &body(options.body));
    let received = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&received);
    thread::spawn(move || {
        while let Some(count) = checker.read(&mut from_system, &mut heard) {
            counted.fetch_add(count, Relaxed);
        }
    });
    received
}

/// Waits until so many have arrived in all.
fn arrive(received: &AtomicU64, sent: u64) {
    let mut last = (received.load(Relaxed), Instant::now());
    while last.0 < sent {
        thread::sleep(Duration::from_micros(200));
        let now = received.load(Relaxed);
        if now > last.0 {
            last = (now, Instant::now());
        }
        assert!(last.1.elapsed() < PATIENCE, "{now} of {sent} have arrived");
    }
    assert_eq!(last.0, sent, "more has arrived than was sent");
}

fn ready() {
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Prints the figures, and waits until nobody wants anything any more.
fn tell(count: u64, took: Duration, times: &[Duration]) {
    let mut times: Vec<_> = times.iter().map(|it| it.as_secs_f64() * 1e6).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in the list"
        )]
        let place = (times.len().saturating_sub(1) as f64 * share).round() as usize;
        times.get(place).copied().unwrap_or_default()
    };
    let figures = serde_json::json!({
        "count": count,
        "seconds": took.as_secs_f64(),
        "p50": at(0.5),
        "p99": at(0.99),
        "p999": at(0.999),
    });
    println!("{figures}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    std::process::exit(0);
}
