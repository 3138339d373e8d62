//! CRLs over a storage of the real kind, with the clock turned.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cairn_ca::{Ca, Crls, Issuer};
use cairn_core::api::ca::{CertificateAuthority, IssuanceRequest};
use cairn_core::api::crl::{CrlStore, RevokedLengths, ShardChange};
use cairn_core::api::pki::{PkiRead, RevocationPosition};
use cairn_core::api::sa::{NewRevocation, StorageAuthority, StorageRead};
use cairn_core::random::SeededRandom;
use cairn_core::time::FakeClock;
use cairn_core::{
    Clock, CrlHead, CrlId, CrlKind, CrlShard, Error, ErrorKind, IssuerId, Result, Revocation,
    RevocationReason, RevokedCertificate, Serial, ShardId, Timestamp, WorkerId,
};
use cairn_sa::SqliteStorage;
use cairn_x509::{
    Certificate, Crl, CrlContents, CrlInputs, CrlReason, CrlScope, KeySpec, RevokedEntry, Signer, crl,
    lint_crl,
};
use der::{Decode, Encode};
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::CertificateList;

use crate::world::{DAY, Hierarchy, NOW, request};

const HOUR: i64 = 60 * 60;
const URL: &str = "pki_url = \"http://pki.example.test\"\n";

/// A CA with its storage, and its CRLs.
struct World {
    ca: Arc<Ca>,
    crls: Crls,
    storage: Arc<SqliteStorage>,
    clock: Arc<FakeClock>,
    issuer: Certificate,
    issued: Mutex<u8>,
}

impl World {
    fn new(config: &str) -> Self {
        Self::of(config, KeySpec::P256)
    }

    fn of(config: &str, key: KeySpec) -> Self {
        let hierarchy = Hierarchy::new(key, 1825);
        let storage = Arc::new(SqliteStorage::open_ephemeral().unwrap());
        Self::on(config, hierarchy.intermediate.clone(), hierarchy.issuer(), storage)
    }

    fn on(config: &str, certificate: Certificate, issuer: Issuer, storage: Arc<SqliteStorage>) -> Self {
        let clock = Arc::new(FakeClock::new(NOW));
        let config = toml::from_str(&format!("{URL}{config}")).unwrap();
        let random = Arc::new(SeededRandom::new(1));
        let ca = Ca::new(config, issuer, storage.clone(), clock.clone(), random).unwrap();
        let ca = Arc::new(ca);
        let crls = Crls::new(Arc::clone(&ca), storage.clone()).unwrap();
        Self { ca, crls, storage, clock, issuer: certificate, issued: Mutex::new(0) }
    }

    /// Another CA process on the same storage, with the same issuers.
    fn beside(&self) -> Crls {
        Crls::new(Arc::clone(&self.ca), self.storage.clone()).unwrap()
    }

    fn shard(&self, number: u16) -> ShardId {
        let issuer = self.issuer.subject_key_identifier().unwrap().try_into().unwrap();
        ShardId { issuer: IssuerId::from_bytes(issuer), shard: CrlShard::new(number) }
    }

    async fn issue(&self) -> Serial {
        let number = {
            let mut issued = self.issued.lock().unwrap();
            *issued += 1;
            *issued
        };
        let name = format!("host{number}.example.test");
        let request = IssuanceRequest { order: None, account: None, ..request(&[("dns", &name)]) };
        self.ca.issue_certificate(request).await.unwrap().serial
    }

    async fn revoke(&self, serial: &Serial, reason: Option<RevocationReason>) {
        let revocation = Revocation { at: self.clock.now(), reason };
        let new = NewRevocation { serial: serial.clone(), revocation, blocked_key: None };
        self.storage.revoke_certificate(new).await.unwrap();
    }

    async fn revoked(&self, reason: Option<RevocationReason>) -> Serial {
        let serial = self.issue().await;
        self.revoke(&serial, reason).await;
        serial
    }

    async fn head(&self, shard: u16, kind: CrlKind) -> Option<CrlHead> {
        self.storage.crl(self.shard(shard), kind).await.unwrap()
    }

    /// The octets that a front end serves.
    async fn octets(&self, head: &CrlHead) -> Vec<u8> {
        let mut octets = Vec::new();
        for place in 0..head.chunks() {
            octets.extend(self.storage.crl_chunk(head.id, place).await.unwrap().unwrap());
        }
        assert_eq!(octets.len() as u64, head.length);
        octets
    }

