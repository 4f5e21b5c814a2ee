#![expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to begin at"
)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const LIMITS: AdmissionLimits = AdmissionLimits {
    unauthenticated: 9,
    unauthenticated_per_address: 2,
    unauthenticated_per_prefix: 5,
    unauthenticated_per_domain: 2,
    per_address: 3,
    attempts: Rates {
        per_address: 2,
        per_prefix: 3,
        per_domain: 4,
    },
    questions: Rates {
        per_address: 1,
        per_prefix: 2,
        per_domain: 3,
    },
    ..AdmissionLimits::NONE
};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn listed(partner: &Domain) -> Party<'_> {
    Party {
        partner,
        is_listed: true,
    }
}

fn partner(name: &str) -> Domain {
    Domain::parse(&format!("{name}.example")).unwrap()
}

/// The key of the limit that is reached, or nothing.
fn key<T>(outcome: Result<T, Reason>) -> &'static str {
    match outcome {
        Ok(_) => "",
        Err(Reason::TooManyStrangers(key)) => key.as_str(),
        Err(_) => unreachable!(),
    }
}

/// An admission whose only limits are those of `LIMITS` that a test is about.
struct Lab {
    admission: Admission,
    limits: AdmissionLimits,
    now: Instant,
}

impl Lab {
    fn new(limits: AdmissionLimits) -> Self {
        Self {
            admission: Admission::default(),
            limits,
            now: Instant::now(),
        }
    }

    fn enter(&mut self, address: &str) -> Visit {
        let limits = AdmissionLimits::NONE;
        self.admission
            .enter(ip(address), &limits, self.now)
            .unwrap()
    }

    fn claim(&mut self, visit: &mut Visit, name: &str) -> &'static str {
        let (limits, now) = (self.limits, self.now);
        key(self
            .admission
            .claim(visit, Some(listed(&partner(name))), &limits, now))
    }

    fn ask(&mut self, visit: &mut Visit) -> &'static str {
        key(self.admission.ask(visit, &self.limits, self.now))
    }

    /// The partner proves itself from this address, and leaves.
    fn introduce(&mut self, name: &str, address: &str) {
        let mut visit = self.enter(address);
        assert_eq!(self.claim(&mut visit, name), "");
        self.admission
            .prove(&mut visit, Some(listed(&partner(name))), self.now);
        self.admission.leave(&visit);
    }
}

/// A header may name one partner, and the proof be another's: only the latter is at home there.
#[test]
fn an_address_becomes_familiar_for_whom_it_has_proven_and_not_for_whom_it_claimed() {
    let mut lab = Lab::new(AdmissionLimits::NONE);
    let mut visit = lab.enter("192.0.2.1");
    assert_eq!(lab.claim(&mut visit, "fabrikam"), "");
    for name in ["litware", "adatum"] {
        let now = lab.now;
        lab.admission
            .prove(&mut visit, Some(listed(&partner(name))), now);
    }
    for (name, familiar) in [("fabrikam", false), ("litware", true), ("adatum", true)] {
        let mut again = lab.enter("192.0.2.1");
        assert_eq!(lab.claim(&mut again, name), "");
        assert_eq!(again.is_familiar(), familiar, "{name}");
    }
}

#[test]
fn each_limit_has_its_name() {
    let mut admission = Admission::default();
    for (address, want) in [
        ("192.0.2.1", ""),
        ("192.0.2.1", ""),
        ("192.0.2.1", "unauthenticated-per-address"),
        // The same host, mapped.
        ("::ffff:192.0.2.1", "unauthenticated-per-address"),
        ("192.0.2.2", ""),
        ("192.0.2.3", ""),
        ("192.0.2.4", "unauthenticated-per-prefix"),
        ("192.0.3.1", ""),
        ("2001:db8:0:0::1", ""),
        ("2001:db8:0:ff::1", ""),
        ("2001:db8:0:100::1", ""),
        ("198.51.100.1", "unauthenticated-limit"),
    ] {
        assert_eq!(
            key(admission.enter(ip(address), &LIMITS, Instant::now())),
            want,
            "{address}"
        );
    }
}

