//! Further pairs on a stream of ours (XEP-0220 §2.6): other local domains that write to the same domain of the partner.
//!
//! ```text
//!   Share(pair) ─ may it? ─► <db:result from to>key</db:result> ─► Requested ─┬─ valid ─► Authenticated: carried
//!                  └ no ──► NotShared                                         ├─ invalid, error ─► NotShared
//!                                                                             └─ no answer in time ─► NotShared
//! ```
//!
//! Each pair is proven by itself, by a key that is bound to this very stream; nothing is concluded from the pair that
//! is there, nor from its certificate. It is tried only where the partner says that it answers with errors
//! (XEP-0220 §2.4.2): a server without them ends the stream when it refuses a pair.

use std::time::Instant;

use crate::proto::auth::Pair;
use crate::proto::auth::dialback::{Message, Requested, read, request};
use crate::proto::policy::{Method, Reason};
use crate::proto::stream::Output;
use crate::proto::stream::cx::Cx;
use crate::proto::stream::established::Established;
use crate::proto::xml::{Element, Ns};

/// What is asked for beside the traffic.
#[derive(Debug)]
pub struct Sharing {
    /// The id of the stream in the partner's header; `None` where the partner does not offer it.
    stream_id: Option<Box<str>>,
    open: Vec<Open>,
}

/// A key was sent.
#[derive(Debug)]
struct Open {
    pair: Pair,
    method: Method,
    due: Instant,
}

impl Sharing {
    pub(super) fn new(stream_id: Option<Box<str>>) -> Self {
        Self {
            stream_id,
            open: Vec::new(),
        }
    }

    /// Another pair wants to be carried.
    pub(super) fn share(&mut self, cx: &mut Cx<'_>, established: &Established, pair: Pair) {
        match self.ask(cx, established, &pair) {
            Ok((method, key)) => {
                cx.wire
                    .send(&request("result", &pair.local, &pair.remote, None, &key));
                let due = cx.now.monotonic + cx.context.timing.establishment;
                self.open.push(Open { pair, method, due });
            }
            Err(reason) => cx.wire.push(Output::NotShared(pair, reason)),
        }
    }

    /// How the pair is to be proven, and its key.
    fn ask(
        &self,
        cx: &Cx<'_>,
        established: &Established,
        pair: &Pair,
    ) -> Result<(Method, String), Reason> {
        let stream_id = self.stream_id.as_deref().ok_or(Reason::NotAuthorized)?;
        let method = match cx.security.version() {
            Some(_) => Method::TlsDialback,
            None => Method::TcpDialback,
        };
        let partner = cx.allowed(pair, Some(method))?;
        let is_known = |other: &Pair| other == pair;
        let (mut carried, mut open) = (established.carried(), self.open.iter());
        let is_same = carried.next().is_some_and(|it| it.remote == pair.remote);
        let is_there = established.carried().any(is_known) || open.any(|it| is_known(&it.pair));
        if !partner.share_streams {
            return Err(Reason::SharingOff);
        }
        if !is_same || is_there {
            return Err(Reason::NotAuthorized);
        }
        if established.carried().count() + self.open.len() >= cx.context.pairs_per_stream {
            return Err(Reason::TooManyPending);
        }
        let Pair { local, remote } = pair;
        let key = cx.context.dialback.generate(remote, local, stream_id);
        Ok((method, key))
    }

    /// Takes the answer to a request; whether the element was one.
    pub(super) fn element(
        &mut self,
        cx: &mut Cx<'_>,
        established: &mut Established,
        element: &Element,
    ) -> bool {
        if *element.ns() != Ns::DIALBACK {
            return false;
        }
        let Ok(Message::Result(verdict, claim)) = read(element) else {
            return false;
        };
        let is_asked = |it: &Open| it.pair.remote == claim.from && it.pair.local == claim.to;
        let Some(place) = self.open.iter().position(is_asked) else {
            return false;
        };
        let Open { pair, method, .. } = self.open.swap_remove(place);
        let proven = match Requested::new(pair.clone(), method).close(&verdict, &claim) {
            // The rules may have changed meanwhile.
            Ok(proof) => match cx.allowed(&pair, Some(method)) {
                Ok(partner) if partner.share_streams => Ok(proof),
                Ok(_) => Err(Reason::SharingOff),
                Err(reason) => Err(reason),
            },
            Err(Err(reason)) => Err(reason),
            Err(Ok(_)) => Err(Reason::NotAuthorized),
        };
        match proven {
            Ok(proof) => established.carry(cx, proof),
            Err(reason) => cx.wire.push(Output::NotShared(pair, reason)),
        }
        true
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.open.iter().map(|it| it.due).min()
    }

    /// What was not answered in time is not shared.
    pub(super) fn tick(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.monotonic;
        let late = Reason::EstablishmentTimeout("the answer to our dialback key");
        for open in self.open.extract_if(.., |it| it.due <= now) {
            cx.wire.push(Output::NotShared(open.pair, late.clone()));
        }
    }
}
