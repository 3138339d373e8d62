//! The walls of ARCHITECTURE.md, held against what `cargo metadata` says: which crate may know which, who alone may use a library,
//! which licences and duplicate versions are in the house.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The arrows of ARCHITECTURE.md, all of them: a crate and those of ours that it may know.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "cairn",
        &[
            "cairn-ca",
            "cairn-ceremony",
            "cairn-core",
            "cairn-pa",
            "cairn-proto",
            "cairn-ra",
            "cairn-sa",
            "cairn-va",
            "cairn-wfe",
            "cairn-x509",
            "challtestsrv",
        ],
    ),
    ("cairn-wfe", &["cairn-core", "cairn-jose", "cairn-x509"]),
    ("cairn-ra", &["cairn-core", "cairn-x509"]),
    ("cairn-va", &["cairn-core"]),
    ("cairn-ca", &["cairn-core", "cairn-x509"]),
    ("cairn-pa", &["cairn-core", "cairn-x509"]),
    ("cairn-sa", &["cairn-core"]),
    ("cairn-proto", &["cairn-core", "cairn-jose"]),
    ("cairn-core", &["cairn-jose"]),
    ("cairn-jose", &[]),
    ("cairn-x509", &[]),
    ("cairn-ceremony", &["cairn-x509"]),
    ("challtestsrv", &[]),
    ("cairn-test-env", &["cairn-core", "cairn-jose", "cairn-x509", "challtestsrv"]),
];

/// Libraries that only the named crates may use: each is the heart of one room.
const WALLS: &[(&str, &[&str])] = &[
    ("rusqlite", &["cairn-sa"]),
    ("sqlx", &["cairn-sa"]),
    ("postgres-protocol", &["cairn-sa"]),
    // proto finds the addresses of the services with it.
    ("hickory-resolver", &["cairn-va", "cairn-proto"]),
    ("cryptoki", &["cairn-x509"]),
    ("tonic", &["cairn-proto"]),
    ("prost", &["cairn-proto"]),
    ("hickory-server", &["challtestsrv"]),
    ("axum", &["cairn-wfe", "cairn", "challtestsrv"]),
    ("anyhow", &["cairn", "cairn-ceremony", "cairn-test-env"]),
    ("toml", &["cairn", "cairn-ceremony"]),
    ("tracing-subscriber", &["cairn"]),
    ("clap", &["cairn", "cairn-ceremony", "cairn-test-env", "challtestsrv"]),
    ("object_store", &["cairn"]),
];

/// The vocabulary, policy and the pure libraries have no runtime; the ceremony reads files, and no network.
const WITHOUT_IO: &[&str] = &["cairn-core", "cairn-jose", "cairn-x509", "cairn-ceremony", "cairn-pa"];
const IO: &[&str] = &["tokio", "hyper", "rusqlite", "sqlx", "axum", "reqwest", "hickory-resolver"];

/// Never in the tree: there is one crypto backend, aws-lc-rs, and no system OpenSSL; and no HTTP client that dials by itself, which
/// object_store brings unless it is told not to.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "ring", "reqwest"];

/// Licences that fit MIT OR Apache-2.0. An expression passes when one of its alternatives does.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "OpenSSL",
    "Unicode-3.0",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "MIT-0",
    "Unlicense",
];

/// Crates that come in two versions, since two of our dependencies have not met yet. sqlx hashes what it signs in to PostgreSQL with by
/// the generation of sha2 before ours; block-buffer, cpufeatures, crypto-common and digest are that generation's. OpenTelemetry draws its
/// ids from the rand before ours, with its rand_core and getrandom. postgres-protocol and rusqlite iterate by two generations of
/// fallible-iterator, object_store and the compiler of protobuf by two of itertools.
const DUPLICATES: &[&str] = &[
    "base64",
    "block-buffer",
    "cpufeatures",
    "crypto-common",
    "digest",
    "fallible-iterator",
    "foldhash",
    "getrandom",
    "hashbrown",
    "itertools",
    "rand",
    "rand_core",
    "sha2",
    "signature",
    "syn",
    "untrusted",
];

