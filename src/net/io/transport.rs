//! A connection, in the clear or under TLS, that is read and written by one task.

#[cfg(test)]
pub mod memory;
mod metered;
mod socket;
mod window;

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig, SupportedCipherSuite};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use self::metered::Metered;
use crate::net::io::tls::{self, TlsFault};
use crate::proto::auth::chain::TlsFacts;

pub use self::metered::HandshakeTooLong;
pub use self::socket::Socket;
pub use self::window::Window;

/// One connection.
#[derive(Debug)]
pub enum Transport {
    /// As TCP carries it.
    Clear(Socket),
    /// Under TLS.
    Tls(Box<TlsStream<Metered>>),
    /// Lost in a handshake that failed.
    Gone,
    /// In the memory of a test.
    #[cfg(test)]
    Memory(memory::End),
}

/// What a connection did.
#[derive(Debug)]
pub enum Progress {
    /// Something was read.
    Read,
    /// The other side will send no more.
    End,
    /// This many bytes were taken over for writing.
    Written(usize),
    /// Everything written has left.
    Flushed,
}

/// What is wanted of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Bytes to write.
    pub write: &'a [u8],
    /// Whether what was written is to be flushed.
    pub flush: bool,
    /// Whether there is room for what the other side says.
    pub read: bool,
}

/// As many records as there are.
pub const ANY_NUMBER: u32 = u32::MAX;
/// The longest record of TLS, in bytes (RFC 8446 §5.1, RFC 5246 §6.2.1).
pub const RECORD_BYTES: usize = 16 << 10;
/// How much is read at once.
pub const READ_BYTES: usize = 16 << 10;
/// How much is written at once: what the system is asked to take over comes on top of what it has. A batch whose last
/// stanza is no longer than 4 KiB leaves in one piece, and so does a stanza of 16 KiB.
const WRITE_BYTES: usize = 20 << 10;

impl Transport {
    /// The address of ours that it is from, where it is a connection in the clear.
    #[must_use]
    pub fn here(&self) -> Option<IpAddr> {
        match self {
            Self::Clear(stream) => Some(stream.tcp().local_addr().ok()?.ip()),
            _ => None,
        }
    }

