//! When which CRL of a shard is to be made.

use cairn_core::api::pki::RevocationPosition;
use cairn_core::{CrlHead, CrlKind, Timestamp};

use crate::CrlConfig;

/// How many times the interval a list may be old before somebody is told.
const OVERDUE: i64 = 2;

/// The latest CRLs of a shard, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Latest {
    pub(super) complete: Option<CrlHead>,
    pub(super) delta: Option<CrlHead>,
}

impl Latest {
    /// Remembers a CRL, if it is newer.
    pub(super) fn note(&mut self, head: &CrlHead) {
        let place = match head.id.kind {
            CrlKind::Complete => &mut self.complete,
            CrlKind::Delta => &mut self.delta,
        };
        if place.as_ref().is_none_or(|known| known.id.number < head.id.number) {
            *place = Some(head.clone());
        }
    }

    /// The greatest number that was used.
    pub(super) fn number(&self) -> Option<u64> {
        let numbers = [&self.complete, &self.delta].into_iter().flatten().map(|head| head.id.number);
        numbers.max()
    }
}

/// What is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A complete list, and a delta of the same moment where there are deltas.
    Complete,
    /// A delta alone.
    Delta,
}

/// What is to be made of a shard at `now`. `urgent` is a place that a complete list must tell of as soon as possible.
pub(super) fn due(
    config: &CrlConfig,
    latest: &Latest,
    urgent: Option<RevocationPosition>,
    now: Timestamp,
) -> Option<Due> {
    let Some(complete) = &latest.complete else { return Some(Due::Complete) };
    let is_urgent = urgent.is_some_and(|urgent| complete.position < urgent);
    if is_urgent || is_over(complete.this_update, config.interval.seconds(), now) {
        return Some(Due::Complete);
    }
    let every = config.delta_interval?;
    let made = latest.delta.as_ref().map(|delta| delta.this_update);
    let made = made.map_or(complete.this_update, |delta| delta.max(complete.this_update));
    is_over(made, every.seconds(), now).then_some(Due::Delta)
}

/// Whether somebody should be told that a list is old.
pub(super) fn is_overdue(config: &CrlConfig, latest: &Latest, now: Timestamp) -> bool {
    let made = latest.complete.as_ref().map(|head| head.this_update);
    made.is_none_or(|made| is_over(made, config.interval.seconds().saturating_mul(OVERDUE), now))
}

/// A list of the future was made by a clock that was wrong: it is as good as none.
fn is_over(made: Timestamp, interval: i64, now: Timestamp) -> bool {
    let age = now.since(made);
    age >= interval || age < -interval
}

/// Whether a list that follows `previous` at `this_update` must tell of a certificate that ended at `not_after`: one is on a list that was
/// made on schedule after its end (RFC 5280 §3.3). One that was made at once in between is none of these.
pub(super) fn dropped_before(
    config: &CrlConfig,
    previous: Option<&CrlHead>,
    this_update: Timestamp,
) -> Timestamp {
    let scheduled = this_update.plus(-config.interval.seconds());
    previous.map_or(Timestamp::from_unix(i64::MIN), |previous| previous.this_update.min(scheduled))
}

#[cfg(test)]
mod tests {
    use cairn_core::{CrlId, CrlShard, IssuerId, Period, ShardId};

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const HOUR: i64 = 3600;

    fn head(kind: CrlKind, number: u64, age: i64, position: i64) -> CrlHead {
        let shard = ShardId { issuer: IssuerId::from_bytes([1; 20]), shard: CrlShard::new(0) };
        CrlHead {
            id: CrlId { shard, kind, number },
            this_update: NOW.plus(-age),
            next_update: NOW.plus(3 * 24 * HOUR - age),
            base: None,
            position: RevocationPosition::from_number(position),
            entries: 0,
            length: 0,
            sha256: [0; 32],
        }
    }

    fn latest(heads: &[CrlHead]) -> Latest {
        let mut latest = Latest::default();
        heads.iter().for_each(|head| latest.note(head));
        latest
    }

    #[test]
    fn a_complete_list_is_made_when_there_is_none_or_it_is_old_and_no_sooner() {
        let config = CrlConfig::default();
        let at = |age| due(&config, &latest(&[head(CrlKind::Complete, 1, age, 5)]), None, NOW);
        assert_eq!(due(&config, &Latest::default(), None, NOW), Some(Due::Complete));
        assert_eq!(at(HOUR - 1), None);
        assert_eq!(at(HOUR), Some(Due::Complete));
        // By a clock that was a little ahead, and by one that was wrong.
        assert_eq!(at(-5), None);
        assert_eq!(at(-2 * HOUR), Some(Due::Complete));
    }

    #[test]
    fn a_compromised_key_has_one_made_at_once_unless_a_list_tells_of_it() {
        let config = CrlConfig::default();
        let latest = latest(&[head(CrlKind::Complete, 1, 1, 5)]);
        let urgent = |position| due(&config, &latest, Some(RevocationPosition::from_number(position)), NOW);
        assert_eq!(urgent(5), None);
        assert_eq!(urgent(6), Some(Due::Complete));
    }

    #[test]
    fn deltas_come_in_between_where_they_are_wanted() {
        let config = CrlConfig { delta_interval: Some(Period::from_secs(60)), ..CrlConfig::default() };
        let complete = head(CrlKind::Complete, 1, 100, 5);
        let off = due(&CrlConfig::default(), &latest(std::slice::from_ref(&complete)), None, NOW);
        assert_eq!(off, None);
        assert_eq!(due(&config, &latest(std::slice::from_ref(&complete)), None, NOW), Some(Due::Delta));
        let with = |age| latest(&[complete.clone(), head(CrlKind::Delta, 2, age, 5)]);
        assert_eq!(due(&config, &with(59), None, NOW), None);
        assert_eq!(due(&config, &with(60), None, NOW), Some(Due::Delta));
        assert_eq!(with(60).number(), Some(2));
    }

    #[test]
    fn a_certificate_stays_through_one_list_on_schedule_after_its_end() {
        let config = CrlConfig::default();
        let listed = |ended: i64, previous_age: i64| {
            let previous = head(CrlKind::Complete, 1, previous_age, 5);
            NOW.plus(-ended) >= dropped_before(&config, Some(&previous), NOW)
        };
        // The list before, made on schedule, was made before the end, and after it.
        assert!(listed(HOUR - 1, HOUR));
        assert!(!listed(HOUR + 1, HOUR));
        // One that was made at once does not count.
        assert!(listed(100, 50));
        // One that came late leaves more.
        assert!(listed(2 * HOUR, 3 * HOUR));
        assert!(NOW.plus(-1000 * HOUR) >= dropped_before(&config, None, NOW));
    }
}
