//! One CRL, from what is revoked to what is served.
//!
//! 1. The lease is held, and what a predecessor left half done is removed.
//! 2. The number, and the place up to which the list will tell of everything.
//! 3. How long the entries are.
//! 4. The entries, page by page, into the buffer in which everything else happens.
//! 5. Lints, and the signature.
//! 6. The pieces are stored; the lease is kept meanwhile.
//! 7. It is published, in one step.
//! 8. What is older than the one before goes, and revocations that are long over.

use std::sync::Arc;

use cairn_core::api::crl::MAX_ROWS;
use cairn_core::api::pki::RevocationPosition;
use cairn_core::crl::CRL_CHUNK;
use cairn_core::{CrlHead, CrlId, CrlKind, Error, Result, RevokedCertificate, Serial, ShardId, Timestamp};
use cairn_x509::{
    BuildError, CrlContents, CrlInputs, CrlReason, CrlScope, CrlWriter, EntriesLength, LargeCrl, RevokedEntry,
};

use super::due::{Due, Latest, dropped_before};
use super::{Crls, published};
use crate::issuer::Issuer;

/// For how long a lease is taken. Whoever is killed leaves its shards alone for so long.
const LEASE: i64 = 60;
/// When a lease that is in use is taken anew.
const LEASE_HALF: i64 = LEASE / 2;

/// How many changes a delta CRL is looked for among. Of more, it would not be shorter than the whole for long.
const MAX_CHANGES: usize = 200_000;

/// How long a delta CRL is good for, in its intervals: two may fail before relying parties have none.
const DELTA_VALIDITY: i64 = 3;

/// How many revocations that are long over are forgotten after each CRL, at most.
const MAX_FORGOTTEN: usize = 20 * MAX_ROWS;

/// A CRL that is to be made.
struct Plan {
    id: CrlId,
    base: Option<u64>,
    position: RevocationPosition,
    this_update: Timestamp,
    next_update: Timestamp,
    scope: CrlScope,
    delta_url: Option<String>,
}

impl Plan {
    fn inputs(&self) -> CrlInputs<'_> {
        CrlInputs {
            this_update: self.this_update.unix(),
            next_update: self.next_update.unix(),
            number: self.id.number,
            scope: Some(&self.scope),
            base: self.base,
            delta_url: self.delta_url.as_deref(),
        }
    }
}

/// The lease of a shard, while something is made.
struct Lease {
    shard: ShardId,
    /// When it was last taken.
    taken: Timestamp,
}

impl Crls {
    /// Takes the lease of a shard, or keeps it.
    pub(super) async fn hold(&self, shard: ShardId) -> Result<bool> {
        let now = self.ca.clock.now();
        self.store.hold_crl_shard(shard, self.holder, now, now.plus(LEASE)).await
    }

    async fn keep(&self, lease: &mut Lease) -> Result<()> {
        let now = self.ca.clock.now();
        if now.since(lease.taken).abs() >= LEASE_HALF {
            if !self.hold(lease.shard).await? {
                return Err(lost());
            }
            lease.taken = now;
        }
        Ok(())
    }

    /// Makes what is due of a shard whose lease is held, and of which the `latest` CRLs are known. Gives what was published.
    pub(super) async fn make(
        &self,
        shard: ShardId,
        latest: Latest,
        due: Due,
        issuer: &Arc<Issuer>,
    ) -> Result<Vec<CrlHead>> {
        let mut lease = Lease { shard, taken: self.ca.clock.now() };
        self.remove_unpublished(&latest, shard).await?;
        // Before it is asked what is revoked: the list tells of everything up to here, and maybe of more.
        let this_update = self.ca.clock.now();
        let position = self.store.latest_change().await?;
        let number = number(latest.number(), this_update)?;
        let mut made = Vec::new();
        let base = latest.complete.as_ref();
        // Of a complete list and its delta, which are of one moment and have one number (RFC 5280 §5.2.4), the delta tells what changed
        // since the complete list before.
        let mut delta = None;
        if let (Some(every), Some(base)) = (self.config.delta_interval, base) {
            let validity = every.seconds().saturating_mul(DELTA_VALIDITY);
            let plan = self.plan(shard, CrlKind::Delta, number, position, this_update, validity);
            let plan = Plan { base: Some(base.id.number), ..plan };
            delta = self.changes(&mut lease, base, position, shard).await?.map(|changes| (plan, changes));
        }
        if due == Due::Complete || delta.is_none() {
            let validity = self.config.validity.seconds();
            let plan = self.plan(shard, CrlKind::Complete, number, position, this_update, validity);
            made.push(self.make_complete(&mut lease, plan, base, issuer).await?);
        }
        if let Some((plan, changes)) = delta {
            let crl = self.write_delta(&plan, &changes, issuer)?;
            let crl = self.sign(crl, issuer).await?;
            made.push(self.publish(&mut lease, &plan, crl, issuer).await?);
        }
        self.remove_old(&latest, &made).await?;
        Ok(made)
    }

