//! A partner's stream: the shell around [`Inbound`].

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::admission::Admitted;
use super::dial;
use super::driver::{Command, Driver, Mailbox, Side, now};
use super::edge::{Edge, fresh_ids};
use super::journal::Journal;
use super::queue::{Consumer, Queue};
use super::registry::{Kind, Registered};
use super::tls::TlsFault;
use super::transport::Transport;
use crate::proto::auth::chain::TlsFacts;
use crate::proto::jid::Domain;
use crate::proto::stream::{Inbound, Output};

/// Serves a connection that a partner opened, to its end.
pub async fn serve(edge: Arc<Edge>, stream: TcpStream, address: SocketAddr, admitted: Admitted) {
    let Ok(ids) = fresh_ids() else {
        edge.ledger.count("no-randomness");
        return;
    };
    let mailbox = mpsc::unbounded_channel();
    let registered = edge.registry.register(Kind::Inbound, mailbox.0.clone());
    let ledger = Arc::clone(&edge.ledger);
    let quiet = Arc::clone(&edge.quiet);
    let journal = Journal::inbound(ledger, quiet, registered.id(), address);
    let machine = Inbound::new(edge.context(), ids, now());
    let context = edge.context.subscribe();
    let side = Receiving {
        edge,
        journal,
        admitted,
        registered,
    };
    let stall = side.edge.context().timing.establishment;
    let driver =
        Driver::new(Transport::Clear(stream), machine, side, mailbox, context).with_stall(stall);
    let ended = Box::pin(driver.run()).await;
    ended.side.journal.end(&ended.reason);
}

/// What becomes of a partner's stanzas and questions.
struct Receiving {
    edge: Arc<Edge>,
    journal: Journal,
    admitted: Admitted,
    registered: Registered,
}

impl Side for Receiving {
    async fn start_tls(
        &mut self,
        transport: Transport,
        local: &Domain,
        remote: &Domain,
    ) -> Result<(Transport, TlsFacts), TlsFault> {
        let minimum = self.edge.minimum_tls(remote);
        let config = self.edge.settings.load().tls.server(local, minimum);
        self.edge.turnstile.pass(transport.accept_tls(config)).await
    }

    async fn act(&mut self, output: Output, mailbox: &Mailbox) {
        match output {
            Output::Stanza(stanza) => self.edge.hub.from_partner(stanza).await,
            Output::Refused {
                reason,
                pair,
                answer,
            } => {
                self.journal
                    .stanza_refused(&reason, pair.as_deref(), answer.is_some());
                if let Some(answer) = answer {
                    self.edge.hub.answer(*answer);
                }
                if let Some(remote) = self.journal.remote() {
                    self.edge.hub.pace(remote).await;
                }
            }
            Output::Authenticated(pair) => {
                self.admitted.authenticated();
                let rules = &self.edge.context().rules;
                let limit = self.edge.settings.load().connection_limit;
                if let Err(reason) = self.registered.claim(&pair.remote, rules, limit) {
                    // A stream that has ended meanwhile needs no telling.
                    mailbox
                        .send(Command::End(Box::new(reason)))
                        .unwrap_or_default();
                }
            }
            Output::Record(record) => {
                let hub = &self.edge.hub;
                self.journal.record(record, |remote| hub.partner(remote));
            }
            Output::Ask(question) => {
                let (edge, mailbox) = (Arc::clone(&self.edge), mailbox.clone());
                tokio::spawn(async move {
                    // A stream that has ended meanwhile needs no answer, and must not go on asking:
                    // who comes and goes would keep everybody else's questions waiting.
                    tokio::select! {
                        () = mailbox.closed() => {}
                        answer = dial::ask(edge, question) => {
                            mailbox
                                .send(Command::Answer(Box::new(answer)))
                                .unwrap_or_default();
                        }
                    }
                });
            }
            Output::Send(_)
            | Output::StartTls { .. }
            | Output::Answered(_)
            | Output::LinkUp(_)
            | Output::Close(_) => {}
        }
    }

    fn queue(&self) -> Option<(Arc<Queue>, Consumer)> {
        None
    }
}
