//! The door: every partner's connection is counted in, and counted out however it ends.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::proto::policy::{Admission, AdmissionLimits, Reason};

/// The count of all connections from outside.
#[derive(Debug, Default)]
pub struct Door(Mutex<Admission>);

/// A connection that was let in; counted out when dropped.
#[derive(Debug)]
pub struct Admitted {
    door: Arc<Door>,
    address: IpAddr,
    authenticated: bool,
}

impl Door {
    /// Lets a connection in.
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        limits: &AdmissionLimits,
    ) -> Result<Admitted, Reason> {
        self.with(|admission| admission.enter(address, limits))?;
        Ok(Admitted {
            door: Arc::clone(self),
            address,
            authenticated: false,
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Admission) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Admitted {
    /// The connection has proven who it is.
    pub fn authenticated(&mut self) {
        if !self.authenticated {
            self.authenticated = true;
            self.door
                .with(|admission| admission.authenticated(self.address));
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let authenticated = self.authenticated;
        self.door
            .with(|admission| admission.leave(self.address, authenticated));
    }
}
