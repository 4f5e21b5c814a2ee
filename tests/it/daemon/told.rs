//! What the log, and the other side, are told of a refusal: enough to act on.

use std::net::TcpStream;

use super::process::Daemon;
use super::{converse, header, lab};

#[test]
fn of_a_subdomain_that_is_not_listed_it_is_said_whose_entry_lacks_it() {
    let lab = lab();
    let daemon = Daemon::start(&lab);
    let stream = TcpStream::connect(daemon.s2s).unwrap();
    let heard = converse(&stream, &header("sub.fabrikam.example"), "</stream:");
    let want = "sub.fabrikam.example is not a partner: add it to additional-domains of \
                fabrikam.example";
    assert!(heard.contains(want), "{heard}");
    let line = daemon.log_line("stream-refused");
    assert!(
        line.contains(want) && line.contains("\"unknown-partner\""),
        "{line}"
    );
}
