//! CRLs that are not made here: those of the CAs above, which ceremonies make, are published like our own, so that relying parties find
//! whether an intermediate is revoked where its certificate says.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_core::api::pki::RevocationPosition;
use cairn_core::crl::CRL_CHUNK;
use cairn_core::{CrlHead, CrlId, CrlKind, CrlShard, IssuerId, Result, ShardId, Timestamp};
use cairn_x509::Crl;

use super::{Crls, State, audit};
use crate::issuer::Issuer;

/// Under this number the one CRL of a CA above is found.
const SHARD: CrlShard = CrlShard::new(0);

impl Crls {
    /// Publishes those of the hierarchy in use, unless they are there, or newer ones are.
    pub(super) async fn publish_installed(&self, state: &mut State, own: &BTreeMap<IssuerId, Arc<Issuer>>) {
        let hierarchy = self.ca.hierarchy.load_full();
        if state.installed.as_ref().is_some_and(|installed| Arc::ptr_eq(installed, &hierarchy)) {
            return;
        }
        let (mut is_all, mut above) = (true, Vec::new());
        for crl in &hierarchy.crls {
            let Some(head) = head(crl) else {
                let issuer = crl.tbs().issuer();
                tracing::warn!(%issuer, "an installed CRL has no number or key identifier, and is not served");
                continue;
            };
            // Those of the issuers whose keys are here are made here.
            if own.contains_key(&head.id.shard.issuer) {
                continue;
            }
            if let Err(error) = self.publish_one(crl, head.clone()).await {
                tracing::warn!(%error, issuer = %crl.tbs().issuer(), "an installed CRL could not be published; trying again");
                is_all = false;
            } else {
                above.push(head);
            }
        }
        state.above = above;
        if is_all {
            state.installed = Some(hierarchy);
        }
    }

    async fn publish_one(&self, crl: &Crl, head: CrlHead) -> Result<()> {
        let shard = head.id.shard;
        let is_newer =
            |latest: Option<CrlHead>| latest.is_none_or(|latest| latest.id.number < head.id.number);
        if !is_newer(self.store.latest_crl(shard, CrlKind::Complete).await?) || !self.hold(shard).await? {
            return Ok(());
        }
        let latest = self.store.latest_crl(shard, CrlKind::Complete).await?;
        if is_newer(latest.clone()) {
            let first = latest.as_ref().map_or(0, |latest| latest.id.number.saturating_add(1));
            while self.store.remove_crls(CrlId { number: first, ..head.id }, u64::MAX, self.holder).await? {}
            for (place, octets) in (0..).zip(crl.der().chunks(CRL_CHUNK)) {
                self.store.add_crl_chunk(head.id, self.holder, place, octets.to_vec()).await?;
            }
            self.store.publish_crl(head.clone(), self.holder).await?;
            audit::published(&head);
            let kept = latest.map_or(0, |latest| latest.id.number);
            while self.store.remove_crls(CrlId { number: 0, ..head.id }, kept, self.holder).await? {}
        }
        self.store.release_crl_shard(shard, self.holder).await
    }
}

/// `None` of one that no place or number can be given.
fn head(crl: &Crl) -> Option<CrlHead> {
    let tbs = crl.tbs();
    let issuer = IssuerId::from_bytes(tbs.authority_key_identifier()?.try_into().ok()?);
    let number = tbs.number_as_u64().filter(|number| i64::try_from(*number).is_ok())?;
    Some(CrlHead {
        id: CrlId { shard: ShardId { issuer, shard: SHARD }, kind: CrlKind::Complete, number },
        this_update: Timestamp::from_unix(tbs.this_update()),
        next_update: Timestamp::from_unix(tbs.next_update()?),
        base: None,
        position: RevocationPosition::default(),
        entries: tbs.entries().count() as u64,
        length: crl.der().len() as u64,
        sha256: crl.sha256(),
    })
}
