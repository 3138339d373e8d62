//! `cairn admin` and a running server: an operator looks, and steps in; over a socket where everything is one process, over the network
//! where the registration authority is one of its own. The auditor is told of each use.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::harness::run;
use cairn_test_env::site::{Serve, Site};
use serde_json::Value;

use crate::world::{World, assert_refused, certificates, dns};

/// Runs a command on the world's server.
fn admin(world: &World, command: &[&str]) -> (bool, String) {
    let way = world.cairn.admin();
    let way = way.each_ref().map(String::as_str);
    run(&[&["admin"], command, &["--operator", "alice"], &way].concat()).unwrap()
}

/// Runs one that asks the server, which must tell the auditor so, in one event: who, what, and that it came to this.
fn audited(world: &World, what: &str, command: &[&str]) -> (bool, String) {
    let events = || {
        let log = world.cairn.deciders_log().unwrap();
        let events = log.lines().filter(|line| line.contains(r#" audit: event="operator."#));
        events.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = events().len();
    let (well, printed) = admin(world, command);
    let events = events().split_off(before);
    let came_to = if well { "asked" } else { "refused" };
    // What the server knows by itself: the user at the socket, the address of a machine.
    let known = ["operator=alice(uid=", "operator=alice(127.0.0.1)"];
    assert!(
        events.len() == 1
            && events[0].contains(&format!("event=\"operator.{came_to}\""))
            && events[0].contains(&format!("what=\"{what}\""))
            && known.iter().any(|known| events[0].contains(known)),
        "{events:#?}\n{printed}"
    );
    (well, printed)
}

fn asked(world: &World, command: &[&str]) -> Value {
    let what = if command == ["status"] { "status".to_owned() } else { command[..2].join(".") };
    let (well, printed) = audited(world, &what, &[command, &["--json"]].concat());
    assert!(well, "{printed}");
    serde_json::from_str(&printed).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_what_a_client_has_and_takes_it_away() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, request) = world.certificate(&mut client, &account, &dns(["a.test", "b.test"])).await;

    let shown = asked(&world, &["account", "show", &account.url]);
    assert_eq!(
        (&shown["status"], &shown["id"]),
        (&"valid".into(), &account.url.rsplit('/').next().unwrap().into())
    );
    let thumbprint = shown["key_thumbprint"].as_str().unwrap();
    assert_eq!(asked(&world, &["account", "show", "--thumbprint", thumbprint]), shown);

    let leaf = &certificates(&certified.chain)[0];
    let serial: String = leaf.serial().iter().map(|octet| format!("{octet:02X}")).collect();
    let shown = asked(&world, &["certificate", "show", &serial, "--pem"]);
    assert_eq!((&shown["status"], &shown["names"][1]), (&"valid".into(), &"b.test".into()));
    assert!(shown["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let order = asked(&world, &["order", "show", shown["order"].as_str().unwrap()]);
    assert_eq!((&order["status"], &order["serial"]), (&"valid".into(), &shown["serial"]));
    let authorization = order["authorizations"][0]["id"].as_str().unwrap();
    assert_eq!(asked(&world, &["authorization", "show", authorization])["identifier"], "a.test");
    let (well, printed) =
        audited(&world, "authorization.deactivate", &["authorization", "deactivate", authorization]);
    assert!(well && printed.contains("deactivated"), "{printed}");

    let revoke = ["certificate", "revoke", &serial, "--reason", "privilegeWithdrawn", "--block-key"];
    let (well, printed) = audited(&world, "certificate.revoke", &revoke);
    assert!(well && printed.contains("revoked") && printed.contains("privilegeWithdrawn"), "{printed}");
    let (well, printed) = audited(&world, "certificate.revoke", &revoke);
    assert!(!well && printed.contains("was revoked at"), "{printed}");
    assert_refused(client.revoke((&account).into(), leaf.der(), None).await, 400, "alreadyRevoked");
    // The key is certified no more, and makes no account.
    let placed = world.ready_order(&mut client, &account, &dns(["b.test"])).await;
    let outcome = client.finalize(&account, &placed.order.finalize, &request.der).await;
    assert_eq!(
        outcome.err().map(|error| error.problem().unwrap().name().to_owned()).as_deref(),
        Some("badCSR")
    );
    let key = SigningKey::from_pkcs8_der(Algorithm::Es256, &request.key).unwrap();
    assert_refused(client.new_account(key).await, 400, "badPublicKey");

    // So is a key that was never used here.
    let leaked = rcgen::KeyPair::generate().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), leaked.serialize_pem()).unwrap();
    let block = ["key", "block", "--file", file.path().to_str().unwrap()];
    assert_eq!(asked(&world, &block)["new"], true);
    assert_eq!(asked(&world, &block)["new"], false);
    let key = SigningKey::from_pkcs8_der(Algorithm::Es256, &leaked.serialize_der()).unwrap();
    assert_refused(client.new_account(key).await, 400, "badPublicKey");

    let (well, printed) = audited(&world, "account.deactivate", &["account", "deactivate", &account.url]);
    assert!(well && printed.contains("revoked"), "{printed}");
    assert_refused(client.new_order(&account, &dns(["c.test"])).await, 401, "unauthorized");
    let status = asked(&world, &["status"]);
    assert_eq!((&status["stopping"], &status["issuances"]["running"]), (&false.into(), &0.into()));

    let log = world.cairn.deciders_log().unwrap();
    for words in [
        "account.revoked",
        "certificate.revoked",
        "authorization.deactivated",
        "key.blocked",
        "by=operator alice(",
    ] {
        assert!(log.contains(words), "{words}:\n{log}");
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_and_what_makes_no_sense_is_said_so() {
    let world = World::new().await;
    for (command, words) in [
        (&["account", "show", &"0".repeat(32)][..], "there is no such account"),
        (&["order", "show", "https://ca.test/dir"], "is no id"),
        (&["certificate", "show", "xyz"], "hexadecimal"),
        (&["certificate", "revoke", "01", "--reason", "certificateHold"], "final"),
        (&["certificate", "revoke", "01"], "there is no such certificate"),
        (&["key", "block", "--file", "nowhere.pem"], "nowhere.pem"),
    ] {
        let (well, printed) = admin(&world, command);
        assert!(!well && printed.contains(words), "{command:?}: {printed}");
    }
    world.end().await;
}

#[test]
fn the_socket_is_there_while_the_server_runs_and_for_its_owner_alone() {
    let site = Site::new().unwrap();
    site.settle("").unwrap();
    let config = site.config().display().to_string();
    let status = ["admin", "status", "--operator", "alice", "--config", &config];
    let (well, printed) = run(&status).unwrap();
    assert!(!well && printed.contains("Is the server running?"), "{printed}");
    let socket = site.path("data/admin.sock");
    let (serve, _) = Serve::start(&site).unwrap();
    let metadata = fs::symlink_metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let (well, printed) = run(&status).unwrap();
    assert!(well && printed.contains("validations"), "{printed}");
    // One that was killed leaves its socket to the next.
    serve.kill().unwrap();
    let (well, printed) = run(&status).unwrap();
    assert!(!well && printed.contains("Is the server running?"), "{printed}");
    let (serve, _) = Serve::start(&site).unwrap();
    assert!(run(&status).unwrap().0);
    serve.stop().unwrap();
    assert!(!socket.exists());
}