    fn plan(
        &self,
        shard: ShardId,
        kind: CrlKind,
        number: u64,
        position: RevocationPosition,
        this_update: Timestamp,
        validity: i64,
    ) -> Plan {
        let url = self.publication.crl_url(shard);
        let has_delta = kind == CrlKind::Complete && self.config.delta_interval.is_some();
        Plan {
            id: CrlId { shard, kind, number },
            base: None,
            position,
            this_update,
            next_update: this_update.plus(validity),
            // RFC 5280 §5.2.5: the place that certificates name, and no CA's certificates: those are on the list of the CA above.
            scope: CrlScope { urls: vec![url], contents: CrlContents::UserCertificates },
            delta_url: has_delta.then(|| self.publication.delta_crl_url(shard)),
        }
    }

    async fn make_complete(
        &self,
        lease: &mut Lease,
        plan: Plan,
        previous: Option<&CrlHead>,
        issuer: &Arc<Issuer>,
    ) -> Result<CrlHead> {
        let shard = plan.id.shard;
        let dropped = dropped_before(&self.config, previous, plan.this_update);
        let forgotten = dropped.plus(-self.config.validity.seconds());
        let length = self.length(lease).await?;
        let mut writer = begin(&plan, length, issuer)?;
        let (mut after, mut over) = (None::<Serial>, Vec::new());
        loop {
            let page = self.store.revoked(shard, after, MAX_ROWS).await?;
            let is_all = page.len() < MAX_ROWS;
            for certificate in &page {
                if certificate.not_after >= dropped && is_of_the_list(&plan, certificate) {
                    write(&mut writer, certificate)?;
                } else if certificate.not_after < forgotten && over.len() < MAX_FORGOTTEN {
                    over.push(certificate.serial.clone());
                }
            }
            after = page.into_iter().next_back().map(|certificate| certificate.serial);
            if is_all {
                break;
            }
            self.keep(lease).await?;
            // Others want to do something on this thread too.
            tokio::task::yield_now().await;
        }
        let crl = self.sign(writer, issuer).await?;
        let head = self.publish(lease, &plan, crl, issuer).await?;
        for serials in over.chunks(MAX_ROWS) {
            self.store.forget_revocations(serials.to_vec(), forgotten).await?;
        }
        Ok(head)
    }

    /// How much room the entries of a shard need.
    async fn length(&self, lease: &mut Lease) -> Result<EntriesLength> {
        let (mut length, mut after) = (EntriesLength::default(), None);
        loop {
            let measured = self.store.revoked_lengths(lease.shard, after).await?;
            length.add_at_most(measured.count, measured.serial_octets);
            after = measured.next;
            if after.is_none() {
                return Ok(length);
            }
            self.keep(lease).await?;
            tokio::task::yield_now().await;
        }
    }

    /// What has changed in a shard since `base`, by ascending serials. `None` if too much has changed everywhere.
    async fn changes(
        &self,
        lease: &mut Lease,
        base: &CrlHead,
        until: RevocationPosition,
        shard: ShardId,
    ) -> Result<Option<Vec<RevokedCertificate>>> {
        let (mut seen, mut looked_at, mut found) = (base.position, 0, Vec::new());
        while seen < until {
            let changes = self.store.changes_after(seen, MAX_ROWS).await?;
            let Some(last) = changes.last() else { break };
            seen = last.certificate.position;
            looked_at += changes.len();
            if looked_at > MAX_CHANGES {
                return Ok(None);
            }
            let of_shard = changes.into_iter().filter(|change| change.shard == shard);
            found.extend(of_shard.map(|change| change.certificate));
            self.keep(lease).await?;
        }
        // One that was changed while this was read has been told twice.
        found.sort_by(|one, other| (&one.serial, other.position).cmp(&(&other.serial, one.position)));
        found.dedup_by(|one, other| one.serial == other.serial);
        Ok(Some(found))
    }

    fn write_delta(&self, plan: &Plan, changes: &[RevokedCertificate], issuer: &Issuer) -> Result<CrlWriter> {
        let listed = changes.iter().filter(|certificate| is_of_the_list(plan, certificate));
        let mut length = EntriesLength::default();
        for certificate in listed.clone() {
            length.add(&entry(certificate)).map_err(unmade)?;
        }
        let mut writer = begin(plan, length, issuer)?;
        for certificate in listed {
            write(&mut writer, certificate)?;
        }
        Ok(writer)
    }