    /// The complete CRL of a shard as relying parties have it, judged.
    async fn crl(&self, shard: u16) -> Crl {
        let head = self.head(shard, CrlKind::Complete).await.unwrap();
        let crl = Crl::from_der(&self.octets(&head).await).unwrap();
        crl.verify_issued_by(&self.issuer).unwrap();
        assert_eq!(lint_crl(&crl, &self.issuer), []);
        assert_eq!(crl.sha256(), head.sha256);
        assert_eq!(crl.tbs().number_as_u64(), Some(head.id.number));
        assert_eq!(crl.tbs().this_update(), head.this_update.unix());
        assert_eq!(crl.tbs().next_update(), Some(head.next_update.unix()));
        assert_eq!(crl.tbs().entries().count() as u64, head.entries);
        let url = format!("http://pki.example.test/crls/{}.crl", self.shard(shard));
        let scope = CrlScope { urls: vec![url], contents: CrlContents::UserCertificates };
        assert_eq!(crl.tbs().scope(), Some(&scope));
        crl
    }

    async fn delta(&self) -> (CrlHead, CertificateList<Rfc5280>) {
        let head = self.head(0, CrlKind::Delta).await.unwrap();
        let list = CertificateList::from_der(&self.octets(&head).await).unwrap();
        (head, list)
    }

    async fn number(&self) -> u64 {
        self.head(0, CrlKind::Complete).await.unwrap().id.number
    }
}

/// Rounds until something is so: a shard rests for a moment after each of its lists.
async fn until(crls: &Crls, is_so: impl AsyncFn() -> bool) {
    while !is_so().await {
        crls.round().await.unwrap();
        tokio::task::yield_now().await;
    }
}

fn serials(crl: &Crl) -> Vec<Serial> {
    crl.tbs().entries().map(|entry| Serial::from_bytes(entry.serial).unwrap()).collect()
}

fn delta_serials(list: &CertificateList<Rfc5280>) -> Vec<Serial> {
    let entries = list.tbs_cert_list.revoked_certificates.iter().flatten();
    entries.map(|entry| Serial::from_bytes(entry.serial_number.as_bytes()).unwrap()).collect()
}

fn sorted(mut serials: Vec<Serial>) -> Vec<Serial> {
    serials.sort();
    serials
}

#[tokio::test]
async fn a_crl_lists_what_was_revoked_on_schedule_with_its_reason() {
    let world = World::new("");
    world.crls.round().await.unwrap();
    assert_eq!(serials(&world.crl(0).await), []);
    let first = world.number().await;
    assert_eq!(first, u64::try_from(NOW.unix()).unwrap() * 1_000_000_000);

    let one = world.revoked(None).await;
    let other = world.revoked(Some(RevocationReason::Superseded)).await;
    world.issue().await;
    world.clock.advance(HOUR - 1);
    world.crls.round().await.unwrap();
    assert_eq!(world.number().await, first);
    world.clock.advance(1);
    world.crls.round().await.unwrap();
    let crl = world.crl(0).await;
    assert_eq!(serials(&crl), sorted(vec![one.clone(), other.clone()]));
    for entry in crl.tbs().entries() {
        let expected = (entry.serial == other.as_bytes()).then_some(CrlReason::Superseded);
        assert_eq!((entry.reason, entry.revoked_at), (expected, NOW.unix()));
    }
    assert!(world.number().await > first);
    assert_eq!(crl.tbs().next_update(), Some(NOW.unix() + HOUR + 3 * DAY));
    // One that was revoked in the past tense is not listed twice.
    world.clock.advance(HOUR);
    world.crls.round().await.unwrap();
    assert_eq!(serials(&world.crl(0).await).len(), 2);
}

#[tokio::test]
async fn a_compromised_key_has_a_crl_made_at_once() {
    let world = World::new("");
    world.crls.round().await.unwrap();
    let first = world.number().await;
    world.revoked(Some(RevocationReason::Superseded)).await;
    world.crls.round().await.unwrap();
    assert_eq!(world.number().await, first);
    world.revoked(Some(RevocationReason::KeyCompromise)).await;
    until(&world.crls, async || world.number().await > first).await;
    let crl = world.crl(0).await;
    assert_eq!(crl.tbs().entries().count(), 2);
    // In the same second: the next number.
    assert_eq!(world.number().await, first + 1);

    // One that came while no CA was running.
    world.revoked(Some(RevocationReason::KeyCompromise)).await;
    let next = world.beside();
    until(&next, async || world.number().await == first + 2).await;
    assert_eq!(world.crl(0).await.tbs().entries().count(), 3);
}

