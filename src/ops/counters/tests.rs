use super::*;
use Direction::{Inbound, Outbound};
use proptest::prelude::*;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[test]
fn each_end_is_counted_once_and_by_reason() {
    let ledger = Ledger::new();
    let fabrikam = ledger.partner(&domain("fabrikam.com"));
    fabrikam.accept(Inbound).delivered(Duration::ZERO);
    fabrikam.accept(Inbound).bounced(Code::NO_GATEWAY);
    fabrikam.accept(Inbound).bounced(Code::NO_GATEWAY);
    fabrikam.accept(Inbound).dropped(Code::SHUTDOWN);
    let waiting = fabrikam.accept(Inbound);
    fabrikam.accept(Outbound).delivered(Duration::ZERO);

    let snapshot = ledger.snapshot();
    let inbound = &snapshot[0].inbound;
    assert_eq!(
        inbound.counts.to_string(),
        "accepted 5 = delivered 1 + bounced 2 + dropped 1 + queued 1"
    );
    assert_eq!(inbound.bounced_by, BTreeMap::from([("no-gateway", 2)]));
    assert_eq!(inbound.dropped_by, BTreeMap::from([("shutdown", 1)]));
    assert_eq!(snapshot[0].outbound.counts.delivered, 1);
    assert_eq!(inbound.took.count(), 1);
    assert!(ledger.balances());
    assert_eq!((ledger.total().accepted, ledger.total().queued), (6, 1));
    drop(waiting);
    assert_eq!(ledger.total().queued, 0);
}

#[test]
fn a_forgotten_stanza_shows_as_lost() {
    let ledger = Ledger::new();
    drop(ledger.partner(&domain("fabrikam.com")).accept(Outbound));
    let snapshot = ledger.snapshot();
    assert_eq!(
        snapshot[0].outbound.dropped_by,
        BTreeMap::from([("lost", 1)])
    );
    assert!(ledger.balances());
}

#[test]
fn one_partner_has_one_set_of_counters() {
    let ledger = Ledger::new();
    let first = ledger.partner(&domain("fabrikam.com"));
    let again = ledger.partner(&domain("FABRIKAM.com"));
    assert!(Arc::ptr_eq(&first, &again));
    assert_eq!(ledger.snapshot().len(), 2);
}

#[test]
fn a_count_that_is_wrong_does_not_balance() {
    let right = Counts {
        accepted: 4,
        delivered: 1,
        bounced: 1,
        dropped: 1,
        queued: 1,
    };
    assert!(right.balances());
    assert!(!Counts { queued: 0, ..right }.balances());
    assert!(
        !Counts {
            queued: u64::MAX,
            ..right
        }
        .balances()
    );
}

#[test]
fn other_reasons_are_counted_by_label() {
    let ledger = Ledger::new();
    ledger.count(Code::UNKNOWN_PARTNER);
    ledger.count(Code::UNKNOWN_PARTNER);
    assert_eq!(ledger.reasons(), BTreeMap::from([("unknown-partner", 2)]));
}

#[test]
fn many_threads_keep_the_equation() {
    let ledger = Ledger::new();
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let counters = ledger.partner(&domain("fabrikam.com"));
            scope.spawn(move || {
                for turn in 0..1000u32 {
                    let accepted = counters.accept(Inbound);
                    match (thread + turn) % 4 {
                        0 => accepted.delivered(Duration::ZERO),
                        1 => accepted.bounced(Code::NO_GATEWAY),
                        2 => accepted.dropped(Code::SHUTDOWN),
                        _ => drop(accepted),
                    }
                }
            });
        }
    });
    let want = Counts {
        accepted: 4000,
        delivered: 1000,
        bounced: 1000,
        dropped: 2000,
        queued: 0,
    };
    assert_eq!(ledger.total(), want);
}

proptest! {
    #[test]
    fn the_equation_holds_after_every_step(steps in prop::collection::vec((0..2u8, 0..5u8), 0..60)) {
        let ledger = Ledger::new();
        let counters = ledger.partner(&domain("fabrikam.com"));
        let mut waiting: Vec<Accepted> = Vec::new();
        for (direction, act) in steps {
            let direction = if direction == 0 { Inbound } else { Outbound };
            match (act, waiting.pop()) {
                (0, Some(accepted)) => accepted.delivered(Duration::ZERO),
                (1, Some(accepted)) => accepted.bounced(Code::NO_GATEWAY),
                (2, Some(accepted)) => accepted.dropped(Code::SHUTDOWN),
                (_, popped) => {
                    waiting.extend(popped);
                    waiting.push(counters.accept(direction));
                }
            }
            prop_assert!(ledger.balances());
            prop_assert_eq!(ledger.total().queued, waiting.len() as u64);
        }
    }
}
