//! The rotation calendar of a running CA, told to whoever should know: by the log at each change and once a day, by metrics, and by
//! `/readyz`, whose answer it does not change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cairn_ca::calendar::{Entry, Kind, Parts, State, calendar};
use cairn_ca::{Gauges, ProfileConfig};
use cairn_core::{Clock, Timestamp};
use cairn_x509::Certificate;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::folder::{Inventory, IssuerEntry};
use crate::readiness::Notices;

/// How often what wants work is said again, in seconds.
const SAY_EVERY: i64 = 24 * 60 * 60;
/// How often the clock is looked at where nothing else changes.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// What is told of the calendar.
#[derive(Debug)]
pub struct Rotation {
    profiles: BTreeMap<String, ProfileConfig>,
    gauges: Gauges,
    notices: Arc<Notices>,
    told: BTreeMap<(Kind, String), State>,
    told_all: Option<Timestamp>,
}

impl Rotation {
    /// Of a CA with these profiles.
    pub fn new(profiles: BTreeMap<String, ProfileConfig>, notices: Arc<Notices>) -> Self {
        Self { profiles, gauges: Gauges::default(), notices, told: BTreeMap::new(), told_all: None }
    }

    /// Tells how the parts stand, of the issuers those that are `in_use`.
    pub fn tell(&mut self, inventory: &Inventory, in_use: impl Fn(&Certificate) -> bool, now: Timestamp) {
        let parts = parts(inventory, |issuer| in_use(&issuer.certificate));
        let entries = calendar(&parts, &self.profiles, now);
        self.gauges.show(&entries);
        let work = entries.iter().filter(|entry| entry.state.wants_work());
        self.notices.set(work.map(ToString::to_string).collect());
        let again = self.told_all.is_none_or(|at| now.since(at) >= SAY_EVERY);
        if again {
            self.told_all = Some(now);
        }
        let mut told = BTreeMap::new();
        for entry in entries {
            let part = (entry.kind, entry.name.clone());
            let before = self.told.get(&part);
            if before != Some(&entry.state) || again {
                say(&entry, before.is_some_and(|before| before.wants_work()));
            }
            told.insert(part, entry.state);
        }
        self.told = told;
    }
}

/// Tells of a hierarchy that stays as it is, until `shutdown`.
pub async fn keep_telling(
    mut rotation: Rotation,
    inventory: Inventory,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) {
    loop {
        rotation.tell(&inventory, |_| true, clock.now());
        if shutdown.run_until_cancelled(tokio::time::sleep(TELL_EVERY)).await.is_none() {
            return;
        }
    }
}

fn say(entry: &Entry, wanted_work: bool) {
    let Entry { subject, renew_from, renew_by, .. } = entry;
    if entry.state.wants_work() {
        warn!(subject, %renew_from, %renew_by, state = %entry.state, "{entry}");
    } else if wanted_work {
        info!(subject, state = %entry.state, "{entry}");
    }
}

/// The parts of a hierarchy: of the issuers those that are asked for, and of the other CAs' certificates none twice.
pub fn parts(inventory: &Inventory, wanted: impl Fn(&IssuerEntry) -> bool) -> Parts<'_> {
    let issuers = inventory.issuers.iter().filter(|issuer| wanted(issuer));
    let mut seen: Vec<&Certificate> = inventory.issuers.iter().map(|issuer| &issuer.certificate).collect();
    let mut authorities = Vec::new();
    for (name, certificate) in &inventory.certificates {
        if !seen.contains(&certificate) {
            seen.push(certificate);
            authorities.push((name.clone(), certificate));
        }
    }
    Parts {
        issuers: issuers.map(|issuer| (issuer.name.clone(), &issuer.certificate, &issuer.usage)).collect(),
        authorities,
        crls: inventory.crls.iter().map(|(name, crl)| (name.clone(), crl)).collect(),
        responders: inventory.responders.iter().map(|it| (it.name.clone(), &it.certificate)).collect(),
    }
}
