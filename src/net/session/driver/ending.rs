//! The last that a driver does: what is written still gets out, and what is not is left to others.

use tokio::time::{timeout, timeout_at};

use super::{Driver, Ended, GOODBYE, SHORT_GOODBYE, Side, count_out};
use crate::net::io::clock;
use crate::net::io::transport::{Progress, Wanted};
use crate::proto::policy::Reason;
use crate::proto::stream::Machine;

impl<M: Machine + Send, S: Side> Driver<M, S> {
    /// Says the last word to a peer that has proven nothing; no longer than the machine waits for it.
    pub(super) async fn shut_write(&mut self) {
        let deadline = self
            .machine
            .deadline()
            .unwrap_or_else(clock::instant)
            .into();
        let last = async {
            self.write_all().await?;
            self.transport.shutdown().await
        };
        if let Ok(Err(error)) | Err(error) = timeout_at(deadline, last)
            .await
            .map_err(std::io::Error::from)
        {
            tracing::trace!(%error, "the last word did not get through");
        }
    }

    pub(super) async fn write_all(&mut self) -> std::io::Result<()> {
        while !self.send_buffer.is_idle() {
            let wanted = Wanted {
                write: self.send_buffer.unwritten(),
                flush: true,
                read: false,
            };
            match self.transport.progress(wanted, |_| {}).await? {
                Progress::Written(count) => {
                    self.send_buffer.written(count);
                    count_out(self.facts.as_deref(), count);
                }
                Progress::Flushed => self.send_buffer.flushed(),
                Progress::Read | Progress::End => {}
            }
        }
        Ok(())
    }

    /// Writes what is left and closes; a dead connection is not mourned for long.
    pub(super) async fn goodbye(&mut self, reason: &Reason) {
        let mailbox = self.mailbox.0.clone();
        // RFC 6120 §4.4 lets it read on, but many components do not.
        if matches!(reason, Reason::PeerClosed) && self.side.spares_who_has_closed() {
            self.spared = self.send_buffer.take_back();
        }
        let farewell = async {
            // Nothing more gets through it.
            if matches!(reason, Reason::Transport(_)) {
                return Err(std::io::ErrorKind::NotConnected.into());
            }
            self.write_all().await?;
            self.transport.shutdown().await
        };
        let farewell = async {
            tokio::select! {
                () = mailbox.aborted() => Err(std::io::ErrorKind::ConnectionAborted.into()),
                done = farewell => done,
            }
        };
        let patience = match reason {
            // Whoever takes its session over waits for the end of it.
            Reason::Replaced => SHORT_GOODBYE,
            _ => GOODBYE,
        };
        if let Ok(Err(error)) | Err(error) = timeout(patience, farewell)
            .await
            .map_err(std::io::Error::from)
        {
            tracing::trace!(%error, "the connection ended without a goodbye");
        }
    }

    pub(super) async fn ended(mut self, reason: Reason) -> Ended<S> {
        self.note_what_has_left(&reason).await;
        let mut left = self.send_buffer.leftovers();
        left.untouched.extend(self.spared);
        Ended {
            reason,
            suspended: self.machine.suspended(),
            asked: self.machine.asked().cloned(),
            side: self.side,
            left,
        }
    }

    /// Whoever reads too slowly for a goodbye still gets what the socket has taken: that is delivered,
    /// and only the rest is not.
    async fn note_what_has_left(&mut self, reason: &Reason) {
        if matches!(reason, Reason::Transport(_)) {
            return;
        }
        let flush = Wanted {
            write: &[],
            flush: true,
            read: false,
        };
        tokio::select! {
            biased;
            progress = self.transport.progress(flush, |_| {}) => {
                if let Ok(Progress::Flushed) = progress {
                    self.send_buffer.flushed();
                }
            }
            () = std::future::ready(()) => {}
        }
    }
}
