use proptest::prelude::*;

use super::*;

type Named = Lanes<String, ()>;

fn name(text: &str) -> Domain {
    Domain::parse(&format!("{text}.example")).unwrap()
}

fn entry(item: &str, bytes: usize) -> Entry<String> {
    Entry {
        item: item.to_owned(),
        cost: bytes + 100,
        bytes,
        conversation: 0,
    }
}

fn push(lanes: &mut Named, lane: &str, bytes: usize) {
    lanes.push(&name(lane), entry(lane, bytes), None);
}

/// Which lanes are served, one stanza after the other, each with its bytes.
fn served(lanes: &mut Named) -> Vec<(String, usize)> {
    std::iter::from_fn(|| lanes.pop())
        .map(|entry| (entry.item, entry.bytes))
        .collect()
}

fn given(served: &[(String, usize)], lane: &str) -> usize {
    let own = served.iter().filter(|(name, _)| name == lane);
    own.map(|(_, bytes)| bytes).sum()
}

#[test]
fn long_stanzas_have_no_more_than_short_ones() {
    const LONG: usize = 256 << 10;
    const WINDOW: usize = 2 << 20;
    let mut lanes = Named::default();
    for _ in 0..40 {
        push(&mut lanes, "long", LONG);
    }
    for _ in 0..40 * LONG / 100 {
        push(&mut lanes, "short", 100);
    }
    let served = served(&mut lanes);
    // Any two MiB, beginning at any stanza of the first half.
    for begin in (0..served.len() / 2).step_by(97) {
        let mut sum = 0;
        let window: Vec<_> = served[begin..]
            .iter()
            .take_while(|(_, bytes)| {
                sum += bytes;
                sum <= WINDOW
            })
            .cloned()
            .collect();
        let (long, short) = (given(&window, "long"), given(&window, "short"));
        assert!(long.abs_diff(short) < LONG, "{begin}: {long} and {short}");
    }
}

#[test]
fn who_is_empty_for_a_moment_owes_what_it_was_given() {
    let mut lanes = Named::default();
    for _ in 0..1000 {
        push(&mut lanes, "short", 100);
    }
    push(&mut lanes, "long", 10_000);
    // It has never more than one stanza, and the next comes as soon as that is taken.
    let mut given = [0, 0];
    for _ in 0..1000 {
        let taken = lanes.pop().unwrap();
        if taken.item == "long" {
            given[1] += taken.bytes;
            push(&mut lanes, "long", 10_000);
        } else {
            given[0] += taken.bytes;
        }
    }
    assert!(given[0].abs_diff(given[1]) <= 10_000, "{given:?}");
}

#[test]
fn who_was_away_has_no_claim_to_what_it_did_not_use() {
    let mut lanes = Named::default();
    for _ in 0..1000 {
        push(&mut lanes, "busy", 100);
    }
    for _ in 0..500 {
        lanes.pop().unwrap();
    }
    for _ in 0..500 {
        push(&mut lanes, "late", 100);
    }
    let first: Vec<_> = (0..100).filter_map(|_| lanes.pop()).collect();
    let late = first.iter().filter(|entry| entry.item == "late").count();
    assert!((50..=51).contains(&late), "{late}");
}

#[test]
fn what_is_put_back_is_as_if_it_had_never_been_taken() {
    let mut lanes = Named::default();
    for bytes in [300, 200, 100] {
        push(&mut lanes, "a", bytes);
        push(&mut lanes, "b", bytes);
    }
    let want = ["a", "b", "a", "b", "a", "b"];
    for _ in 0..3 {
        let taken: Vec<_> = (0..4).filter_map(|_| lanes.pop()).collect();
        for entry in taken.into_iter().rev() {
            lanes.put_back(&name(&entry.item.clone()), entry);
        }
    }
    assert_eq!(lanes.waiting(), 6);
    let order: Vec<_> = served(&mut lanes).into_iter().collect();
    // Of two that are level, the one goes first whose ticket is older.
    let a: Vec<_> = order.iter().filter(|(lane, _)| lane == "a").collect();
    assert_eq!(
        a.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>(),
        [300, 200, 100]
    );
    assert_eq!(order.len(), want.len());
    assert!(
        order.chunks(2).all(|pair| pair[0].0 != pair[1].0),
        "{order:?}"
    );
}

