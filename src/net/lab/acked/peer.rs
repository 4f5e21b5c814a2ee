//! A gateway, or a partner's server, that acknowledges and resumes as XEP-0198 has it. It lives on when
//! its connections end.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::super::script::{LOCALS, PARTNERS, Reading, SECRET, attribute, header};
use crate::net::io::transport::memory::End;
use crate::proto::auth::handshake::digest;

pub(super) const SM: &str = "xmlns='urn:xmpp:sm:3'";

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A partner's server, with its stream to a local domain.
    Partner(usize, usize),
    /// The gateway of a local domain.
    Gateway(usize),
}

/// What all of them see together.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// What a gateway has acknowledged, or kept where it acknowledges nothing.
    pub(super) kept: BTreeSet<String>,
    /// What was acknowledged to its sender before a gateway had it.
    pub(super) early: BTreeSet<String>,
    /// What may come twice: nobody could know whether it had come.
    pub(super) may_come_twice: BTreeSet<String>,
    /// What the edge wrote where its pair was not proven.
    pub(super) unproven: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) role: Role,
    /// Whether it acknowledges; the others it sends to.
    pub(super) acks: bool,
    /// Whether what it sends is to be in the hands of a gateway that acknowledges.
    pub(super) is_strict: bool,
    /// How long it takes to answer a request.
    pub(super) late: Duration,
    board: Arc<Mutex<Board>>,
    state: Mutex<State>,
    more: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// What is to be written, and what is written and not acknowledged, with ids.
    unwritten: VecDeque<(String, String)>,
    unacknowledged: VecDeque<(String, String)>,
    /// Everything that came, in its order.
    came: Vec<String>,
    /// What of that is not acknowledged by us.
    heard: Vec<String>,
    session: Option<String>,
    /// How many of ours the edge has, and how many of its we have, in this session.
    h_of_edge: u32,
    h: u32,
    /// Only the newest connection counts.
    connection: u64,
    resumed: usize,
}

impl Peer {
    pub(super) fn new(role: Role, board: &Arc<Mutex<Board>>) -> Self {
        Self {
            role,
            acks: true,
            is_strict: true,
            late: Duration::ZERO,
            board: Arc::clone(board),
            state: Mutex::default(),
            more: Notify::new(),
        }
    }

    /// Says something on the next connection, or on this one.
    pub(super) fn say(&self, id: String, stanza: String) {
        self.lock().unwritten.push_back((id, stanza));
        self.more.notify_one();
    }

    /// How much it has to say still.
    pub(super) fn unsaid(&self) -> usize {
        let state = self.lock();
        state.unwritten.len() + state.unacknowledged.len()
    }

    /// Whether the edge has not acknowledged this to it, or was never told it.
    pub(super) fn has_unsaid(&self, id: &str) -> bool {
        let state = self.lock();
        let mut unsaid = state.unwritten.iter().chain(&state.unacknowledged);
        unsaid.any(|(other, _)| other == id)
    }

    /// Everything that came, in its order.
    pub(super) fn came(&self) -> Vec<String> {
        self.lock().came.clone()
    }

    /// How often it has resumed.
    pub(super) fn resumed(&self) -> usize {
        self.lock().resumed
    }

    /// It dies, and forgets what it has not acknowledged; what it has to say is on its disk.
    pub(super) fn dies(&self) {
        let mut state = self.lock();
        state.connection += 1;
        let forgotten = std::mem::take(&mut state.heard).len();
        if self.acks {
            let left = state.came.len() - forgotten;
            state.came.truncate(left);
        }
        self.anew(&mut state);
    }

    /// It will not resume its session; what it has to say is said again.
    pub(super) fn begins_anew(&self) {
        let mut state = self.lock();
        state.connection += 1;
        self.anew(&mut state);
    }

    /// Lives on this connection until it ends, or a newer one begins.
    pub(super) async fn lives(self: Arc<Self>, end: End) {
        let number = {
            let mut state = self.lock();
            state.connection += 1;
            state.connection
        };
        let (source, mut sink) = split(end);
        let mut reading = Reading::new(source);
        if self.prove(&mut reading, &mut sink).await.is_none() || !self.is_newest(number) {
            return;
        }
        if self.acks && self.agree(&mut reading, &mut sink, number).await.is_none() {
            return;
        }
        if !self.acks {
            self.anew(&mut self.lock());
        }
        self.talk(reading, sink, number).await.unwrap_or_default();
    }

