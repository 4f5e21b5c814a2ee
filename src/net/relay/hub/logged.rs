//! What the log says of stanzas and their users, where the configuration asks for it.

use std::sync::atomic::Ordering::Relaxed;

use super::Hub;
use crate::ops::events::{Direction, Event, Line};
use crate::proto::auth::Pair;
use crate::proto::stanza::{Kind, Stanza, Users};
use crate::proto::xml::Ns;

impl Hub {
    /// Whether the bodies of messages are logged from here on; says so where they are.
    pub fn log_bodies(&self, are_logged: bool) {
        self.bodies.store(are_logged, Relaxed);
        if are_logged {
            Line::new(Event::BodiesLogged).log();
        }
    }

    /// Whether lines about refused stanzas name the users from here on; says so where they do.
    pub fn log_addresses(&self, are_logged: bool) {
        self.addresses.store(are_logged, Relaxed);
        if are_logged {
            Line::new(Event::AddressesLogged).log();
        }
    }

    /// The users of a refused stanza, where the log is to name them.
    #[must_use]
    pub fn told(&self, users: Users) -> Users {
        if self.addresses.load(Relaxed) {
            users
        } else {
            Users::default()
        }
    }

    pub(super) fn users_of(&self, stanza: &Stanza) -> Users {
        if self.addresses.load(Relaxed) {
            Users::of(stanza)
        } else {
            Users::default()
        }
    }

    pub(super) fn log_body(&self, stanza: &Stanza, direction: Direction, pair: &Pair) {
        if stanza.kind != Kind::Message {
            return;
        }
        let Ok(tree) = stanza.form.tree() else {
            return;
        };
        for body in tree.children() {
            if body.is(&Ns::CONTENT, "body") {
                Line::new(Event::MessageBody)
                    .direction(direction)
                    .partner(&self.partner_of(&pair.remote))
                    .local(&pair.local)
                    .remote(&pair.remote)
                    .detail(format_args!(
                        "from {} to {}: {}",
                        stanza.from,
                        stanza.to,
                        body.text()
                    ))
                    .log();
            }
        }
    }
}