#[test]
fn lanes_that_come_and_go_leave_nothing_behind() {
    let mut lanes = Named::default();
    for _ in 0..10 {
        push(&mut lanes, "stays", 100);
    }
    for number in 0..10_000 {
        push(&mut lanes, &format!("lane{number}"), 100);
        let entry = lanes.pop().unwrap();
        lanes.put_back(&name(&entry.item.clone()), entry);
        let taken = lanes.pop().unwrap();
        if taken.item == "stays" {
            push(&mut lanes, "stays", 100);
            lanes.pop().unwrap();
        }
        assert!(lanes.lanes.len() <= IDLE + 3 * lanes.busy + 1, "{number}");
        assert!(lanes.order.len() <= IDLE + 2 * lanes.busy + 1, "{number}");
    }
    served(&mut lanes);
    assert!(lanes.lanes.is_empty() && lanes.order.is_empty());
}

/// What a test does to lanes.
#[derive(Clone, Debug)]
enum Step {
    Push(u8, usize),
    Pop,
    TakeAndPutBack(usize),
    Drain(u8),
    /// Of a lane, what has a number that this divides.
    Extract(u8, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..5, 1usize..5000).prop_map(|(lane, bytes)| Step::Push(lane, bytes)),
        3 => Just(Step::Pop),
        1 => (1usize..6).prop_map(Step::TakeAndPutBack),
        1 => (0u8..5).prop_map(Step::Drain),
        1 => (0u8..5, 1u64..4).prop_map(|(lane, divisor)| Step::Extract(lane, divisor)),
    ]
}

proptest! {
    /// Each lane in its own order, nothing twice, nothing lost, and costs that add up.
    #[test]
    fn nothing_is_lost_and_each_lane_keeps_its_order(
        steps in proptest::collection::vec(step(), 0..300)
    ) {
        let mut lanes = Lanes::<(u8, u64), ()>::default();
        let (mut model, mut count) = (vec![VecDeque::new(); 5], 0);
        let lane_name = |lane: u8| name(&format!("lane{lane}"));
        for step in steps {
            match step {
                Step::Push(lane, bytes) => {
                    count += 1;
                    let entry = Entry { item: (lane, count), cost: bytes, bytes, conversation: count };
                    lanes.push(&lane_name(lane), entry, None);
                    model[usize::from(lane)].push_back((count, bytes));
                }
                Step::Pop => match lanes.pop() {
                    Some(entry) => {
                        let (lane, number) = entry.item;
                        let front = model[usize::from(lane)].pop_front();
                        prop_assert_eq!(front, Some((number, entry.bytes)));
                    }
                    None => prop_assert!(model.iter().all(VecDeque::is_empty)),
                },
                Step::TakeAndPutBack(most) => {
                    let taken: Vec<_> = (0..most).map_while(|_| lanes.pop()).collect();
                    for entry in taken.into_iter().rev() {
                        lanes.put_back(&lane_name(entry.item.0), entry);
                    }
                }
                Step::Drain(lane) => {
                    let drained = lanes.drain(|(own, _)| *own == lane);
                    let own = std::mem::take(&mut model[usize::from(lane)]);
                    let want: Vec<_> = own.iter().map(|(number, _)| (lane, *number)).collect();
                    prop_assert_eq!(drained, want);
                }
                Step::Extract(lane, divisor) => {
                    let is_wanted = |number: u64| number.is_multiple_of(divisor);
                    let taken = lanes.extract(|entry| entry.item.0 == lane && is_wanted(entry.item.1));
                    let taken: Vec<_> = taken.into_iter().map(|(_, entry)| entry.item.1).collect();
                    let (want, kept) = std::mem::take(&mut model[usize::from(lane)])
                        .into_iter()
                        .partition::<VecDeque<_>, _>(|(number, _)| is_wanted(*number));
                    model[usize::from(lane)] = kept;
                    let want: Vec<_> = want.iter().map(|(number, _)| *number).collect();
                    prop_assert_eq!(taken, want);
                }
            }
            prop_assert_eq!(lanes.waiting(), model.iter().map(VecDeque::len).sum::<usize>());
            prop_assert_eq!(lanes.busy, model.iter().filter(|lane| !lane.is_empty()).count());
            for lane in 0..5 {
                let want: usize = model[usize::from(lane)].iter().map(|(_, bytes)| bytes).sum();
                prop_assert_eq!(lanes.cost(&lane_name(lane)).unwrap_or_default(), want);
            }
        }
    }
}
