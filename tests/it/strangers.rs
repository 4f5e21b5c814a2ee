//! Peers that are slow, silent or many, and a host that runs out of something: what it costs, and
//! what the honest notice of it.

mod act;
mod amplified;
mod charged;
mod counted;
mod crowd;
mod deaf;
mod flood;
mod honest;
mod mesh;
mod refused;
mod scarcity;
mod secrets;
mod slow;
mod unread;

use std::net::{IpAddr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::daemon::converse;
use crate::lab::{Lab, free_ports};

/// An edge with one partner, who may prove itself in the clear and is found at `authority`; `s2s`,
/// `admission` and `log` stand under those headings.
fn lab(authority: SocketAddr, s2s: &str, admission: &str, log: &str) -> Lab {
    let log = format!("format = \"json\"\n{log}");
    let edge = free_ports(&[("s2s", s2s), ("admission", admission), ("log", &log)]);
    Lab::with(&edge, &partner("fabrikam.example", authority))
}

fn partner(domain: &str, authority: SocketAddr) -> String {
    format!(
        "[[partner]]\nprimary-domain = \"{domain}\"\ntype = \"federated\"\ntls = \"optional\"\n\
         sasl = \"optional\"\ndialback = true\nroute = [\"{authority}\"]\n"
    )
}

fn header(from: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' \
         xmlns:stream='http://etherx.jabber.org/streams' from='{from}' to='contoso.example' \
         version='1.0'>"
    )
}

/// Goes on until the next byte belongs to TLS.
fn proceed(stream: &TcpStream) {
    converse(stream, &header("fabrikam.example"), "</stream:features>");
    let request = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
    converse(stream, request, "<proceed");
}

/// A connection from an address of our choice: all of 127.0.0.0/8 is this host.
fn connect_from(address: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::new(IpAddr::from(address), 0);
    socket.bind(&from.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}
