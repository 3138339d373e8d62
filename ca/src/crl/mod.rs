//! CRLs (RFC 5280 §5): made on schedule, and at once when a key is in other hands.
//!
//! Whoever has an issuer's key makes the CRLs of its shards; of several certificate authorities always one at a time, by a lease in
//! the storage. What is made is stored in pieces and then published in one step, under a number that is greater than any before and not
//! less than the time in nanoseconds: so a half of one is never served, and no number is ever used twice, whatever is killed, and
//! after a restore from a backup too.
//!
//! `make` makes one, `due` says when, `metrics` and `audit` tell of it.

mod audit;
mod due;
mod install;
mod make;
mod metrics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cairn_core::api::CrlStore;
use cairn_core::api::crl::MAX_ROWS;
use cairn_core::api::pki::RevocationPosition;
use cairn_core::{CrlHead, CrlKind, CrlShard, IssuerId, Result, RevocationReason, ShardId, WorkerId};
use tokio::time::{Instant, sleep};

pub(crate) use self::metrics::METRICS;

use self::due::{Due, Latest};
use self::metrics::Handles;
use crate::hierarchy::InUse;
use crate::issuer::Issuer;
use crate::publication::Publication;
use crate::{Ca, CrlConfig};

/// How often the storage is asked what was revoked. A revocation for a compromised key waits for this and for the making of the list.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Pause after a CRL could not be made.
const RETRY: Duration = Duration::from_secs(5);

/// A shard's next CRL that is made at once waits for so many times as long as the last one took: however many keys are compromised, making
/// lists is never all that a CA does.
const REST: u32 = 10;

/// Makes the CRLs of a certificate authority's issuers.
pub struct Crls {
    ca: Arc<Ca>,
    store: Arc<dyn CrlStore>,
    publication: Publication,
    config: CrlConfig,
    /// By whom leases are held.
    holder: WorkerId,
    /// One round at a time.
    state: tokio::sync::Mutex<State>,
    overdue: Mutex<Vec<String>>,
    /// The latest CRLs, of which one is made here now and then.
    latest: Mutex<Vec<CrlHead>>,
}

#[derive(Default)]
struct State {
    /// What was revoked up to here is known; `None` before the first look.
    seen: Option<RevocationPosition>,
    shards: BTreeMap<ShardId, Shard>,
    /// Whose CRLs of CAs above are published.
    installed: Option<Arc<InUse>>,
    /// Those.
    above: Vec<CrlHead>,
    /// Issuers whose stored CRLs have been read.
    read: BTreeSet<IssuerId>,
    metrics: BTreeMap<IssuerId, Handles>,
}

/// What is known of a shard. Others may have made a newer CRL meanwhile: before one is made, the storage is asked again.
#[derive(Clone, Debug, Default)]
struct Shard {
    latest: Latest,
    /// A key was compromised at this place: the next list must tell of it.
    urgent: Option<RevocationPosition>,
    /// One that does not come on schedule is not made before this.
    rest: Option<Instant>,
    /// None is tried again before this.
    retry: Option<Instant>,
    /// Whether it was said that a CRL is overdue.
    said: bool,
}

impl Crls {
    /// For the issuers of `ca`. `None` if there is no place where anybody could look for CRLs.
    pub fn new(ca: Arc<Ca>, store: Arc<dyn CrlStore>) -> Option<Self> {
        let publication = ca.publication.clone()?;
        let config = ca.crl.clone();
        let holder = WorkerId::new(ca.clock.now(), ca.random.as_ref());
        Some(Self {
            ca,
            store,
            publication,
            config,
            holder,
            state: tokio::sync::Mutex::default(),
            overdue: Mutex::default(),
            latest: Mutex::default(),
        })
    }

