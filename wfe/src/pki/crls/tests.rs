//! How CRLs are served: what is told to caches, what is kept, and that what is new is seen.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::extract::Request;
use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
use cairn_core::api::{OcspAnswer, OcspResponder};
use cairn_core::crl::CRL_CHUNK;
use cairn_core::time::FakeClock;
use cairn_core::{CaCertificate, CrlId};
use cairn_x509::{FileSigner, KeySpec, Name as Subject, RootInputs, Signer, Validity, root};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;
use crate::pki::{self, Deps};

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

/// A storage with lists.
#[derive(Default)]
struct Storage {
    certificates: Vec<CaCertificate>,
    lists: Mutex<HashMap<Name, (CrlHead, Vec<u8>)>>,
    /// Heads and pieces that were asked for.
    heads: AtomicUsize,
    chunks: AtomicUsize,
    is_away: AtomicBool,
    loses_chunks: AtomicBool,
}

impl Storage {
    fn check(&self) -> Result<()> {
        if self.is_away.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "away"));
        }
        Ok(())
    }
}

#[async_trait]
impl PkiRead for Storage {
    async fn revocation_position(&self) -> Result<RevocationPosition> {
        Ok(RevocationPosition::default())
    }
    async fn revocations_after(&self, _: RevocationPosition, _: usize) -> Result<Vec<RevocationEvent>> {
        Ok(Vec::new())
    }
    async fn published_ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        Ok(self.certificates.clone())
    }
    async fn crl(&self, shard: ShardId, kind: CrlKind) -> Result<Option<CrlHead>> {
        self.check()?;
        self.heads.fetch_add(1, Ordering::SeqCst);
        Ok(self.lists.lock().unwrap().get(&(shard, kind)).map(|(head, _)| head.clone()))
    }
    async fn crl_chunk(&self, crl: CrlId, place: u32) -> Result<Option<Vec<u8>>> {
        self.check()?;
        self.chunks.fetch_add(1, Ordering::SeqCst);
        let lists = self.lists.lock().unwrap();
        let list = lists.get(&(crl.shard, crl.kind)).filter(|(head, _)| head.id == crl);
        let lost = self.loses_chunks.load(Ordering::SeqCst) && place > 0;
        let chunk =
            list.filter(|_| !lost).and_then(|(_, octets)| octets.chunks(CRL_CHUNK).nth(place as usize));
        Ok(chunk.map(<[u8]>::to_vec))
    }
}

struct NoResponder;

#[async_trait]
impl OcspResponder for NoResponder {
    async fn ocsp_response(&self, _: Vec<u8>) -> Result<OcspAnswer> {
        Err(Error::new(ErrorKind::Unavailable, "none"))
    }
}

struct World {
    storage: Arc<Storage>,
    clock: Arc<FakeClock>,
    pki: Arc<Pki>,
    router: Router,
    issuer: IssuerId,
}

impl World {
    fn new(config: Config) -> Self {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let inputs = RootInputs {
            serial: &[1; 16],
            validity: Validity { not_before: NOW.unix() - 1, not_after: NOW.unix() + 1 },
            public_key: key.public_key(),
            subject: &Subject::new("Test", None).unwrap(),
            digital_signature: false,
        };
        let certificate = root(key.algorithm(), inputs).unwrap().sign(&key).unwrap();
        let issuer = IssuerId::from_bytes(certificate.subject_key_identifier().unwrap().try_into().unwrap());
        let recorded = CaCertificate { der: certificate.der().to_vec(), subject: Some(issuer), at: NOW };
        let storage = Arc::new(Storage { certificates: vec![recorded], ..Storage::default() });
        let clock = Arc::new(FakeClock::new(NOW));
        let deps = Deps { published: storage.clone(), ocsp: Arc::new(NoResponder), clock: clock.clone() };
        let config = pki::Config { crl: config, ..pki::Config::default() };
        let mut pki = Pki::new(deps, config);
        // Longer than any test takes.
        pki.crls.fresh = Duration::from_secs(3600);
        let pki = Arc::new(pki);
        let router = pki::router(Arc::clone(&pki));
        Self { storage, clock, pki, router, issuer }
    }

    fn shard(&self, number: u16) -> ShardId {
        ShardId { issuer: self.issuer, shard: CrlShard::new(number) }
    }

    /// So much that the storage is asked again.
    fn let_time_pass(&self) {
        self.pki.crls.known().lists.values_mut().for_each(|list| list.looked = None);
    }

