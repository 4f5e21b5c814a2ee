//! A connection in memory, for tests without sockets: it can be stalled and cut, and it keeps all that
//! was written.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proto::discover::Target;

/// What waits in one direction at most, in bytes: less than in a socket, so that more waits in the edge.
pub const CAPACITY: usize = 4 << 10;

/// One end of a connection. Dropped, it closes as a socket does: what it has not read is a reset.
#[derive(Debug)]
pub struct End {
    wire: Wire,
    side: Side,
}

/// A connection as a test sees it from above.
#[derive(Clone, Debug)]
pub struct Wire(Arc<Mutex<Ways>>);

/// Which end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The edge.
    Edge,
    /// Whoever talks with it.
    Other,
}

/// What went one way.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Every byte that was written.
    pub written: Vec<u8>,
    /// After which writes how many bytes there were: the number of the write among all of the test's.
    pub marks: Vec<(u64, usize)>,
    /// How many of them were read.
    pub read: usize,
}

#[derive(Debug, Default)]
struct Ways {
    from_edge: Way,
    from_other: Way,
    /// The connection was cut or reset: nobody can read or write any more.
    is_dead: bool,
    /// Nothing gets through, and nobody hears of it.
    is_stalled: bool,
    clock: Arc<Mutex<Clock>>,
}

/// What all connections of a test have in common: one order of what happens.
#[derive(Debug)]
pub struct Clock {
    /// How many writes there were.
    writes: u64,
    /// What waits in one direction at most, in bytes.
    capacity: usize,
    trap: Option<Trap>,
}

/// Something that is to happen in the middle of what happens.
struct Trap {
    /// After so many more reads and writes.
    after: u64,
    spring: Box<dyn FnOnce() + Send>,
}

#[derive(Debug, Default)]
struct Way {
    record: Record,
    buffer: VecDeque<u8>,
    /// No more will be written.
    is_shut: bool,
    /// Nobody reads any more.
    is_deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Who is there to be connected to.
pub trait Network: fmt::Debug + Send + Sync {
    /// Our end of a connection to a target, and its address; `None` if it refuses.
    fn dial(&self, target: &Target) -> Option<(End, SocketAddr)>;
}

/// A new connection: the edge's end, the other, and the view from above. Writes are numbered by `clock`.
#[must_use]
pub fn connection(clock: &Arc<Mutex<Clock>>) -> (End, End, Wire) {
    let wire = Wire(Arc::new(Mutex::new(Ways {
        clock: Arc::clone(clock),
        ..Ways::default()
    })));
    let end = |side| End {
        wire: wire.clone(),
        side,
    };
    (end(Side::Edge), end(Side::Other), wire)
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            writes: 0,
            capacity: CAPACITY,
            trap: None,
        }
    }
}

impl Clock {
    /// From here on every connection takes so few bytes at a time.
    pub fn narrow(&mut self, capacity: usize) {
        self.capacity = capacity;
    }

    /// Does something right after so many more reads and writes, on whichever connection; before anybody
    /// else can do anything.
    pub fn set_trap(&mut self, after: u64, spring: impl FnOnce() + Send + 'static) {
        self.trap = Some(Trap {
            after,
            spring: Box::new(spring),
        });
    }

    /// Nothing will happen.
    pub fn disarm(&mut self) {
        self.trap = None;
    }
}

impl fmt::Debug for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trap after {}", self.after)
    }
}

impl End {
    /// Something was read or written.
    fn has_moved(&self) {
        let clock = Arc::clone(&self.wire.lock().clock);
        let mut clock = clock.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trap) = &mut clock.trap {
            trap.after -= 1;
        }
        let sprung = clock.trap.take_if(|trap| trap.after == 0);
        drop(clock);
        if let Some(trap) = sprung {
            (trap.spring)();
        }
    }
}

impl Wire {
    /// Cuts it: both ends find an error at once, and what was on the way is lost.
    pub fn cut(&self) {
        self.lock().die();
    }

    /// Lets nothing through any more, without a word to either end; or all of it again.
    pub fn stall(&self, is_stalled: bool) {
        let mut ways = self.lock();
        ways.is_stalled = is_stalled;
        ways.wake();
    }

