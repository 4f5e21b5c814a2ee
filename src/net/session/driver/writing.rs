//! What a driver writes: at once what the socket takes, and the rest when it takes more.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use super::{Driver, Side};
use crate::net::io::transport::{ANY_NUMBER, Progress, RECORD_BYTES, Wanted};
use crate::proto::stream::Machine;

/// So little may wait for the goodbye of TLS, in bytes: an error with its words, and the end of the stream.
const LAST: usize = 4 << 10;

impl<M: Machine + Send, S: Side> Driver<M, S> {
    /// Writes what the socket takes now. Most of the time that is everything, and to look at all else that may
    /// happen after each step of it would cost more than the steps.
    pub(super) async fn write_now(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            while !self.send_buffer.is_idle() {
                let wanted = Wanted {
                    write: self.send_buffer.unwritten(),
                    flush: true,
                    read: false,
                };
                match self.transport.poll_progress(cx, wanted, &mut |_| {}) {
                    Poll::Ready(Ok(progress)) => self.written(progress),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Writes everything.
    pub(super) async fn write_all(&mut self) -> io::Result<()> {
        while !self.send_buffer.is_idle() {
            let wanted = Wanted {
                write: self.send_buffer.unwritten(),
                flush: true,
                read: false,
            };
            let progress = self.transport.progress(wanted, |_| {}).await?;
            self.written(progress);
        }
        Ok(())
    }

    /// Writes what is left, and says under TLS that nothing comes after it: both in one piece, where that is little.
    pub(super) async fn write_last(&mut self) -> io::Result<()> {
        let left = self.send_buffer.unwritten();
        if (1..=LAST).contains(&left.len()) && left.len() == self.send_buffer.len() {
            let taken = self.transport.take_last(left)?;
            self.written(Progress::Written(taken));
        }
        if !self.send_buffer.is_empty() {
            self.write_all().await?;
        }
        self.transport.shutdown().await?;
        self.written(Progress::Flushed);
        Ok(())
    }

    /// Notes what has left.
    pub(super) fn written(&mut self, progress: Progress) {
        match progress {
            Progress::Written(count) => {
                self.send_buffer.written(count);
                self.noted.wrote(count);
                self.records_left = after(self.records_left, count);
            }
            Progress::Flushed => self.send_buffer.flushed(),
            Progress::Read | Progress::End => {}
        }
    }
}

/// How many records of TLS may still be sent after so many bytes.
pub(super) fn after(records_left: u32, bytes: usize) -> u32 {
    match records_left {
        ANY_NUMBER => ANY_NUMBER,
        some => {
            some.saturating_sub(u32::try_from(bytes.div_ceil(RECORD_BYTES)).unwrap_or(u32::MAX))
        }
    }
}
