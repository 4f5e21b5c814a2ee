//! A partner that is not reached: what the log has of it.

use std::io::Write as _;
use std::net::SocketAddr;

use super::process::Daemon;
use super::{converse, link};
use crate::lab::{FREE_PORTS as EDGE, Lab};

const MESSAGE: &str = "<message from='a@contoso.example' to='b@fabrikam.example' id='m'/>";

/// The partner is at this place.
fn at(place: SocketAddr) -> String {
    format!(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
         route = [\"{place}\"]\n"
    )
}

/// DNS or `route` may lead a partner's stanzas back to where they come from.
#[test]
fn a_way_that_leads_back_is_known_for_what_it_is() {
    let lab = Lab::new();
    lab.write("edge.toml", EDGE, 0o644);
    let daemon = Daemon::start(&lab);
    let mut inside = link(&daemon);
    for place in [daemon.s2s, daemon.gateway] {
        lab.write("partners.toml", &at(place), 0o644);
        daemon.signal("HUP");
        daemon.log_line("reload-done");
        inside.write_all(MESSAGE.as_bytes()).unwrap();
        let bounce = converse(&inside, "", "</message>");
        for part in ["remote-server-not-found", "leads back to this edge"] {
            assert!(bounce.contains(part), "{bounce}");
        }
        let line = daemon.log_line("dial-failed");
        assert!(line.contains("\"leads-back\""), "{line}");
    }
}
