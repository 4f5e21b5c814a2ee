use super::race::{ATTEMPT_DELAY, LEAST_DELAY, RESOLUTION_DELAY};
use super::*;
use crate::net::io::resolve::fake::Zone;
use crate::proto::discover::Fallback;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const MS: Duration = Duration::from_millis(1);

fn target(host: &str, port: u16, via: Via) -> Target {
    Target {
        host: host.to_owned(),
        port,
        via,
    }
}

fn found(after: u32, addresses: &str) -> (u32, Addresses) {
    let addresses = addresses.split(' ').map(|one| one.parse().unwrap());
    (after, Ok(addresses.collect()))
}

fn missing(after: u32) -> (u32, Addresses) {
    (after, Err(LookupFault::NoRecords))
}

/// How a simulated address behaves: after so many milliseconds it connects, or fails so.
type Behaviour = (u32, Result<(), AttemptFault>);

/// The IPv6 answer, the IPv4 answer, who does not simply connect, and what is tried when.
type Row<'a> = (
    (u32, Addresses),
    (u32, Addresses),
    &'a [(&'a str, Behaviour)],
    &'a [&'a str],
);

const UP: Behaviour = (5, Ok(()));
const REFUSES: Behaviour = (1, Err(AttemptFault::Refused));
const BLACK_HOLE: Behaviour = (10_000, Err(AttemptFault::TimedOut));

/// Runs a race on a simulated clock. Gives its outcome, how long it took, and when (in
/// milliseconds) which address was tried.
async fn run(
    ipv6: (u32, Addresses),
    ipv4: (u32, Addresses),
    hosts: &[(&str, Behaviour)],
) -> (Result<String, ConnectFailure>, Duration, Vec<String>) {
    let hosts: HashMap<IpAddr, Behaviour> = hosts
        .iter()
        .map(|(address, behaviour)| (address.parse().unwrap(), behaviour.clone()))
        .collect();
    let began = Instant::now();
    let log = Arc::new(Mutex::new(Vec::new()));
    let tried = Arc::clone(&log);
    let attempt = move |address: SocketAddr| {
        let line = format!("{} {}", began.elapsed().as_millis(), address.ip());
        tried.lock().unwrap().push(line);
        let (after, outcome) = hosts[&address.ip()].clone();
        async move {
            sleep(MS * after).await;
            outcome
        }
    };
    let answer = |(after, addresses): (u32, Addresses)| async move {
        sleep(MS * after).await;
        addresses
    };
    let target = target("a.example", 5269, Via::Fallback(Fallback::NoRecord));
    let limit = Duration::from_secs(30);
    let outcome = connect_with(
        &target,
        answer(ipv6),
        answer(ipv4),
        false,
        (8, limit),
        attempt,
    )
    .await;
    let log = log.lock().unwrap().clone();
    let outcome = outcome.map(|((), address)| address.to_string());
    (outcome, began.elapsed(), log)
}

#[tokio::test(start_paused = true)]
async fn the_order_and_the_times_of_attempts() {
    let (a6, b6, a4, b4) = ("2600::a", "2600::b", "1.0.0.10", "1.0.0.11");
    let both6 = format!("{a6} {b6}");
    let both4 = format!("{a4} {b4}");
    let all_up = [(a6, UP), (b6, UP), (a4, UP), (b4, UP)];
    let table: [Row<'_>; 9] = [
        // The first good address wins, and no other is tried.
        (found(0, a6), found(0, a4), &[], &["0 2600::a"]),
        (found(0, a6), found(9000, a4), &[], &["0 2600::a"]),
        // IPv4 waits a little for the IPv6 answer, and no longer.
        (found(40, a6), found(0, a4), &[], &["40 2600::a"]),
        (missing(20), found(0, a4), &[], &["20 1.0.0.10"]),
        (found(9000, a6), found(0, a4), &[], &["50 1.0.0.10"]),
        // A host that does not answer is joined by the other family.
        (
            found(0, &both6),
            found(0, a4),
            &[(a6, BLACK_HOLE)],
            &["0 2600::a", "250 1.0.0.10"],
        ),
        // One that refuses makes room at once, at the least distance.
        (
            found(0, &both6),
            found(0, a4),
            &[(a6, REFUSES), (a4, REFUSES)],
            &["0 2600::a", "10 1.0.0.10", "20 2600::b"],
        ),
        // Families take turns.
        (
            found(0, &both6),
            found(0, &both4),
            &[(a6, BLACK_HOLE), (a4, BLACK_HOLE), (b6, BLACK_HOLE)],
            &["0 2600::a", "250 1.0.0.10", "500 2600::b", "750 1.0.0.11"],
        ),
        // A late answer joins in.
        (
            found(320, a6),
            found(0, &both4),
            &[(a4, BLACK_HOLE), (b4, BLACK_HOLE)],
            &["50 1.0.0.10", "300 1.0.0.11", "550 2600::a"],
        ),
    ];
    for (ipv6, ipv4, special, want) in table {
        let mut hosts = all_up.to_vec();
        hosts.extend(special.iter().cloned());
        let (outcome, took, log) = run(ipv6, ipv4, &hosts).await;
        assert_eq!(log, want);
        let winner = want.last().unwrap().split(' ').next_back().unwrap();
        let want = SocketAddr::new(winner.parse().unwrap(), 5269).to_string();
        assert_eq!(outcome.unwrap(), want);
        assert!(took < 600 * MS + ATTEMPT_DELAY, "{took:?}");
    }
    assert_eq!(
        [RESOLUTION_DELAY, ATTEMPT_DELAY, LEAST_DELAY],
        [50, 250, 10].map(|n| MS * n)
    );
}

