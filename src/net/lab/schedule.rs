//! One seed, one schedule: who says what, and what breaks when.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::fates::{End, Tally, check};
use super::script::{LOCALS, PARTNERS, message, user};
use super::world::{GRACE, Kind, World};
use crate::net::io::chance;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(Duration),
    /// A partner sends so many stanzas of so many bytes to users of a local domain.
    In(usize, usize, usize, usize),
    /// A gateway sends so many to users of a partner.
    Out(usize, usize, usize, usize),
    /// A gateway connects, beside one that may be there.
    Link(usize),
    /// A gateway says goodbye.
    Unlink(usize),
    /// All connections of a gateway break.
    KillGateway(usize),
    /// A gateway reads nothing for a while.
    StallGateway(usize, Duration),
    /// Nothing gets through to a gateway for a while, and then it breaks or goes on.
    HoleGateway(usize, Duration, bool),
    /// All connections of a partner break, and it takes none for a while.
    KillPartner(usize, Duration),
    /// A partner ends the streams that it opened.
    Unstream(usize),
    StallPartner(usize, Duration),
    HolePartner(usize, Duration, bool),
    Reload,
}

/// What happened, for whoever wants to know why a schedule failed.
#[derive(Debug, Default)]
struct Story(Vec<String>);

/// Runs the schedule of a seed to its end, and checks every stanza's fate.
///
/// # Errors
/// The seed, what does not agree, and the story.
pub(super) fn run(seed: u64) -> Result<Tally, String> {
    let _seeded = chance::seed(seed);
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    // Which of several ready branches a task takes is random, unless tokio is built to be told.
    #[cfg(tokio_unstable)]
    builder.rng_seed(tokio::runtime::RngSeed::from_bytes(&seed.to_le_bytes()));
    let runtime = builder.build().unwrap();
    runtime.block_on(async {
        let mut story = Story::default();
        let outcome = play(seed, &mut story).await;
        outcome.map_err(|fault| format!("seed {seed}: {fault}\n{story}"))
    })
}

async fn play(seed: u64, story: &mut Story) -> Result<Tally, String> {
    let world = World::new();
    let begun = Instant::now();
    let mut dice = Dice(seed);
    (0..LOCALS.len()).for_each(|local| world.link(local));
    let mut said = 0;
    for _ in 0..10 + dice.below(20) {
        let step = dice.step();
        story
            .0
            .push(format!("{:>8} ms {step:?}", begun.elapsed().as_millis()));
        take(&world, step, &mut said).await;
    }
    let end = if seed % 4 == 3 {
        End::Stopped
    } else {
        End::Well
    };
    story.0.push(format!(
        "{:>8} ms the end: {end:?}",
        begun.elapsed().as_millis()
    ));
    let World {
        edge,
        around,
        daemon,
    } = match end {
        End::Well => recover(world).await,
        End::Stopped => world,
    };
    if end == End::Stopped {
        daemon.drain().await;
        around.works_again();
        sleep(Duration::from_secs(1)).await;
    }
    around.lines(|lines| {
        let kinds = lines.iter().map(|line| (line.kind, line.wire.is_dead()));
        let kinds: Vec<_> = kinds.collect();
        story
            .0
            .push(format!("connections, and whether they broke: {kinds:?}"));
        check(lines, &edge.ledger, end)
    })
}

/// Everything works again: whatever waits goes out, or is given up.
async fn recover(world: World) -> World {
    (0..PARTNERS.len()).for_each(|partner| world.around.set_down(partner, false));
    world.around.works_again();
    for local in 0..LOCALS.len() {
        if !has(&world, Kind::Link(local)) {
            world.link(local);
        }
    }
    let patience = Instant::now() + 20 * GRACE;
    sleep(Duration::from_secs(1)).await;
    while !world.edge.hub.is_idle() && Instant::now() < patience {
        sleep(Duration::from_secs(5)).await;
    }
    world
}

async fn take(world: &World, step: Step, said: &mut usize) {
    match step {
        Step::Wait(time) => sleep(time).await,
        Step::In(partner, local, count, bytes) => {
            if !has(world, Kind::In(partner, local)) {
                world.enter(partner, local);
            }
            let domains = (PARTNERS[partner], LOCALS[local]);
            say(
                world,
                Kind::In(partner, local),
                domains,
                (count, bytes),
                said,
            );
        }
        Step::Out(local, partner, count, bytes) => {
            let domains = (LOCALS[local], PARTNERS[partner]);
            say(world, Kind::Link(local), domains, (count, bytes), said);
        }
        Step::Link(local) => world.link(local),
        Step::Unlink(local) => leave(world, |kind| kind == Kind::Link(local)),
        Step::KillGateway(local) => {
            of(world, |kind| kind == Kind::Link(local), &|line| {
                line.wire.cut()
            });
        }
        Step::StallGateway(local, time) => {
            stall(world, move |kind| kind == Kind::Link(local), time);
        }
        Step::HoleGateway(local, time, breaks) => {
            hole(world, move |kind| kind == Kind::Link(local), time, breaks);
        }
        Step::KillPartner(partner, time) => {
            of(world, |kind| of_partner(kind, partner), &|line| {
                line.wire.cut()
            });
            world.around.set_down(partner, true);
            let around = std::sync::Arc::clone(&world.around);
            tokio::spawn(async move {
                sleep(time).await;
                around.set_down(partner, false);
            });
        }
        Step::Unstream(partner) => {
            leave(
                world,
                |kind| matches!(kind, Kind::In(one, _) if one == partner),
            );
        }
        Step::StallPartner(partner, time) => {
            stall(world, move |kind| of_partner(kind, partner), time);
        }
        Step::HolePartner(partner, time, breaks) => {
            hole(world, move |kind| of_partner(kind, partner), time, breaks);
        }
        Step::Reload => world.reload(),
    }
}