#[tokio::test]
async fn a_certificate_stays_through_one_crl_after_its_end() {
    let world =
        World::new("[crl]\ninterval = \"1h\"\n[profiles.default]\nlifetime = \"4h\"\nbackdate = \"1h\"");
    let serial = world.revoked(None).await;
    let lasting = {
        world.clock.advance(2 * HOUR);
        world.revoked(None).await
    };
    world.crls.round().await.unwrap();
    assert_eq!(world.crl(0).await.tbs().entries().count(), 2);
    // It ends three hours after it was issued, which is an hour after the list. The first list after that tells of it.
    world.clock.advance(HOUR + 60);
    world.crls.round().await.unwrap();
    let listed = serials(&world.crl(0).await);
    assert_eq!(listed, sorted(vec![serial, lasting.clone()]));
    // The one after that does not.
    world.clock.advance(HOUR);
    world.crls.round().await.unwrap();
    assert_eq!(serials(&world.crl(0).await), [lasting]);
    // It is not forgotten yet, and some time later it is; the latest revocation stays.
    let kept = async || world.storage.revoked(world.shard(0), None, 10).await.unwrap().len();
    assert_eq!(kept().await, 2);
    world.clock.advance(5 * DAY);
    world.crls.round().await.unwrap();
    world.clock.advance(5 * DAY);
    world.crls.round().await.unwrap();
    assert_eq!(serials(&world.crl(0).await), []);
    assert_eq!(kept().await, 1);
}

#[tokio::test]
async fn every_shard_has_a_list_and_those_that_were_configured_before_keep_theirs() {
    let world = World::new("[crl]\nshards = 4");
    let mut all = Vec::new();
    for _ in 0..24 {
        all.push(world.revoked(None).await);
    }
    world.crls.round().await.unwrap();
    let mut listed = Vec::new();
    for shard in 0..4 {
        listed.extend(serials(&world.crl(shard).await));
    }
    assert_eq!(sorted(listed), sorted(all));
    assert_eq!(world.head(4, CrlKind::Complete).await, None);

    // A CA with one shard on the same storage.
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let other = World::on("", hierarchy.intermediate.clone(), hierarchy.issuer(), world.storage.clone());
    other.crls.round().await.unwrap();
    assert!(other.head(0, CrlKind::Complete).await.is_some());
    assert_eq!(other.head(1, CrlKind::Complete).await, None);
    world.clock.advance(HOUR);
    let again = world.beside();
    again.round().await.unwrap();
    for shard in 0..4 {
        let head = world.head(shard, CrlKind::Complete).await.unwrap();
        assert_eq!(head.this_update, NOW.plus(HOUR));
    }
}

#[tokio::test]
async fn deltas_tell_what_changed_since_the_complete_list() {
    let world = World::new("[crl]\ndelta_interval = \"5m\"");
    let before = world.revoked(None).await;
    world.crls.round().await.unwrap();
    let complete = world.head(0, CrlKind::Complete).await.unwrap();
    let crl = world.crl(0).await;
    let url = format!("http://pki.example.test/crls/{}-delta.crl", world.shard(0));
    assert!(crl.der().windows(url.len()).any(|part| part == url.as_bytes()));
    // There is nothing that the first one could go with.
    assert_eq!(world.head(0, CrlKind::Delta).await, None);

    let after = world.revoked(Some(RevocationReason::CessationOfOperation)).await;
    world.clock.advance(5 * 60);
    world.crls.round().await.unwrap();
    let (head, delta) = world.delta().await;
    assert_eq!(delta_serials(&delta), std::slice::from_ref(&after));
    assert_eq!(head.base, Some(complete.id.number));
    assert!(head.id.number > complete.id.number);
    assert_eq!(world.number().await, complete.id.number);
    let extension = |oid: &str| {
        let extensions = delta.tbs_cert_list.crl_extensions.as_ref().unwrap();
        extensions.iter().find(|one| one.extn_id.to_string() == oid).map(|one| one.critical)
    };
    assert_eq!(extension("2.5.29.27"), Some(true));
    assert_eq!(extension("2.5.29.28"), Some(true));
    assert_eq!(extension("2.5.29.46"), None);
    let signature = delta.signature.as_bytes().unwrap();
    let signed = delta.tbs_cert_list.to_der().unwrap();
    let key = world.issuer.public_key();
    key.verify(cairn_x509::SignatureAlgorithm::EcdsaSha256, &signed, signature).unwrap();

    // A complete one and its delta are of one moment and share the number; together with the list before, the delta is the whole.
    world.clock.advance(HOUR);
    let last = world.revoked(None).await;
    world.crls.round().await.unwrap();
    let (head, delta) = world.delta().await;
    assert_eq!(delta_serials(&delta), sorted(vec![after.clone(), last.clone()]));
    assert_eq!((head.id.number, head.base), (world.number().await, Some(complete.id.number)));
    assert_eq!(serials(&world.crl(0).await), sorted(vec![before, after, last]));
}