#[tokio::test(start_paused = true)]
async fn every_attempt_is_reported_and_the_telling_one_gives_the_name() {
    let (a6, a4) = ("2600::a", "1.0.0.10");
    let unreachable = (1, Err(AttemptFault::Unreachable));
    let (outcome, _, _) = run(
        found(0, a6),
        found(0, a4),
        &[(a6, unreachable), (a4, REFUSES)],
    )
    .await;
    let failure = outcome.unwrap_err();
    assert_eq!(
        (failure.code().as_str(), failure.is_no_such_service()),
        ("connection-refused", false)
    );
    let text = failure.to_string();
    for part in [
        "there is no SRV record _xmpp-server._tcp.a.example",
        "[2600::a]:5269 cannot be reached",
        "1.0.0.10:5269 refused",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let (outcome, took, _) = run(found(0, a6), missing(0), &[(a6, BLACK_HOLE)]).await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.code(), "connection-timed-out");
    assert!(!failure.to_string().contains("lookup"), "{failure}");
    assert_eq!(took.as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn no_address_and_no_answer_are_different_things() {
    let broken = (
        0,
        Err(LookupFault::Other {
            detail: "late".to_owned(),
        }),
    );
    for (ipv6, ipv4, code, no_such_service) in [
        (missing(0), missing(0), "no-address", true),
        (
            (0, Err(LookupFault::NoSuchName)),
            missing(0),
            "no-address",
            true,
        ),
        (missing(0), broken.clone(), "dns-error", false),
        (broken.clone(), broken, "dns-error", false),
    ] {
        let failure = run(ipv6, ipv4, &[]).await.0.unwrap_err();
        assert_eq!(
            (failure.code().as_str(), failure.is_no_such_service()),
            (code, no_such_service)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_inside_are_not_tried_and_do_not_hide_good_ones() {
    let (outcome, _, log) = run(found(0, "::1"), found(0, "127.0.0.1 10.0.0.1"), &[]).await;
    let failure = outcome.unwrap_err();
    assert_eq!(
        (failure.code().as_str(), failure.is_no_such_service()),
        ("not-a-public-address", false)
    );
    assert!(failure.to_string().contains("it is loopback"), "{failure}");
    assert_eq!(log, [""; 0]);
    let (outcome, _, log) = run(
        missing(0),
        found(0, "127.0.0.1 1.0.0.10"),
        &[("1.0.0.10", UP)],
    )
    .await;
    assert_eq!((outcome.is_ok(), log.len()), (true, 1));
}

#[tokio::test(start_paused = true)]
async fn time_for_a_whole_target_ends_and_the_unanswered_are_named() {
    let target = target("a.example", 5269, Via::Fallback(Fallback::NoRecord));
    let began = Instant::now();
    let never = |_| std::future::pending::<Result<(), AttemptFault>>();
    let ipv6 = async { Err(LookupFault::NoRecords) };
    let ipv4 = async { Ok(vec!["1.0.0.1".parse().unwrap(), "1.0.0.2".parse().unwrap()]) };
    let limit = Duration::from_secs(7);
    let failure = connect_with(&target, ipv6, ipv4, false, (8, limit), never)
        .await
        .unwrap_err();
    assert_eq!(began.elapsed(), limit);
    assert_eq!((failure.attempts.len(), failure.out_of_time), (2, true));
    assert_eq!(failure.code(), "connection-timed-out");
}

/// A zone may name any number of hosts: so many are tried, of both families, and the rest is told.
#[tokio::test(start_paused = true)]
async fn so_many_addresses_are_tried_and_no_more() {
    let all6: Vec<_> = (0..60).map(|it| format!("2600::{it:x}")).collect();
    let all4: Vec<_> = (0..60).map(|it| format!("1.0.0.{it}")).collect();
    let all: Vec<_> = all6
        .iter()
        .chain(&all4)
        .map(|it| (it.as_str(), REFUSES))
        .collect();
    for late in [0, 500] {
        let ipv4 = found(late, &all4.join(" "));
        let (outcome, _, log) = run(found(0, &all6.join(" ")), ipv4, &all).await;
        assert_eq!(log.len(), 8, "{log:?}");
        let failure = outcome.unwrap_err();
        assert_eq!((failure.attempts.len(), failure.untried), (8, 112));
        let text = failure.to_string();
        assert!(
            text.ends_with(", 112 more addresses were not tried"),
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_losers_are_ended() {
    struct OnDrop(SocketAddr, mpsc::Sender<SocketAddr>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.1.try_send(self.0).unwrap();
        }
    }
    let (ended, mut loser) = mpsc::channel(1);
    let attempt = move |address: SocketAddr| {
        let guard = address.is_ipv6().then(|| OnDrop(address, ended.clone()));
        async move {
            if guard.is_some() {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    };
    let target = target("a.example", 5269, Via::Fallback(Fallback::NoRecord));
    let ipv6 = async { Ok(vec!["2600::a".parse().unwrap()]) };
    let ipv4 = async { Ok(vec!["1.0.0.10".parse().unwrap()]) };
    let limit = Duration::from_secs(30);
    let ((), winner) = connect_with(&target, ipv6, ipv4, false, (8, limit), attempt)
        .await
        .unwrap();
    assert!(winner.is_ipv4());
    assert!(loser.recv().await.unwrap().is_ipv6());
}

/// A listener on loopback, and a name in DNS that leads to it.
async fn world() -> (TcpListener, DnsResolver, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Zone::default()
        .host("a.example", &["127.0.0.1"])
        .serve()
        .await;
    (listener, DnsResolver::new(&[server.address]).unwrap(), port)
}

fn inside_allowed() -> ConnectSettings {
    ConnectSettings {
        allow_private_addresses: true,
        ..ConnectSettings::default()
    }
}

#[tokio::test]
async fn a_real_connection_is_made_and_tuned() {
    let (listener, resolver, port) = world().await;
    let target = target("a.example", port, Via::Fallback(Fallback::NoRecord));
    let (stream, address) = connect(&resolver, &target, inside_allowed(), None)
        .await
        .unwrap();
    assert_eq!(address, listener.local_addr().unwrap());
    assert_eq!(
        listener.accept().await.unwrap().1,
        stream.local_addr().unwrap()
    );
    let socket = SockRef::from(&stream);
    assert!(stream.nodelay().unwrap() && socket.keepalive().unwrap());
    let silence = inside_allowed().silence;
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(silence));
    // Four probes or more before it is over.
    assert_eq!(socket.tcp_keepalive_time().unwrap(), silence / 2);
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), silence / 8);
}

#[tokio::test]
async fn names_may_not_lead_inside_while_routes_may() {
    let (_listener, resolver, port) = world().await;
    let by_name = target("a.example", port, Via::Fallback(Fallback::NoRecord));
    let failure = connect(&resolver, &by_name, ConnectSettings::default(), None)
        .await
        .unwrap_err();
    assert_eq!(failure.code(), "not-a-public-address");
    for (host, via) in [
        ("127.0.0.1", Via::Literal),
        ("::ffff:127.0.0.1", Via::Literal),
    ] {
        let literal = target(host, port, via);
        let failure = connect(&resolver, &literal, ConnectSettings::default(), None)
            .await
            .unwrap_err();
        assert_eq!(failure.code(), "not-a-public-address", "{host}");
    }
    for host in ["a.example", "127.0.0.1"] {
        let routed = target(host, port, Via::Route);
        connect(&resolver, &routed, ConnectSettings::default(), None)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_closed_port_refuses() {
    let (listener, resolver, port) = world().await;
    drop(listener);
    let target = target("a.example", port, Via::Fallback(Fallback::NoRecord));
    let failure = connect(&resolver, &target, inside_allowed(), None)
        .await
        .unwrap_err();
    assert_eq!(failure.code(), "connection-refused");
}
