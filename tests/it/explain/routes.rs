//! A `route` that is older than what the partner has published since.

use std::net::SocketAddr;

use super::names::{Zone, asks};
use super::peer::{Peer, answering};
use super::streams::{THEY, WE, by};
use super::{ENTRY, closed_port, finds, lab};
use crate::lab::Lab;
use crate::pki::Leaf;

/// The entry leads there, and DNS to another place.
fn stale(lab: &Lab, route: SocketAddr, published: u16) {
    let zone = Zone::default()
        .srv("fabrikam.example", 10, published, "xmpp.fabrikam.example")
        .host("xmpp.fabrikam.example", &["127.0.0.1"]);
    asks(lab, zone, true);
    let entry = format!("{ENTRY}route = [\"{route}\"]\n");
    lab.write("partners.toml", &entry, 0o644);
}

#[test]
fn a_route_to_a_host_that_no_longer_serves_the_domain() {
    let (lab, authority) = lab();
    let identity = authority.issue(Leaf::new(&["fabrikam.example"]));
    let port = Peer::with(&identity).start().port();
    let unknown = "<stream:stream xmlns='jabber:server' from='other.example' \
                   xmlns:stream='http://etherx.jabber.org/streams'><stream:error>\
                   <host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
                   </stream:error></stream:stream>";
    stale(&lab, answering(unknown), port);
    let says = [
        "does not serve fabrikam.example",
        "DNS leads to xmpp.fabrikam.example:",
    ];
    let wrong = by(WE, ["not-served", "wrong-route"], "header", says);
    let text = finds(&lab, "fabrikam.example", &wrong);
    let line =
        format!("  DNS          without `route` it would lead to xmpp.fabrikam.example:{port}");
    assert!(text.contains(&line), "{text}");

    // Nothing listens at the old place.
    stale(&lab, closed_port(), port);
    let says = ["refused the connection", "Correct `route`"];
    let wrong = by(WE, ["connect-failed", "wrong-route"], "connect", says);
    finds(&lab, "fabrikam.example", &wrong);
}

/// Where DNS leads to the same place, the route is not to blame.
#[test]
fn a_route_to_where_dns_leads_as_well() {
    let (lab, _) = lab();
    let place = closed_port();
    stale(&lab, place, place.port());
    let entry = format!(
        "{ENTRY}route = [\"xmpp.fabrikam.example:{}\"]\n",
        place.port()
    );
    lab.write("partners.toml", &entry, 0o644);
    let says = ["refused the connection", "Or correct `route`"];
    let wrong = by(
        THEY,
        ["connect-failed", "connection-refused"],
        "connect",
        says,
    );
    finds(&lab, "fabrikam.example", &wrong);
}
