//! `cairn dev` as a process: its end, its start on what is there, its neighbours, its management listener.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cairn_test_env::acme::{Connection, Endpoint, Status};
use cairn_test_env::challenges::Http01;
use cairn_test_env::harness::{self, Cairn};
use cairn_test_env::home::Home;
use cairn_x509::Certificate;
use http::Request;
use http_body_util::Full;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::world::{PATIENCE, World, dns, settled, verified_leaf};

/// Runs the binary, which must end by itself, and gives what it printed: whether it ended well, and its words.
pub(crate) fn run(arguments: &[&str]) -> (bool, String) {
    harness::run(arguments).unwrap()
}

/// `cairn dev` on a data directory must refuse to start, and say this.
fn assert_dev_refused(data_dir: &Path, words: &[&str]) {
    let free = "127.0.0.1:0";
    let data_dir = data_dir.to_str().unwrap();
    let (well, printed) = run(&[
        "dev",
        "--data-dir",
        data_dir,
        "--listen",
        free,
        "--management",
        free,
        "--pki",
        free,
        "--dns",
        free,
        "--dns-management",
        free,
    ]);
    assert!(!well, "{printed}");
    for word in words {
        assert!(printed.contains(word), "\"{word}\" is missing in: {printed}");
    }
    assert!(!printed.contains("panicked"), "{printed}");
}

#[tokio::test]
async fn a_restart_keeps_everything() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["kept.test"]);
    let (certified, _) = world.certificate(&mut client, &account, &identifiers).await;
    let ready = world.ready_order(&mut client, &account, &identifiers).await;
    let pending = client.new_order(&account, &dns(["open.test"])).await.unwrap();
    let root = world.root.clone();

    let world = world.restart().await;
    assert_eq!(fs::read_to_string(world.cairn.root_file().unwrap()).unwrap(), root);
    // The old connection is gone, and so are its nonces: a client notices and goes on.
    let mut client = world.client().await;
    assert_eq!(client.certificate(&account, &certified.url).await.unwrap(), certified.chain);
    assert_eq!(client.order(&account, &ready.url).await.unwrap().object.status, Status::Ready);
    assert_eq!(client.order(&account, &pending.url).await.unwrap().object.status, Status::Pending);
    let (after, _) = world.certificate(&mut client, &account, &identifiers).await;
    verified_leaf(&after.chain, &root);
    world.end().await;
}

#[tokio::test]
async fn what_was_begun_before_sigterm_is_finished() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let placed = client.new_order(&account, &dns(["slow.test"])).await.unwrap();
    let authz_url = placed.order.authorizations[0].clone();
    let authz = client.authorization(&account, &authz_url).await.unwrap().object;
    let challenge = authz.challenge("http-01").unwrap().clone();
    let World { cairn, http01, tls_alpn01, root } = world;
    http01.put(&challenge.token, &account.key_authorization(&challenge.token));

    http01.hold();
    let stop = async {
        timeout(PATIENCE, first_request(&http01, &challenge.token)).await.unwrap();
        // A validation is under way now, and the request that began it. Whether the signal has arrived when the validation ends does not
        // matter to what must come of both.
        let stopping = spawn_blocking(|| cairn.stop().unwrap());
        http01.release();
        stopping.await.unwrap()
    };
    let (answer, stopped) = tokio::join!(client.answer(&account, &challenge.url), stop);
    answer.unwrap();
    let asked = http01.asked(&challenge.token).len();

    let cairn = spawn_blocking(|| stopped.start().unwrap()).await.unwrap();
    let world = World { cairn, http01, tls_alpn01, root };
    let mut client = world.client().await;
    assert_eq!(settled(&mut client, &account, &authz_url).await.status, Status::Valid);
    assert_eq!(world.http01.asked(&challenge.token).len(), asked, "it was finished, not begun again");
    world.end().await;
}

