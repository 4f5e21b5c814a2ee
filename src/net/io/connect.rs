//! Connects to one target: both address families, staggered, the first connection wins (RFC 8305).

mod failure;
mod race;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream};

pub use failure::{Attempt, AttemptFault, ConnectFailure, Family};

use crate::net::io::clock;
use crate::net::io::resolve::{DnsResolver, LookupFault};
use crate::proto::discover::{Target, Via, special_use};
use race::Race;

/// How connections are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectSettings {
    /// How long one address may take.
    pub attempt_timeout: Duration,
    /// How long one target may take, its lookups included.
    pub overall_timeout: Duration,
    /// How many addresses are tried at most.
    pub connections: usize,
    /// Whether names in DNS may lead to loopback, link-local or private addresses.
    pub allow_private_addresses: bool,
    /// How long the other side may acknowledge nothing, once connected: see [`tune`].
    pub silence: Duration,
}

impl Default for ConnectSettings {
    fn default() -> Self {
        Self {
            attempt_timeout: Duration::from_secs(10),
            overall_timeout: Duration::from_secs(30),
            connections: 8,
            allow_private_addresses: false,
            silence: Duration::from_secs(120),
        }
    }
}

/// Who is told what happens on the way to a connection, as it happens.
pub trait Watch: fmt::Debug + Send + Sync {
    /// A lookup of the target's addresses was answered, and how long that took: each address, and what
    /// kind it is where it will not be tried for that.
    fn looked_up(&self, family: Family, answer: Result<Vec<Looked>, LookupFault>, took: Duration);

    /// An address is being connected to.
    fn connecting(&self, address: SocketAddr);

    /// An address was connected to, or not, and how long that took.
    fn connected(&self, address: SocketAddr, outcome: Result<(), AttemptFault>, took: Duration);
}

/// An address that DNS gave, and why it is not tried.
pub type Looked = (IpAddr, Option<&'static str>);

/// Connects to a target, and gives the address that answered first; the other attempts are ended.
/// Whoever watches is told of each step.
///
/// # Errors
/// [`ConnectFailure`], with every lookup and attempt.
pub async fn connect(
    resolver: &DnsResolver,
    target: &Target,
    settings: ConnectSettings,
    watch: Option<Arc<dyn Watch>>,
) -> Result<(TcpStream, SocketAddr), ConnectFailure> {
    let host = target.host.as_str();
    // A route is the administrator's own word, and may lead inside.
    let anywhere = settings.allow_private_addresses || matches!(target.via, Via::Route);
    let watch = watch.as_ref();
    let begin = clock::instant();
    let told = |family, answer: Addresses| {
        if let Some(watch) = watch {
            let looked = |one: &IpAddr| (*one, special_use(*one).filter(|_| !anywhere));
            let found = answer.as_ref().map(|all| all.iter().map(looked).collect());
            watch.looked_up(family, found.map_err(Clone::clone), begin.elapsed());
        }
        answer
    };
    let literal = host.parse::<IpAddr>().ok();
    let of_family = |wanted: Family| match literal {
        Some(address) if Family::of(address) == wanted => Some(Ok(vec![address])),
        // The other family of a literal: there is none, and none is missing.
        Some(_) => Some(Ok(Vec::new())),
        None => None,
    };
    let ipv6 = async {
        match of_family(Family::V6) {
            Some(known) => known,
            None => told(Family::V6, resolver.ipv6(host).await),
        }
    };
    let ipv4 = async {
        match of_family(Family::V4) {
            Some(known) => known,
            None => told(Family::V4, resolver.ipv4(host).await),
        }
    };
    let attempt = move |address: SocketAddr| {
        let watch = watch.cloned();
        async move {
            let begin = clock::instant();
            if let Some(watch) = &watch {
                watch.connecting(address);
            }
            let opened = open(address, settings.attempt_timeout, settings.silence).await;
            if let Some(watch) = &watch {
                let outcome = opened.as_ref().map(drop).map_err(Clone::clone);
                watch.connected(address, outcome, begin.elapsed());
            }
            opened
        }
    };
    connect_with(
        target,
        ipv6,
        ipv4,
        anywhere,
        (settings.connections, settings.overall_timeout),
        attempt,
    )
    .await
}

/// Sets what every socket needs: no delay for small writes, little that is taken over and not sent,
/// and an end to connections whose other side has vanished without a word.
///
/// `silence` is how long nothing may be acknowledged, neither what was written nor the probes of a
/// connection on which nothing is said. The system counts a reader that keeps its window shut as
/// gone, too.
///
/// # Errors
/// What the system says.
pub fn tune(stream: &TcpStream, silence: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // Several probes within that time: one that is lost ends nothing. The system counts in seconds.
    let keepalive = TcpKeepalive::new()
        .with_time((silence / 2).max(SECOND))
        .with_interval((silence / 8).max(SECOND));
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(silence))?;
    socket.set_send_buffer_size(UNACKNOWLEDGED)?;
    socket.set_tcp_notsent_lowat(UNSENT)
}

/// How much the system takes over beyond what the other side has room for, in bytes. What it has
/// taken counts as delivered, and megabytes of it would be lost with a connection that breaks.
const UNSENT: u32 = 16 << 10;

/// How much the system holds of what the other side has not acknowledged, in bytes; it counts with its
/// own overhead, and takes no more than `net.core.wmem_max`. Enough for 10 MB a second to a partner at
/// a distance of 20 ms.
const UNACKNOWLEDGED: usize = 256 << 10;

const SECOND: Duration = Duration::from_secs(1);

type Addresses = Result<Vec<IpAddr>, LookupFault>;

async fn open(
    address: SocketAddr,
    limit: Duration,
    silence: Duration,
) -> Result<TcpStream, AttemptFault> {
    let connecting = async {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        let stream = socket.connect(address).await?;
        tune(&stream, silence)?;
        Ok(stream)
    };
    match tokio::time::timeout(limit, connecting).await {
        Ok(result) => result.map_err(|error: io::Error| AttemptFault::of(&error)),
        Err(_) => Err(AttemptFault::TimedOut),
    }
}

/// The same with the lookups and the way to connect given.
async fn connect_with<S, C>(
    target: &Target,
    ipv6: impl Future<Output = Addresses>,
    ipv4: impl Future<Output = Addresses>,
    anywhere: bool,
    (most, overall): (usize, Duration),
    attempt: impl Fn(SocketAddr) -> C,
) -> Result<(S, SocketAddr), ConnectFailure>
where
    S: Send + 'static,
    C: Future<Output = Result<S, AttemptFault>> + Send + 'static,
{
    let admit = move |address| if anywhere { None } else { special_use(address) };
    let mut race = Race::new(target.port, most, admit, attempt);
    let won = tokio::time::timeout(overall, race.run(ipv6, ipv4)).await;
    match won {
        Ok(Some(won)) => Ok(won),
        Ok(None) => Err(race.lost(target, false)),
        Err(_) => Err(race.lost(target, true)),
    }
}

#[cfg(test)]
mod tests;
