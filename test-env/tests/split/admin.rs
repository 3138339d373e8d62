//! `cairn admin` over the network: who may be an operator, and who not.

use std::fs;
use std::path::Path;

use cairn_core::Clock as _;
use cairn_core::time::SystemClock;
use cairn_test_env::harness::run;
use cairn_test_env::home::Home;
use cairn_test_env::program::Program;
use cairn_test_env::split::{Layout, Role, Split};

/// The message of `Status` by an operator called "bob", as gRPC frames it: not compressed, five bytes, the first field.
const STATUS_FOR_BOB: &[u8] = b"\0\0\0\0\x05\x0a\x03bob";

const PERMISSION_DENIED: &str = "grpc-status: 7";

#[test]
fn an_operator_is_who_has_the_certificate_of_the_role_admin() {
    let split = Split::start(&Layout::split(1)).unwrap();
    let [way, config] = &split.admin();
    let status = || run(&["admin", "status", "--operator", "alice", way, config]).unwrap();
    let (well, printed) = status();
    assert!(well && printed.contains("issuances"), "{printed}");
    let log = split.deciders_log().unwrap();
    assert!(log.contains("operator=alice(127.0.0.1) what=\"status\""), "{log}");

    // Whoever confuses the files is told so by the command itself.
    let (pki, theirs) = (split.internal_pki(), Path::new(config).with_file_name("internal-pki"));
    let give = |from: &Path, to: &str| fs::copy(from, theirs.join(to)).map(drop).unwrap();
    give(&pki.join("wfe.pem"), "admin.pem");
    give(&pki.join("wfe-key.pem"), "admin-key.pem");
    let (well, printed) = status();
    assert!(!well && printed.contains("is for wfe.cairn.internal, and the role admin needs"), "{printed}");
    fs::remove_file(theirs.join("admin.pem")).unwrap();
    let (well, printed) = status();
    assert!(!well && printed.contains("cannot read") && printed.contains("admin.pem"), "{printed}");

    split.stop().unwrap();
}

#[test]
fn whoever_has_the_certificate_of_another_role_is_refused_by_the_registration_authority_itself() {
    let split = Split::start(&Layout::split(1)).unwrap();
    let bench = Home::new().unwrap();
    fs::write(bench.path("status"), STATUS_FOR_BOB).unwrap();

    // With a client that does not look at its own certificate first. That of the right role is the proof that this one can ask.
    let answer = ask(&split, &bench, "admin", &["--data-binary", "@status"]);
    assert!(answer.contains("grpc-status: 0"), "{answer}");
    assert!(split.deciders_log().unwrap().contains("operator=bob(127.0.0.1)"));
    for role in Role::ALL.map(Role::name) {
        // Without a message: they are refused before one is read, and curl minds what it cannot send to its end.
        let answer = ask(&split, &bench, role, &["--request", "POST"]);
        assert!(answer.contains(PERMISSION_DENIED) && answer.contains("offers"), "{role}: {answer}");
        let log = split.deciders_log().unwrap();
        let refused =
            |line: &&str| line.contains("refused a call") && line.contains(&format!("peer.role={role} "));
        let refused = log.lines().find(refused);
        assert!(refused.is_some_and(|line| line.contains("service=\"cairn.v1.Admin\"")), "{role}: {log}");
    }
    assert_eq!(split.deciders_log().unwrap().matches("operator=bob(").count(), 1);

    let stranger = curl(&split, &bench).fails().unwrap();
    assert!(!stranger.contains("grpc-status"), "{stranger}");
    let log = split.deciders_log().unwrap();
    assert!(log.contains("refused a connection") && log.contains("showed no certificate"), "{log}");
    split.stop().unwrap();
}

/// The headers and trailers that the registration authority answers a request for its status with.
fn ask(split: &Split, bench: &Home, role: &str, message: &[&str]) -> String {
    let pair = |suffix: &str| split.internal_pki().join(format!("{role}{suffix}.pem"));
    curl(split, bench).args(message).arg("--cert").arg(pair("")).arg("--key").arg(pair("-key")).run().unwrap()
}

fn curl(split: &Split, bench: &Home) -> Program {
    let now = SystemClock.now().unix() * 1000;
    let address = split.registration_authorities()[0];
    let name = format!("ra.cairn.internal:{}", address.port());
    let root = split.internal_pki().join("root.pem");
    let curl =
        bench.program("curl").unwrap().args(["--silent", "--show-error", "--http2", "--output", "answer"]);
    let curl = curl.args(["--dump-header", "-", "--resolve", &format!("{name}:{}", address.ip())]);
    let curl = curl.args(["-H", "content-type: application/grpc", "-H", "te: trailers"]);
    let curl = curl.args(["-H", &format!("cairn-time: {now}")]);
    curl.arg("--cacert").arg(root).arg(format!("https://{name}/cairn.v1.Admin/Status"))
}