#[test]
fn a_service_manager_hears_when_it_listens_that_it_lives_and_when_it_stops() {
    let home = Home::new().unwrap();
    let socket = UnixDatagram::bind(home.path("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut said = [0; 64];
        let length = socket.recv(&mut said).unwrap();
        String::from_utf8_lossy(&said[..length]).into_owned()
    };
    let watched = Cairn::dev().ephemeral().env("WATCHDOG_USEC", "100000");
    let cairn = watched.env("NOTIFY_SOCKET", home.path("notify")).start().unwrap();
    assert_eq!([heard(), heard(), heard()], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    cairn.stop().unwrap();
    let rest: Vec<String> = std::iter::repeat_with(heard).take_while(|said| said != "STOPPING=1").collect();
    assert!(rest.iter().all(|said| said == "WATCHDOG=1"), "{rest:?}");
}

async fn first_request(http01: &Http01, token: &str) {
    while http01.asked(token).is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused_and_disturbs_nobody() {
    let world = World::dev(&[]).await;
    assert_dev_refused(&world.cairn.data_dir().unwrap(), &["in use by another cairn"]);
    let (mut client, account) = world.member().await;
    world.certificate(&mut client, &account, &dns(["undisturbed.test"])).await;
    world.end().await;
}

#[tokio::test]
async fn an_ephemeral_server_keeps_nothing() {
    let cairn = Cairn::dev().ephemeral().start().unwrap();
    let (first, data_dir) = (cairn.ready.root_sha256.clone(), cairn.data_dir().unwrap());
    assert!(cairn.ready.root_file.is_none());
    assert!(!data_dir.exists());
    let cairn = cairn.stop().unwrap().start().unwrap();
    assert_ne!(cairn.ready.root_sha256, first);
    cairn.stop().unwrap();
}

#[tokio::test]
async fn the_management_listener_gives_the_root_that_the_servers_own_chain_leads_to() {
    let world = World::dev(&[]).await;
    let get = async |roots: &str, path: &str| {
        let url = world.cairn.management_url(path).unwrap();
        let mut connection = Connection::new(Arc::new(Endpoint::new(&url, roots).unwrap()));
        connection.send(Request::builder().uri(path).body(Full::default()).unwrap()).await
    };
    let root = get(&world.root, "/roots/0").await.unwrap();
    assert_eq!(root.status, 200);
    let pem = String::from_utf8(root.body.to_vec()).unwrap();
    let certificate = Certificate::from_pem(&pem).unwrap();
    let fingerprint: Vec<String> =
        certificate.sha256_fingerprint().iter().map(|octet| format!("{octet:02X}")).collect();
    assert_eq!(fingerprint.join(":"), world.cairn.ready.root_sha256);

    // Who trusts it reaches both listeners, and who trusts another root reaches neither.
    let intermediate = get(&pem, "/intermediates/0").await.unwrap();
    let intermediate = Certificate::from_pem(std::str::from_utf8(&intermediate.body).unwrap()).unwrap();
    intermediate.verify_issued_by(&certificate).unwrap();
    assert_eq!(get(&pem, "/readyz").await.unwrap().status, 200);
    assert_eq!(get(&pem, "/roots/1").await.unwrap().status, 404);
    let other = World::dev(&[]).await;
    assert!(get(&other.root, "/roots/0").await.is_err());
    other.end().await;
    world.end().await;
}

#[tokio::test]
async fn damaged_data_are_an_error_that_names_the_file_and_nothing_is_made_in_their_place() {
    let cairn = Cairn::dev().start().unwrap();
    let stopped = cairn.stop().unwrap();
    let data_dir = stopped.data_dir().unwrap();
    let key = data_dir.join("ca/intermediate-key.pem");
    let good = fs::read(&key).unwrap();

    let aside = data_dir.join("aside");
    fs::rename(&key, &aside).unwrap();
    assert_dev_refused(&data_dir, &["intermediate-key.pem"]);
    assert!(!key.exists());
    fs::rename(&aside, &key).unwrap();
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    assert_dev_refused(&data_dir, &["intermediate-key.pem"]);
    fs::write(&key, &good).unwrap();
    let certificate = data_dir.join("ca/intermediate.pem");
    let intermediate = fs::read(&certificate).unwrap();
    fs::copy(data_dir.join("root.pem"), &certificate).unwrap();
    assert_dev_refused(&data_dir, &["ca"]);
    fs::write(&certificate, intermediate).unwrap();

    let database = data_dir.join("cairn.db");
    let rows = fs::read(&database).unwrap();
    fs::write(&database, b"this was a database once").unwrap();
    assert_dev_refused(&data_dir, &["cairn.db"]);
    fs::write(&database, rows).unwrap();

    stopped.start().unwrap().stop().unwrap();
}