    async fn prove(
        &self,
        reading: &mut Reading<ReadHalf<End>>,
        sink: &mut WriteHalf<End>,
    ) -> Option<()> {
        let opening = match self.role {
            Role::Gateway(local) => {
                let version = if self.acks { " version='1.0'" } else { "" };
                let to = format!("to='{}'{version}", LOCALS[local]);
                header("jabber:component:accept", &to)
            }
            Role::Partner(partner, local) => {
                let (from, to) = (PARTNERS[partner], LOCALS[local]);
                let names = format!("from='{from}' to='{to}' version='1.0'");
                header("jabber:server", &names)
            }
        };
        sink.write_all(opening.as_bytes()).await.ok()?;
        loop {
            let element = reading.next().await?;
            let answer = match self.role {
                Role::Gateway(_) if element.starts_with("<stream:stream") => {
                    let proof = digest(attribute(&element, "id")?, SECRET);
                    format!("<handshake>{proof}</handshake>")
                }
                Role::Gateway(_) if element.starts_with("<handshake") => {
                    if self.acks {
                        reading.next().await?;
                    }
                    return Some(());
                }
                Role::Partner(partner, local) if element.starts_with("<stream:features") => {
                    let (from, to) = (PARTNERS[partner], LOCALS[local]);
                    format!("<db:result from='{from}' to='{to}'>key</db:result>")
                }
                Role::Partner(..) if element.starts_with("<db:result") => {
                    return (attribute(&element, "type") == Some("valid")).then_some(());
                }
                _ => continue,
            };
            sink.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    /// Resumes the session if there is one, else begins one.
    async fn agree(
        &self,
        reading: &mut Reading<ReadHalf<End>>,
        sink: &mut WriteHalf<End>,
        number: u64,
    ) -> Option<()> {
        let session = self.lock().session.clone();
        if let Some(id) = session {
            let (h, heard) = {
                let mut state = self.lock();
                (state.h, self.keep(&mut state))
            };
            let resume = format!("<resume {SM} previd='{id}' h='{h}'/>");
            sink.write_all(resume.as_bytes()).await.ok()?;
            let element = reading.next().await?;
            if element.starts_with("<resumed") {
                let mut state = self.current(number)?;
                self.acknowledged(&mut state, attribute(&element, "h")?.parse().ok()?);
                let again: Vec<_> = state.unacknowledged.drain(..).rev().collect();
                again
                    .into_iter()
                    .for_each(|it| state.unwritten.push_front(it));
                state.resumed += 1;
                return Some(());
            }
            self.board().may_come_twice.extend(heard);
        }
        sink.write_all(format!("<enable {SM} resume='true'/>").as_bytes())
            .await
            .ok()?;
        let element = reading.next().await?;
        let mut state = self.current(number)?;
        self.anew(&mut state);
        state.session = attribute(&element, "id").map(str::to_owned);
        Some(())
    }

    async fn talk(
        &self,
        mut reading: Reading<ReadHalf<End>>,
        mut sink: WriteHalf<End>,
        number: u64,
    ) -> Option<()> {
        let mut answer_at = None;
        loop {
            while let Some((_, stanza)) = self.next_to_write(number)? {
                sink.write_all(stanza.as_bytes()).await.ok()?;
            }
            let due = answer_at.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                element = reading.next() => {
                    let element = element?;
                    let mut state = self.current(number)?;
                    if element.starts_with("<message") {
                        let id = attribute(&element, "id")?;
                        let is_error = attribute(&element, "type") == Some("error");
                        let id = if is_error { format!("e{id}") } else { id.to_owned() };
                        state.h = state.h.wrapping_add(1);
                        state.came.push(id.clone());
                        state.heard.push(id);
                        if !self.acks {
                            self.keep(&mut state);
                        }
                    } else if element.starts_with("<r ") {
                        answer_at.get_or_insert_with(|| Instant::now() + self.late);
                    } else if element.starts_with("<a ") {
                        self.acknowledged(&mut state, attribute(&element, "h")?.parse().ok()?);
                    } else if element.starts_with("<stream:error") || element.starts_with("</") {
                        return None;
                    }
                }
                () = self.more.notified() => {}
                () = sleep_until(due) => {
                    answer_at = None;
                    let (h, told) = {
                        let mut state = self.current(number)?;
                        (state.h, self.keep(&mut state))
                    };
                    let answer = format!("<a {SM} h='{h}'/>");
                    if sink.write_all(answer.as_bytes()).await.is_err() {
                        self.board().may_come_twice.extend(told);
                        return None;
                    }
                }
            }
        }
    }

    fn next_to_write(&self, number: u64) -> Option<Option<(String, String)>> {
        let mut state = self.current(number)?;
        let next = state.unwritten.pop_front();
        if self.acks {
            state.unacknowledged.extend(next.clone());
        }
        Some(next)
    }

    /// A new session: what the edge has not acknowledged is said again.
    fn anew(&self, state: &mut State) {
        let mut board = self.board();
        let again: Vec<_> = state.unacknowledged.drain(..).rev().collect();
        for it in again {
            board.may_come_twice.insert(it.0.clone());
            state.unwritten.push_front(it);
        }
        for id in state.heard.drain(..) {
            board.may_come_twice.insert(id.clone());
            board.kept.insert(id);
        }
        (state.h, state.h_of_edge, state.session) = (0, 0, None);
    }

    /// From here on what came is ours; returns what that is.
    fn keep(&self, state: &mut State) -> Vec<String> {
        let heard = std::mem::take(&mut state.heard);
        self.board().kept.extend(heard.iter().cloned());
        heard
    }

    fn acknowledged(&self, state: &mut State, h: u32) {
        let more = h.wrapping_sub(state.h_of_edge);
        state.h_of_edge = h;
        let mut board = self.board();
        for _ in 0..more {
            let first = state.unacknowledged.pop_front();
            let (id, _) = first.expect("no more is acknowledged than was sent");
            if self.is_strict && !board.kept.contains(&id) {
                board.early.insert(id);
            }
        }
    }

    fn is_newest(&self, number: u64) -> bool {
        self.lock().connection == number
    }

    fn current(&self, number: u64) -> Option<MutexGuard<'_, State>> {
        let state = self.lock();
        (state.connection == number).then_some(state)
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