/// A crowd takes nine tenths of all places, and of those of one network; the last tenth is for who comes
/// from where a partner is known, and half of it for listed ones.
#[test]
fn a_crowd_leaves_places_to_who_is_known() {
    let limits = AdmissionLimits {
        unauthenticated: 40,
        unauthenticated_per_prefix: 20,
        ..AdmissionLimits::NONE
    };
    let mut lab = Lab::new(AdmissionLimits::NONE);
    lab.introduce("fabrikam", "192.0.2.1");
    let anybody = partner("anybody");
    let mut visit = lab.enter("192.0.2.2");
    let party = Party {
        partner: &anybody,
        is_listed: false,
    };
    lab.admission.prove(&mut visit, Some(party), lab.now);
    lab.admission.leave(&visit);
    let (mut inside, now) = (Vec::new(), lab.now);
    let mut crowd = |address: &str, want: &str| {
        for count in 0.. {
            match lab.admission.enter(ip(address), &limits, now) {
                Ok(visit) => inside.push(visit),
                refused => {
                    assert_eq!(key(refused), want, "{address}");
                    return count;
                }
            }
        }
        0
    };
    let prefix = "unauthenticated-per-prefix";
    assert_eq!(crowd("192.0.2.9", prefix), 18);
    assert_eq!(crowd("192.0.2.2", prefix), 1);
    let all = "unauthenticated-limit";
    assert_eq!(crowd("192.0.3.9", all), 18);
    assert_eq!(crowd("192.0.4.9", all), 0);
    assert_eq!(crowd("192.0.2.2", prefix), 0);
    assert_eq!(crowd("192.0.2.1", prefix), 1);
    for visit in &inside {
        lab.admission.leave(visit);
    }
    assert_eq!(lab.admission.unauthenticated(), 0);
    assert!(lab.admission.networks.is_empty());
    // Of all places, too, whichever network it is.
    let limits = AdmissionLimits {
        unauthenticated_per_prefix: 0,
        ..limits
    };
    for (address, want) in [("192.0.9.9", 36), ("192.0.2.2", 2), ("192.0.2.1", 2)] {
        let count = (0..100)
            .take_while(|_| lab.admission.enter(ip(address), &limits, now).is_ok())
            .count();
        assert_eq!(count, want, "{address}");
    }
}

#[test]
fn the_authenticated_count_for_their_address_only() {
    let mut admission = Admission::default();
    let host = ip("192.0.2.1");
    let mut visits = Vec::new();
    for _ in 0..3 {
        let mut visit = admission.enter(host, &LIMITS, Instant::now()).unwrap();
        admission.prove(&mut visit, None, Instant::now());
        visits.push(visit);
    }
    assert_eq!(admission.unauthenticated(), 0);
    let refused = admission.enter(host, &LIMITS, Instant::now());
    assert_eq!(key(refused), "connections-per-address");
    admission.leave(&visits[0]);
    assert_eq!(key(admission.enter(host, &LIMITS, Instant::now())), "");
}

#[test]
fn so_many_claim_to_be_one_partner_and_no_more() {
    let mut lab = Lab::new(AdmissionLimits {
        unauthenticated_per_domain: 2,
        ..AdmissionLimits::NONE
    });
    lab.introduce("fabrikam", "198.51.100.1");
    let [mut one, mut two, mut three] =
        ["192.0.2.1", "192.0.3.1", "192.0.4.1"].map(|address| lab.enter(address));
    assert_eq!(lab.claim(&mut one, "fabrikam"), "");
    assert_eq!(lab.claim(&mut two, "fabrikam"), "");
    assert_eq!(
        lab.claim(&mut three, "fabrikam"),
        "unauthenticated-per-domain"
    );
    // The partner itself, where it is known, and other partners have places of their own.
    let mut itself = lab.enter("198.51.100.1");
    assert_eq!(lab.claim(&mut itself, "fabrikam"), "");
    assert!(itself.is_familiar());
    let mut other = lab.enter("192.0.2.1");
    assert_eq!(lab.claim(&mut other, "litware"), "");
    // Who leaves, or proves itself, makes room.
    lab.admission.leave(&one);
    assert_eq!(lab.claim(&mut three, "fabrikam"), "");
    lab.admission.prove(&mut two, None, lab.now);
    let mut four = lab.enter("192.0.5.1");
    assert_eq!(lab.claim(&mut four, "fabrikam"), "");
}

