//! A partner's server that keeps to nothing: it acknowledges what it likes, answers what was not asked, says things
//! twice, late or never, and ends its streams anywhere.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, split};
use tokio::time::{Instant, sleep};

use super::super::dice::Dice;
use super::super::script::{LOCALS, PARTNERS, Reading, attribute, header, message, user};
use super::peer::{Board, SM};
use crate::net::io::transport::memory::End;

/// So many connections in one schedule are no answer to what happens in it: from there on it takes none.
pub(super) const MOST_CONNECTIONS: usize = 400;
/// How long it takes to look at a connection, so that time passes however often it ends one.
const LOOK: Duration = Duration::from_millis(1);
/// The kinds of elements that it tells apart, by how they begin.
const KINDS: [&str; 7] = [
    "<stream:stream",
    "<db:result",
    "<enable ",
    "<resume ",
    "<message",
    "<r ",
    "</stream:stream>",
];

/// Such a server, the first of the partners.
#[derive(Debug)]
pub(in crate::net::lab) struct Hostile {
    board: Arc<Mutex<Board>>,
    state: Mutex<State>,
}

/// What it remembers.
#[derive(Debug)]
pub(super) struct State {
    dice: Dice,
    /// When each began.
    pub(super) connections: Vec<Instant>,
    /// How many stanzas it has read.
    pub(super) read: usize,
    /// Ids of sessions that it has given.
    ids: Vec<String>,
    last_h: u32,
    /// Whether it has ever acknowledged more than had come.
    pub(super) has_claimed: bool,
    /// What it always does where one kind of element has come.
    always: Option<(usize, usize)>,
}

/// What it does.
enum Act {
    Say(String),
    Wait(Duration),
    End,
}

/// What it knows of one connection.
#[derive(Default)]
struct Known {
    h: u32,
    /// The pairs that the edge has asked for, and those for which it was told that they are proven.
    asked: BTreeSet<String>,
    valid: BTreeSet<String>,
    /// One of ten things is done otherwise than it should be, or so many more.
    malice: u64,
}