    /// CRLs that should have been made by now, in words for the operator.
    pub fn overdue(&self) -> Vec<String> {
        self.overdue.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest CRLs that are known here: those that were made here are among them, unless others have made newer ones.
    pub fn latest(&self) -> Vec<CrlHead> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes CRLs when it is time, until this is dropped. What is half made then is never served; the next one cleans it away.
    pub async fn keep_current(&self) {
        loop {
            if let Err(error) = self.round().await {
                tracing::warn!(%error, "what was revoked cannot be read, so no CRL is made; trying again");
                sleep(RETRY).await;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Looks once what is to be made, and makes it.
    ///
    /// # Errors
    /// If it cannot be found out. That a CRL cannot be made is logged and tried again.
    pub async fn round(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        let issuers = self.issuers();
        for issuer in issuers.values() {
            self.look_at(&mut state, issuer).await?;
        }
        self.follow(&mut state).await?;
        for (shard, issuer) in self.shards(&state, &issuers) {
            self.tend(&mut state, shard, &issuer).await;
        }
        self.publish_installed(&mut state, &issuers).await;
        self.tell(&mut state, &issuers);
        Ok(())
    }

    /// The issuers, each once: of several certificates for one key, the one that ends last.
    fn issuers(&self) -> BTreeMap<IssuerId, Arc<Issuer>> {
        let hierarchy = self.ca.hierarchy.load_full();
        let now = self.ca.clock.now().unix();
        let mut issuers: BTreeMap<IssuerId, Arc<Issuer>> = BTreeMap::new();
        for ready in &hierarchy.issuers {
            let issuer = &ready.issuer;
            let ends = |issuer: &Issuer| issuer.certificate().validity().not_after;
            // Nobody can verify what an issuer has signed after its end.
            let lasts = ends(issuer) >= now;
            if lasts && issuers.get(&issuer.id()).is_none_or(|other| ends(other) < ends(issuer)) {
                issuers.insert(issuer.id(), Arc::clone(issuer));
            }
        }
        issuers
    }

    /// Reads, the first time, which CRLs of an issuer there are, and knows the shards that are configured.
    async fn look_at(&self, state: &mut State, issuer: &Arc<Issuer>) -> Result<()> {
        let id = issuer.id();
        if state.read.contains(&id) {
            return Ok(());
        }
        let mut last = None;
        loop {
            let heads = self.store.crls(id, last, MAX_ROWS).await?;
            let is_all = heads.len() < MAX_ROWS;
            last = heads.last().map(|head| head.id).or(last);
            for head in heads {
                let shard = state.shards.entry(head.id.shard).or_default();
                shard.latest.note(&head);
                // A key that was compromised while nobody looked.
                if head.id.kind == CrlKind::Complete {
                    let seen = state.seen.unwrap_or(head.position);
                    state.seen = Some(seen.min(head.position));
                }
            }
            if is_all {
                break;
            }
        }
        for number in 0..self.config.shards.get() {
            let shard = ShardId { issuer: id, shard: CrlShard::new(number) };
            state.shards.entry(shard).or_default();
        }
        state.metrics.insert(id, Handles::new(issuer));
        state.read.insert(id);
        Ok(())
    }

    /// Reads what was revoked since the last look.
    async fn follow(&self, state: &mut State) -> Result<()> {
        let Some(mut seen) = state.seen else {
            // Every shard's first CRL is to be made, and tells of everything.
            state.seen = Some(self.store.latest_change().await?);
            return Ok(());
        };
        loop {
            let changes = self.store.changes_after(seen, MAX_ROWS).await?;
            let is_all = changes.len() < MAX_ROWS;
            for change in changes {
                seen = change.certificate.position;
                let shard = state.shards.entry(change.shard).or_default();
                if change.certificate.revocation.reason == Some(RevocationReason::KeyCompromise) {
                    shard.urgent = shard.urgent.max(Some(seen));
                }
            }
            state.seen = Some(seen);
            if is_all {
                return Ok(());
            }
        }
    }

    /// The shards whose issuer's key is here.
    fn shards(
        &self,
        state: &State,
        issuers: &BTreeMap<IssuerId, Arc<Issuer>>,
    ) -> Vec<(ShardId, Arc<Issuer>)> {
        let ours = |shard: &ShardId| Some((*shard, Arc::clone(issuers.get(&shard.issuer)?)));
        state.shards.keys().filter_map(ours).collect()
    }

    /// Makes what is due of a shard.
    async fn tend(&self, state: &mut State, id: ShardId, issuer: &Arc<Issuer>) {
        let Some(shard) = state.shards.get_mut(&id) else { return };
        let waits = |until: Option<Instant>| until.is_some_and(|until| Instant::now() < until);
        let scheduled = due::due(&self.config, &shard.latest, None, self.ca.clock.now()).is_some();
        if waits(shard.retry) || (!scheduled && (waits(shard.rest) || self.due(shard).is_none())) {
            return;
        }
        let began = Instant::now();
        match self.make_due(id, shard, issuer).await {
            Ok(false) => {}
            Ok(true) => shard.rest = Some(Instant::now() + began.elapsed() * REST),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, shard = %id, "a CRL could not be made; trying again");
                shard.retry = Some(Instant::now() + RETRY);
                if let Some(metrics) = state.metrics.get(&id.issuer) {
                    metrics.failed();
                }
            }
        }
    }

    fn due(&self, shard: &Shard) -> Option<Due> {
        due::due(&self.config, &shard.latest, shard.urgent, self.ca.clock.now())
    }

    /// Takes the lease, looks again, makes what is due, and gives the lease back. Whether something was made.
    async fn make_due(&self, id: ShardId, shard: &mut Shard, issuer: &Arc<Issuer>) -> Result<bool> {
        if !self.hold(id).await? {
            // Another one is at it.
            return Ok(false);
        }
        let made = self.make_under_lease(id, shard, issuer).await;
        self.store.release_crl_shard(id, self.holder).await?;
        made
    }

    async fn make_under_lease(&self, id: ShardId, shard: &mut Shard, issuer: &Arc<Issuer>) -> Result<bool> {
        for kind in CrlKind::ALL {
            if let Some(head) = self.store.latest_crl(id, kind).await? {
                shard.latest.note(&head);
            }
        }
        let Some(due) = self.due(shard) else { return Ok(false) };
        for head in self.make(id, shard.latest.clone(), due, issuer).await? {
            shard.latest.note(&head);
        }
        Ok(true)
    }

    /// Shows how the lists stand, and says so when one is overdue.
    fn tell(&self, state: &mut State, issuers: &BTreeMap<IssuerId, Arc<Issuer>>) {
        let now = self.ca.clock.now();
        let mut overdue = Vec::new();
        for (id, shard) in &mut state.shards {
            if !issuers.contains_key(&id.issuer) {
                continue;
            }
            let late = due::is_overdue(&self.config, &shard.latest, now);
            if late {
                let made = shard.latest.complete.as_ref().map(|head| head.this_update.to_string());
                let made = made.unwrap_or_else(|| "never".to_owned());
                overdue.push(format!("the CRL of shard {id} is overdue: it was last made {made}"));
                if !shard.said {
                    tracing::warn!(shard = %id, made, "a CRL is overdue; relying parties refuse it from its end on");
                }
            }
            shard.said = late;
        }
        for (id, metrics) in &state.metrics {
            let shards = || state.shards.iter().filter(|(shard, _)| shard.issuer == *id);
            metrics.show(shards().count(), shards().filter_map(|(_, shard)| shard.latest.complete.as_ref()));
        }
        let latest = state.shards.values().flat_map(|shard| [&shard.latest.complete, &shard.latest.delta]);
        let latest = latest.flatten().chain(&state.above).cloned().collect();
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = latest;
        *self.overdue.lock().unwrap_or_else(PoisonError::into_inner) = overdue;
    }
}

/// What has been published.
fn published(issuer: &Issuer, head: &CrlHead) {
    audit::published(head);
    metrics::published(issuer, head.id.kind);
}
