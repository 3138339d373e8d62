//! How many validations run, and how many wait for their turn.

use std::time::Duration;

use cairn_core::{Error, ErrorKind};
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio::time::timeout;

use crate::config::Config;
use crate::metrics;

/// The door that every validation goes through.
#[derive(Debug)]
pub(crate) struct Queue {
    /// A place for each that runs or waits.
    places: Semaphore,
    /// A turn for each that runs.
    turns: Semaphore,
    /// How long one may wait for its turn.
    patience: Duration,
}

/// The right to run, until dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    _turn: SemaphorePermit<'a>,
    _place: SemaphorePermit<'a>,
    _shown: metrics::Running,
}

impl Queue {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            places: Semaphore::new(config.max_concurrent.saturating_add(config.max_waiting)),
            turns: Semaphore::new(config.max_concurrent),
            patience: config.queue_timeout.duration(),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `Unavailable` if too many wait already, or no turn came in time.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, Error> {
        let place = self.places.try_acquire().map_err(|error| match error {
            TryAcquireError::NoPermits => busy("too many validations are waiting"),
            TryAcquireError::Closed => busy("the queue is closed"),
        })?;
        let waiting = metrics::Waiting::begin();
        let turn = timeout(self.patience, self.turns.acquire()).await;
        drop(waiting);
        match turn {
            Ok(Ok(turn)) => Ok(Turn { _turn: turn, _place: place, _shown: metrics::Running::begin() }),
            Ok(Err(_)) => Err(busy("the queue is closed")),
            Err(_) => Err(busy("no validation finished in time to make room for this one")),
        }
    }
}

fn busy(source: &'static str) -> Error {
    metrics::refused();
    let detail = "The server is too busy to validate challenges; try again later.";
    Error::new(ErrorKind::Unavailable, detail).with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_core::Period;

    fn queue(max_concurrent: usize, max_waiting: usize) -> Queue {
        let queue_timeout = Period::from_millis(1);
        Queue::new(&Config { max_concurrent, max_waiting, queue_timeout, ..Config::default() })
    }

    #[tokio::test]
    async fn who_waits_too_long_is_turned_away() {
        let queue = queue(1, 5);
        let running = queue.turn().await.unwrap();
        assert_eq!(queue.turn().await.unwrap_err().kind, ErrorKind::Unavailable);
        drop(running);
        assert!(queue.turn().await.is_ok());
    }

    #[tokio::test]
    async fn who_finds_the_queue_full_is_turned_away_at_once() {
        let queue = queue(1, 0);
        let _running = queue.turn().await.unwrap();
        let error = queue.turn().await.unwrap_err();
        assert!(error.to_string().contains("too many validations are waiting"), "{error}");
    }

    #[tokio::test]
    async fn whoever_is_turned_away_leaves_its_place() {
        let queue = queue(1, 1);
        let _running = queue.turn().await.unwrap();
        for _ in 0..3 {
            let error = queue.turn().await.unwrap_err();
            assert!(error.to_string().contains("in time"), "{error}");
        }
    }
}