fn cargo(arguments: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output =
        Command::new(env!("CARGO")).args(arguments).arg("--locked").current_dir(root).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A third-party package that is really compiled here. (`cargo metadata` also lists what no enabled feature asks for.)
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    licence: String,
}

fn compiled() -> BTreeSet<Package> {
    let output = cargo(&["tree", "--workspace", "--edges", "all", "--prefix", "none", "--format", "{p}|{l}"]);
    let lines = output.lines().filter(|line| !line.is_empty());
    lines
        .filter_map(|line| {
            let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
            let mut words = package.split_whitespace();
            let (name, version) = (words.next()?, words.next()?.trim_start_matches('v'));
            // Ours carry their folder behind the version.
            let ours = words.next().is_some_and(|word| word.starts_with("(/"));
            (!ours).then(|| Package {
                name: name.to_owned(),
                version: version.to_owned(),
                licence: licence.to_owned(),
            })
        })
        .collect()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// Our crates, each with the names of its dependencies that are not for tests alone.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap().iter();
            let names = dependencies.filter(|it| it["kind"] != "dev").map(|it| text(it, "name").to_owned());
            (text(package, "name").to_owned(), names.collect())
        })
        .collect()
}

#[test]
fn our_crates_know_only_whom_the_drawing_says() {
    let dependencies = dependencies();
    let ours: BTreeSet<&str> = dependencies.keys().map(String::as_str).collect();
    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, drawn, "a crate that the drawing lacks, or the reverse");
    for (name, allowed) in ARROWS {
        let known = dependencies[*name].iter().map(String::as_str).filter(|it| ours.contains(it));
        let forbidden: Vec<_> = known.filter(|it| !allowed.contains(it)).collect();
        assert!(forbidden.is_empty(), "{name} may not know {forbidden:?}");
    }
}

#[test]
fn libraries_stay_in_their_rooms() {
    let dependencies = dependencies();
    for (library, rooms) in WALLS {
        for (name, known) in &dependencies {
            assert!(
                !known.contains(*library) || rooms.contains(&name.as_str()),
                "{name} may not use {library}"
            );
        }
    }
    for name in WITHOUT_IO {
        let forbidden: Vec<_> = IO.iter().filter(|library| dependencies[*name].contains(**library)).collect();
        assert!(forbidden.is_empty(), "{name} does no I/O and may not use {forbidden:?}");
    }
}

#[test]
fn nothing_banned_is_compiled() {
    let packages = compiled();
    assert!(packages.iter().any(|package| package.name == "aws-lc-rs"), "the list is not what it should be");
    for package in packages {
        assert!(!BANNED.contains(&package.name.as_str()), "{} is banned", package.name);
    }
}

#[test]
fn every_licence_fits() {
    for package in compiled() {
        let expression = package.licence.replace('/', " OR ");
        let fits = expression.split(" OR ").any(|alternative| {
            let parts = alternative.split(" AND ");
            parts.map(|part| part.trim().trim_matches(['(', ')'])).all(|part| LICENCES.contains(&part))
        });
        assert!(fits, "{} has licence {expression:?}", package.name);
    }
}

#[test]
fn no_crate_comes_in_two_versions_unnoticed() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in compiled() {
        versions.entry(package.name).or_default().insert(package.version);
    }
    let doubled: BTreeMap<_, _> = versions.into_iter().filter(|(_, versions)| versions.len() > 1).collect();
    let unnoticed: Vec<_> = doubled.iter().filter(|(name, _)| !DUPLICATES.contains(&name.as_str())).collect();
    assert!(unnoticed.is_empty(), "in several versions: {unnoticed:?}");
    let gone: Vec<_> = DUPLICATES.iter().filter(|name| !doubled.contains_key(**name)).collect();
    assert!(gone.is_empty(), "no longer doubled, take them from the list: {gone:?}");
}
