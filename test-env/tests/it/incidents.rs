//! Many certificates at once: an operator revokes them, or has them replaced first.

use std::io::Write as _;
use std::time::Duration;

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::harness::{Cairn, run};
use cairn_x509::Certificate;
use serde_json::Value;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::renewal::is_to_renew;
use crate::world::{PATIENCE, World, certificates, dns};

/// What a command answers that must do well.
fn told(cairn: &Cairn, command: &[&str]) -> Value {
    let way = cairn.admin();
    let way = way.each_ref().map(String::as_str);
    let whole = [&["admin"], command, &["--operator", "alice", "--json"], &way].concat();
    let (well, printed) = block_in_place(|| run(&whole)).unwrap();
    assert!(well, "{command:?}: {printed}");
    // Behind it stands what was said on the way.
    serde_json::Deserializer::from_str(&printed).into_iter().next().unwrap().unwrap()
}

fn serial(leaf: &Certificate) -> String {
    leaf.serial().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Why the certificate is revoked, if it is.
fn reason(cairn: &Cairn, leaf: &Certificate) -> Option<String> {
    let shown = told(cairn, &["certificate", "show", &serial(leaf)]);
    shown["reason"].as_str().map(str::to_owned)
}

/// Waits until it is revoked.
async fn revoked(cairn: &Cairn, leaf: &Certificate) -> String {
    let poll = async {
        loop {
            if let Some(reason) = reason(cairn, leaf) {
                return reason;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, poll).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_counts_certificates_and_then_revokes_them() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let mut leaves = Vec::new();
    for name in ["x.sel.test", "y.sel.test", "z.other.test"] {
        let (certified, _) = world.certificate(&mut client, &account, &dns([name])).await;
        leaves.push(certificates(&certified.chain).remove(0));
    }
    let cairn = &world.cairn;
    let select = ["revoke", "--name", "sel.test", "--subdomains", "--reason", "superseded"];
    let count = told(cairn, &select);
    assert_eq!((&count["found"], &count["done"]), (&2.into(), &false.into()), "{count}");
    assert!(count["first"][0]["names"].as_str().unwrap().ends_with(".sel.test"), "{count}");
    assert_eq!(reason(cairn, &leaves[0]), None, "it only counts");
    // The first run is interrupted: it got as far as one.
    let one = ["revoke", "--serial", &serial(&leaves[0]), "--reason", "superseded", "--yes"];
    assert_eq!(told(cairn, &one)["revoked"], 1);
    let done = told(cairn, &[&select[..], &["--yes"]].concat());
    assert_eq!((&done["revoked"], &done["passed_over"]), (&1.into(), &1.into()), "{done}");
    assert_eq!(reason(cairn, &leaves[1]).as_deref(), Some("superseded"));
    assert_eq!(reason(cairn, &leaves[2]), None);

    let mut list = tempfile::NamedTempFile::new().unwrap();
    writeln!(list, "# found in a log\n{}\n{}", serial(&leaves[0]), serial(&leaves[2])).unwrap();
    let file = ["revoke", "--file", list.path().to_str().unwrap(), "--reason", "keyCompromise"];
    assert_eq!(told(cairn, &file)["found"], 2, "a reason can be corrected");
    assert_eq!(told(cairn, &[&file[..], &["--yes"]].concat())["revoked"], 2);
    assert_eq!(reason(cairn, &leaves[0]).as_deref(), Some("keyCompromise"));
    let log = world.cairn.deciders_log().unwrap();
    let events = log
        .lines()
        .filter(|line| line.contains("certificate.revoked") && line.contains("by=\"operator alice("));
    assert_eq!(events.count(), 3, "one for each certificate:\n{log}");
    assert!(log.contains("certificate.revocation_corrected"), "{log}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_revokes_takes_its_other_certificates_with_it() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let names = dns(["twice.test"]);
    let (first, request) = world.certificate(&mut client, &account, &names).await;
    let placed = world.ready_order(&mut client, &account, &names).await;
    client.finalize(&account, &placed.order.finalize, &request.der).await.unwrap();
    let order = crate::world::finished(&mut client, &account, &placed.url).await;
    let second = client.certificate(&account, order.certificate.as_ref().unwrap()).await.unwrap();
    let [first, second] = [&first.chain[..], &second[..]].map(|chain| certificates(chain).remove(0));
    let key = SigningKey::from_pkcs8_der(Algorithm::Es256, &request.key).unwrap();
    client.revoke((&key).into(), first.der(), Some(4)).await.unwrap();
    assert_eq!(reason(&world.cairn, &first).as_deref(), Some("keyCompromise"), "whatever it said");
    assert_eq!(revoked(&world.cairn, &second).await, "keyCompromise");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_has_certificates_renewed_and_revokes_the_rest_in_time_though_the_server_is_killed() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let mut leaves = Vec::new();
    for name in ["one.inc.test", "two.inc.test"] {
        let (certified, _) = world.certificate(&mut client, &account, &dns([name])).await;
        leaves.push(certificates(&certified.chain).remove(0));
    }
    let why = "https://ca.test/why";
    let create = ["incident", "create", "--called", "Too long", "--name", "inc.test", "--subdomains"];
    let create = [&create[..], &["--explanation", why]].concat();
    assert_eq!(told(&world.cairn, &create)["found"], 2);
    let begun = told(&world.cairn, &[&create[..], &["--yes"]].concat());
    assert_eq!(begun["entered"], 2, "{begun}");
    let id = begun["id"].as_str().unwrap().to_owned();
    // Saying it again goes on with the same.
    let again = told(&world.cairn, &[&create[..], &["--yes"]].concat());
    assert_eq!((&again["id"], &again["entered"]), (&begun["id"], &0.into()), "{again}");
    for leaf in &leaves {
        assert!(is_to_renew(&mut client, leaf).await);
    }
    let (renewed, _) = world.certificate(&mut client, &account, &dns(["one.inc.test"])).await;
    let renewed = certificates(&renewed.chain).remove(0);
    assert!(!is_to_renew(&mut client, &renewed).await, "it came after the incident");
    let status = told(&world.cairn, &["incident", "status", &id]);
    assert_eq!((&status["certificates"], &status["replaced"]), (&2.into(), &1.into()), "{status}");
    assert_eq!(status["waiting"][0]["serial"], serial(&leaves[1]));
    assert_eq!(told(&world.cairn, &["incident", "list"])["incidents"][0]["name"], "Too long");

    told(&world.cairn, &["incident", "finish", &id, "--at", "+1s"]);
    drop(client);
    let World { cairn, .. } = world;
    let cairn = block_in_place(|| cairn.kill().unwrap().start()).unwrap();
    for leaf in &leaves {
        assert_eq!(revoked(&cairn, leaf).await, "superseded");
    }
    assert_eq!(reason(&cairn, &renewed), None);
    let finished = async {
        while told(&cairn, &["incident", "status", &id])["status"] != "finished" {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, finished).await.unwrap();
    block_in_place(|| cairn.stop()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_revokes_nothing_and_an_issuer_that_must_go_is_renewed() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, _) = world.certificate(&mut client, &account, &dns(["drill.test"])).await;
    let leaf = certificates(&certified.chain).remove(0);
    let create = ["incident", "create", "--called", "Drill", "--account", &account.url, "--drill", "--yes"];
    let begun = told(&world.cairn, &create);
    let id = begun["id"].as_str().unwrap();
    assert!(is_to_renew(&mut client, &leaf).await);
    told(&world.cairn, &["incident", "finish", id, "--at", "now"]);
    let finished = async {
        loop {
            let status = told(&world.cairn, &["incident", "status", id]);
            if status["status"] == "finished" {
                return status;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    let status = timeout(PATIENCE, finished).await.unwrap();
    assert_eq!((&status["would_be_revoked"], &status["revoked"]), (&1.into(), &0.into()), "{status}");
    assert_eq!(reason(&world.cairn, &leaf), None);
    assert!(!is_to_renew(&mut client, &leaf).await);

    let issuer = told(&world.cairn, &["certificate", "show", &serial(&leaf)])["issuer_id"].clone();
    let issuer = issuer.as_str().unwrap();
    told(&world.cairn, &["issuer", "retire", issuer, "--by", "+1h"]);
    let mut stranger = world.client().await;
    let info: Value = crate::renewal::asked(&mut stranger, &crate::renewal::id(&leaf)).await.json().unwrap();
    let end = info["suggestedWindow"]["end"].as_str().unwrap().to_owned();
    let expires = cairn_core::Timestamp::from_unix(leaf.validity().not_before + 3600 + 60).to_string();
    assert!(end < expires, "{info}");
    told(&world.cairn, &["issuer", "retire", issuer, "--cancel"]);
    world.end().await;
}
