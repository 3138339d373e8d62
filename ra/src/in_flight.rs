//! What tasks of this very process are working on, so that neither a second request nor the sweeper takes it up as well.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::Gauge;

/// The ids of objects that are being worked on. Bounded by the semaphore that bounds the tasks.
#[derive(Debug)]
pub(crate) struct InFlight<Id: Copy + Eq + Hash> {
    ids: Arc<Mutex<HashSet<Id>>>,
    /// Shows how many there are.
    gauge: Gauge,
}

/// Says that one object is being worked on, until it is dropped: also when its task panics.
#[derive(Debug)]
pub(crate) struct Working<Id: Copy + Eq + Hash> {
    id: Id,
    all: InFlight<Id>,
}

impl<Id: Copy + Eq + Hash> InFlight<Id> {
    /// Nothing yet; `gauge` shows how much.
    pub(crate) fn shown_by(gauge: &Gauge) -> Self {
        Self { ids: Arc::default(), gauge: gauge.clone() }
    }

    /// Begins work on `id`; `None` if it is being worked on.
    pub(crate) fn begin(&self, id: Id) -> Option<Working<Id>> {
        let begun = self.ids().insert(id);
        if begun {
            self.gauge.increment(1.0);
        }
        begun.then(|| Working { id, all: self.clone() })
    }

    /// How many objects are being worked on.
    pub(crate) fn count(&self) -> usize {
        self.ids().len()
    }

    /// No code panics while it holds the lock, so a poisoned set is whole.
    fn ids(&self) -> MutexGuard<'_, HashSet<Id>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Id: Copy + Eq + Hash> Clone for InFlight<Id> {
    fn clone(&self) -> Self {
        Self { ids: Arc::clone(&self.ids), gauge: self.gauge.clone() }
    }
}

impl<Id: Copy + Eq + Hash> Drop for Working<Id> {
    fn drop(&mut self) {
        self.all.ids().remove(&self.id);
        self.all.gauge.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_object_is_worked_on_once_at_a_time() {
        let all = InFlight::shown_by(&Gauge::noop());
        let first = all.begin(7).unwrap();
        assert!(all.begin(7).is_none());
        assert!(all.begin(8).is_some());
        assert_eq!(all.count(), 1);
        drop(first);
        assert!(all.begin(7).is_some());
    }
}
