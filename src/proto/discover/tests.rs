use super::*;
use proptest::prelude::*;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn srv(priority: u16, weight: u16, target: &str) -> SrvRecord {
    SrvRecord {
        priority,
        weight,
        port: 5269,
        target: target.to_owned(),
    }
}

/// A small generator with a known sequence (xorshift), so that the statistics never flicker.
fn dice(seed: u64) -> impl FnMut(u32) -> u32 {
    let mut state = seed | 1;
    move |bound| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(((state >> 32) * u64::from(bound)) >> 32).unwrap()
    }
}

fn interleave(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut turns = Turns::default();
    for address in addresses {
        turns.add(address);
    }
    std::iter::from_fn(|| turns.take()).collect()
}

/// How often, of 10 000 times, each host comes first.
fn firsts(records: &[SrvRecord]) -> HashMap<String, u32> {
    let mut draw = dice(7);
    let mut count = HashMap::new();
    for _ in 0..10_000 {
        let first = targets(&domain("a.example"), records.to_vec(), 20, &mut draw).unwrap();
        *count.entry(first[0].host.clone()).or_default() += 1;
    }
    count
}

#[test]
fn without_records_the_domain_itself_is_the_target() {
    let got = targets(&domain("a.example"), Vec::new(), 20, |_| 0).unwrap();
    let want = Target {
        host: "a.example".to_owned(),
        port: 5269,
        via: Via::Fallback(Fallback::NoRecord),
    };
    assert_eq!(got, [want]);
}

#[test]
fn a_root_target_says_there_is_no_service() {
    let root = srv(0, 0, "");
    let a = domain("a.example");
    assert_eq!(targets(&a, vec![root.clone()], 20, |_| 0), Err(NotOffered));
    let beside = targets(&a, vec![root, srv(5, 0, "x.a.example")], 20, |_| 0).unwrap();
    assert_eq!(beside[0].to_string(), "x.a.example:5269");
    assert_eq!(beside.len(), 1);
}

#[test]
fn weights_are_shares_of_the_first_attempts() {
    let count = firsts(&[
        srv(1, 60, "big"),
        srv(1, 20, "mid"),
        srv(1, 20, "low"),
        srv(2, 999, "spare"),
    ]);
    for (host, share) in [("big", 6000), ("mid", 2000), ("low", 2000)] {
        assert!(count[host].abs_diff(share) < 300, "{host}: {count:?}");
    }
    assert!(!count.contains_key("spare"));
}

#[test]
fn weight_zero_is_rarely_first_beside_others_and_shared_among_its_own() {
    let count = firsts(&[srv(1, 0, "zero"), srv(1, 9, "one")]);
    assert!(count["zero"].abs_diff(1000) < 150, "{count:?}");
    let count = firsts(&[srv(1, 0, "a"), srv(1, 0, "b")]);
    assert!(count["a"].abs_diff(5000) < 300, "{count:?}");
}

#[test]
fn routes_and_literals_are_targets_as_they_stand() {
    let hosts = ["xmpp.a.example", "2001:db8::1"].map(|host| HostPort {
        host: host.to_owned(),
        port: 15269,
    });
    let shown: Vec<_> = route(&hosts).iter().map(Target::to_string).collect();
    assert_eq!(shown, ["xmpp.a.example:15269", "[2001:db8::1]:15269"]);
    for (text, want) in [
        ("[2001:db8::1]", "[2001:db8::1]:5269"),
        ("192.0.2.1", "192.0.2.1:5269"),
    ] {
        assert_eq!(literal(&domain(text)).unwrap().to_string(), want);
    }
    assert_eq!(literal(&domain("a.example")), None);
}