#[tokio::test]
async fn numbers_rise_on_after_a_restore_from_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let open = |name: &str| {
        let config = cairn_sa::Config { path: path(name), ..cairn_sa::Config::default() };
        Arc::new(SqliteStorage::open(&config).unwrap())
    };
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let (root, certificate) = (hierarchy.root.to_pem(), hierarchy.intermediate.clone());
    let key = hierarchy.intermediate_key.to_pkcs8_pem(None).unwrap();
    let issuer = || {
        let key = cairn_x509::FileSigner::from_pem(&key, None).unwrap();
        Issuer::load(&certificate.to_pem(), &root, Box::new(key), NOW).unwrap()
    };
    let world = World::on("", certificate.clone(), issuer(), open("lost.db"));
    world.crls.round().await.unwrap();
    world.storage.close().await;
    std::fs::copy(path("lost.db"), path("restored.db")).unwrap();
    let world = World::on("", certificate.clone(), issuer(), open("lost.db"));
    world.clock.advance(HOUR);
    world.crls.round().await.unwrap();
    world.clock.advance(HOUR);
    world.crls.round().await.unwrap();
    let lost = world.number().await;

    let restored = World::on("", certificate.clone(), issuer(), open("restored.db"));
    restored.clock.advance(2 * HOUR + 1);
    restored.crls.round().await.unwrap();
    assert!(restored.number().await > lost);
}

#[tokio::test]
async fn keys_of_every_kind_sign_crls() {
    for key in [KeySpec::P384, KeySpec::Rsa2048, KeySpec::Ed25519, KeySpec::MlDsa65] {
        let world = World::of("", key);
        let serial = world.revoked(Some(RevocationReason::KeyCompromise)).await;
        world.crls.round().await.unwrap();
        assert_eq!(serials(&world.crl(0).await), [serial]);
    }
}

#[tokio::test]
async fn without_a_place_to_look_there_are_no_crls() {
    let world = World::new("");
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let World { storage, clock, .. } = world;
    let random = Arc::new(SeededRandom::new(1));
    let config = cairn_ca::Config::default();
    let ca = Ca::new(config, hierarchy.issuer(), storage.clone(), clock, random).unwrap();
    assert!(Crls::new(Arc::new(ca), storage).is_none());
}

#[tokio::test]
async fn a_crl_that_is_overdue_is_told() {
    let world = World::new("");
    assert_eq!(world.crls.overdue(), [""; 0]);
    let holder = WorkerId::from_bytes([9; 16]);
    let lease = async |until: i64| {
        world.storage.hold_crl_shard(world.shard(0), holder, world.clock.now(), NOW.plus(until)).await
    };
    lease(4 * HOUR).await.unwrap();
    world.crls.round().await.unwrap();
    assert!(world.crls.overdue()[0].ends_with("it was last made never"), "{:?}", world.crls.overdue());
    world.storage.release_crl_shard(world.shard(0), holder).await.unwrap();
    world.crls.round().await.unwrap();
    assert_eq!(world.crls.overdue(), [""; 0]);
    lease(4 * HOUR).await.unwrap();
    world.clock.advance(2 * HOUR);
    world.crls.round().await.unwrap();
    assert_eq!(world.crls.overdue().len(), 1);
    // Whoever had the lease was killed: it ends.
    world.clock.advance(2 * HOUR);
    world.crls.round().await.unwrap();
    assert_eq!(world.crls.overdue(), [""; 0]);
    assert_eq!(world.head(0, CrlKind::Complete).await.unwrap().this_update, NOW.plus(4 * HOUR));
}

