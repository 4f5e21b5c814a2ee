//! A gateway, and a partner's server, on real sockets: they acknowledge and resume as XEP-0198 has it, die, and
//! come again, and they keep account of every stanza.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use xmpp_edge::proto::auth::handshake::digest;

use self::script::{Reading, attribute, header, message};

#[path = "../../../src/net/lab/script.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod script;

pub(super) const LOCAL: &str = "contoso.example";
pub(super) const REMOTE: &str = "fabrikam.example";
const SECRET: &str = "0123456789abcdef";
const SM: &str = "xmlns='urn:xmpp:sm:3'";
/// How many pairs of users write to each other.
const USERS: usize = 3;
/// The bytes of each message's text.
const BYTES: usize = 60;
/// Whoever has no connection tries again so soon.
const AGAIN: Duration = Duration::from_millis(50);
/// What was acknowledged so shortly before a connection was lost may not have got through.
const IN_FLIGHT: Duration = Duration::from_secs(2);

/// What a stage of gateway, sender and receiver stands on: where they run, and the edge's sockets for
/// partners and for gateways.
pub(super) fn ground(acks: bool) -> (Runtime, [std::net::TcpListener; 2], [Arc<Peer>; 3]) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let sockets = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let peers = [Role::Gateway, Role::Sender, Role::Receiver].map(|role| Peer::new(role, acks));
    (runtime, sockets, peers)
}

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It opens a link, and speaks both ways.
    Gateway,
    /// It opens a stream to the edge, and sends.
    Sender,
    /// It takes the edge's streams, and receives.
    Receiver,
}

/// How its connections end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct End {
    number: u64,
    /// It forgets what it has not acknowledged, and its sockets are reset.
    is_death: bool,
}

pub(super) struct Peer {
    role: Role,
    acks: bool,
    state: Mutex<State>,
    more: Notify,
    end: watch::Sender<End>,
    reads: watch::Sender<bool>,
}

/// What it has said and heard.
#[derive(Default)]
struct State {
    unwritten: VecDeque<String>,
    unacknowledged: VecDeque<String>,
    said: usize,
    /// Everything that came and was not forgotten, in its order.
    came: Vec<Came>,
    connections: usize,
    /// What came back as an error.
    refused: BTreeSet<String>,
    may_come_twice: BTreeSet<String>,
    resumed: usize,
    /// Until then it takes no connection.
    away: Option<Instant>,
}

/// One stanza that came.
#[derive(Clone, Debug)]
struct Came {
    id: String,
    at: Instant,
    /// On which of its connections.
    connection: usize,
}

/// One session, or one stream of another's.
struct Session {
    connection: usize,
    id: Option<String>,
    h: u32,
    h_of_edge: u32,
    /// What came and is not acknowledged, and what was acknowledged lately.
    heard: Vec<String>,
    told: VecDeque<(Instant, Vec<String>)>,
    read: Instant,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            connection: 0,
            id: None,
            h: 0,
            h_of_edge: 0,
            heard: Vec::new(),
            told: VecDeque::new(),
            read: Instant::now(),
        }
    }
}

type Half = Reading<ReadHalf<TcpStream>>;
type Sink = WriteHalf<TcpStream>;

impl Peer {
    pub(super) fn new(role: Role, acks: bool) -> Arc<Self> {
        Arc::new(Self {
            role,
            acks,
            state: Mutex::default(),
            more: Notify::new(),
            end: watch::Sender::default(),
            reads: watch::Sender::new(true),
        })
    }

    /// Says so many things more.
    pub(super) fn say(&self, count: usize) {
        let mut state = self.lock();
        for _ in 0..count {
            let id = format!("{}-{}", self.letter(), state.said);
            state.said += 1;
            state.unwritten.push_back(id);
        }
        drop(state);
        self.more.notify_one();
    }

    /// The ids of all that it was told to say.
    pub(super) fn said(&self) -> Vec<String> {
        let count = self.lock().said;
        let ids = (0..count).map(|number| format!("{}-{number}", self.letter()));
        ids.collect()
    }

    /// How much is not written, or not acknowledged.
    pub(super) fn unsaid(&self) -> usize {
        let state = self.lock();
        state.unwritten.len() + state.unacknowledged.len()
    }

    /// How much is not written.
    pub(super) fn unwritten(&self) -> usize {
        self.lock().unwritten.len()
    }

    /// Everything that came and was not forgotten, in its order.
    pub(super) fn came(&self) -> Vec<String> {
        let state = self.lock();
        state.came.iter().map(|came| came.id.clone()).collect()
    }

    pub(super) fn refused(&self) -> BTreeSet<String> {
        self.lock().refused.clone()
    }

