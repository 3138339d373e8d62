//! Lets hyper spawn its tasks on a tracker.

use hyper::rt::Executor;
use tokio_util::task::TaskTracker;

/// A tracker as hyper wants it.
#[derive(Clone, Debug)]
pub(super) struct Spawn(pub(super) TaskTracker);

impl<F> Executor<F> for Spawn
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}