#[tokio::test]
async fn the_crl_of_the_ca_above_is_published_once_and_only_a_newer_one_after_it() {
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let root = hierarchy.root.clone();
    let of_root = |number| {
        let scope = CrlScope { urls: Vec::new(), contents: CrlContents::CaCertificates };
        let inputs = CrlInputs {
            this_update: NOW.unix() - 1,
            next_update: NOW.unix() + DAY,
            number,
            scope: Some(&scope),
            base: None,
            delta_url: None,
        };
        let entry = RevokedEntry { serial: &[5], revoked_at: NOW.unix() - DAY, reason: None };
        let tbs = crl(&hierarchy.root, hierarchy.root_key.algorithm(), inputs, [entry]).unwrap();
        tbs.sign(&hierarchy.root_key).unwrap()
    };
    let (older, newer) = (of_root(1), of_root(2));
    let storage = Arc::new(SqliteStorage::open_ephemeral().unwrap());
    let certificate = hierarchy.intermediate.clone();
    let own = Arc::new(hierarchy.issuer());
    let other = Hierarchy::new(KeySpec::P256, 1825).issuer();
    let world = World::on("", certificate, other, storage);
    let install = |crls: Vec<Crl>| {
        let issuers = vec![Arc::clone(&own)];
        world.ca.exchange(cairn_ca::Hierarchy { issuers, crls, ..cairn_ca::Hierarchy::default() });
    };
    let issuer = IssuerId::from_bytes(root.subject_key_identifier().unwrap().try_into().unwrap());
    let shard = ShardId { issuer, shard: CrlShard::new(0) };
    let served = async || {
        let head = world.storage.crl(shard, CrlKind::Complete).await.unwrap().unwrap();
        Crl::from_der(&world.octets(&head).await).unwrap()
    };
    install(vec![older.clone()]);
    world.crls.round().await.unwrap();
    assert_eq!(served().await, older);
    install(vec![newer.clone()]);
    world.crls.round().await.unwrap();
    assert_eq!(served().await, newer);
    install(vec![older]);
    world.crls.round().await.unwrap();
    assert_eq!(served().await, newer);
    // The issuer's own is not touched by that.
    assert_eq!(serials(&world.crl(0).await), []);
}

/// Ends what a CRL's making does at the storage after so many calls, as if the process were killed there.
struct Mortal {
    storage: Arc<SqliteStorage>,
    calls_left: Mutex<usize>,
}

impl Mortal {
    fn call(&self) -> Result<()> {
        let mut left = self.calls_left.lock().unwrap();
        *left = left.checked_sub(1).ok_or_else(|| Error::new(ErrorKind::Unavailable, "killed"))?;
        Ok(())
    }
}

#[async_trait]
impl CrlStore for Mortal {
    async fn hold_crl_shard(
        &self,
        shard: ShardId,
        holder: WorkerId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        self.call()?;
        self.storage.hold_crl_shard(shard, holder, now, until).await
    }
    async fn release_crl_shard(&self, shard: ShardId, holder: WorkerId) -> Result<()> {
        self.call()?;
        self.storage.release_crl_shard(shard, holder).await
    }
    async fn crls(&self, issuer: IssuerId, after: Option<CrlId>, limit: usize) -> Result<Vec<CrlHead>> {
        self.call()?;
        self.storage.crls(issuer, after, limit).await
    }
    async fn latest_crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        self.call()?;
        self.storage.latest_crl(shard, kind).await
    }
    async fn latest_change(&self) -> Result<RevocationPosition> {
        self.call()?;
        self.storage.latest_change().await
    }
    async fn changes_after(&self, position: RevocationPosition, limit: usize) -> Result<Vec<ShardChange>> {
        self.call()?;
        self.storage.changes_after(position, limit).await
    }
    async fn revoked(
        &self,
        shard: ShardId,
        after: Option<Serial>,
        limit: usize,
    ) -> Result<Vec<RevokedCertificate>> {
        self.call()?;
        self.storage.revoked(shard, after, limit).await
    }
    async fn revoked_lengths(&self, shard: ShardId, after: Option<Serial>) -> Result<RevokedLengths> {
        self.call()?;
        self.storage.revoked_lengths(shard, after).await
    }
    async fn add_crl_chunk(&self, crl: CrlId, holder: WorkerId, place: u32, octets: Vec<u8>) -> Result<()> {
        self.call()?;
        self.storage.add_crl_chunk(crl, holder, place, octets).await
    }
    async fn publish_crl(&self, crl: CrlHead, holder: WorkerId) -> Result<()> {
        self.call()?;
        self.storage.publish_crl(crl, holder).await
    }
    async fn remove_crls(&self, first: CrlId, end: u64, holder: WorkerId) -> Result<bool> {
        self.call()?;
        self.storage.remove_crls(first, end, holder).await
    }
    async fn forget_revocations(&self, serials: Vec<Serial>, ended: Timestamp) -> Result<()> {
        self.call()?;
        self.storage.forget_revocations(serials, ended).await
    }
}

