//! A log that nobody reads: the edge does not wait for its reader, not even at the end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread::spawn;
use std::time::{Duration, Instant};

use super::honest::{Honest, prove};
use super::{lab, partner};
use crate::daemon::process::Daemon;
use crate::hostile::authority::Authority;
use crate::lab::Lab;

/// Questions of a partner, of which each makes a line: twice what pipe and queue take.
const QUESTIONS: usize = 24_000;
/// More streams than the edge has workers here, so that none is left if each waits.
const STREAMS: usize = 6;

fn start() -> (Authority, Lab, Daemon) {
    let authority = Authority::start();
    let lab = lab(authority.address, "", "", "filter = \"trace\"");
    // The questions are counted in the partner's rate, and here they are only to fill the log.
    let entry = partner("fabrikam.example", authority.address) + "stanza-rate = 0\n";
    lab.write("partners.toml", &entry, 0o644);
    let daemon = Daemon::start_with(&lab, &[("TOKIO_WORKER_THREADS", "2")]);
    (authority, lab, daemon)
}

/// Asks all questions on several streams while the log is left unread and a partner goes on to
/// talk to the gateway; returns when all are answered.
fn flood(daemon: &Daemon, honest: &mut Honest) {
    let asking: Vec<_> = (0..STREAMS)
        .map(|_| {
            let stream = prove(daemon);
            spawn(move || ask(&stream, QUESTIONS / STREAMS))
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    while asking.iter().any(|stream| !stream.is_finished()) {
        assert!(honest.exchange() < Duration::from_secs(3));
        assert!(Instant::now() < deadline, "the questions are not answered");
    }
    for stream in asking {
        stream.join().unwrap();
    }
}

fn ask(mut stream: &TcpStream, count: usize) {
    let question = "<db:verify from='fabrikam.example' to='contoso.example' id='1'>k</db:verify>";
    let asked = stream.try_clone().unwrap();
    let asking = spawn(move || {
        (&asked)
            .write_all(question.repeat(count).as_bytes())
            .unwrap()
    });
    let mut answers = 0;
    let mut buffer = [0; 1 << 16];
    while answers < count {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "ended after {answers} answers");
        // One in each answer, and nowhere else.
        answers += buffer[..read].iter().filter(|&&byte| byte == b'<').count();
    }
    asking.join().unwrap();
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up_and_says_later_what_is_missing() {
    let (_authority, _lab, daemon) = start();
    let mut honest = Honest::new(&daemon);
    let unread = daemon.leave_log_unread();
    flood(&daemon, &mut honest);
    drop(unread);

    let line = daemon.log_line("log-lines-lost");
    let (_, detail) = line.split_once("\"detail\":\"").unwrap();
    let lost: usize = detail.split(' ').next().unwrap().parse().unwrap();
    // It reads on, and finds what comes after.
    assert!(honest.exchange() < Duration::from_secs(3));
    daemon.signal("HUP");
    daemon.log_line("reload-done");
    drop(honest);
    daemon.signal("TERM");
    let log = daemon.whole_log();
    daemon.ends_with(0);
    let log = log.lock().unwrap();
    let told = log
        .iter()
        .filter(|line| line.contains("\"dialback-answered\""))
        .count();
    assert!(told > 1000 && lost > 1000, "{told} lines and {lost} lost");
    assert!(
        (QUESTIONS..QUESTIONS + 100).contains(&(told + lost)),
        "{told} lines and {lost} lost"
    );
    assert!(
        log.last().unwrap().contains("\"drained\""),
        "{:?}",
        log.last()
    );
}

#[test]
fn the_end_does_not_wait_for_a_log_that_nobody_reads() {
    let (_authority, _lab, daemon) = start();
    let mut honest = Honest::new(&daemon);
    let _unread = daemon.leave_log_unread();
    flood(&daemon, &mut honest);
    drop(honest);
    let begun = Instant::now();
    daemon.signal("TERM");
    assert_eq!(daemon.status(), Some(0));
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}