/// Says something on the newest connection of a kind, if there is one.
fn say(
    world: &World,
    kind: Kind,
    (from, to): (&str, &str),
    (count, bytes): (usize, usize),
    said: &mut usize,
) {
    world.around.lines(|lines| {
        let line = lines
            .iter()
            .enumerate()
            .rev()
            .find(|(_, line)| line.kind == kind && line.say.is_some() && !line.wire.is_over());
        let Some((number, line)) = line else {
            return;
        };
        for _ in 0..count {
            *said += 1;
            let from = user(&format!("u{number}"), from);
            let to = user(&format!("v{}", *said % 3), to);
            let stanza = message(&from, &to, &format!("{number}-{said}"), bytes);
            if let Some(say) = &line.say {
                say.try_send(stanza).unwrap_or_default();
            }
        }
    });
}

fn has(world: &World, kind: Kind) -> bool {
    world.around.lines(|lines| {
        let mut living = lines
            .iter()
            .filter(|line| !line.wire.is_over() && line.say.is_some());
        living.any(|line| line.kind == kind)
    })
}

fn of_partner(kind: Kind, partner: usize) -> bool {
    matches!(kind, Kind::In(one, _) | Kind::Out(one) if one == partner)
}

fn of(world: &World, which: impl Fn(Kind) -> bool, act: &dyn Fn(&super::world::Line)) {
    world.around.lines(|lines| {
        let chosen = lines
            .iter()
            .filter(|line| which(line.kind) && !line.wire.is_over());
        chosen.for_each(act);
    });
}

fn leave(world: &World, which: impl Fn(Kind) -> bool) {
    world.around.lines(|lines| {
        for line in lines.iter_mut().filter(|line| which(line.kind)) {
            line.say = None;
        }
    });
}

fn stall(world: &World, which: impl Fn(Kind) -> bool + Send + 'static, time: Duration) {
    of(world, &which, &|line| {
        line.reads.send_replace(false);
    });
    let around = std::sync::Arc::clone(&world.around);
    tokio::spawn(async move {
        sleep(time).await;
        around.lines(|lines| {
            for line in lines.iter().filter(|line| which(line.kind)) {
                line.reads.send_replace(true);
            }
        });
    });
}

fn hole(
    world: &World,
    which: impl Fn(Kind) -> bool + Send + 'static,
    time: Duration,
    breaks: bool,
) {
    of(world, &which, &|line| line.wire.stall(true));
    let wires = world.around.lines(|lines| {
        let chosen = lines.iter().filter(|line| which(line.kind));
        chosen.map(|line| line.wire.clone()).collect::<Vec<_>>()
    });
    tokio::spawn(async move {
        sleep(time).await;
        for wire in wires {
            if breaks && !wire.is_over() {
                wire.cut();
            }
            wire.stall(false);
        }
    });
}

impl Dice {
    fn burst(&mut self) -> (usize, usize) {
        match self.below(20) {
            0 => (1 + self.below(4), 30_000),
            1..4 => (1 + self.below(8), 3_000),
            _ => (1 + self.below(12), self.below(100)),
        }
    }

    fn step(&mut self) -> Step {
        let (local, partner) = (self.below(2), self.below(2));
        let (count, bytes) = self.burst();
        let time = self.time();
        match self.below(24) {
            0..5 => Step::Wait(time),
            5..10 => Step::In(partner, local, count, bytes),
            10..15 => Step::Out(local, partner, count, bytes),
            15 => Step::Link(local),
            16 => Step::Unlink(local),
            17 => Step::KillGateway(local),
            18 => Step::StallGateway(local, time),
            19 => Step::HoleGateway(local, time, count % 2 == 0),
            20 => Step::KillPartner(partner, time),
            21 => Step::Unstream(partner),
            22 => Step::StallPartner(partner, time),
            _ if bytes % 2 == 0 => Step::HolePartner(partner, time, count % 2 == 0),
            _ => Step::Reload,
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}
