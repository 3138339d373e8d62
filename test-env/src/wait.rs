//! Waiting for a condition: look often, give up after a bound.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// Pause between two looks: short against anything waited for here, long against the cost of a look.
const PAUSE: Duration = Duration::from_millis(1);

/// Looks until there is something to see, at most for `limit`. `awaited` completes the sentence "gave up waiting for …".
///
/// # Errors
/// If nothing was seen in time, or looking fails.
pub fn until<T>(awaited: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let begin = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        if begin.elapsed() > limit {
            bail!("gave up waiting for {awaited} after {limit:?}");
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_time_is_handed_on() {
        let mut looks = 0;
        let seen = until("the third look", Duration::from_secs(60), || {
            looks += 1;
            Ok((looks == 3).then_some("here"))
        });
        assert_eq!(seen.unwrap(), "here");
    }

    #[test]
    fn waiting_ends_at_the_bound_and_names_what_did_not_come() {
        let error = until::<()>("Godot", Duration::ZERO, || Ok(None)).unwrap_err();
        assert!(error.to_string().contains("Godot"), "{error}");
    }

    #[test]
    fn an_error_ends_the_waiting_at_once() {
        let error = until::<()>("anything", Duration::from_secs(60), || bail!("it died")).unwrap_err();
        assert_eq!(error.to_string(), "it died");
    }
}