    /// What of its own may come twice, and of what came to it.
    pub(super) fn may_come_twice(&self) -> BTreeSet<String> {
        self.lock().may_come_twice.clone()
    }

    pub(super) fn resumed(&self) -> usize {
        self.lock().resumed
    }

    /// It leaves its connections, as one that finds them dead; it lives on.
    pub(super) fn leaves(&self) {
        self.ends(false);
    }

    /// `kill -9`, and a start after this time.
    pub(super) fn dies(&self, away: Duration) {
        self.lock().away = Some(Instant::now() + away);
        self.ends(true);
    }

    /// Whether it reads.
    pub(super) fn reads(&self, reads: bool) {
        self.reads.send_replace(reads);
    }

    fn ends(&self, is_death: bool) {
        self.end.send_modify(|end| {
            end.number += 1;
            end.is_death = is_death;
        });
    }

    /// Connects to the edge for as long as the runtime lives.
    pub(super) async fn lives(self: Arc<Self>, edge: SocketAddr) {
        let mut end = self.end.subscribe();
        let mut session = Session::default();
        loop {
            let away = self.lock().away.take();
            if let Some(until) = away {
                sleep(until.saturating_duration_since(Instant::now())).await;
            }
            // Whoever has died meanwhile has died once.
            if end.has_changed().unwrap() && end.borrow_and_update().is_death {
                self.forgets(&mut session);
            }
            let connected = timeout(Duration::from_secs(5), TcpStream::connect(edge)).await;
            if let Ok(Ok(stream)) = connected {
                stream.set_nodelay(true).unwrap();
                self.talks(stream, &mut session, &mut end).await;
            }
            sleep(AGAIN).await;
        }
    }

