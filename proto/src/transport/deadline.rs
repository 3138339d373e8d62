//! How long a call may still take, and how that time shrinks from hop to hop.
//!
//! The server puts the time at which its caller stops waiting into the task that answers; a [`Channel`](super::Channel) that is called
//! from there sends what is left of it, less a margin, as `grpc-timeout`. So all hops of a request end before the first caller gives up,
//! the last one first, and nobody waits for an answer that no one will read.
//!
//! Only waiting ends. What a service has begun runs to its end, and a task that it spawns has no deadline, by intent: work that
//! outlives the call which began it (a validation, an issuance) must not fail because a client went away. A call from such a task gets
//! the channel's own `call_timeout`.

use std::time::Duration;

use tokio::time::Instant;

/// What each hop keeps for itself, so that it can still pass on that the next one was too slow.
pub const MARGIN: Duration = Duration::from_millis(10);
/// A call with less time than this is not worth beginning: a hop and one durable write take about as long.
pub const MINIMUM: Duration = Duration::from_millis(10);

tokio::task_local! {
    static DEADLINE: Instant;
}

/// Runs `work` under `deadline`: every call it makes itself, and not those of tasks it spawns, ends before it.
pub async fn scope<F: Future>(deadline: Instant, work: F) -> F::Output {
    DEADLINE.scope(deadline, work).await
}

/// The deadline of the task that asks, if it has one.
#[must_use]
pub fn current() -> Option<Instant> {
    DEADLINE.try_with(|deadline| *deadline).ok()
}

/// The most digits of a `grpc-timeout`.
const MAX_DIGITS: usize = 8;

/// `timeout` as the header `grpc-timeout` has it: whole microseconds or, when those have too many digits, milliseconds.
pub(super) fn to_header(timeout: Duration) -> String {
    let longest = 10_u128.pow(8) - 1;
    match (timeout.as_micros(), timeout.as_millis()) {
        (micros, _) if micros <= longest => format!("{micros}u"),
        (_, millis) => format!("{}m", millis.min(longest)),
    }
}

/// What a `grpc-timeout` says, if it makes sense.
pub(super) fn from_header(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_survive_the_header() {
        for micros in [0, 1, 15_000_000, 99_999_999, 100_000_000, 3_600_000_000] {
            let timeout = Duration::from_micros(micros);
            assert_eq!(from_header(&to_header(timeout)), Some(timeout));
        }
        assert_eq!(to_header(Duration::MAX), "99999999m");
        assert_eq!(from_header("2H"), Some(Duration::from_secs(7200)));
        for text in ["", "S", "1", "1x", "-1S", "123456789m", "1.5S", "1é"] {
            assert_eq!(from_header(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_deadline_holds_in_its_task_and_not_in_those_it_spawns() {
        let tracker = tokio_util::task::TaskTracker::new();
        let deadline = Instant::now() + Duration::from_secs(1);
        assert_eq!(current(), None);
        let spawned = scope(deadline, async {
            assert_eq!(current(), Some(deadline));
            tracker.spawn(async { current() }).await.unwrap()
        });
        assert_eq!(spawned.await, None);
    }
}
