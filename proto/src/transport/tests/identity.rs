//! What a role proves itself with, and how that is replaced.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rcgen::ExtendedKeyUsagePurpose;

use super::super::*;
use super::world::*;
use crate::Role;

#[track_caller]
fn refused(pki: &Pki, parts: &[&str]) {
    let error = pki.try_identity(Role::Ra).unwrap_err().to_string();
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn a_role_without_its_files_is_told_how_to_make_them() {
    let pki = Pki::new();
    for name in ["ra.pem", "ra-key.pem", "root.pem"] {
        let text = fs::read(pki.path(name)).unwrap();
        fs::remove_file(pki.path(name)).unwrap();
        refused(&pki, &["cannot read", name, "cairn internal-pki init", "internal.pki"]);
        fs::write(pki.path(name), "no PEM").unwrap();
        fs::set_permissions(pki.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        refused(&pki, &[name, "in PEM", "cairn internal-pki renew"]);
        fs::write(pki.path(name), vec![b'x'; 70_000]).unwrap();
        refused(&pki, &[name, "at most 65536 bytes"]);
        fs::write(pki.path(name), text).unwrap();
        assert_eq!(pki.identity(Role::Ra).role(), Role::Ra);
    }
}

#[test]
fn a_key_that_others_can_touch_is_refused_with_the_command_that_helps() {
    let pki = Pki::new();
    for mode in [0o640, 0o604, 0o644, 0o620, 0o610] {
        fs::set_permissions(pki.path("ra-key.pem"), fs::Permissions::from_mode(mode)).unwrap();
        refused(&pki, &[&format!("chmod 600 {}", pki.path("ra-key.pem").display()), &format!("{mode:04o}")]);
    }
    fs::set_permissions(pki.path("ra-key.pem"), fs::Permissions::from_mode(0o400)).unwrap();
    pki.identity(Role::Ra);
}

#[test]
fn the_certificate_must_be_the_keys_the_roles_and_the_roots() {
    let pki = Pki::new();
    fs::copy(pki.path("sa.pem"), pki.path("ra.pem")).unwrap();
    refused(&pki, &["ra-key.pem is not that of the certificate", "cairn internal-pki renew"]);
    fs::copy(pki.path("sa-key.pem"), pki.path("ra-key.pem")).unwrap();
    refused(&pki, &["ra.pem is for sa.cairn.internal", "role ra needs one for ra.cairn.internal"]);

    for names in [&["laptop"][..], &[], &["ra.cairn.internal", "sa.cairn.internal"], &["*.cairn.internal"]] {
        pki.issue(Role::Ra, names, 2028);
        refused(&pki, &["role ra needs one for ra.cairn.internal"]);
    }

    pki.issue(Role::Ra, &["ra.cairn.internal"], 2028);
    fs::copy(Pki::new().path("root.pem"), pki.path("root.pem")).unwrap();
    refused(&pki, &["ra.pem was not issued by the root in", "root.pem"]);
}

#[test]
fn a_certificate_for_one_direction_alone_is_refused() {
    let pki = Pki::new();
    for purpose in [ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth] {
        pki.issue_for(Role::Ra, &["ra.cairn.internal"], 2028, vec![purpose]);
        refused(&pki, &["ra.pem cannot be used", "cairn internal-pki renew"]);
    }
}

#[test]
fn a_certificate_outside_of_its_time_is_refused() {
    let pki = Pki::new();
    pki.clock.advance(400 * DAY);
    refused(&pki, &["ra.pem ended at 2028-01-01T00:00:00Z", "cairn internal-pki renew"]);
    pki.clock.advance(-1400 * DAY);
    refused(&pki, &["ra.pem begins only at 2026-01-01T00:00:00Z", "clock"]);
}

#[test]
fn the_end_of_a_certificate_is_warned_of_each_day_of_its_last_week() {
    let (pki, log) = (Pki::new(), Log::new());
    let ra = pki.identity(Role::Ra);
    assert_eq!(log.count(&["ends soon"]), 0);
    // It ends on the 351st day from now.
    pki.clock.advance(343 * DAY);
    ra.warn_of_end();
    assert_eq!(log.count(&["ends soon"]), 0);
    pki.clock.advance(DAY);
    ra.warn_of_end();
    ra.warn_of_end();
    assert_eq!(
        log.count(&["WARN", "ends soon", "role=ra", "2028-01-01T00:00:00Z", "cairn internal-pki renew"]),
        1
    );
    pki.clock.advance(DAY);
    ra.warn_of_end();
    assert_eq!(log.count(&["ends soon"]), 2);
    pki.issue(Role::Ra, &["ra.cairn.internal"], 2030);
    ra.reload().unwrap();
    pki.clock.advance(DAY);
    ra.warn_of_end();
    assert_eq!(log.count(&["ends soon"]), 2);
}

#[tokio::test]
async fn a_renewed_certificate_is_used_by_both_sides_without_a_restart() {
    let (pki, log) = (Pki::new(), Log::new());
    let (ra, sa) = (pki.identity(Role::Ra), pki.identity(Role::Sa));
    let server = Server::new(sa.clone(), ServerConfig::default());
    let serving = Serving::start(&server.add(Script::echo(""), &[Role::Ra])).await;
    let channel = pki.channel_of(ra.clone(), Role::Sa, &[serving.address]);
    say(&channel, "Write", "with the old one").await.unwrap();

    for role in [Role::Ra, Role::Sa] {
        pki.issue(role, &[&role.dns_name()], 2030);
    }
    for identity in [sa, ra] {
        identity.reload_if_changed();
    }
    log.has(&["INFO", "using the new internal certificate", "role=ra", "2030-01-01T00:00:00Z"]);
    // The channel connects anew, by itself.
    let mut changes = channel.changes();
    while log.count(&["connected", "callee=sa"]) < 2 {
        changes.changed().await.unwrap();
    }
    // By now, the old ones have expired.
    pki.clock.advance(400 * DAY);
    say(&channel, "Write", "with the new one").await.unwrap();
}

#[tokio::test]
async fn new_files_that_cannot_be_used_change_nothing() {
    let (pki, log) = (Pki::new(), Log::new());
    let sa = pki.identity(Role::Sa);
    let server = Server::new(sa.clone(), ServerConfig::default());
    let serving = Serving::start(&server.add(Script::echo(""), &[Role::Ra])).await;
    fs::write(pki.path("sa.pem"), "half a certific").unwrap();
    sa.reload_if_changed();
    log.has(&["ERROR", "cannot be used; keeping the old one", "sa.pem holds no certificate"]);
    sa.reload().unwrap_err();
    let channel = pki.channel(Role::Ra, Role::Sa, &[serving.address]);
    say(&channel, "Write", "still there").await.unwrap();
}
