//! Which dialback questions are asked at once: few in all, and fewer about one partner, so that
//! strangers who pose as one partner do not keep the others waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::proto::jid::Domain;

/// By all streams together.
const IN_ALL: usize = 64;
/// About the domains of one partner.
const ABOUT_ONE: usize = 16;

/// The places for questions.
#[derive(Debug)]
pub struct Questions {
    in_all: Semaphore,
    about_one: Mutex<Partners>,
}

/// A place to ask from; given back when dropped.
#[derive(Debug)]
pub struct Place<'q> {
    _about_one: OwnedSemaphorePermit,
    _in_all: SemaphorePermit<'q>,
}

impl Questions {
    /// Waits for a place to ask about a partner: whoever has an account of its own in the rules.
    ///
    /// # Errors
    /// Never, as long as the places are there.
    pub async fn enter(&self, partner: &Domain) -> Result<Place<'_>, AcquireError> {
        let own = self
            .about_one
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .of(partner);
        Ok(Place {
            _about_one: own.acquire_owned().await?,
            _in_all: self.in_all.acquire().await?,
        })
    }
}

impl Default for Questions {
    fn default() -> Self {
        Self {
            in_all: Semaphore::new(IN_ALL),
            about_one: Mutex::default(),
        }
    }
}

/// The places of each partner that is being asked about.
#[derive(Debug, Default)]
struct Partners {
    places: HashMap<Domain, Weak<Semaphore>>,
    /// How many there may be before those are forgotten that nobody uses.
    sweep_at: usize,
}

impl Partners {
    fn of(&mut self, partner: &Domain) -> Arc<Semaphore> {
        if let Some(known) = self.places.get(partner).and_then(Weak::upgrade) {
            return known;
        }
        if self.places.len() >= self.sweep_at {
            self.places.retain(|_, places| places.strong_count() > 0);
            self.sweep_at = 2 * self.places.len() + IN_ALL;
        }
        let places = Arc::new(Semaphore::new(ABOUT_ONE));
        self.places.insert(partner.clone(), Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn domain(number: usize) -> Domain {
        Domain::parse(&format!("d{number}.example")).unwrap()
    }

    async fn has_room(questions: &Questions, partner: usize) -> bool {
        let partner = domain(partner);
        let entered = questions.enter(&partner);
        timeout(Duration::from_millis(1), entered).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_partner_leaves_room_for_the_others() {
        let questions = Questions::default();
        let mut places = Vec::new();
        for _ in 0..ABOUT_ONE {
            places.push(questions.enter(&domain(0)).await.unwrap());
        }
        assert!(!has_room(&questions, 0).await);
        assert!(has_room(&questions, 1).await);
        places.pop();
        assert!(has_room(&questions, 0).await);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_places_in_all() {
        let questions = Questions::default();
        let mut places = Vec::new();
        for number in 0..IN_ALL {
            places.push(questions.enter(&domain(number)).await.unwrap());
        }
        assert!(!has_room(&questions, IN_ALL).await);
        places.clear();
        assert!(has_room(&questions, IN_ALL).await);
    }

    #[tokio::test]
    async fn partners_that_nobody_asks_about_are_forgotten() {
        let questions = Questions::default();
        for number in 0..1000 {
            let _place = questions.enter(&domain(number)).await.unwrap();
        }
        assert!(questions.about_one.lock().unwrap().places.len() <= IN_ALL + 1);
    }
}
