//! Our own stream to a partner that acknowledges and resumes (XEP-0198), on real sockets, over TLS, under 500 stanzas
//! a second: it is cut, or the partner is killed, and nothing is lost.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::sites::{OURS, Site, Stage, THEIRS};

const PATIENCE: Duration = Duration::from_secs(30);
/// Messages a second.
const RATE: usize = 500;
/// The partner is proven by its certificate alone.
const TERMS: &str = "";

/// `xmpp-edge trace`, and what it shows.
struct Trace {
    child: Child,
    shown: Receiver<String>,
}

impl Trace {
    /// Of all streams between an edge and a domain.
    fn begin(site: &Site, domain: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xmpp-edge"))
            .args(["trace", domain, "--config"])
            .arg(site.lab().path("edge.toml"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (say, shown) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        site.daemon().log_line("trace-begun");
        Self { child, shown }
    }

    /// Waits until a line has this in it.
    fn shows(&self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("{part} is not shown: {error}\n{}", seen.join("\n")),
            }
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_stream_that_is_cut_under_load_is_resumed_and_nothing_comes_twice() {
    let stage = Stage::new(TERMS, TERMS);
    let trace = Trace::begin(&stage.ours, THEIRS);
    let theirs = stage.theirs.gateway(THEIRS, OURS[0]);
    let ours = stage.ours.gateway(OURS[0], THEIRS);
    ours.writes(RATE);
    ours.until("a session", |state| state.acknowledged >= 100);

    // Much has come that is not acknowledged: without the session all of it would come again. With it, it is written
    // in several pieces, and acknowledged meanwhile.
    theirs.acknowledges(false);
    theirs.hears_more(400, &OURS[..1]);
    // Nothing gets through, and the edge does not know it yet; meanwhile it reads its files anew.
    stage.way.hole();
    stage.ours.rereads(&format!(
        "{TERMS}\n[[partner]]\nprimary-domain = \"adatum.example\"\ntype = \"federated\""
    ));
    stage.ours.daemon().log_line("reload-done");
    stage.way.cut();
    trace.shows("> <resume ");
    trace.shows("< <resumed ");
    theirs.acknowledges(true);
    theirs.hears_more(200, &OURS[..1]);

    let said = ours.stops();
    ours.until("acknowledged", |state| state.acknowledged == said);
    ours.with(|state| assert_eq!(state.bounced, [""; 0]));
    assert_eq!(theirs.has_all(OURS[0], said), [0; 0], "came twice");
    assert_eq!(stage.way.count(), 2);
}

#[test]
fn a_partner_that_is_killed_and_starts_anew_loses_nothing() {
    let mut stage = Stage::new(TERMS, TERMS);
    let trace = Trace::begin(&stage.ours, THEIRS);
    let theirs = stage.theirs.gateway(THEIRS, OURS[0]);
    let ours = stage.ours.gateway(OURS[0], THEIRS);
    ours.writes(RATE);
    ours.until("a session", |state| state.acknowledged >= 100);

    theirs.acknowledges(false);
    theirs.hears_more(50, &OURS[..1]);
    let acknowledged = ours.with(|state| state.acknowledged);
    stage.theirs.dies();
    let by_then = ours.with(|state| state.said);
    theirs.acknowledges(true);
    // The edge reads its files anew while it waits for the partner.
    stage.ours.rereads(TERMS);
    stage.ours.daemon().log_line("reload-done");
    stage.theirs.again();
    // Of the one before the new process knows nothing.
    trace.shows("> <resume ");
    trace.shows("< <failed ");
    theirs.hears_more(200, &OURS[..1]);

    let said = ours.stops();
    ours.until("acknowledged", |state| state.acknowledged == said);
    let twice = theirs.has_all(OURS[0], said);
    let open = acknowledged..by_then;
    println!(
        "{} of {said} came twice; unacknowledged were {open:?}",
        twice.len()
    );
    assert!(open.len() >= 50, "{open:?}");
    assert!(
        twice.iter().all(|it| open.contains(it)),
        "{twice:?}, {open:?}"
    );
    ours.with(|state| assert_eq!(state.bounced, [""; 0]));
}