#[test]
fn families_take_turns() {
    let order = |text: &str| {
        let addresses = text.split(' ').map(|one| one.parse::<IpAddr>().unwrap());
        let order = interleave(addresses);
        order
            .iter()
            .map(IpAddr::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (given, want) in [
        ("1.0.0.1 1.0.0.2 2000::1", "2000::1 1.0.0.1 1.0.0.2"),
        (
            "1.0.0.1 2000::1 2000::2 1.0.0.2",
            "2000::1 1.0.0.1 2000::2 1.0.0.2",
        ),
        (
            "2000::1 2000::2 2000::3 1.0.0.1",
            "2000::1 1.0.0.1 2000::2 2000::3",
        ),
        ("1.0.0.1 1.0.0.2", "1.0.0.1 1.0.0.2"),
        ("1.0.0.1 1.0.0.1", "1.0.0.1"),
    ] {
        assert_eq!(order(given), want);
    }
}

#[test]
fn only_the_public_internet_is_public() {
    for (kind, addresses) in [
        ("unspecified", "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0"),
        (
            "private",
            "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 2002:0a00:0001::1 ::192.168.0.1",
        ),
        ("shared (carrier-grade NAT)", "100.64.0.1 100.127.255.255"),
        (
            "loopback",
            "127.0.0.1 127.255.255.255 ::1 ::ffff:127.0.0.1 2002:7f00:1::",
        ),
        (
            "link-local",
            "169.254.169.254 fe80::1 febf::1 ::ffff:169.254.169.254",
        ),
        ("unique-local", "fc00::1 fdff::1 fec0::1"),
        (
            "documentation",
            "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1",
        ),
        ("benchmarking", "198.18.0.1 198.19.255.255"),
        ("multicast", "224.0.0.1 239.255.255.255 ff02::1"),
        (
            "reserved",
            "192.0.0.1 192.88.99.1 240.0.0.1 255.255.255.255 2001::1 100::1 64:ff9b:1::1 4000::1 5f00::1",
        ),
    ] {
        for address in addresses.split(' ') {
            assert_eq!(
                special_use(address.parse().unwrap()),
                Some(kind),
                "{address}"
            );
        }
    }
    for address in "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 \
                    192.0.1.1 198.17.0.1 198.20.0.1 223.255.255.255 2606:4700::1111 2a00::1 2001:200::1 \
                    ::ffff:1.1.1.1 64:ff9b::1.1.1.1 2002:0101:0101::1"
        .split_whitespace()
    {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

proptest! {
    /// Whatever is drawn: nothing is lost or doubled, and priorities never fall.
    #[test]
    fn every_record_has_its_place(seed: u64, rows in proptest::collection::vec((0_u16..4, 0_u16..5), 1..20)) {
        let records: Vec<_> = rows.iter().enumerate().map(|(n, (p, w))| srv(*p, *w, &format!("h{n}"))).collect();
        let got = targets(&domain("a.example"), records.clone(), 20, dice(seed)).unwrap();
        let priorities: Vec<_> = got.iter().map(|one| match one.via {
            Via::Srv { priority, .. } => priority,
            _ => unreachable!(),
        }).collect();
        prop_assert!(priorities.is_sorted());
        let mut hosts: Vec<_> = got.into_iter().map(|one| one.host).collect();
        let mut want: Vec<_> = records.into_iter().map(|one| one.target).collect();
        hosts.sort();
        want.sort();
        prop_assert_eq!(hosts, want);
    }

    /// A generator that breaks its promise costs the balance and nothing else.
    #[test]
    fn any_generator_will_do(number: u32) {
        let records = vec![srv(1, 65535, "a"), srv(1, 65535, "b"), srv(1, 0, "c")];
        prop_assert_eq!(targets(&domain("a.example"), records, 20, |_| number).unwrap().len(), 3);
    }

    #[test]
    fn an_embedded_address_is_as_public_as_itself(bits: u32) {
        let v4 = Ipv4Addr::from(bits);
        let mapped = v4.to_ipv6_mapped();
        prop_assert_eq!(is_public(v4.into()), is_public(mapped.into()));
    }

    #[test]
    fn interleaving_keeps_every_address(v6 in 0_usize..6, v4 in 0_usize..6) {
        let v6 = (0..v6).map(|n| IpAddr::from(Ipv6Addr::from(n as u128)));
        let v4 = (0..v4).map(|n| IpAddr::from(Ipv4Addr::from(u32::try_from(n).unwrap())));
        let all: Vec<_> = v4.chain(v6).collect();
        let mut got = interleave(all.clone());
        prop_assert!(got.first().is_none_or(|one| one.is_ipv6() || all.iter().all(IpAddr::is_ipv4)));
        got.sort();
        let mut all = all;
        all.sort();
        prop_assert_eq!(got, all);
    }
}
