//! A connection from which only so much may be read until a handshake is done.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::socket::Socket;

/// TCP with a meter, which runs until it is taken away.
#[derive(Debug)]
pub struct Metered {
    stream: Socket,
    left: Option<usize>,
}

/// More was read than a handshake may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handshake is longer than `handshake-bytes` allows")]
pub struct HandshakeTooLong;

impl Metered {
    /// `limit`: the most bytes of a handshake, certificates included.
    pub(super) fn new(stream: Socket, limit: usize) -> Self {
        Self {
            stream,
            left: Some(limit),
        }
    }

    /// The connection below.
    pub(super) fn tcp(&self) -> &TcpStream {
        self.stream.tcp()
    }

    /// The handshake is done: from here on others count.
    pub(super) fn free(&mut self) {
        self.left = None;
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == Some(0) {
            return Poll::Ready(Err(io::Error::other(HandshakeTooLong)));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        self.left = self.left.map(|left| left.saturating_sub(read));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const LIMIT: usize = 32 << 10;

    /// What a peer sends, read as in a handshake (and after it) to the end: how many bytes came,
    /// and whether that was all.
    async fn read(sent: usize, is_handshake: bool) -> (usize, io::Result<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let sending = async move {
            // The edge may hang up before it has read everything.
            peer.write_all(&vec![0; sent]).await.ok();
        };
        let reading = async move {
            let mut metered = Metered::new(Socket::new(stream), LIMIT);
            if !is_handshake {
                metered.free();
            }
            let (mut buffer, mut read) = ([0; 1024], 0);
            loop {
                match metered.read(&mut buffer).await {
                    Ok(0) => return (read, Ok(())),
                    Ok(more) => read += more,
                    Err(error) => return (read, Err(error)),
                }
            }
        };
        tokio::join!(sending, reading).1
    }

    #[tokio::test]
    async fn a_handshake_has_so_many_bytes_and_no_more() {
        let (got, end) = read(LIMIT - 1, true).await;
        assert_eq!(got, LIMIT - 1);
        end.unwrap();
        let (got, end) = read(4 * LIMIT, true).await;
        assert_eq!(got, LIMIT);
        let error = end.unwrap_err();
        assert!(error.get_ref().unwrap().is::<HandshakeTooLong>());
        let (got, end) = read(4 * LIMIT, false).await;
        assert_eq!(got, 4 * LIMIT);
        end.unwrap();
    }
}