impl State {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x5eed);
        let always = (dice.below(2) == 0).then(|| (dice.below(7), dice.below(12)));
        Self {
            dice,
            always,
            connections: Vec::new(),
            read: 0,
            ids: Vec::new(),
            last_h: 0,
            has_claimed: false,
        }
    }

    fn h(&mut self, known: &Known) -> u32 {
        let dice = &mut self.dice;
        let h = match dice.below(12) {
            0 => known.h.wrapping_add(1),
            1 => known.h.wrapping_add(u32::try_from(dice.below(50)).unwrap()),
            2 => known.h.wrapping_sub(1),
            3 => 0,
            4 => u32::MAX,
            5 => self.last_h,
            6 => known.h / 2,
            _ => known.h,
        };
        self.has_claimed |= h > known.h;
        h
    }

    fn id(&mut self) -> String {
        let id = match self.dice.below(8) {
            0 => self.ids.first().cloned().unwrap_or_default(),
            1 => "x".repeat(1 << 20),
            2 => "x".repeat(1024),
            3 => String::new(),
            4 => "&lt;&#10;&#27;".to_owned(),
            _ => format!("s{}", self.ids.len()),
        };
        if id.len() < 2000 {
            self.ids.push(id.clone());
        }
        id
    }

    fn enabled(&mut self) -> String {
        let (id, max) = (self.id(), ["", " max='300'", " max='0'", " max='-1'"]);
        let max = max[self.dice.below(4)];
        match self.dice.below(6) {
            0 => format!("<enabled {SM}/>"),
            1 => format!("<enabled {SM} resume='true'/>"),
            _ => format!("<enabled {SM} resume='true' id='{id}'{max}/>"),
        }
    }

    fn resumed(&mut self, known: &Known) -> String {
        let h = self.h(known);
        let ids = self.ids.len().max(1) as u64;
        let place = self.dice.below(ids);
        let id = self.ids.get(place).cloned().unwrap_or_default();
        format!("<resumed {SM} previd='{id}' h='{h}'/>")
    }

    /// Whatever may come at any time.
    fn noise(&mut self, known: &mut Known) -> String {
        let from = PARTNERS[0];
        let to = LOCALS[self.dice.below(2)];
        match self.dice.below(16) {
            0..3 => format!("<a {SM} h='{}'/>", self.h(known)),
            3 => format!("<r {SM}/>").repeat(1 + self.dice.below(200)),
            4 => self.resumed(known),
            5 => self.enabled(),
            6 => format!("<failed {SM}/>"),
            7 => format!("<failed {SM} h='{}'/>", self.h(known)),
            8 => {
                known.valid.insert(to.to_owned());
                format!("<db:result from='{from}' to='{to}' type='valid'/>")
            }
            9 => format!("<db:result from='{from}' to='{to}' type='invalid'/>"),
            10 => message(&user("h", from), &user("u", to), "h-0", 3),
            11 => format!("<iq type='result' id='a' from='{from}' to='{to}'/>"),
            12 => {
                "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
                    .to_owned()
            }
            13 => format!("<enable {SM} resume='true'/>"),
            14 => format!("<a {SM} h='many'/>"),
            _ => "<a".to_owned(),
        }
    }

    fn time(&mut self) -> Duration {
        self.dice.time().min(Duration::from_secs(30))
    }

    /// What it does when this has come.
    fn acts(&mut self, element: &str, known: &mut Known) -> Vec<Act> {
        let from = PARTNERS[0];
        let to = attribute(element, "from").unwrap_or_default().to_owned();
        let usual = if element.starts_with("<stream:stream") {
            let names = format!("from='{from}' to='{to}' id='s1' version='1.0'");
            let errors = if self.dice.below(4) > 0 {
                "<errors/>"
            } else {
                ""
            };
            let sm = if self.dice.below(8) > 0 {
                format!("<sm {SM}/>")
            } else {
                String::new()
            };
            let features = format!(
                "<stream:features><dialback xmlns='urn:xmpp:features:dialback'>{errors}</dialback>\
                 {sm}</stream:features>"
            );
            header("jabber:server", &names) + &features
        } else if element.starts_with("<db:result") {
            known.asked.insert(to.clone());
            match self.dice.below(8) {
                0 => format!("<db:result from='{from}' to='{to}' type='invalid'/>"),
                1 => format!(
                    "<db:result from='{from}' to='{to}' type='error'><error type='cancel'>\
                     <not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:result>"
                ),
                _ => {
                    known.valid.insert(to.clone());
                    format!("<db:result from='{from}' to='{to}' type='valid'/>")
                }
            }
        } else if element.starts_with("<enable ") {
            known.h = 0;
            match self.dice.below(6) {
                0 => format!("<failed {SM}/>"),
                1 => self.resumed(known),
                2 => format!("{}{}", self.enabled(), self.enabled()),
                _ => self.enabled(),
            }
        } else if element.starts_with("<resume ") {
            let previd = attribute(element, "previd").unwrap_or_default().to_owned();
            known.h = self.last_h;
            let h = self.h(known);
            let resumed = format!("<resumed {SM} previd='{previd}' h='{h}'/>");
            match self.dice.below(10) {
                0 => format!("<failed {SM}/>{resumed}"),
                1 => format!("<failed {SM} h='{h}'/>"),
                2 => format!("{resumed}{resumed}"),
                3 => format!("{resumed}{}", self.enabled()),
                4 => self.enabled(),
                5 => self.resumed(known),
                6 => format!("<a {SM} h='{h}'/>{resumed}"),
                _ => resumed,
            }
        } else if element.starts_with("<r ") {
            format!("<a {SM} h='{}'/>", self.h(known))
        } else if element == "</stream:stream>" {
            return match self.dice.below(3) {
                0 => vec![Act::Say("</stream:stream>".to_owned()), Act::End],
                1 => vec![Act::End],
                _ => vec![
                    Act::Say(format!("<a {SM} h='{}'/></stream:stream>", self.h(known))),
                    Act::End,
                ],
            };
        } else {
            String::new()
        };
        let said = Act::Say(usual);
        let always = (self.always).filter(|(kind, _)| element.starts_with(KINDS[*kind]));
        let act = match always {
            Some((_, act)) => act,
            None if self.dice.next() % 20 >= known.malice => return vec![said],
            None => self.dice.below(12),
        };
        match act {
            0 => Vec::new(),
            1 => vec![Act::Wait(self.time()), said],
            2 => vec![Act::Say(self.noise(known)), said],
            3 => vec![said, Act::Say("</stream:stream>".to_owned()), Act::End],
            4 => vec![said, Act::Say("</stream:stream>".to_owned())],
            5 => vec![said, Act::End],
            6 => vec![Act::End],
            7 => vec![Act::Wait(self.time()), Act::End],
            8 => {
                let Act::Say(said) = said else {
                    return Vec::new();
                };
                vec![Act::Say(said + "</stream:stream>"), Act::End]
            }
            _ => vec![said, Act::Say(self.noise(known))],
        }
    }
}

impl Hostile {
    /// What it does follows from the seed.
    pub(super) fn new(seed: u64, board: &Arc<Mutex<Board>>) -> Self {
        Self {
            board: Arc::clone(board),
            state: Mutex::new(State::new(seed)),
        }
    }

    /// What it remembers.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a stream of the edge's, as it likes.
    pub(super) async fn lives(&self, end: End) -> Option<()> {
        sleep(LOOK).await;
        let mut known = Known::default();
        {
            let mut state = self.state();
            state.connections.push(Instant::now());
            if state.connections.len() > MOST_CONNECTIONS {
                return None;
            }
            known.malice = [0, 1, 4, 10][state.dice.below(4)];
        }
        let (source, mut sink) = split(end);
        let mut reading = Reading::new(source);
        loop {
            let quiet = self.state().time() + LOOK;
            let element = tokio::select! {
                element = reading.next() => element?,
                () = sleep(quiet), if known.malice > 1 => {
                    let noise = self.state().noise(&mut known);
                    sink.write_all(noise.as_bytes()).await.ok()?;
                    continue;
                }
            };
            if element.starts_with("<message") {
                self.takes(&element, &mut known)?;
            }
            let acts = {
                let mut state = self.state();
                let acts = state.acts(&element, &mut known);
                state.last_h = known.h;
                acts
            };
            for act in acts {
                match act {
                    Act::Say(text) => sink.write_all(text.as_bytes()).await.ok()?,
                    Act::Wait(time) => sleep(time).await,
                    Act::End => return None,
                }
            }
        }
    }

    fn takes(&self, element: &str, known: &mut Known) -> Option<()> {
        known.h = known.h.wrapping_add(1);
        self.state().read += 1;
        let (_, from) = attribute(element, "from")?.split_once('@')?;
        if !known.asked.contains(from) || !known.valid.contains(from) {
            let id = attribute(element, "id")?.to_owned();
            let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
            board.unproven.insert(id);
        }
        Some(())
    }
}
