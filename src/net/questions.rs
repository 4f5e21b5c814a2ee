//! Which dialback questions are asked at once: few in all, and fewer about one partner, so that
//! strangers who pose as one partner do not keep the others waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::proto::jid::Domain;

/// The places for questions: for those who connected from where a partner is known, and for
/// everybody else, so that no crowd that poses as a partner delays the partner itself.
#[derive(Debug)]
pub struct Questions {
    familiar: Places,
    strangers: Places,
}

/// A place to ask from; given back when dropped.
#[derive(Debug)]
pub struct Place<'q> {
    _about_one: OwnedSemaphorePermit,
    _in_all: SemaphorePermit<'q>,
}

impl Questions {
    /// So many places; 0 stands for no limit.
    #[must_use]
    pub fn new(in_all: usize, about_one: usize) -> Self {
        Self {
            familiar: Places::new(in_all, about_one),
            strangers: Places::new(in_all, about_one),
        }
    }

    /// Waits for a place to ask about a partner: whoever has an account of its own in the rules.
    ///
    /// # Errors
    /// Never, as long as the places are there.
    pub async fn enter(
        &self,
        partner: &Domain,
        is_familiar: bool,
    ) -> Result<Place<'_>, AcquireError> {
        let places = if is_familiar {
            &self.familiar
        } else {
            &self.strangers
        };
        places.enter(partner).await
    }
}

#[derive(Debug)]
struct Places {
    in_all: Semaphore,
    about_one: Mutex<Partners>,
}

impl Places {
    fn new(in_all: usize, about_one: usize) -> Self {
        Self {
            in_all: Semaphore::new(permits(in_all)),
            about_one: Mutex::new(Partners {
                places: HashMap::new(),
                of_each: permits(about_one),
                sweep_at: 0,
            }),
        }
    }

    async fn enter(&self, partner: &Domain) -> Result<Place<'_>, AcquireError> {
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

fn permits(limit: usize) -> usize {
    match limit {
        0 => Semaphore::MAX_PERMITS,
        limit => limit.min(Semaphore::MAX_PERMITS),
    }
}

/// So many partners are not worth looking for those that nobody asks about.
const LEAST: usize = 64;

/// The places of each partner that is being asked about.
#[derive(Debug)]
struct Partners {
    places: HashMap<Domain, Weak<Semaphore>>,
    of_each: usize,
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
            self.sweep_at = 2 * self.places.len() + LEAST;
        }
        let places = Arc::new(Semaphore::new(self.of_each));
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

    async fn has_room(questions: &Questions, partner: usize, is_familiar: bool) -> bool {
        let partner = domain(partner);
        let entered = questions.enter(&partner, is_familiar);
        timeout(Duration::from_millis(1), entered).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn one_partner_leaves_room_for_the_others() {
        let questions = Questions::new(64, 16);
        let mut places = Vec::new();
        for _ in 0..16 {
            places.push(questions.enter(&domain(0), false).await.unwrap());
        }
        assert!(!has_room(&questions, 0, false).await);
        assert!(has_room(&questions, 1, false).await);
        places.pop();
        assert!(has_room(&questions, 0, false).await);
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_so_many_places_in_all() {
        let questions = Questions::new(64, 16);
        let mut places = Vec::new();
        for number in 0..64 {
            places.push(questions.enter(&domain(number), false).await.unwrap());
        }
        assert!(!has_room(&questions, 64, false).await);
        places.clear();
        assert!(has_room(&questions, 64, false).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_poses_as_a_partner_does_not_delay_it() {
        let questions = Questions::new(2, 2);
        let crowd = domain(0);
        let _places = [
            questions.enter(&crowd, false).await.unwrap(),
            questions.enter(&crowd, false).await.unwrap(),
        ];
        assert!(!has_room(&questions, 0, false).await);
        assert!(!has_room(&questions, 1, false).await);
        assert!(has_room(&questions, 0, true).await);
        assert!(has_room(&questions, 1, true).await);
    }

    #[tokio::test]
    async fn partners_that_nobody_asks_about_are_forgotten() {
        let questions = Questions::new(0, 0);
        for number in 0..1000 {
            let _place = questions.enter(&domain(number), false).await.unwrap();
        }
        assert!(questions.strangers.about_one.lock().unwrap().places.len() <= LEAST + 1);
    }
}
