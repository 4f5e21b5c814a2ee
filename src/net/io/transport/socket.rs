//! TCP whose writes stay apart in the system, so that what it takes over has a bound.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::net::{SendAncillaryBuffer, SendFlags, send, sendmsg};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// A TCP connection.
///
/// Linux asks whether too much is unsent (`TCP_NOTSENT_LOWAT`) only where it begins a new buffer, and a
/// last buffer that has room takes up to 64 KiB more unasked. A write that is marked as the end of a record
/// (`MSG_EOR`) closes its buffer, and the next one is asked. The mark is not seen on the wire.
#[derive(Debug)]
pub struct Socket(TcpStream);

const FLAGS: SendFlags = SendFlags::EOR.union(SendFlags::NOSIGNAL);

impl Socket {
    /// A connection that is there.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        Self(stream)
    }

    /// The connection below.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        &self.0
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_io(Interest::WRITABLE, || send(&self.0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |tcp| Ok(send(tcp, bytes, FLAGS)?))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, |tcp| {
            let mut nothing = SendAncillaryBuffer::default();
            Ok(sendmsg(tcp, slices, &mut nothing, FLAGS)?)
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::net::io::connect::tune;
    use crate::net::io::transport::WRITE_BYTES;

    /// Of which the system has taken over so much, in pieces as the edge writes them, while nobody reads.
    #[tokio::test]
    async fn nobody_reads_and_the_system_takes_no_more_than_it_was_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (ours, mut theirs) = (ours.unwrap(), theirs.unwrap().0);
        tune(&ours, Duration::from_secs(60)).unwrap();
        let mut socket = Socket::new(ours);
        let piece = [b'x'; WRITE_BYTES];
        let mut taken = 0;
        while let Ok(written) =
            tokio::time::timeout(Duration::from_millis(200), socket.write(&piece)).await
        {
            taken += written.unwrap();
        }
        let unsent = taken - received(&theirs);
        // As the documentation has it: what it was told, and a piece.
        assert!((1 << 10..=36 << 10).contains(&unsent), "{unsent}");
        // Whoever reads again gets all of it, and there is room again.
        let reading = async {
            let mut all = vec![0; taken + piece.len()];
            theirs.read_exact(&mut all).await.unwrap();
            assert!(all.iter().all(|byte| *byte == b'x'));
        };
        let (written, ()) = tokio::join!(socket.write_all(&piece), reading);
        written.unwrap();
    }

    fn received(stream: &TcpStream) -> usize {
        let waiting = rustix::io::ioctl_fionread(stream).unwrap();
        usize::try_from(waiting).unwrap()
    }
}