    /// Takes the edge's streams for as long as the runtime lives.
    pub(super) async fn serves(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            if self.lock().away.is_some_and(|until| until > Instant::now()) {
                continue;
            }
            stream.set_nodelay(true).unwrap();
            let serving = Arc::clone(&self);
            tokio::spawn(async move {
                let mut end = serving.end.subscribe();
                end.mark_unchanged();
                let mut session = Session::default();
                serving.talks(stream, &mut session, &mut end).await;
                serving.doubts(&mut session);
            });
        }
    }

    async fn talks(
        &self,
        stream: TcpStream,
        session: &mut Session,
        end: &mut watch::Receiver<End>,
    ) {
        let connection = {
            let mut state = self.lock();
            state.connections += 1;
            state.connections
        };
        session.connection = connection;
        let handle = Socket::from(stream.as_fd().try_clone_to_owned().unwrap());
        let (source, mut sink) = split(stream);
        let mut reading = Reading::new(source);
        let talk = async {
            if self.role != Role::Receiver {
                self.prove(&mut reading, &mut sink).await?;
                if self.acks {
                    self.agree(&mut reading, &mut sink, session).await?;
                }
            }
            self.talk(&mut reading, &mut sink, session).await
        };
        let died = tokio::select! {
            _ = talk => false,
            _ = end.changed() => end.borrow_and_update().is_death,
        };
        if died {
            self.forgets(session);
            // What is left of a process that was killed: a reset.
            handle.set_linger(Some(Duration::ZERO)).unwrap();
        } else {
            // What is closed in order is read to its end.
            sink.shutdown().await.unwrap_or_default();
        }
    }

    async fn prove(&self, reading: &mut Half, sink: &mut Sink) -> Option<()> {
        let opening = match self.role {
            Role::Gateway => {
                let version = if self.acks { " version='1.0'" } else { "" };
                header("jabber:component:accept", &format!("to='{LOCAL}'{version}"))
            }
            _ => {
                let names = format!("from='{REMOTE}' to='{LOCAL}' version='1.0'");
                header("jabber:server", &names)
            }
        };
        sink.write_all(opening.as_bytes()).await.ok()?;
        loop {
            let element = reading.next().await?;
            let answer = if self.role == Role::Gateway {
                if element.starts_with("<stream:stream") {
                    let proof = digest(attribute(&element, "id")?, SECRET);
                    format!("<handshake>{proof}</handshake>")
                } else if element.starts_with("<handshake") {
                    if self.acks {
                        reading.next().await?;
                    }
                    return Some(());
                } else {
                    continue;
                }
            } else if element.starts_with("<stream:features") {
                format!("<db:result from='{REMOTE}' to='{LOCAL}'>key</db:result>")
            } else if element.starts_with("<db:result") {
                return (attribute(&element, "type") == Some("valid")).then_some(());
            } else {
                continue;
            };
            sink.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    /// Goes on with the session, or begins one.
    async fn agree(
        &self,
        reading: &mut Half,
        sink: &mut Sink,
        session: &mut Session,
    ) -> Option<()> {
        if let Some(id) = &session.id {
            let resume = format!("<resume {SM} previd='{id}' h='{}'/>", session.h);
            // From here on it is ours.
            let told = std::mem::take(&mut session.heard);
            session.told.push_back((Instant::now(), told));
            sink.write_all(resume.as_bytes()).await.ok()?;
            let element = reading.next().await?;
            session.read = Instant::now();
            if element.starts_with("<resumed") {
                self.acknowledged(session, attribute(&element, "h")?.parse().ok()?);
                self.says_again(false);
                self.lock().resumed += 1;
                return Some(());
            }
        }
        self.doubts(session);
        let enable = format!("<enable {SM} resume='true'/>");
        sink.write_all(enable.as_bytes()).await.ok()?;
        let element = reading.next().await?;
        self.says_again(true);
        session.id = attribute(&element, "id").map(str::to_owned);
        Some(())
    }

    async fn talk(&self, reading: &mut Half, sink: &mut Sink, session: &mut Session) -> Option<()> {
        let mut reads = self.reads.subscribe();
        loop {
            while let Some(stanza) = self.next_to_write() {
                sink.write_all(stanza.as_bytes()).await.ok()?;
            }
            let read = async {
                reads.wait_for(|reads| *reads).await.unwrap();
                reading.next().await
            };
            let element = tokio::select! {
                element = read => element?,
                () = self.more.notified(), if self.role != Role::Receiver => continue,
            };
            session.read = Instant::now();
            if let Some(answer) = self.takes(&element, session) {
                sink.write_all(answer.as_bytes()).await.ok()?;
            }
            if element.starts_with("</") {
                return None;
            }
        }
    }

    /// Takes what came; what is answered.
    fn takes(&self, element: &str, session: &mut Session) -> Option<String> {
        let name = element[1..].split([' ', '>', '/']).next()?;
        let get = |name| attribute(element, name).unwrap_or_default();
        let answer = match name {
            "message" => {
                session.h = session.h.wrapping_add(1);
                let id = get("id").to_owned();
                let mut state = self.lock();
                if get("type") == "error" {
                    state.refused.insert(id);
                } else {
                    state.came.push(Came {
                        id: id.clone(),
                        at: session.read,
                        connection: session.connection,
                    });
                    if self.acks {
                        session.heard.push(id);
                    }
                }
                return None;
            }
            "iq" => {
                session.h = session.h.wrapping_add(1);
                let id = get("id");
                format!("<iq type='result' id='{id}' from='{REMOTE}' to='{LOCAL}'/>")
            }
            "r" => {
                let told = std::mem::take(&mut session.heard);
                session.told.push_back((session.read, told));
                format!("<a {SM} h='{}'/>", session.h)
            }
            "a" => {
                self.acknowledged(session, get("h").parse().ok()?);
                return None;
            }
            "enable" => {
                *session = Session {
                    connection: session.connection,
                    ..Session::default()
                };
                format!("<enabled {SM}/>")
            }
            "resume" => format!(
                "<failed {SM}><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
            ),
            "stream:stream" if self.role == Role::Receiver => {
                let names = format!("from='{REMOTE}' to='{LOCAL}' id='theirs' version='1.0'");
                let acks = if self.acks {
                    format!("<sm {SM}/>")
                } else {
                    String::new()
                };
                header("jabber:server", &names)
                    + "<stream:features><dialback xmlns='urn:xmpp:features:dialback'/>"
                    + &acks
                    + "</stream:features>"
            }
            "db:result" => format!("<db:result from='{REMOTE}' to='{LOCAL}' type='valid'/>"),
            "db:verify" => {
                let id = get("id");
                format!("<db:verify from='{REMOTE}' to='{LOCAL}' id='{id}' type='valid'/>")
            }
            "" => "</stream:stream>".to_owned(),
            _ => return None,
        };
        Some(answer)
    }

    fn next_to_write(&self) -> Option<String> {
        if self.role == Role::Receiver {
            return None;
        }
        let mut state = self.lock();
        let id = state.unwritten.pop_front()?;
        if self.acks {
            state.unacknowledged.push_back(id.clone());
        }
        let (_, number) = id.split_once('-')?;
        let user = number.parse::<usize>().ok()? % USERS;
        let (from, to) = match self.role {
            Role::Gateway => (LOCAL, REMOTE),
            _ => (REMOTE, LOCAL),
        };
        let (from, to) = (format!("u{user}@{from}"), format!("v{user}@{to}"));
        Some(message(&from, &to, &id, BYTES))
    }

    fn acknowledged(&self, session: &mut Session, h: u32) {
        let more = h.wrapping_sub(session.h_of_edge);
        session.h_of_edge = h;
        let mut state = self.lock();
        for _ in 0..more {
            let first = state.unacknowledged.pop_front();
            first.expect("no more is acknowledged than was sent");
        }
    }

    /// What the edge has not acknowledged is said again, before all else.
    fn says_again(&self, is_anew: bool) {
        let mut state = self.lock();
        for id in std::mem::take(&mut state.unacknowledged).into_iter().rev() {
            if is_anew {
                state.may_come_twice.insert(id.clone());
            }
            state.unwritten.push_front(id);
        }
    }

    /// The session will not go on: what the edge may not know that we have may come again.
    fn doubts(&self, session: &mut Session) {
        let anew = Session {
            connection: session.connection,
            ..Session::default()
        };
        let before = std::mem::replace(session, anew);
        let lately = before
            .told
            .into_iter()
            .filter(|(at, _)| *at + IN_FLIGHT >= before.read);
        let lately = lately.flat_map(|(_, ids)| ids);
        self.lock()
            .may_come_twice
            .extend(before.heard.into_iter().chain(lately));
    }

    /// It dies: what it has not acknowledged has never come.
    fn forgets(&self, session: &mut Session) {
        let heard = std::mem::take(&mut session.heard);
        let mut state = self.lock();
        for id in heard.iter().rev() {
            let last = state.came.iter().rposition(|came| came.id == *id);
            last.map(|at| state.came.remove(at));
        }
        drop(state);
        self.doubts(session);
    }

    /// When, and on which connection, what was said at about the same time came.
    fn story(&self, number: usize) -> String {
        let state = self.lock();
        let first = state.came.first().map(|came| came.at);
        let near = state.came.iter().filter(|came| {
            let (_, other) = came.id.split_once('-').unwrap();
            let other = other.parse::<usize>().unwrap();
            other % USERS == number % USERS && other.abs_diff(number) < 40
        });
        let words = near.map(|came| {
            let at = first.map(|first| came.at - first).unwrap_or_default();
            format!("{} {}@{}", came.id, came.connection, at.as_millis())
        });
        words.collect::<Vec<_>>().join(", ")
    }

    fn letter(&self) -> char {
        match self.role {
            Role::Gateway => 'g',
            _ => 'p',
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of what one side said to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) said: usize,
    pub(super) came: usize,
    pub(super) twice: usize,
    pub(super) refused: usize,
    /// Came, and was refused as well.
    pub(super) both: usize,
    /// Neither, and its sender has it no more.
    pub(super) lost: usize,
}

/// Checks what came of what `from` said to `to`; errors come to `told`.
///
/// # Errors
/// Something came twice that may not, or out of its order.
pub(super) fn outcome(from: &Peer, to: &Peer, told: &Peer) -> Result<Outcome, String> {
    let (refused, allowed) = (told.refused(), [from.may_come_twice(), to.may_come_twice()]);
    let may_come_twice = |id: &String| allowed.iter().any(|ids| ids.contains(id));
    let came = to.came();
    let (mut times, mut last) = (BTreeMap::<&str, usize>::new(), BTreeMap::new());
    for id in came.iter().filter(|id| id.starts_with(from.letter())) {
        let count = times.entry(id).or_default();
        *count += 1;
        // What was refused, and is said again because nobody knew, has no place. Whoever cannot resume may
        // be heard on two connections at once.
        let has_place = from.acks && !(refused.contains(id) && may_come_twice(id));
        if *count > 1 || !has_place {
            continue;
        }
        let (_, number) = id.split_once('-').unwrap();
        let number: usize = number.parse().unwrap();
        let before = last.insert(number % USERS, number);
        if before.is_some_and(|before| before > number) {
            return Err(format!("{id} came after {before:?}: {}", to.story(number)));
        }
    }
    let unsaid: BTreeSet<_> = {
        let state = from.lock();
        let unsaid = state.unwritten.iter().chain(&state.unacknowledged);
        unsaid.cloned().collect()
    };
    let mut outcome = Outcome::default();
    for id in from.said() {
        let times = times.get(id.as_str()).copied().unwrap_or_default();
        if times > 1 && !may_come_twice(&id) {
            let number = id.split_once('-').unwrap().1.parse().unwrap();
            return Err(format!("{id} came {times} times: {}", to.story(number)));
        }
        let is_refused = refused.contains(&id);
        outcome.said += 1;
        outcome.came += usize::from(times > 0);
        outcome.twice += usize::from(times > 1);
        outcome.refused += usize::from(is_refused);
        outcome.both += usize::from(is_refused && times > 0);
        outcome.lost += usize::from(times == 0 && !is_refused && !unsaid.contains(&id));
    }
    Ok(outcome)
}
