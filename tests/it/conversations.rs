//! The machines of `proto::stream`, as the other side meets them.

mod answers;
mod compare;
mod direct_tls;
mod headers;
mod lab;
mod pairs;
mod properties;
mod script;
mod stage;
mod traced;

use script::Script;
use stage::{Cut, Stage};

#[test]
fn every_conversation_goes_as_written() {
    each(|_| true, |_| vec![Cut::Whole]);
}

#[test]
fn every_conversation_goes_the_same_byte_by_byte() {
    each(may_be_cut, |_| vec![Cut::Bytes]);
}

#[test]
fn every_conversation_goes_the_same_wherever_it_is_cut_in_two() {
    let (first, step) = cuts();
    println!("cut at every {step}th byte, after the first {first}");
    each(may_be_cut, |script| {
        let longest = stage(script).longest(script);
        // Of what is long only to be too long, the middle is all the same.
        let ends = |byte: &usize| *byte < 300 || longest - byte < 300;
        let bytes = (1..longest).filter(ends).skip(first).step_by(step);
        bytes.map(Cut::At).collect()
    });
}

/// Everywhere takes most of a minute of a processor: that is for `.ci/run`. Elsewhere it is every fifth
/// byte, beginning at another one each time.
fn cuts() -> (usize, usize) {
    if std::env::var_os("XMPP_EDGE_CUTS").is_some() {
        return (0, 1);
    }
    let hasher = std::collections::hash_map::RandomState::new();
    let chance = std::hash::BuildHasher::hash_one(&hasher, 0);
    let first = usize::try_from(chance % 5).unwrap();
    (first, 5)
}

/// Plays the scripts that fit, cut in each way, and names all that went otherwise than written.
fn each(fits: impl Fn(&Script) -> bool, cuts: impl Fn(&Script) -> Vec<Cut>) {
    let mut failed = Vec::new();
    for script in Script::all().values().filter(|script| fits(script)) {
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for cut in cuts(script) {
                run(script, cut);
            }
        }));
        if played.is_err() {
            failed.push(&script.path);
        }
    }
    assert!(
        failed.is_empty(),
        "these went otherwise than written: {failed:#?}"
    );
}

fn run(script: &Script, cut: Cut) {
    let mut stage = stage(script);
    stage.play(script, cut);
    stage.end();
}

/// The stage on which a script begins: empty, or where another has left it.
fn stage(script: &Script) -> Stage<'_> {
    match script.fact("after") {
        None => Stage::set(script),
        Some(name) => {
            let before = Script::all().get(name);
            let before = before.unwrap_or_else(|| panic!("{}: after what?", script.path));
            let mut stage = stage(before);
            stage.play(before, Cut::Whole);
            stage
        }
    }
}

/// What a peer sends in the clear behind a switch to TLS is seen only if it comes in one read.
fn may_be_cut(script: &Script) -> bool {
    script.fact("cut") != Some("never")
}
