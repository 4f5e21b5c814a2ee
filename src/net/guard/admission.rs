//! The door: every partner's connection is counted in, and counted out however it ends.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::net::io::clock;
use crate::proto::policy::{Admission, AdmissionLimits, AdmissionLook, Party, Reason, Visit};

/// The count of all connections from outside.
#[derive(Debug, Default)]
pub struct Door(Mutex<Admission>);

/// A connection that was let in; counted out when dropped.
#[derive(Debug)]
pub struct Admitted {
    door: Arc<Door>,
    visit: Visit,
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
        let visit = self.with(|admission| admission.enter(address, limits, clock::instant()))?;
        Ok(Admitted {
            door: Arc::clone(self),
            visit,
        })
    }

    /// What is held and charged, for reports.
    #[must_use]
    pub fn look(&self) -> AdmissionLook {
        self.with(|admission| admission.look())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Admission) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Admitted {
    /// The connection claims to be a partner, or nobody: see [`Admission::claim`].
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn claim(
        &mut self,
        party: Option<Party<'_>>,
        limits: &AdmissionLimits,
    ) -> Result<(), Reason> {
        let visit = &mut self.visit;
        self.door
            .with(|admission| admission.claim(visit, party, limits, clock::instant()))
    }

    /// The connection wants a dialback key to be asked about: see [`Admission::ask`].
    ///
    /// # Errors
    /// The limit that is reached.
    pub fn ask(&mut self, limits: &AdmissionLimits) -> Result<(), Reason> {
        let visit = &mut self.visit;
        self.door
            .with(|admission| admission.ask(visit, limits, clock::instant()))
    }

    /// The connection is no stranger's: see [`Admission::vouch`].
    pub fn vouch(&mut self) {
        let visit = &mut self.visit;
        self.door.with(|admission| admission.vouch(visit));
    }

    /// The connection has proven who it is: see [`Admission::prove`].
    pub fn prove(&mut self, partner: Option<Party<'_>>) {
        let visit = &mut self.visit;
        self.door
            .with(|admission| admission.prove(visit, partner, clock::instant()));
    }

    /// Where it comes from.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.visit.address()
    }

    /// Whether it comes from where the partner that it claims to be has proven itself lately.
    #[must_use]
    pub fn is_familiar(&self) -> bool {
        self.visit.is_familiar()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let visit = &self.visit;
        self.door.with(|admission| admission.leave(visit));
    }
}
