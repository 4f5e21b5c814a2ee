//! Each conversation is recorded, blanked, written to a file, read again, and replayed: the same is decided,
//! and what people say stands nowhere in it.

use std::time::Instant;

use xmpp_edge::proto::trace::{Fate, Head, Line, Trace, VERSION, replay};

use super::may_be_cut;
use super::script::Script;
use super::stage::{Cut, Stage};

/// What stands in stanzas of the scripts, and must not stand in a file.
const SAID: [&str; 4] = ["<body>hi", ">hello", ">secret", "anne@"];

#[test]
fn every_conversation_is_replayed_to_the_same_decisions() {
    let (mut replayed, mut resumed) = (0, 0);
    for script in Script::all().values() {
        let cuts = match may_be_cut(script) {
            true => vec![Cut::Whole, Cut::Bytes],
            false => vec![Cut::Whole],
        };
        for cut in cuts {
            let text = file(&lines(script, cut));
            let trace = Trace::read(text.as_bytes()).unwrap();
            let outcome = replay(&trace, Instant::now());
            let place = format!("{} {cut:?}\n{text}", script.path);
            assert_eq!(outcome.differences, [], "{place}");
            match outcome.streams.get(&7) {
                Some(Fate::Whole(outputs)) => {
                    assert!(*outputs > 0, "{place}");
                    replayed += 1;
                }
                // What is left of a session stands nowhere.
                Some(Fate::Until(_, why)) if why.contains("session") => resumed += 1,
                other => panic!("{other:?}: {place}"),
            }
            for word in SAID {
                assert!(!text.contains(word), "{word}: {place}");
            }
        }
    }
    assert!(replayed > 300, "{replayed}");
    assert!(resumed < 20, "{resumed}");
}

/// What is decided otherwise is found, whatever it is.
#[test]
fn a_file_of_an_edge_that_decided_otherwise_says_so() {
    let script = &Script::all()["inbound/dialback-plain"];
    let lines = lines(script, Cut::Whole);
    let text = file(&lines);
    for (from, to) in [
        ("type='valid'", "type='invalid'"),
        ("\"what\":\"authenticated\"", "\"what\":\"refused\""),
        ("tcp-dialback", "tls-dialback"),
        ("\"verdict\":\"valid\"", "\"verdict\":\"invalid\""),
        ("\"dialback\":true", "\"dialback\":false"),
    ] {
        assert!(text.contains(from), "{from}\n{text}");
        let trace = Trace::read(text.replace(from, to).as_bytes()).unwrap();
        let outcome = replay(&trace, Instant::now());
        assert!(!outcome.differences.is_empty(), "{from}\n{text}");
    }
}

/// Where this version would wait for less, it would have acted before what came.
#[test]
fn a_time_that_would_be_up_before_is_a_difference() {
    let text = file(&lines(&Script::all()["inbound/idle"], Cut::Whole));
    let shorter = text.replace("\"inactivity-ms\":600000", "\"inactivity-ms\":400000");
    assert_ne!(text, shorter);
    let trace = Trace::read(shorter.as_bytes()).unwrap();
    let outcome = replay(&trace, Instant::now());
    let first = &outcome.differences[0];
    assert!(
        format!("{first:?}").contains("a time is up, 100 s before"),
        "{first:?}"
    );
}

/// All that is recorded of a script and of what stands before it.
fn lines(script: &Script, cut: Cut) -> Vec<Line> {
    let mut stage = stage(script);
    stage.play(script, cut);
    stage.lines()
}

fn stage(script: &Script) -> Stage<'_> {
    let Some(before) = script.fact("after").map(|name| &Script::all()[name]) else {
        return Stage::recorded(script);
    };
    let mut stage = stage(before);
    stage.play(before, Cut::Whole);
    stage
}

fn file(lines: &[Line]) -> String {
    let head = Head {
        format: VERSION,
        program: "0.1.0".to_owned(),
        domain: "partner.example".to_owned(),
        is_local: false,
        began: "2026-01-31T09:00:00Z".to_owned(),
        seconds: 300,
    };
    let mut text = serde_json::to_string(&head).unwrap();
    for line in lines {
        text.push('\n');
        text.push_str(&serde_json::to_string(line).unwrap());
    }
    text.push('\n');
    text
}