/// Killed after each of its calls in turn: what is served is always whole, no number is used twice, and another one goes on when the
/// lease ends.
#[tokio::test]
async fn killed_at_any_instant_nothing_half_is_served_and_another_goes_on() {
    let world = World::new("[crl]\ndelta_interval = \"5m\"");
    let mut numbers = Vec::new();
    let mut deaths = 0;
    for calls in 0.. {
        world.clock.advance(2 * HOUR);
        world.revoked(None).await;
        let storage = Mortal { storage: Arc::clone(&world.storage), calls_left: Mutex::new(calls) };
        let mortal = Crls::new(Arc::clone(&world.ca), Arc::new(storage)).unwrap();
        // It ends as a process does: nothing is given back.
        let _killed = mortal.round().await;
        let died = mortal.round().await.is_err();
        deaths += usize::from(died);
        if let Some(head) = world.head(0, CrlKind::Complete).await {
            numbers.push(head.id.number);
            world.crl(0).await;
        }
        if let Some(head) = world.head(0, CrlKind::Delta).await {
            world.octets(&head).await;
        }
        // Its lease ends.
        world.clock.advance(61);
        let heir = world.beside();
        heir.round().await.unwrap();
        let head = world.head(0, CrlKind::Complete).await.unwrap();
        numbers.push(head.id.number);
        world.crl(0).await;
        assert!(world.clock.now().since(head.this_update) <= 61, "the list is not followed up");
        if !died {
            break;
        }
    }
    assert!(deaths > 15, "{deaths}");
    assert!(numbers.is_sorted(), "{numbers:?}");
    // Nothing is left but the last two of each kind.
    let heads = world.storage.crls(world.shard(0).issuer, None, 100).await.unwrap();
    assert!(heads.len() <= 4, "{heads:?}");
    let oldest = heads.iter().map(|head| head.id.number).min().unwrap();
    for (kind, number) in [(CrlKind::Complete, oldest - 1), (CrlKind::Delta, oldest - 1)] {
        let id = CrlId { shard: world.shard(0), kind, number };
        assert_eq!(world.storage.crl_chunk(id, 0).await, Ok(None));
    }
}

/// Many CAs at once: each list is made by one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_at_once_one_makes_each_list() {
    let world = Arc::new(World::new("[crl]\nshards = 3"));
    for _ in 0..3 {
        let mut rounds = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let crls = world.beside();
            rounds.spawn(async move { crls.round().await });
        }
        rounds.join_all().await.into_iter().for_each(|round| round.unwrap());
        for shard in 0..3 {
            let head = world.head(shard, CrlKind::Complete).await.unwrap();
            let expected = u64::try_from(world.clock.now().unix()).unwrap() * 1_000_000_000;
            // Had two made it, the number would have gone on.
            assert_eq!(head.id.number, expected);
        }
        world.clock.advance(HOUR);
    }
}

/// The front end's trait tells the same.
#[tokio::test]
async fn what_is_revoked_is_told_by_its_certificate_too() {
    let world = World::new("");
    let serial = world.revoked(Some(RevocationReason::Superseded)).await;
    let record = world.storage.certificate(&serial).await.unwrap().unwrap();
    let listed = world.storage.revoked(world.shard(0), None, 1).await.unwrap();
    assert_eq!(record.revocation, Some(listed[0].revocation));
    assert_eq!(record.not_after, listed[0].not_after);
}
