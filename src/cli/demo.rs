//! `xmpp-edge demo`: the whole program at work, on loopback, with nothing installed.
//!
//! Read first: [`cast`] (who takes part and what must come out), then [`step`] (how it is tried).
//! Nothing that is printed is known beforehand: methods, reasons and numbers are what the edges'
//! logs and the gateways' links had.

mod authority;
mod cast;
mod edge;
mod files;
mod gateway;
mod keep;
mod names;
mod program;
mod screen;
mod stage;
mod step;
mod trouble;
mod witness;

use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::time::{interval, timeout};

use self::cast::PARTNERS;
use self::program::program;
use self::screen::{Ink, Screen};
use self::stage::Stage;
use self::step::Step;
use self::trouble::{During, Trouble};
use super::Exit;
use crate::ops::counters::Ledger;
use crate::ops::signals::{Signal, Signals};

/// See it work: an edge and five partners on loopback
///
/// Runs an edge, its gateway and five partners with edges of their own, with throw-away
/// certificates and a name server of its own. Sends stanzas both ways by SASL EXTERNAL, by
/// dialback over TLS and by dialback over plain TCP, and shows who is refused and why.
/// Everything is on loopback, and nothing is left behind.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Leave it running, and say how to talk to it
    #[arg(long)]
    keep: bool,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge demo
  xmpp-edge demo --keep

Exit status:
   0  every step came out as it should
  64  the command line is wrong
  70  a step came out otherwise, or the demo could not go on";

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let begin = Instant::now();
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime
        .during("starting")
        .and_then(|runtime| runtime.block_on(perform(arguments.keep, begin)));
    match outcome {
        Ok(true) => Exit::Success,
        Ok(false) => Exit::Software,
        Err(trouble) => {
            super::complain(&format!("error: {trouble}\n"));
            Exit::Software
        }
    }
}

/// Sets the stage, plays, and clears it; false if anything came out wrong.
async fn perform(keep: bool, begin: Instant) -> Result<bool, Trouble> {
    let mut signals = Signals::new().during("waiting for signals")?;
    let screen = Screen::of_stdout();
    screen.say(INTRODUCTION);
    let played = async {
        let stage = Stage::set().await?;
        let right = play(screen, &stage).await?;
        Ok((stage, right))
    };
    let (mut stage, right) = tokio::select! {
        played = played => played?,
        () = told_to_stop(&mut signals) => return Err(Trouble("interrupted".to_owned())),
    };
    conclude(screen, right, begin.elapsed());
    if keep {
        keep::keep(screen, &mut stage, &mut signals).await?;
    } else {
        next(screen);
    }
    // A second signal while the streams are closed is for those in a hurry.
    tokio::select! {
        () = stage.clear() => {}
        () = told_to_stop(&mut signals) => {}
    }
    Ok(right)
}

const INTRODUCTION: &str = "\
xmpp-edge demo: an edge for contoso.example, its gateway, and five partners with
edges of their own. Real sockets, TLS and DNS; all of it on loopback.

   gateway --- edge of contoso.example <=== TLS ===> a partner's edge --- users";

fn next(screen: Screen) {
    let directory = std::env::current_dir().ok();
    let program = program(directory.as_deref());
    screen.heading("Next");
    for (title, command) in [
        ("Leave it running, and talk to it:", "demo --keep"),
        (
            "Check a configuration before it is used:",
            "check --config FILE",
        ),
    ] {
        screen.say(&format!("   {title}\n     {program} {command}"));
    }
    screen.say("   Set up an edge of your own: see README.md and docs/");
}

async fn play(screen: Screen, stage: &Stage) -> Result<bool, Trouble> {
    let mut right = true;
    for (number, (role, theirs)) in (1..).zip(&stage.partners) {
        let step = Step::play(role, &stage.ours, theirs).await?;
        right &= step.is_right();
        screen.step(number, &step);
    }
    let ledger = &stage.ours.edge.ledger;
    // What is still queued then shows in the ledger.
    timeout(SETTLING, settle(ledger)).await.unwrap_or_default();
    screen.ledger(ledger);
    let kept = ledger.balances() && ledger.total().queued == 0;
    if !kept {
        screen.labelled(
            Ink::Bad,
            "WRONG",
            "a stanza has no end, or the sum is wrong",
        );
    }
    Ok(right && kept)
}

/// How long the last stanza may take to be counted.
const SETTLING: Duration = Duration::from_secs(5);

/// Waits until nothing is queued: a stanza is counted as delivered just after it has arrived.
async fn settle(ledger: &Ledger) {
    let mut look = interval(Duration::from_millis(5));
    while ledger.total().queued > 0 {
        look.tick().await;
    }
}

fn conclude(screen: Screen, right: bool, took: Duration) {
    let seconds = took.as_secs_f64();
    let verdict = if right {
        let text = format!("All {} steps came out as they should", PARTNERS.len());
        screen.ink(Ink::Good, &text)
    } else {
        screen.ink(Ink::Bad, "Something came out WRONG: see above")
    };
    screen.say(&format!("\n{verdict} ({seconds:.1} s)."));
}

async fn told_to_stop(signals: &mut Signals) {
    while signals.next().await == Signal::Reload {}
}
