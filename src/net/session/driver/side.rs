//! What each kind of stream does for its driver.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::SemaphorePermit;

use super::Unread;
use crate::net::io::tls::TlsFault;
use crate::net::io::transport::Transport;
use crate::net::live::mailbox::Mailbox;
use crate::net::relay::queue::{Consumer, Queue};
use crate::ops::receipts::Receipts;
use crate::proto::auth::chain::TlsFacts;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stream::Output;
use crate::proto::stream::acks::Found;

/// What a kind of stream does with the outputs that are not bytes.
pub trait Side: Send {
    /// Starts TLS on a connection whose every byte has been written.
    fn start_tls(
        &mut self,
        transport: Transport,
        local: &Domain,
        remote: &Domain,
    ) -> impl Future<Output = Result<(Transport, TlsFacts), TlsFault>> + Send;

    /// A place to judge the other side's certificate in.
    fn place(&self) -> impl Future<Output = Option<SemaphorePermit<'_>>> + Send {
        std::future::ready(None)
    }

    /// Acts on an output at `now`; waiting here slows this stream's reading, and nothing else.
    ///
    /// # Errors
    /// Why the stream is to end: a limit of the edge is reached.
    fn act(
        &mut self,
        output: Output,
        mailbox: &Mailbox,
        now: Instant,
    ) -> impl Future<Output = Result<(), Reason>> + Send;

    /// Where this stream takes stanzas from, once it is open.
    fn queue(&self) -> Option<(Arc<Queue>, Consumer)>;

    /// What is known of what the other side has not read, where what it would not read soon is left in the
    /// queue.
    fn unread(&mut self) -> Option<&mut Unread> {
        None
    }

    /// Acknowledgements are agreed on: what comes from here on is acknowledged when it is settled.
    /// `id` is what the session may be resumed by on another connection, if it may.
    fn acks_begun(&mut self, _id: Option<String>, _mailbox: &Mailbox) {}

    /// The other side wants to go on with a session, and has taken on `h` of its stanzas.
    fn sought(&mut self, _id: &str, _h: u32) -> impl Future<Output = Option<Found>> + Send {
        std::future::ready(None)
    }

    /// The other side was asked to go on with a session of ours, and has answered: where it says so, it has
    /// taken on the first `h` of its stanzas.
    fn goes_on(&mut self, _h: Option<u32>) {}

    /// Which of the stanzas that came are settled, where that is acknowledged.
    fn receipts(&self) -> Option<Arc<Receipts>> {
        None
    }

    /// Whether the stream lives on when the edge stops and all is settled that came before, until it is
    /// told to end.
    fn outlives_its_account(&self) -> bool {
        false
    }

    /// Whether what is written is expected to be acknowledged, where that is not agreed on yet.
    fn expects_acks(&self) -> bool {
        false
    }

    /// Whether what a peer that has closed would still be written is for other connections, but for what
    /// is begun.
    fn spares_who_has_closed(&self) -> bool {
        false
    }
}
