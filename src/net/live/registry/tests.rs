use std::pin::pin;
use std::task::{Context, Waker};

use super::*;
use crate::net::live::mailbox::mailbox;
use crate::proto::policy::{DomainPattern, Partner, counted};

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn there() -> SocketAddr {
    "192.0.2.7:5269".parse().unwrap()
}

/// A partner with all domains below its own, which may have so many streams.
fn rules(limit: usize) -> Rules {
    let mut partner = Partner::new(domain("a.example"));
    partner.additional = vec![DomainPattern::Subdomains(domain("a.example"))];
    partner.terms.connection_limit = limit;
    Rules::new(vec![domain("contoso.example")], vec![partner]).unwrap()
}

/// A stream that is proven for this many domains of the partner.
fn stream(registry: &Arc<Registry>, rules: &Rules, pairs: usize) -> Result<Registered, Reason> {
    let registered = registry.register(Kind::Outbound, there(), mailbox().0);
    for number in 0..pairs {
        let remote = domain(&format!("x{number}.a.example"));
        registered.take_room(&remote, rules, usize::MAX)?;
    }
    Ok(registered)
}

fn limit<T>(outcome: Result<T, Reason>) -> Option<usize> {
    match outcome {
        Ok(_) => None,
        Err(Reason::TooManyPartnerStreams(limit)) => Some(limit),
        Err(Reason::TooManyStreams) => Some(0),
        Err(reason) => panic!("{reason}"),
    }
}

#[test]
fn a_proof_costs_the_same_however_many_pairs_there_are() {
    let registry = Arc::<Registry>::default();
    let rules = rules(1000);
    let cost = || {
        let _ = counted::taken();
        let one = registry.register(Kind::Inbound, there(), mailbox().0);
        let remote = domain("y.a.example");
        registry.has_room(&remote, &rules, usize::MAX).unwrap();
        one.take_room(&remote, &rules, usize::MAX).unwrap();
        one.probe_older(&remote, &rules);
        counted::taken().0
    };
    let alone = cost();
    let streams: Vec<_> = (0..50)
        .map(|_| stream(&registry, &rules, 64).unwrap())
        .collect();
    assert!(alone > 0);
    assert_eq!(cost(), alone);
    drop(streams);
    let state = registry.lock();
    assert!(state.live.is_empty() && state.streams.is_empty() && state.proven == 0);
}

#[test]
fn a_stream_counts_once_for_a_partner_and_as_long_as_it_lives() {
    let registry = Arc::<Registry>::default();
    let rules = rules(2);
    let remote = domain("a.example");
    // Who has proven nothing does not count.
    let _nobody = stream(&registry, &rules, 0);
    let one = stream(&registry, &rules, 3).unwrap();
    let other = stream(&registry, &rules, 1).unwrap();
    assert_eq!(limit(registry.has_room(&remote, &rules, 9)), Some(2));
    assert_eq!(limit(registry.has_room(&remote, &rules, 2)), Some(0));
    assert_eq!(limit(stream(&registry, &rules, 1)), Some(2));
    // A stream that counts already may prove more.
    assert_eq!(limit(one.take_room(&remote, &rules, 9)), None);
    let stranger = domain("b.example");
    assert_eq!(limit(registry.has_room(&stranger, &rules, 9)), None);
    drop(other);
    assert_eq!(limit(registry.has_room(&remote, &rules, 9)), None);
}

/// Other rules may give domains to other partners, and leave less room.
#[test]
fn a_reload_finds_out_anew_whose_the_streams_are() {
    let registry = Arc::<Registry>::default();
    let before = rules(9);
    let mut inside = Vec::new();
    for name in ["x.a.example", "y.a.example", "x.a.example"] {
        let (mailbox, incoming) = mailbox();
        let registered = registry.register(Kind::Outbound, there(), mailbox);
        registered.take_room(&domain(name), &before, 9).unwrap();
        inside.push((registered, incoming));
    }
    let mut partner = Partner::new(domain("x.a.example"));
    partner.terms.connection_limit = 1;
    let after = Rules::new(vec![domain("contoso.example")], vec![partner]).unwrap();
    // To ask changes nothing.
    let would_end = registry.would_end(&after);
    assert_eq!(would_end.len(), 1, "{would_end:?}");
    assert_eq!(registry.lock().streams.len(), 1);
    registry.enforce(&after);
    let x = domain("x.a.example");
    assert_eq!(limit(registry.has_room(&x, &after, 9)), Some(1));
    let state = registry.lock();
    assert_eq!((state.proven, state.streams[&x]), (3, 2));
    assert_eq!(state.streams[&domain("y.a.example")], 1);
    drop(state);
    // The newest of two has no room.
    let told: Vec<_> = inside
        .iter_mut()
        .map(|(_, incoming)| {
            let mut task = Context::from_waker(Waker::noop());
            pin!(incoming.end()).poll(&mut task).is_ready()
        })
        .collect();
    assert_eq!(told, [false, false, true]);
}