#[test]
fn attempts_that_come_to_nothing_are_charged() {
    let mut lab = Lab::new(AdmissionLimits {
        attempts: LIMITS.attempts,
        ..AdmissionLimits::NONE
    });
    for (address, want) in [
        ("192.0.2.1", ""),
        ("192.0.2.1", ""),
        ("192.0.2.1", "attempts-per-address"),
        ("192.0.2.2", ""),
        ("192.0.2.3", "attempts-per-prefix"),
        ("192.0.3.1", ""),
        ("192.0.4.1", "attempts-per-domain"),
    ] {
        let mut visit = lab.enter(address);
        assert_eq!(lab.claim(&mut visit, "fabrikam"), want, "{address}");
        // That it has left does not make it undone.
        lab.admission.leave(&visit);
    }
    lab.now += Duration::from_secs(60);
    let mut visit = lab.enter("192.0.2.1");
    assert_eq!(lab.claim(&mut visit, "fabrikam"), "");
}

#[test]
fn attempts_that_come_to_something_are_not_charged() {
    let mut lab = Lab::new(AdmissionLimits {
        attempts: LIMITS.attempts,
        ..AdmissionLimits::NONE
    });
    for _ in 0..10 {
        lab.introduce("fabrikam", "192.0.2.1");
        let mut visit = lab.enter("192.0.3.1");
        assert_eq!(lab.claim(&mut visit, "fabrikam"), "");
        for _ in 0..3 {
            lab.admission.vouch(&mut visit);
        }
        lab.admission.leave(&visit);
    }
}

#[test]
fn dialback_questions_are_charged_and_the_first_that_proves_something_is_given_back() {
    let mut lab = Lab::new(AdmissionLimits {
        questions: LIMITS.questions,
        ..AdmissionLimits::NONE
    });
    lab.introduce("fabrikam", "198.51.100.1");
    let mut visits: Vec<_> = [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.3.1",
        "192.0.4.1",
    ]
    .map(|address| lab.enter(address))
    .into();
    for visit in &mut visits {
        assert_eq!(lab.claim(visit, "fabrikam"), "");
    }
    for (number, want) in [
        (0, ""),
        (0, "questions-per-address"),
        (1, ""),
        (2, "questions-per-prefix"),
        (3, ""),
        (4, "questions-per-domain"),
    ] {
        assert_eq!(lab.ask(&mut visits[number]), want, "{number}");
    }
    // Nobody uses up what the partner itself needs.
    let mut itself = lab.enter("198.51.100.1");
    assert_eq!(lab.claim(&mut itself, "fabrikam"), "");
    assert_eq!(lab.ask(&mut itself), "");
    // What is proven by its first question owes nothing; more questions on the same stream do.
    lab.admission.prove(&mut itself, None, lab.now);
    assert_eq!(lab.ask(&mut itself), "");
    lab.admission.prove(&mut itself, None, lab.now);
    assert_eq!(lab.ask(&mut itself), "questions-per-address");
    lab.now += Duration::from_secs(60);
    for _ in 0..10 {
        let mut again = lab.enter("198.51.100.1");
        assert_eq!(lab.claim(&mut again, "fabrikam"), "");
        assert_eq!(lab.ask(&mut again), "");
        lab.admission.prove(&mut again, None, lab.now);
    }
}

proptest! {
    #[test]
    fn when_all_have_left_nothing_is_remembered(
        visits in proptest::collection::vec((any::<[u8; 4]>(), any::<[bool; 3]>()), 0..200)
    ) {
        let mut lab = Lab::new(AdmissionLimits::NONE);
        let mut inside = Vec::new();
        for (number, (address, [claims, asks, proves])) in visits.iter().enumerate() {
            let mut visit = lab.enter(&IpAddr::from(*address).to_string());
            if *claims {
                lab.claim(&mut visit, &format!("p{}", number % 5));
            }
            if *asks {
                lab.ask(&mut visit);
            }
            if *proves {
                lab.admission.prove(&mut visit, None, lab.now);
            }
            inside.push(visit);
        }
        for visit in &inside {
            lab.admission.leave(visit);
        }
        prop_assert_eq!(lab.admission.unauthenticated(), 0);
        prop_assert!(lab.admission.addresses.is_empty());
        prop_assert!(lab.admission.networks.is_empty());
        prop_assert!(lab.admission.posing.is_empty());
    }
}