    /// Whether something may have been lost on it.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.lock().is_dead
    }

    /// Whether either end is gone, or has said that it is done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let ways = self.lock();
        let of = |way: &Way| way.is_shut || way.is_deaf;
        ways.is_dead || of(&ways.from_edge) || of(&ways.from_other)
    }

    /// What went the way that begins at this side.
    #[must_use]
    pub fn record(&self, from: Side) -> Record {
        let mut ways = self.lock();
        ways.from(from).record.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ways {
    fn from(&mut self, side: Side) -> &mut Way {
        match side {
            Side::Edge => &mut self.from_edge,
            Side::Other => &mut self.from_other,
        }
    }

    fn to(&mut self, side: Side) -> &mut Way {
        match side {
            Side::Edge => &mut self.from_other,
            Side::Other => &mut self.from_edge,
        }
    }

    fn die(&mut self) {
        self.is_dead = true;
        for way in [&mut self.from_edge, &mut self.from_other] {
            way.buffer.clear();
        }
        self.wake();
    }

    fn wake(&mut self) {
        for way in [&mut self.from_edge, &mut self.from_other] {
            let wakers = [way.reader.take(), way.writer.take()];
            wakers.into_iter().flatten().for_each(Waker::wake);
        }
    }
}

impl AsyncRead for End {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut ways = self.wire.lock();
        if ways.is_dead {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let is_stalled = ways.is_stalled;
        let way = ways.to(self.side);
        let count = way.buffer.len().min(buffer.remaining());
        if is_stalled || (count == 0 && !way.is_shut) {
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let (first, second) = way.buffer.as_slices();
        buffer.put_slice(&first[..count.min(first.len())]);
        buffer.put_slice(&second[..count.saturating_sub(first.len())]);
        way.buffer.drain(..count);
        way.record.read += count;
        if let Some(writer) = way.writer.take() {
            writer.wake();
        }
        drop(ways);
        self.has_moved();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut ways = self.wire.lock();
        if ways.is_dead || ways.from(self.side).is_deaf {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let (number, capacity) = {
            let mut clock = ways.clock.lock().unwrap_or_else(PoisonError::into_inner);
            clock.writes += 1;
            (clock.writes, clock.capacity)
        };
        let way = ways.from(self.side);
        let room = capacity.saturating_sub(way.buffer.len());
        let count = bytes.len().min(room);
        if count == 0 {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.buffer.extend(&bytes[..count]);
        way.record.written.extend_from_slice(&bytes[..count]);
        let end = way.record.written.len();
        way.record.marks.push((number, end));
        if let Some(reader) = way.reader.take() {
            reader.wake();
        }
        drop(ways);
        self.has_moved();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut ways = self.wire.lock();
        ways.from(self.side).is_shut = true;
        ways.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut ways = self.wire.lock();
        ways.from(self.side).is_shut = true;
        let heard = ways.to(self.side);
        heard.is_deaf = true;
        // RFC 9293 §3.6.1 (and Linux): closing with unread data resets the connection.
        if heard.buffer.is_empty() {
            ways.wake();
        } else {
            ways.die();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_connection_in_memory_closes_breaks_and_fills_as_a_socket_does() {
        let clock = Arc::default();
        let (mut edge, mut other, wire) = connection(&clock);
        edge.write_all(b"word").await.unwrap();
        drop(edge);
        let mut heard = String::new();
        other.read_to_string(&mut heard).await.unwrap();
        assert_eq!((heard.as_str(), wire.is_dead()), ("word", false));
        assert!(other.write_all(b"late").await.is_err());
        // Closed with something unread.
        let (edge, mut other, wire) = connection(&clock);
        other.write_all(b"unread").await.unwrap();
        drop(edge);
        assert!(wire.is_dead() && other.read_u8().await.is_err());
        assert_eq!(wire.record(Side::Other).read, 0);
        // Full.
        let (mut edge, mut other, wire) = connection(&clock);
        let too_much = vec![b'x'; CAPACITY + 1];
        tokio::select! {
            biased;
            _ = edge.write_all(&too_much) => panic!("it is full"),
            () = std::future::ready(()) => {}
        }
        wire.stall(true);
        tokio::select! {
            biased;
            _ = other.read_u8() => panic!("nothing gets through"),
            () = std::future::ready(()) => {}
        }
        wire.stall(false);
        assert_eq!(other.read_u8().await.unwrap(), b'x');
        wire.cut();
        assert!(other.read_u8().await.is_err());
        assert_eq!(wire.record(Side::Edge).read, 1);
    }
}
