//! `*`: what happens around the two sides.

use std::time::Duration;

use std::sync::Arc;

use xmpp_edge::proto::auth::chain::TlsVersion;
use xmpp_edge::proto::auth::dialback::{Answer, Question};
use xmpp_edge::proto::codes::Code;
use xmpp_edge::proto::policy::Reason;
use xmpp_edge::proto::stream::Input;
use xmpp_edge::proto::stream::acks::{Agreed, Found, Seen};
use xmpp_edge::proto::xml::Condition;

use super::super::lab;
use super::super::script::Step;
use super::{Stage, context};

impl Stage<'_> {
    pub(super) fn event(&mut self, step: &Step) {
        let text = self.expand(&step.text);
        let (name, rest) = text.split_once([' ', '\n']).unwrap_or((&text, ""));
        match name {
            "connected" => self.handle(Input::Connected),
            "tls-up" => {
                let (version, certificate) =
                    rest.rsplit_once("certificate=").expect("certificate=…");
                let mut facts = lab::tls(certificate);
                if version == "version=1.2 " {
                    facts.version = TlsVersion::Tls12;
                }
                self.handle(Input::TlsUp(facts));
            }
            "tls-failed" => self.handle(Input::End(Reason::TlsFailed {
                code: Code::ALERT,
                detail: "alert".to_owned(),
            })),
            "answer" => {
                let answer = lab::answer(&self.question(), rest);
                self.handle(Input::Answer(answer));
            }
            "unreachable" => {
                let reason = unreachable(rest);
                let answer = Answer::unreachable(self.question(), &reason);
                self.handle(Input::Answer(answer));
            }
            // An answer to what was never asked: `LOCAL REMOTE STREAM-ID KEY`.
            "stray-answer" => {
                let words: Vec<_> = rest.split(' ').collect();
                let question = Question {
                    pair: lab::pair(words[0], words[1]),
                    stream_id: words[2].to_owned(),
                    key: words[3].to_owned(),
                };
                self.handle(Input::Answer(lab::answer(&question, "valid")));
            }
            "wait" => {
                let until = self.seconds + rest.trim_end_matches('s').parse::<u64>().unwrap();
                while self.seconds < until {
                    self.seconds += 1;
                    let now = lab::at(self.seconds).monotonic;
                    if self.machine.deadline().is_some_and(|due| due <= now) {
                        self.handle(Input::Tick);
                    }
                }
            }
            // The shell did not read for so long.
            "held" => {
                let seconds = rest.trim_end_matches('s').parse::<u64>().unwrap();
                self.seconds += seconds;
                self.handle(Input::Held(Duration::from_secs(seconds)));
            }
            // A tick that is not due: timers may be early, and must change nothing.
            "tick" => self.handle(Input::Tick),
            "hang-up" => self.handle(Input::Eof),
            "deliver" => {
                let stanza = lab::from_local(&self.context, rest).write(self.stream_kind);
                self.handle(Input::Deliver(&stanza));
            }
            "settled" => self.handle(Input::Settled(rest.parse().unwrap())),
            "found" => {
                let found = self.found(rest);
                self.handle(Input::Found(found.map(Box::new)));
            }
            "pong" => self.handle(Input::Pong(rest)),
            "share" => {
                let (local, remote) = rest.split_once(' ').expect("LOCAL REMOTE");
                self.handle(Input::Share(lab::pair(local, remote)));
            }
            "probe" => self.handle(Input::Probe),
            "shutdown" => self.handle(Input::End(Reason::Shutdown)),
            "replaced" => self.handle(Input::End(Reason::Replaced)),
            "broken" => self.handle(Input::End(Reason::Transport("reset".to_owned()))),
            "reload" => {
                let facts: Vec<_> = rest
                    .lines()
                    .filter_map(|line| line.split_once(": "))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                self.context = context(&facts);
                self.handle(Input::Context(Arc::clone(&self.context)));
            }
            other => panic!("{}: what is {other}?", self.place(step)),
        }
    }

    /// What is left of a session: `RECEIVED SETTLED WRITTEN`, of which everything is told and nothing
    /// acknowledged; or `nothing`.
    fn found(&self, words: &str) -> Option<Found> {
        if words == "nothing" {
            return None;
        }
        let numbers: Vec<u32> = words.split(' ').map(|it| it.parse().unwrap()).collect();
        let &[received, handled, written] = numbers.as_slice() else {
            panic!("three numbers, not {words}");
        };
        let mut agreed = Agreed::default();
        let now = lab::at(self.seconds).monotonic;
        for _ in 0..received {
            assert_eq!(agreed.stanza(now), Seen::New);
        }
        for _ in 0..written {
            drop(agreed.wrote(now));
        }
        Some(Found { agreed, handled })
    }

    fn question(&mut self) -> Question {
        assert!(!self.questions.is_empty(), "nothing was asked");
        self.questions.remove(0)
    }
}

fn unreachable(word: &str) -> Reason {
    let detail = "as the script says".to_owned();
    match word {
        "no-service" => Reason::NoService(detail),
        "dns-failed" => Reason::DnsFailed(detail),
        "connect-failed" => Reason::ConnectFailed(detail, Code::CONNECTION_REFUSED),
        "backing-off" => Reason::BackingOff(Box::new(Reason::ConnectFailed(
            detail,
            Code::CONNECTION_REFUSED,
        ))),
        "closed" => Reason::PeerClosed,
        "host-unknown" => Reason::PeerError {
            condition: Condition::HostUnknown,
            text: detail,
        },
        "timeout" => Reason::EstablishmentTimeout("what the script says"),
        other => panic!("what is {other}?"),
    }
}
