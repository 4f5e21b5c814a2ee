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
use crate::ops::events::Direction;
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
    let journal = Journal::new(ledger, registered.id(), Direction::Inbound, address, None);
    let machine = Inbound::new(edge.context(), ids, now());
    let context = edge.context.subscribe();
    let side = Receiving {
        edge,
        journal,
        admitted,
        registered,
    };
    let driver = Driver::new(Transport::Clear(stream), machine, side, mailbox, context);
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
        transport.accept_tls(config).await
    }

    async fn act(&mut self, output: Output, mailbox: &Mailbox) {
        match output {
            Output::Stanza(stanza) => self.edge.hub.from_partner(stanza).await,
            Output::Refused { reason, answer } => {
                let hub = &self.edge.hub;
                let is_due = |partner: &Domain| hub.is_line_due(partner, &reason);
                self.journal
                    .stanza_refused(&reason, answer.is_some(), is_due);
                if let Some(answer) = answer {
                    self.edge.hub.answer(*answer);
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
                self.journal.record(record, |remote| hub.partner_of(remote));
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