    /// What the system knows of the way to the other side, where it tells.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        match self {
            Self::Clear(stream) => window::look(stream.tcp()),
            Self::Tls(stream) => window::look(stream.get_ref().0.tcp()),
            _ => None,
        }
    }

    /// How many records may be sent before the key is agreed anew; [`ANY_NUMBER`] of them, where that needs no new connection:
    /// TLS 1.3 does it by itself. In TLS 1.2 the library says for how many a key is good, swallows what comes after them, and
    /// calls it written. Half of them leave room for a goodbye.
    #[must_use]
    pub fn most_records(&self) -> u32 {
        let suite = match self {
            Self::Tls(stream) => stream.get_ref().1.negotiated_cipher_suite(),
            _ => None,
        };
        let Some(SupportedCipherSuite::Tls12(suite)) = suite else {
            return ANY_NUMBER;
        };
        u32::try_from(suite.common.confidentiality_limit / 2).unwrap_or(ANY_NUMBER)
    }

    /// Resolves with the first thing that happens; loses nothing if it is dropped.
    ///
    /// What is read goes to `sink` at once, so a quiet connection holds no buffer.
    pub async fn progress(
        &mut self,
        wanted: Wanted<'_>,
        mut sink: impl FnMut(&[u8]),
    ) -> io::Result<Progress> {
        poll_fn(|cx| self.poll_progress(cx, wanted, &mut sink)).await
    }

    /// The first thing that happens.
    pub fn poll_progress(
        &mut self,
        cx: &mut Context<'_>,
        wanted: Wanted<'_>,
        sink: &mut impl FnMut(&[u8]),
    ) -> Poll<io::Result<Progress>> {
        if !wanted.write.is_empty() {
            let piece = wanted.write.get(..WRITE_BYTES).unwrap_or(wanted.write);
            if let Poll::Ready(done) = self.poll_write(cx, piece) {
                return Poll::Ready(match done? {
                    0 => Err(io::ErrorKind::WriteZero.into()),
                    written => Ok(Progress::Written(written)),
                });
            }
        } else if wanted.flush
            && let Poll::Ready(done) = self.poll_flush(cx)
        {
            return Poll::Ready(done.map(|()| Progress::Flushed));
        }
        if !wanted.read {
            return Poll::Pending;
        }
        let mut scratch = [MaybeUninit::<u8>::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut scratch);
        ready!(self.poll_read(cx, &mut buffer))?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Ok(Progress::End));
        }
        sink(buffer.filled());
        Poll::Ready(Ok(Progress::Read))
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(test)]
            Self::Memory(end) => Pin::new(end).poll_read(cx, buffer),
            Self::Gone => Poll::Ready(gone()),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Clear(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(test)]
            Self::Memory(end) => Pin::new(end).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(gone()),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(test)]
            Self::Memory(end) => Pin::new(end).poll_flush(cx),
            Self::Gone => Poll::Ready(gone()),
        }
    }

    /// Takes over the last bytes as far as they fit, so that they leave in one piece with what [`Transport::shutdown`]
    /// says under TLS; returns how many. In the clear there is nothing to wait for, and it takes none.
    pub fn take_last(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tls(stream) => match &mut **stream {
                TlsStream::Server(stream) => stream.get_mut().1.writer().write(bytes),
                TlsStream::Client(stream) => stream.get_mut().1.writer().write(bytes),
            },
            _ => Ok(0),
        }
    }

    /// Says goodbye: `close_notify` under TLS, then FIN.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
            #[cfg(test)]
            Self::Memory(end) => end.shutdown().await,
            Self::Gone => gone(),
        }
    }

    /// Starts TLS as the receiving side, with a handshake of so many bytes at most.
    ///
    /// # Errors
    /// [`TlsFault`] names what the handshake broke on.
    pub async fn accept_tls(
        self,
        config: Arc<ServerConfig>,
        handshake_bytes: usize,
    ) -> Result<(Self, TlsFacts), TlsFault> {
        let stream = self.into_clear()?;
        let mut stream = TlsAcceptor::from(config)
            .accept(Metered::new(stream, handshake_bytes))
            .await
            .map_err(|error| TlsFault::of(&error))?;
        stream.get_mut().0.free();
        let facts = tls::facts(stream.get_ref().1).ok_or(TlsFault::Closed)?;
        Ok((Self::Tls(Box::new(TlsStream::Server(stream))), facts))
    }

    /// Starts TLS as the initiating side, with a handshake of so many bytes at most.
    ///
    /// # Errors
    /// [`TlsFault`] names what the handshake broke on.
    pub async fn connect_tls(
        self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        handshake_bytes: usize,
    ) -> Result<(Self, TlsFacts), TlsFault> {
        let stream = self.into_clear()?;
        let mut stream = TlsConnector::from(config)
            .connect(name, Metered::new(stream, handshake_bytes))
            .await
            .map_err(|error| TlsFault::of(&error))?;
        stream.get_mut().0.free();
        let facts = tls::facts(stream.get_ref().1).ok_or(TlsFault::Closed)?;
        Ok((Self::Tls(Box::new(TlsStream::Client(stream))), facts))
    }

    /// The cipher suite agreed, as IANA names it; empty without TLS.
    #[must_use]
    pub fn cipher(&self) -> String {
        let suite = match self {
            Self::Tls(stream) => stream.get_ref().1.negotiated_cipher_suite(),
            _ => None,
        };
        let name = suite.and_then(|suite| suite.suite().as_str());
        // The library writes 1.3's as `TLS13_…`.
        name.unwrap_or_default().replacen("TLS13_", "TLS_", 1)
    }

    fn into_clear(self) -> Result<Socket, TlsFault> {
        match self {
            Self::Clear(stream) => Ok(stream),
            _ => Err(TlsFault::Closed),
        }
    }
}

fn gone<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotConnected.into())
}
