//! Peers that have proven who they are, and then turn hostile: what they can take, and what the
//! others notice of it.

pub(crate) mod answers;
pub(crate) mod asking;
mod bound;
mod dialling;
mod holding;
mod restarted;
mod worst;

use std::net::SocketAddr;
use std::time::Duration;

use crate::lab::Lab;

/// The variable that says how many seconds each flood lasts.
const SECONDS: &str = "XMPP_EDGE_FLOOD_SECONDS";

/// How long each flood lasts: 2 s, or what the variable says.
pub(crate) fn flood_time() -> Duration {
    let seconds = std::env::var(SECONDS).map_or(2, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

/// An edge with one partner that may prove itself in the clear by dialback; its server is at
/// `authority`. `edge` goes to the end of edge.toml, `partners` to the end of partners.toml.
pub(crate) fn lab(authority: SocketAddr, edge: &str, partners: &str) -> Lab {
    let entry = format!(
        "[[partner]]\nprimary-domain = \"fabrikam.example\"\ntype = \"federated\"\n\
         tls = \"optional\"\nsasl = \"optional\"\ndialback = true\nroute = [\"{authority}\"]\n"
    );
    Lab::with(
        &format!("{}\n{edge}", *crate::lab::FREE_PORTS),
        &format!("{entry}\n{partners}"),
    )
}
