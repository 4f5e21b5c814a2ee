//! `xmpp-edge replay`: a recorded trace once more, through the same code.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Exit;
use super::report::{paragraph, refuse};
use super::trace::screen::{self, Screen};
use super::trace::summary;
use crate::config::report::WIDTH;
use crate::ops::peer_text::{Peer, write_clean};
use crate::proto::trace::{Difference, Fate, MAX_BYTES, Made, Replayed, Trace, replay};
use crate::proto::words;

/// Run a recorded trace through the same code
///
/// Shows each decision with its clause and its reason, and says where this
/// version decides otherwise than the daemon that recorded it. It needs neither
/// a configuration nor a network.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Arguments {
    /// What `xmpp-edge trace --output` has written
    #[arg(value_name = "FILE")]
    trace: PathBuf,
    /// Show the differences alone
    #[arg(long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  xmpp-edge replay fabrikam.trace
  xmpp-edge replay --quiet fabrikam.trace && echo the same

Exit status:
   0  the same is decided
  64  the command line is wrong, or the file is no trace
  70  something is decided otherwise";

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments) -> Exit {
    let trace = match read(&arguments.trace) {
        Ok(trace) => trace,
        Err(text) => return refuse(Exit::Usage, &text),
    };
    let replayed = replay(&trace, Instant::now());
    if !arguments.quiet {
        super::print(&head(&trace));
    }
    let mut shown = Screen::default();
    let mut differences = replayed.differences.iter().peekable();
    for (number, line) in &trace.lines {
        if !arguments.quiet {
            super::print(&shown.line(line));
        }
        while let Some(difference) = differences.next_if(|it| it.line <= *number) {
            super::print(&differs(difference));
        }
    }
    for difference in differences {
        super::print(&differs(difference));
    }
    let has_shown = !arguments.quiet && !trace.lines.is_empty();
    if has_shown || !replayed.differences.is_empty() {
        super::print("\n");
    }
    super::print(&outcome(&trace, &replayed));
    match replayed.differences.is_empty() {
        true => Exit::Success,
        false => Exit::Software,
    }
}

/// How many bytes are shown of why a file is no trace.
const MOST_QUOTED: usize = 400;

fn read(path: &Path) -> Result<Trace, String> {
    let name = path.display();
    let mut text = Vec::new();
    // One byte more says that it is too long.
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text))
        .map_err(|error| format!("{name} cannot be read: {}", words::of_error(&error)))?;
    Trace::read(&text).map_err(|error| {
        // It quotes the file, and who has written that is not known.
        let mut why = String::new();
        // Writing to a String does not fail.
        write_clean(&mut why, &error.to_string(), MOST_QUOTED).unwrap_or_default();
        format!("{name} is no trace: {why}")
    })
}

fn head(trace: &Trace) -> String {
    let head = &trace.head;
    let text = format!(
        "The {} {}, from {} on, by xmpp-edge {}",
        match head.is_local {
            true => "gateway's links for",
            false => "streams of",
        },
        Peer(&head.domain),
        Peer(&head.began),
        Peer(&head.program)
    );
    format!("{}\n", paragraph(&text, "", WIDTH))
}

/// Where something is decided otherwise.
fn differs(difference: &Difference) -> String {
    let mut text = format!("=== decided otherwise, at line {}\n", difference.line);
    for (who, all) in [
        ("then", &difference.recorded),
        ("now", &difference.replayed),
    ] {
        if all.is_empty() {
            text.push_str(&screen::laid_out(who, "nothing"));
        }
        for made in all {
            let (sign, words) = screen::made(made);
            text.push_str(&screen::laid_out(&format!("{who} {sign}"), &words));
        }
    }
    if let [Made::Send(then), ..] = &difference.recorded[..]
        && let [Made::Send(now), ..] = &difference.replayed[..]
    {
        let alike = then.bytes().zip(now.bytes());
        let at = alike.take_while(|(then, now)| then == now).count();
        text.push_str(&screen::laid_out("", &format!("from byte {at} on")));
    }
    text.push_str("===\n");
    text
}

fn outcome(trace: &Trace, replayed: &Replayed) -> String {
    let mut text = String::new();
    let mut say = |line: &str| text.push_str(&paragraph(line, "", WIDTH));
    let (mut whole, mut outputs) = (0, 0);
    for (stream, fate) in &replayed.streams {
        match fate {
            Fate::Whole(count) => {
                whole += 1;
                outputs += count;
            }
            Fate::Until(line, why) => {
                say(&format!(
                    "Stream {stream} was replayed up to line {line}: {why}."
                ));
            }
            Fate::Not(why) => say(&format!("Stream {stream} was not replayed: {why}.")),
        }
    }
    match &trace.end {
        Some(end) => say(&summary(end)),
        None => say("The trace was cut before its end."),
    }
    let streams = match whole {
        1 => "1 stream was replayed whole".to_owned(),
        whole => format!("{whole} streams were replayed whole"),
    };
    say(&match replayed.differences.len() {
        0 => format!("{streams}, {outputs} outputs: the same is decided."),
        1 => format!("{streams}, {outputs} outputs: in 1 place it is decided otherwise."),
        count => {
            format!("{streams}, {outputs} outputs: in {count} places it is decided otherwise.")
        }
    });
    text
}
