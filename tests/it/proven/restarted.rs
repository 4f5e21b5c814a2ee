//! A partner whose server has restarted: what it knows nothing of any more is found out at once.

use std::io::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::answers::prove;
use super::lab;
use crate::daemon::link;
use crate::daemon::process::Daemon;
use crate::hostile::authority::Authority;

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_partner_that_proves_itself_anew_is_pinged_on_the_streams_that_were_there_before() {
    let authority = Authority::start();
    let daemon = Daemon::start(&lab(authority.address, "", ""));
    let mut gateway = link(&daemon);
    let message = "<message from='b@contoso.example' to='a@fabrikam.example' id='opens'/>";
    gateway.write_all(message.as_bytes()).unwrap();
    let heard = |what: &str| {
        let begun = Instant::now();
        while !authority.heard.lock().unwrap().contains(what) {
            assert!(begun.elapsed() < PATIENCE, "no {what}");
            sleep(Duration::from_millis(10));
        }
    };
    heard("id='opens'");
    // A stream that is a moment old shows that the partner lives.
    sleep(Duration::from_millis(1200));
    assert!(!authority.heard.lock().unwrap().contains("urn:xmpp:ping"));
    let partner = prove(&daemon);
    heard("urn:xmpp:ping");
    drop((partner, gateway));
    daemon.signal("TERM");
    daemon.ends_with(0);
}
