//! Accept loops that nothing ends but the edge itself.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::net::edge::Edge;
use crate::net::io::clock;
use crate::net::io::connect::tune;
use crate::net::io::transport::{Socket, Transport};
use crate::net::live::log_limiter::What;
use crate::net::session::driver::WRITE_STALL;
use crate::net::session::{gateway, inbound};
use crate::ops::events::{Event, Line};
use crate::proto::codes::Code;
use crate::proto::policy::{AdmissionLimits, Reason};
use crate::proto::words;

/// The pause after a failed accept: out of descriptors, say, which only time can mend.
const PAUSE: Duration = Duration::from_millis(100);
/// At most one line about failing accepts in this time.
const QUIET: Duration = Duration::from_secs(10);

/// What comes in at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Streams of partners.
    Partners,
    /// Links of gateways.
    Gateways,
}

/// Takes connections until `stop` says so.
pub async fn accept(
    edge: Arc<Edge>,
    listener: TcpListener,
    port: Port,
    mut stop: watch::Receiver<bool>,
) {
    let mut silent_until = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((stream, address)) => admit(&edge, stream, as_people_write(address), port),
            Err(error) => {
                // Whatever it is, the listener outlives it.
                edge.ledger.count(Code::ACCEPT_ERROR);
                let now = tokio::time::Instant::now();
                if silent_until.is_none_or(|until| until <= now) {
                    Line::new(Event::AcceptError)
                        .detail(words::of_error(&error))
                        .log();
                    silent_until = Some(now + QUIET);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// An address of IPv4 as such, which a listener of both families has as `[::ffff:192.0.2.1]`: people search
/// the log for it, and so does what reads the log for them.
fn as_people_write(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

fn admit(edge: &Arc<Edge>, stream: TcpStream, address: SocketAddr, port: Port) {
    let silence = match port {
        Port::Partners => edge.context().timing.silence(),
        // A gateway may be slow, and push back: it has a time of its own.
        Port::Gateways => WRITE_STALL,
    };
    if let Err(error) = tune(&stream, silence) {
        // It was gone before we looked at it.
        tracing::debug!(%error, %address, "a connection could not be set up");
        return;
    }
    let stream = Transport::Clear(Socket::new(stream));
    match port {
        Port::Partners => {
            let settings = edge.settings.load();
            let admitted = edge.door.admit(address.ip(), &settings.admission);
            match admitted {
                Ok(admitted) => {
                    tokio::spawn(inbound::serve(Arc::clone(edge), stream, address, admitted));
                }
                Err(reason) => turn_away(edge, address, reason),
            }
        }
        Port::Gateways => {
            // Many domains' gateways may well be one host: only their number in all is bounded.
            let limits = AdmissionLimits {
                unauthenticated: edge.settings.load().admission.unauthenticated,
                ..AdmissionLimits::NONE
            };
            match edge.link_door.admit(address.ip(), &limits) {
                Ok(admitted) => {
                    tokio::spawn(gateway::serve(Arc::clone(edge), stream, address, admitted));
                }
                Err(reason) => turn_away(edge, address, reason),
            }
        }
    }
}

/// A connection beyond the limits is closed without a word: an answer would cost what it is about.
fn turn_away(edge: &Edge, address: SocketAddr, reason: Reason) {
    let code = reason.code();
    edge.ledger.count(code);
    let what = What::new(Event::AdmissionRefused, &reason);
    let now = clock::instant();
    if let Some(left_out) = edge
        .log_limiter
        .admit_stranger(None, address.ip(), what, now)
    {
        Line::new(Event::AdmissionRefused)
            .peer_address(address)
            .reason(code)
            .explained(code)
            .and_more(reason, left_out)
            .log();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_as_people_write_them() {
        for (came, told) in [
            ("[::ffff:192.0.2.1]:40000", "192.0.2.1:40000"),
            ("192.0.2.1:40000", "192.0.2.1:40000"),
            ("[2001:db8::1]:40000", "[2001:db8::1]:40000"),
            ("[fe80::1%3]:40000", "[fe80::1%3]:40000"),
        ] {
            let came = came.parse().unwrap();
            assert_eq!(as_people_write(came).to_string(), told);
        }
    }
}