    /// Publishes a list, made now, that is good for an hour.
    fn publish(&self, shard: u16, kind: CrlKind, number: u64, octets: &[u8]) {
        let shard = self.shard(shard);
        let head = CrlHead {
            id: CrlId { shard, kind, number },
            this_update: self.clock.now(),
            next_update: self.clock.now().plus(3600),
            base: None,
            position: RevocationPosition::default(),
            entries: 0,
            length: octets.len() as u64,
            sha256: digest(&SHA256, octets).as_ref().try_into().unwrap(),
        };
        self.storage.lists.lock().unwrap().insert((shard, kind), (head, octets.to_vec()));
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response {
        self.ask("GET", path, &[]).await
    }

    fn path(&self, name: &str) -> String {
        format!("/crls/{}/{name}", self.issuer)
    }
}

async fn body(response: Response) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn a_crl_is_served_with_what_caches_need() {
    let world = World::new(Config::default());
    world.publish(0, CrlKind::Complete, 1, b"complete");
    world.publish(0, CrlKind::Delta, 1, b"delta");
    let response = world.get(&world.path("0.crl")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers().clone();
    assert_eq!(headers[CONTENT_TYPE], "application/pkix-crl");
    assert_eq!(headers[CONTENT_LENGTH], "8");
    assert_eq!(headers[CACHE_CONTROL], "public, max-age=300, no-transform, must-revalidate");
    assert_eq!(headers[LAST_MODIFIED], "Fri, 15 Jan 2027 08:00:00 GMT");
    assert_eq!(headers[EXPIRES], "Fri, 15 Jan 2027 08:05:00 GMT");
    assert_eq!(body(response).await, b"complete");
    assert_eq!(body(world.get(&world.path("0-delta.crl")).await).await, b"delta");

    let response = world.ask("HEAD", &world.path("0.crl"), &[]).await;
    assert_eq!(
        (response.status(), &response.headers()[CONTENT_LENGTH]),
        (StatusCode::OK, &headers[CONTENT_LENGTH])
    );
    assert_eq!(body(response).await, b"");

    // Nobody keeps it beyond its end.
    world.clock.advance(3500);
    let response = world.get(&world.path("0.crl")).await;
    assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=100, no-transform, must-revalidate");
    assert_eq!(response.headers()[EXPIRES], "Fri, 15 Jan 2027 09:00:00 GMT");
    world.clock.advance(200);
    let response = world.get(&world.path("0.crl")).await;
    assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=0, no-transform, must-revalidate");
}

#[tokio::test]
async fn who_has_the_latest_list_is_told_so() {
    let world = World::new(Config::default());
    world.publish(0, CrlKind::Complete, 1, b"one");
    let path = world.path("0.crl");
    let etag = world.get(&path).await.headers()[ETAG].to_str().unwrap().to_owned();
    let status = async |headers: &[(&str, &str)]| world.ask("GET", &path, headers).await.status();
    let date = "Fri, 15 Jan 2027 08:00:00 GMT";
    let before = "Fri, 15 Jan 2027 07:59:59 GMT";
    for known in [&[("if-none-match", etag.as_str())][..], &[("if-modified-since", date)]] {
        assert_eq!(status(known).await, StatusCode::NOT_MODIFIED, "{known:?}");
    }
    let response = world.ask("GET", &path, &[("if-none-match", &etag)]).await;
    assert_eq!(response.headers()[ETAG], etag);
    assert!(response.headers().contains_key(EXPIRES));
    assert_eq!(body(response).await, b"");
    for other in [
        &[("if-none-match", "\"other\"")][..],
        &[("if-modified-since", before)],
        &[("if-modified-since", "yesterday")],
        // The tag goes before the date.
        &[("if-none-match", "\"other\""), ("if-modified-since", date)],
    ] {
        assert_eq!(status(other).await, StatusCode::OK, "{other:?}");
    }
}

#[tokio::test]
async fn a_new_list_is_seen_within_a_second_and_the_storage_is_not_asked_at_will() {
    let world = World::new(Config::default());
    world.publish(0, CrlKind::Complete, 1, b"one");
    let path = world.path("0.crl");
    for _ in 0..10 {
        assert_eq!(body(world.get(&path).await).await, b"one");
    }
    assert_eq!(world.storage.heads.load(Ordering::SeqCst), 1);
    assert_eq!(world.storage.chunks.load(Ordering::SeqCst), 1);
    world.publish(0, CrlKind::Complete, 2, b"two");
    world.let_time_pass();
    assert_eq!(body(world.get(&path).await).await, b"two");
    // Of what there is none, nothing is asked at will either.
    for _ in 0..10 {
        assert_eq!(world.get(&world.path("1.crl")).await.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(world.storage.heads.load(Ordering::SeqCst), 3);
    world.publish(1, CrlKind::Complete, 1, b"first");
    world.let_time_pass();
    assert_eq!(body(world.get(&world.path("1.crl")).await).await, b"first");
}

#[tokio::test]
async fn while_the_storage_is_away_the_last_list_goes_out_on() {
    let world = World::new(Config::default());
    world.publish(0, CrlKind::Complete, 1, b"one");
    let path = world.path("0.crl");
    assert_eq!(body(world.get(&path).await).await, b"one");
    world.storage.is_away.store(true, Ordering::SeqCst);
    world.let_time_pass();
    assert_eq!(body(world.get(&path).await).await, b"one");
    assert_eq!(world.get(&world.path("0-delta.crl")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn lists_stay_in_memory_within_their_bound() {
    let world = World::new(Config { cached_octets: 100, ..Config::default() });
    for shard in 0..3 {
        world.publish(shard, CrlKind::Complete, 1, &[shard.to_le_bytes()[0]; 40]);
    }
    let read = async |shard: u16| {
        let before = world.storage.chunks.load(Ordering::SeqCst);
        assert_eq!(body(world.get(&world.path(&format!("{shard}.crl"))).await).await.len(), 40);
        world.storage.chunks.load(Ordering::SeqCst) - before
    };
    assert_eq!((read(0).await, read(1).await, read(0).await), (1, 1, 0));
    // The one that was used least lately goes.
    assert_eq!((read(2).await, read(0).await, read(1).await), (1, 0, 1));
}

#[tokio::test]
async fn a_long_list_goes_to_the_client_piece_by_piece() {
    let world = World::new(Config { cached_octets: CRL_CHUNK, ..Config::default() });
    let long: Vec<u8> = (0..2 * CRL_CHUNK + 5).map(|number| number.to_le_bytes()[0]).collect();
    world.publish(0, CrlKind::Complete, 1, &long);
    for _ in 0..2 {
        let response = world.get(&world.path("0.crl")).await;
        assert_eq!(response.headers()[CONTENT_LENGTH], long.len().to_string());
        assert!(body(response).await == long);
    }
    assert_eq!(world.storage.chunks.load(Ordering::SeqCst), 6);
    // One that is removed meanwhile ends early, and is no answer.
    world.storage.loses_chunks.store(true, Ordering::SeqCst);
    let response = world.get(&world.path("0.crl")).await;
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_list_that_is_gone_is_looked_for_again_and_a_damaged_one_is_not_served() {
    let world = World::new(Config::default());
    world.publish(0, CrlKind::Complete, 1, b"one");
    let path = world.path("0.crl");
    assert_eq!(world.ask("HEAD", &path, &[]).await.status(), StatusCode::OK);
    // Its octets have not been read, and it is replaced.
    world.publish(0, CrlKind::Complete, 2, b"two");
    assert_eq!(body(world.get(&path).await).await, b"two");
    world.publish(0, CrlKind::Complete, 3, b"three");
    {
        let mut lists = world.storage.lists.lock().unwrap();
        lists.values_mut().for_each(|(_, octets)| octets.reverse());
    }
    world.let_time_pass();
    assert_eq!(world.get(&path).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn what_is_no_list_is_not_found() {
    let world = World::new(Config::default());
    world.publish(0, CrlKind::Complete, 1, b"one");
    for name in ["0", "00.crl", "-1.crl", "65536.crl", "+0.crl", "a.crl", "0.crl.crl", "-delta.crl", ".crl"] {
        assert_eq!(world.get(&world.path(name)).await.status(), StatusCode::NOT_FOUND, "{name}");
    }
    let foreign = format!("/crls/{}/0.crl", IssuerId::from_bytes([7; 20]));
    assert_eq!(world.get(&foreign).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(world.get("/crls/0.crl").await.status(), StatusCode::NOT_FOUND);
    let response = world.ask("POST", &world.path("0.crl"), &[]).await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    // The storage was asked for none of them.
    assert_eq!(world.storage.heads.load(Ordering::SeqCst), 0);
}
