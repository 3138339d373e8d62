//! How many signed requests are worked on at a time. What comes beyond is turned away at once: a server that takes in more than it can
//! do answers everybody late, and its clients' retries then come on top.

use std::sync::Arc;

use cairn_core::{Problem, ProblemType};
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics;
use crate::problem::Rejection;

/// The places; a request has one from when its body is there until it is answered.
#[derive(Debug)]
pub(crate) struct Places(Arc<Semaphore>);

/// A place that is given back when dropped.
pub(crate) type Place = OwnedSemaphorePermit;

impl Places {
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Whether there is a place now: asked before the body is read, so that whoever will be turned away is at once. It takes none,
    /// or clients that send slowly would hold them all.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        if self.0.available_permits() == 0 { Err(full()) } else { Ok(()) }
    }

    /// Takes a place.
    pub(crate) fn take(&self) -> Result<Place, Rejection> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| full())
    }
}

/// 503; `Retry-After` goes with it. A problem and not an error: one line in the log for each, as for other requests, and no alarm.
fn full() -> Rejection {
    metrics::shed();
    let detail = "The server is too busy. Try again when the time in Retry-After is over.";
    Problem::new(ProblemType::ServerInternal, detail)
        .with_status(StatusCode::SERVICE_UNAVAILABLE.as_u16())
        .into()
}
