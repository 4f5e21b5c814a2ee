use super::*;

const CLOSED: Event = Event::StreamClosed;
const BOUNCED: Event = Event::StanzaBounced;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// Another network for each number.
fn network(number: u8) -> IpAddr {
    [198, 51, number, 7].into()
}

#[test]
fn a_flood_is_ten_lines_a_minute_and_a_number() {
    let [one, other] = ["a.example", "b.example"].map(domain);
    let start = Instant::now();
    let limiter = LogLimiter::default();
    let refused = What::coded(BOUNCED, Code::NOT_A_CONTACT);
    let admit = |who: &Domain, what, at| limiter.admit(Some(who), what, at);
    let written = (0..1000)
        .filter(|_| admit(&one, refused, start).is_some())
        .count();
    assert_eq!(written, 10);
    // It hides neither another partner nor what else happens to this one, for whatever reason.
    assert_eq!(admit(&other, refused, start), Some(0));
    for what in [
        What::coded(BOUNCED, Code::ACCESS_DENIED),
        What::coded(CLOSED, Code::NOT_A_CONTACT),
        CLOSED.into(),
    ] {
        assert_eq!(admit(&one, what, start), Some(0), "{what:?}");
    }
    let later = start + WINDOW;
    assert_eq!(admit(&one, refused, later), Some(990));
    assert_eq!(admit(&one, refused, later), Some(0));
}

#[test]
fn a_flood_of_strangers_hides_no_partner() {
    let limiter = LogLimiter::default();
    let start = Instant::now();
    let partner = domain("fabrikam.example");
    let from = |number: u8, claimed: Option<&Domain>| {
        limiter.admit_stranger(claimed, network(number), CLOSED, start)
    };
    let written = (0..1000).filter(|_| from(1, None).is_some()).count();
    assert_eq!(written, 10, "of one network");
    let written: usize = (2..=255).filter(|net| from(*net, None).is_some()).count();
    assert_eq!(written, 50, "of all the others");
    // That partner's own failure is seen, from wherever it comes.
    assert_eq!(from(1, Some(&partner)), Some(0));
    let later = start + WINDOW;
    let line = limiter.admit_stranger(None, network(0), CLOSED, later);
    // Those of the first network stood in the line of the second.
    assert_eq!(line, Some(204));
}

#[test]
fn a_domain_that_nobody_lists_hides_neither_the_others_nor_a_partner() {
    let limiter = LogLimiter::default();
    let start = Instant::now();
    let known = |name: &str, is_listed| Known {
        partner: domain(name),
        is_listed,
    };
    let many = known("default-partner", false);
    let about = |known: &Known, number: usize| {
        let remote = domain(&format!("d{number}.example"));
        limiter.admit_about(Some(known), &remote, BOUNCED, start)
    };
    let written = (0..100).filter(|_| about(&many, 0).is_some()).count();
    assert_eq!(written, 10, "of one domain");
    let written = (1..100).filter(|it| about(&many, *it).is_some()).count();
    assert_eq!(written, 50, "of all the others");
    // Whatever its domain, a partner that is listed has lines of its own, and no more of them.
    let one = known("fabrikam.example", true);
    let written = (0..100).filter(|it| about(&one, *it).is_some()).count();
    assert_eq!(written, 10, "of a partner");
}

#[test]
fn what_is_remembered_is_bounded_and_whoever_fills_it_gains_nothing() {
    let limiter = LogLimiter::default();
    let start = Instant::now();
    let mut written = 0;
    for round in 0..3 {
        for number in 0..2 * MOST {
            let bits = u32::try_from(number).unwrap() << 8;
            let address = IpAddr::from(std::net::Ipv4Addr::from(bits));
            let name = domain(&format!("d{number}.example"));
            // The table has room for every other one.
            limiter.admit(Some(&name), BOUNCED, start);
            if limiter.admit(Some(&name), CLOSED, start).is_some() {
                written += 1;
            }
            limiter.admit_stranger(None, address, CLOSED, start);
        }
        assert!(written <= (round + 1) * MOST / 2 + 20, "{written}");
    }
    limiter.with(|windows| {
        assert!(windows.partners.len() <= MOST + 2);
        assert!(windows.sources.len() <= MOST);
        assert_eq!(
            windows.strangers.values().map(|it| it.lines).sum::<u64>(),
            STRANGERS
        );
    });
    // A minute later there is room again.
    let later = start + WINDOW;
    let name = domain("late.example");
    assert_eq!(limiter.admit(Some(&name), CLOSED, later), Some(0));
}