    /// Has it linted and signed, on a thread for that.
    async fn sign(&self, writer: CrlWriter, issuer: &Arc<Issuer>) -> Result<LargeCrl> {
        let judge = Arc::clone(issuer);
        let linted = tokio::task::spawn_blocking(move || {
            let unsigned = writer.finish().map_err(unmade)?;
            unsigned.lint(judge.certificate(), judge.lint_signer()).map_err(unmade)
        });
        let linted = linted.await.map_err(unmade)??;
        issuer.key().sign_crl(linted).await
    }

    /// Stores the pieces, and publishes them.
    async fn publish(
        &self,
        lease: &mut Lease,
        plan: &Plan,
        crl: LargeCrl,
        issuer: &Issuer,
    ) -> Result<CrlHead> {
        let head = CrlHead {
            id: plan.id,
            this_update: plan.this_update,
            next_update: plan.next_update,
            base: plan.base,
            position: plan.position,
            entries: crl.count(),
            length: crl.der().len() as u64,
            sha256: *crl.sha256(),
        };
        for (place, octets) in (0..).zip(crl.der().chunks(CRL_CHUNK)) {
            self.keep(lease).await?;
            self.store.add_crl_chunk(plan.id, self.holder, place, octets.to_vec()).await?;
        }
        self.keep(lease).await?;
        self.store.publish_crl(head.clone(), self.holder).await?;
        published(issuer, &head);
        Ok(head)
    }

    /// What was stored by somebody who was killed before it was published.
    async fn remove_unpublished(&self, latest: &Latest, shard: ShardId) -> Result<()> {
        for (kind, head) in [(CrlKind::Complete, &latest.complete), (CrlKind::Delta, &latest.delta)] {
            let number = head.as_ref().map_or(0, |head| head.id.number.saturating_add(1));
            self.remove(CrlId { shard, kind, number }, u64::MAX).await?;
        }
        Ok(())
    }

    /// Keeps what was made, and the one of each kind before it, which somebody may be reading.
    async fn remove_old(&self, before: &Latest, made: &[CrlHead]) -> Result<()> {
        for CrlHead { id, .. } in made {
            let kept = match id.kind {
                CrlKind::Complete => &before.complete,
                CrlKind::Delta => &before.delta,
            };
            if let Some(kept) = kept {
                self.remove(CrlId { number: 0, ..*id }, kept.id.number).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, first: CrlId, end: u64) -> Result<()> {
        while self.store.remove_crls(first, end, self.holder).await? {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// RFC 5280 §5.2.3: greater than every number before, though the storage may have been restored from a backup and know nothing of the
/// last ones.
fn number(last: Option<u64>, now: Timestamp) -> Result<u64> {
    const NANOS: u64 = 1_000_000_000;
    let time = u64::try_from(now.unix()).unwrap_or_default().saturating_mul(NANOS);
    let next = last.map_or(Some(0), |last| last.checked_add(1)).ok_or_else(exhausted)?;
    Ok(time.max(next))
}

/// What was revoked while the list was being made comes with the next one: it would be of a later time than the list.
fn is_of_the_list(plan: &Plan, certificate: &RevokedCertificate) -> bool {
    certificate.position <= plan.position || certificate.revocation.at <= plan.this_update
}

fn begin(plan: &Plan, length: EntriesLength, issuer: &Issuer) -> Result<CrlWriter> {
    let algorithm = issuer.signer().algorithm();
    CrlWriter::new(issuer.certificate(), algorithm, plan.inputs(), length).map_err(unmade)
}

fn entry(certificate: &RevokedCertificate) -> RevokedEntry<'_> {
    let reason = certificate.revocation.reason.and_then(|reason| CrlReason::from_code(reason.code()));
    RevokedEntry {
        serial: certificate.serial.as_bytes(),
        revoked_at: certificate.revocation.at.unix(),
        reason,
    }
}

fn write(writer: &mut CrlWriter, certificate: &RevokedCertificate) -> Result<()> {
    writer.push(&entry(certificate)).map_err(|error: BuildError| unmade(error))
}

fn unmade(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("The CRL could not be made.", error)
}

fn lost() -> Error {
    Error::new(cairn_core::ErrorKind::Conflict, "Another one makes the CRLs of this shard by now.")
}

fn exhausted() -> Error {
    Error::new(cairn_core::ErrorKind::Internal, "No number is left for another CRL.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_with_the_time_and_past_every_number_before() {
        let now = Timestamp::from_unix(1_800_000_000);
        assert_eq!(number(None, now).unwrap(), 1_800_000_000_000_000_000);
        assert_eq!(number(Some(7), now).unwrap(), 1_800_000_000_000_000_000);
        assert_eq!(number(Some(1_800_000_000_000_000_000), now).unwrap(), 1_800_000_000_000_000_001);
        // By a clock that went back.
        assert_eq!(number(Some(1 << 62), now).unwrap(), (1 << 62) + 1);
        assert!(number(Some(u64::MAX), now).is_err());
    }
}
