//! A partner's server as the edge's own streams find it: it acknowledges what comes, and lets the edge go on with
//! a session whose connection was lost (XEP-0198 §5). It lives on when its connections end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, WriteHalf, split};
use tokio::time::{Instant, sleep, sleep_until};

use super::super::script::{PARTNERS, Reading, attribute, header};
use super::hostile::Hostile;
use super::peer::{Board, SM};
use crate::net::io::transport::memory::End;

/// What it does with the edge's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net::lab) enum Habit {
    /// It keeps them.
    Resumes,
    /// It acknowledges, and keeps none.
    Forgets,
    /// The same, and other pairs may share a stream, or may not.
    Shares(bool),
    /// It acknowledges nothing, though it answers.
    TakesNothingOn,
    /// It is late, and closes each stream in order as soon as a pair is proven on it.
    ClosesAtOnce,
    /// It keeps to nothing.
    Hostile,
}

#[derive(Debug)]
pub(in crate::net::lab) struct Server {
    partner: usize,
    pub(super) habit: Habit,
    /// How long it takes to answer a request.
    late: Duration,
    board: Arc<Mutex<Board>>,
    state: Mutex<State>,
    /// Who takes each stream in its place, where it is hostile.
    pub(super) hostile: Option<Hostile>,
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<String, Session>,
    /// Everything that came, in its order.
    came: Vec<String>,
    connections: u64,
    begun: usize,
    resumed: usize,
    /// How many stanzas came of pairs that were not the first of their stream.
    shared: usize,
}

#[derive(Debug, Default)]
struct Session {
    h: u32,
    /// What came on it.
    came: Vec<String>,
    /// Only the newest connection counts.
    connection: u64,
}

impl Server {
    pub(super) fn new(
        partner: usize,
        habit: Habit,
        late: Duration,
        board: &Arc<Mutex<Board>>,
    ) -> Self {
        Self {
            partner,
            habit,
            late,
            board: Arc::clone(board),
            state: Mutex::default(),
            hostile: None,
        }
    }

    /// Everything that came, in its order.
    pub(super) fn came(&self) -> Vec<String> {
        self.lock().came.clone()
    }

    /// How often the edge has resumed.
    pub(super) fn resumed(&self) -> usize {
        self.lock().resumed
    }

    /// How many stanzas came of pairs that were not the first of their stream.
    pub(super) fn shared(&self) -> usize {
        self.lock().shared
    }

    /// It begins anew, and has no sessions any more: what came on them may come once more.
    pub(super) fn begins_anew(&self) {
        let sessions = std::mem::take(&mut self.lock().sessions);
        for session in sessions.into_values() {
            self.board().may_come_twice.extend(session.came);
        }
    }

    /// Takes a stream of the edge's.
    pub(in crate::net::lab) async fn lives(self: Arc<Self>, end: End) {
        if let Some(hostile) = &self.hostile {
            hostile.lives(end).await.unwrap_or_default();
            return;
        }
        let number = {
            let mut state = self.lock();
            state.connections += 1;
            state.connections
        };
        let mut session = None;
        if self.habit == Habit::ClosesAtOnce {
            sleep(self.late).await;
        }
        self.talk(end, number, &mut session)
            .await
            .unwrap_or_default();
        if self.habit != Habit::Resumes
            && let Some(id) = session
        {
            let over = self.lock().sessions.remove(&id);
            let came = over.unwrap_or_default().came;
            self.board().may_come_twice.extend(came);
        }
    }

