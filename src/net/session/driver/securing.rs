//! TLS begins on a connection.

use tokio::time::timeout_at;

use super::{Driver, Side, now};
use crate::net::io::clock;
use crate::net::io::tls::TlsFault;
use crate::net::io::transport::Transport;
use crate::net::live::facts::TlsSession;
use crate::proto::jid::Domain;
use crate::proto::policy::Reason;
use crate::proto::stream::{Input, Machine};

impl<M: Machine + Send, S: Side> Driver<M, S> {
    pub(super) async fn start_tls(&mut self, local: Domain, remote: Domain) -> Result<(), Reason> {
        let deadline = self
            .machine
            .deadline()
            .unwrap_or_else(clock::instant)
            .into();
        match timeout_at(deadline, self.write_all()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(&TlsFault::of(&error))),
            Err(_) => return Err(failed(&TlsFault::TimedOut)),
        }
        // The handshake consumes the connection; a failed one leaves none.
        let clear = std::mem::replace(&mut self.transport, Transport::Gone);
        let upgrade = timeout_at(deadline, self.side.start_tls(clear, &local, &remote));
        let outcome = tokio::select! {
            outcome = upgrade => outcome.unwrap_or(Err(TlsFault::TimedOut)),
            // A peer that stalls here must not make the edge's own stop wait.
            reason = self.mailbox.1.end() => return Err(reason),
        };
        let (transport, facts) = outcome.map_err(|fault| failed(&fault))?;
        self.transport = transport;
        self.records_left = self.transport.most_records();
        // Judging a hostile chain costs as much as a handshake, and is bounded with them.
        let place = self.side.place().await;
        if let Some(known) = &self.noted.facts {
            known.secured(TlsSession::of(&facts, self.transport.cipher()));
        }
        self.machine.handle(now(), Input::TlsUp(facts));
        drop(place);
        Ok(())
    }
}

fn failed(fault: &TlsFault) -> Reason {
    Reason::TlsFailed {
        code: fault.code(),
        detail: fault.to_string(),
    }
}
