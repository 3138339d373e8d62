//! docs/CONFIG.md against the code: its reference is the documentation of the fields themselves, and its examples parse.
//!
//! After a change of a setting, `CAIRN_BLESS=1 cargo test -p cairn --test it config_docs` writes the reference anew.

use std::fmt::Write as _;

use cairn::config::Config;

use crate::written::{assert_written, root};

/// The sections of the file: the TOML table, the source that documents it, the struct.
const SECTIONS: &[(&str, &str, &str)] = &[
    ("", "cairn/src/config.rs", "Config"),
    ("[api]", "cairn/src/config.rs", "Api"),
    ("[pki]", "cairn/src/config.rs", "Pki"),
    ("[pki.ocsp]", "wfe/src/pki/config.rs", "Ocsp"),
    ("[pki.crl]", "wfe/src/pki/config.rs", "Crl"),
    ("[crl_push]", "cairn/src/crl_push.rs", "Config"),
    ("[crl_push.s3]", "cairn/src/crl_push/s3.rs", "Config"),
    ("[management]", "cairn/src/config.rs", "Management"),
    ("[admin]", "cairn/src/config.rs", "Admin"),
    ("[internal]", "cairn/src/config.rs", "Internal"),
    ("[internal.ROLE]", "cairn/src/config.rs", "Place"),
    ("[internal.calls]", "cairn/src/config.rs", "Calls"),
    ("[issuer]", "cairn/src/config.rs", "Issuer"),
    ("[issuer.pkcs11]", "cairn/src/key_place.rs", "Pkcs11"),
    ("[lifecycle]", "cairn/src/lifecycle.rs", "Config"),
    ("[runtime]", "cairn/src/runtime.rs", "Config"),
    ("[log]", "cairn/src/telemetry.rs", "Config"),
    ("[trace]", "cairn/src/telemetry/traces.rs", "Trace"),
    ("[wfe]", "wfe/src/config.rs", "Config"),
    ("[ra]", "ra/src/config.rs", "Config"),
    ("[va]", "va/src/config.rs", "Config"),
    ("[[va.perspectives]]", "va/src/config.rs", "PerspectiveConfig"),
    ("[ca]", "ca/src/config.rs", "Config"),
    ("[ca.profiles.NAME]", "ca/src/config.rs", "ProfileConfig"),
    ("[ca.crl]", "ca/src/config.rs", "CrlConfig"),
    ("[ca.ocsp]", "ca/src/config.rs", "OcspConfig"),
    ("[sa]", "sa/src/config.rs", "Config"),
    ("[sa.keep]", "sa/src/config.rs", "Keep"),
    ("[sa.postgres]", "sa/src/config.rs", "Postgres"),
    ("[pa]", "pa/src/config.rs", "Config"),
];

/// Fields that are tables of their own, at the top and in `[internal]`.
const TABLES: &[&str] = &[
    "api",
    "pki",
    "crl_push",
    "management",
    "admin",
    "internal",
    "lifecycle",
    "issuer",
    "runtime",
    "log",
    "trace",
    "wfe",
    "ra",
    "va",
    "remote_va",
    "ca",
    "sa",
    "pa",
    "calls",
];

/// What the reference begins with in docs/CONFIG.md; everything behind it is written by this file.
const MARK: &str = "<!-- The rest is written from the code by cairn/tests/it/config_docs.rs. -->\n";

/// The public fields of a struct that a file can set, with their documentation, in the order of the source.
fn fields(source: &str, name: &str) -> Vec<(String, String)> {
    let start = source.find(&format!("pub struct {name} {{")).unwrap_or_else(|| panic!("no struct {name}"));
    let body = &source[start..][..source[start..].find("\n}").unwrap()];
    let (mut fields, mut documentation, mut skipped) = (Vec::new(), String::new(), false);
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            documentation = format!("{documentation} {}", text.trim()).trim().to_owned();
        } else if line.starts_with("#[serde(skip") {
            skipped = true;
        } else if let Some((field, _)) = line.strip_prefix("pub ").and_then(|line| line.split_once(':')) {
            assert!(!documentation.is_empty(), "{name}.{field} is not documented");
            if !skipped {
                fields.push((field.to_owned(), std::mem::take(&mut documentation)));
            }
            (documentation, skipped) = (String::new(), false);
        }
    }
    assert!(!fields.is_empty(), "{name} has no fields");
    fields
}

fn reference() -> String {
    let mut text = String::new();
    for (table, file, name) in SECTIONS {
        let source = std::fs::read_to_string(root().join(file)).unwrap();
        let title = if table.is_empty() { "At the top".to_owned() } else { format!("`{table}`") };
        writeln!(text, "\n## {title}\n").unwrap();
        for (field, documentation) in fields(&source, name) {
            let holds_tables = table.is_empty() || *table == "[internal]";
            // There it is a folder.
            let is_folder = *table == "[internal]" && field == "pki";
            if !holds_tables || is_folder || !TABLES.contains(&field.as_str()) {
                writeln!(text, "- **`{field}`**: {documentation}").unwrap();
            }
        }
    }
    text
}

#[test]
fn the_reference_is_what_the_code_says() {
    assert_written("docs/CONFIG.md", MARK, &reference());
}

#[test]
fn the_examples_parse() {
    let text = std::fs::read_to_string(root().join("docs/CONFIG.md")).unwrap();
    let examples: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(!examples.is_empty());
    for example in examples {
        toml::from_str::<Config>(example).unwrap_or_else(|error| panic!("{error}\n{example}"));
    }
}
