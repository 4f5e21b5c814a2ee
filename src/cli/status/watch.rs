//! Shows a report anew, in its place.

use std::io::{self, IsTerminal as _, Write as _};
use std::thread::sleep;
use std::time::Duration;

use super::{Desk, Format, NoAnswer};
use crate::net::admin::client::Client;

/// How long a report stands.
const PERIOD: Duration = Duration::from_secs(2);
/// The rows of a terminal that does not say how many it has.
const ROWS: usize = 24;

/// Until the reader or the daemon goes away.
pub(super) fn run(desk: &Desk, format: Format) -> Result<(), NoAnswer> {
    let mut client = Client::connect(&desk.socket)?;
    let in_place = format == Format::Text && io::stdout().is_terminal();
    let mut is_first = true;
    loop {
        let report = match desk.ask_by(&mut client) {
            // Others may have needed the place meanwhile.
            Err(NoAnswer::Ended) => {
                client = Client::connect(&desk.socket)?;
                desk.ask_by(&mut client)?
            }
            report => report?,
        };
        let text = match format {
            Format::Json => report.line(),
            Format::Text if in_place => screen(&report.render(format), rows(), is_first),
            Format::Text => format!("{}\n", report.render(format)),
        };
        let mut output = io::stdout().lock();
        let written = output.write_all(text.as_bytes());
        if written.and_then(|()| output.flush()).is_err() {
            // The reader has gone.
            return Ok(());
        }
        drop(output);
        is_first = false;
        sleep(PERIOD);
    }
}

/// What a terminal shows: the first lines, in the place of what it shows now.
fn screen(text: &str, rows: usize, is_first: bool) -> String {
    let lines: Vec<_> = text.lines().collect();
    let mut out = match is_first {
        true => "\u{1b}[2J\u{1b}[H".to_owned(),
        false => "\u{1b}[H".to_owned(),
    };
    let is_cut = lines.len() > rows.saturating_sub(1);
    let shown = match is_cut {
        true => rows.saturating_sub(2),
        false => lines.len(),
    };
    for line in lines.iter().take(shown) {
        out.push_str(line);
        out.push_str("\u{1b}[K\n");
    }
    if is_cut {
        let more = lines.len() - shown;
        out.push_str(&format!(
            "… and {more} more lines without --watch\u{1b}[K\n"
        ));
    }
    out.push_str("\u{1b}[J");
    out
}

fn rows() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout());
    let rows = size.map_or(0, |size| usize::from(size.ws_row));
    if rows == 0 { ROWS } else { rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_not_scrolled_and_nothing_old_stays_on_it() {
        let text: String = (0..50).map(|number| format!("line {number}\n")).collect();
        let first = screen(&text, 24, true);
        assert_eq!(first.matches('\n').count(), 23);
        assert!(first.starts_with("\u{1b}[2J"), "{first:?}");
        assert!(first.contains("and 28 more lines"), "{first}");
        let next = screen("one\n", 24, false);
        assert_eq!(next, "\u{1b}[Hone\u{1b}[K\n\u{1b}[J");
    }
}
