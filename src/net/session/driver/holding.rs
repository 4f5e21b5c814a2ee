//! When a driver takes nothing from its queue, though the socket would have room.

use std::time::Instant;

use super::{Driver, Side, WRITE_STALL};
use crate::net::io::clock;
use crate::proto::stream::Machine;

impl<M: Machine + Send, S: Side> Driver<M, S> {
    /// Until when nothing is to be taken.
    pub(super) fn held_until(&mut self) -> Option<Instant> {
        self.acks_held_until().or_else(|| self.reader_held_until())
    }

    /// Whether there is room for more.
    pub(super) fn has_room(&self) -> bool {
        self.machine.is_open() && self.send_buffer.is_idle() && !self.send_buffer.is_full()
    }

    /// A gateway that has acknowledged before may be about to ask for it again, and be held up on its way:
    /// what was written to it meanwhile would be lost with the connection.
    fn acks_held_until(&mut self) -> Option<Instant> {
        if !self.side.expects_acks() {
            return None;
        }
        let now = clock::instant();
        if !self.machine.is_open() {
            self.held_until.get_or_insert(now + WRITE_STALL);
        }
        self.held_until.filter(|until| *until > now)
    }

    /// A reader that has much to read is given no more.
    fn reader_held_until(&mut self) -> Option<Instant> {
        if !self.machine.is_open() {
            return None;
        }
        let (has_room, is_idle) = (self.has_room(), self.send_buffer.is_idle());
        let unread = self.side.unread()?;
        let now = clock::instant();
        if !is_idle {
            unread.blocked(now);
        }
        if !has_room {
            return None;
        }
        unread.held_until(now, || self.transport.window())
    }
}
