//! The last that a driver does: what is written still gets out, and what is not is left to others.

use std::time::Duration;

use tokio::time::{timeout, timeout_at};

use super::{Driver, Ended, GOODBYE, SHORT_GOODBYE, Side, now};
use crate::net::io::clock;
use crate::net::io::transport::{Progress, Wanted};
use crate::proto::policy::Reason;
use crate::proto::stream::{Input, Machine};

/// How long what is still on its way to us is read after our last word.
const AFTERMATH: Duration = Duration::from_secs(1);

impl<M: Machine + Send, S: Side> Driver<M, S> {
    /// The edge is stopping. What comes from here on is its sender's, where that keeps it until it is
    /// acknowledged; whoever acknowledges nothing hears at once that it is to send no more.
    pub(super) fn settle(&mut self) {
        self.is_settling = true;
        if let Some(receipts) = self.side.receipts() {
            receipts.close();
        }
        self.end_if_settled();
    }

    /// Ends a stream that was waiting for what it had taken on, so that its closing word covers that.
    pub(super) fn end_if_settled(&mut self) {
        let receipts = self.side.receipts();
        if !self.is_settling || receipts.is_some_and(|receipts| !receipts.is_settled()) {
            return;
        }
        if self.side.outlives_its_account() {
            self.mailbox.1.settled();
        } else {
            self.end(Reason::Shutdown);
        }
    }

    /// Ends the stream. What is settled by now is said: there is no later word.
    pub(super) fn end(&mut self, reason: Reason) {
        if let Some(receipts) = self.side.receipts() {
            let h = receipts.handled();
            self.machine.handle(now(), Input::Settled(h));
        }
        self.machine.handle(now(), Input::End(reason));
    }

    /// Says the last word to a peer that has proven nothing; no longer than the machine waits for it.
    pub(super) async fn shut_write(&mut self) {
        let deadline = self
            .machine
            .deadline()
            .unwrap_or_else(clock::instant)
            .into();
        if let Ok(Err(error)) | Err(error) = timeout_at(deadline, self.write_last())
            .await
            .map_err(std::io::Error::from)
        {
            tracing::trace!(%error, "the last word did not get through");
        }
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
            self.write_last().await?;
            self.read_on().await
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

    /// Reads what comes after our last word, and acts on none of it. RFC 9293 §3.6.1: a connection that is
    /// closed with something unread is reset, and so is one to which something comes afterwards; then what
    /// was written, and has not left this host, is gone.
    async fn read_on(&mut self) -> std::io::Result<()> {
        let has_carried =
            (self.noted.facts.as_ref()).is_some_and(|it| it.traffic.stanzas_out.get() > 0);
        if !has_carried && self.side.receipts().is_none() {
            return Ok(());
        }
        let wanted = Wanted {
            write: &[],
            flush: false,
            read: true,
        };
        let rest = async {
            while !matches!(
                self.transport.progress(wanted, |_| {}).await?,
                Progress::End
            ) {}
            Ok(())
        };
        // Whoever has not closed by then will not.
        timeout(AFTERMATH, rest).await.unwrap_or(Ok(()))
    }

    pub(super) fn ended(mut self, reason: Reason) -> Ended<S> {
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
    pub(super) async fn note_what_has_left(&mut self, reason: &Reason) {
        if self.send_buffer.is_idle() || matches!(reason, Reason::Transport(_)) {
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