    async fn talk(&self, end: End, number: u64, session: &mut Option<String>) -> Option<()> {
        let (source, mut sink) = split(end);
        let mut reading = Reading::new(source);
        let mut answer_at = None;
        let mut proven = Vec::new();
        loop {
            let due = answer_at.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                element = reading.next() => {
                    let element = element?;
                    if element.starts_with("<r ") {
                        answer_at.get_or_insert_with(|| Instant::now() + self.late);
                    } else if element == "</stream:stream>" {
                        self.acknowledge(&mut sink, session.as_deref(), number).await?;
                        // XEP-0198 §7: what is closed in order is over.
                        let over = session.take().and_then(|id| self.lock().sessions.remove(&id));
                        if self.habit != Habit::Resumes {
                            self.board().may_come_twice.extend(over.unwrap_or_default().came);
                        }
                        sink.write_all(b"</stream:stream>").await.ok()?;
                        while reading.next().await.is_some() {}
                        return None;
                    } else if element.starts_with("<message") {
                        let id = attribute(&element, "id")?;
                        // An error is no second coming of what it answers.
                        let is_error = attribute(&element, "type") == Some("error");
                        let id = if is_error { format!("e{id}") } else { id.to_owned() };
                        let (_, from) = attribute(&element, "from")?.split_once('@')?;
                        match proven.iter().position(|it| it == from) {
                            Some(0) => {}
                            Some(_) => self.lock().shared += 1,
                            None => drop(self.board().unproven.insert(id.clone())),
                        }
                        self.takes(&id, session.as_deref(), number)?;
                    } else if let Some(answer) = self.answers(&element, number, session, &mut proven) {
                        sink.write_all(answer.as_bytes()).await.ok()?;
                    }
                }
                () = sleep_until(due) => {
                    answer_at = None;
                    self.acknowledge(&mut sink, session.as_deref(), number).await?;
                }
            }
        }
    }

    /// What belongs to the beginning of a stream, or is a question.
    fn answers(
        &self,
        element: &str,
        number: u64,
        session: &mut Option<String>,
        proven: &mut Vec<String>,
    ) -> Option<String> {
        let from = PARTNERS[self.partner];
        let to = attribute(element, "from").unwrap_or_default();
        if element.starts_with("<stream:stream") {
            let names = format!("from='{from}' to='{to}' id='s1' version='1.0'");
            let errors = match self.habit {
                Habit::Shares(_) => "<errors/>",
                _ => "",
            };
            let features = format!(
                "<stream:features><dialback xmlns='urn:xmpp:features:dialback'>{errors}</dialback>\
                 <sm {SM}/></stream:features>"
            );
            return Some(header("jabber:server", &names) + &features);
        }
        if element.starts_with("<db:result")
            && self.habit == Habit::Shares(false)
            && !proven.is_empty()
        {
            return Some(format!(
                "<db:result from='{from}' to='{to}' type='error'><error type='cancel'>\
                 <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>"
            ));
        }
        if element.starts_with("<db:result") {
            proven.push(to.to_owned());
            if self.habit == Habit::ClosesAtOnce {
                return Some(format!(
                    "<db:result from='{from}' to='{to}' type='valid'/></stream:stream>"
                ));
            }
            return Some(format!("<db:result from='{from}' to='{to}' type='valid'/>"));
        }
        if element.starts_with("<db:verify") {
            let id = attribute(element, "id").unwrap_or_default();
            return Some(format!(
                "<db:verify from='{from}' to='{to}' id='{id}' type='valid'/>"
            ));
        }
        let mut state = self.lock();
        if element.starts_with("<enable ") {
            state.begun += 1;
            let id = format!("{}-{}", self.partner, state.begun);
            let begun = Session {
                connection: number,
                ..Session::default()
            };
            state.sessions.insert(id.clone(), begun);
            *session = Some(id.clone());
            return Some(match self.habit {
                Habit::Resumes => format!("<enabled {SM} id='{id}' resume='true' max='300'/>"),
                Habit::Forgets
                | Habit::Shares(_)
                | Habit::TakesNothingOn
                | Habit::ClosesAtOnce
                | Habit::Hostile => {
                    format!("<enabled {SM}/>")
                }
            });
        }
        if element.starts_with("<resume ") {
            let previd = attribute(element, "previd").unwrap_or_default();
            let Some(known) = state.sessions.get_mut(previd) else {
                return Some(format!("<failed {SM}/>"));
            };
            // Nothing but stanzas goes to us, so nothing of ours is in their `h`.
            assert_eq!(attribute(element, "h"), Some("0"), "{element}");
            known.connection = number;
            let h = known.h;
            state.resumed += 1;
            *session = Some(previd.to_owned());
            return Some(format!("<resumed {SM} previd='{previd}' h='{h}'/>"));
        }
        None
    }

    /// A stanza came; `None` where another connection has its session.
    fn takes(&self, id: &str, session: Option<&str>, number: u64) -> Option<()> {
        let mut state = self.lock();
        if let Some(session) = session {
            let session = state.sessions.get_mut(session)?;
            if session.connection != number {
                return None;
            }
            session.h = session.h.wrapping_add(1);
            session.came.push(id.to_owned());
        }
        state.came.push(id.to_owned());
        let mut board = self.board();
        board.kept.insert(id.to_owned());
        if self.habit != Habit::Resumes {
            board.may_come_twice.insert(id.to_owned());
        }
        Some(())
    }

    async fn acknowledge(
        &self,
        sink: &mut WriteHalf<End>,
        session: Option<&str>,
        number: u64,
    ) -> Option<()> {
        let Some(session) = session else {
            return Some(());
        };
        let h = {
            let state = self.lock();
            let session = state.sessions.get(session)?;
            (session.connection == number).then_some(session.h)?
        };
        let h = if self.habit == Habit::TakesNothingOn {
            0
        } else {
            h
        };
        let answer = format!("<a {SM} h='{h}'/>");
        sink.write_all(answer.as_bytes()).await.ok()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
