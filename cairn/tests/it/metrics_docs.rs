//! docs/METRICS.md against the code: it is written from what the rooms say of their metrics.
//!
//! After a change, `CAIRN_BLESS=1 cargo test -p cairn --test it metrics_docs` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cairn::metrics::ROOMS;
use cairn_core::{Metric, MetricKind};

/// What docs/METRICS.md is written behind.
const MARK: &str = "<!-- The rest is written from the code by cairn/tests/it/metrics_docs.rs. -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn all() -> impl Iterator<Item = &'static Metric> {
    ROOMS.iter().flat_map(|(_, metrics)| metrics.iter())
}

fn reference() -> String {
    let mut text = String::new();
    for (room, metrics) in ROOMS {
        writeln!(text, "\n## {room}\n\n| metric | kind | labels | |\n|---|---|---|---|").unwrap();
        for Metric { name, kind, labels, help } in *metrics {
            let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            writeln!(text, "| `{name}` | {} | {labels} | {help} |", kind.name()).unwrap();
        }
    }
    text
}

#[test]
fn the_list_of_metrics_is_what_the_code_says() {
    let path = root().join("docs/METRICS.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (introduction, written) = text.split_once(MARK).expect("the mark before the list");
    let expected = reference();
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(&path, format!("{introduction}{MARK}{expected}")).unwrap();
    } else {
        assert!(
            written == expected,
            "docs/METRICS.md is not what the code says; run this test with CAIRN_BLESS=1"
        );
    }
}

#[test]
fn names_say_room_and_unit_and_no_label_is_anybodys_name() {
    let mut names = BTreeSet::new();
    for Metric { name, kind, labels, help } in all() {
        assert!(names.insert(name), "{name} twice");
        assert!(name.starts_with("cairn_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == MetricKind::Counter, "{name}");
        if *kind == MetricKind::Histogram {
            assert!(name.ends_with("_seconds") || name.ends_with("_size"), "{name} has no buckets");
        }
        assert!(help.ends_with('.') && !help.contains(['\n', '|', '\\']), "{name}");
        for label in *labels {
            assert!(
                !["account", "order", "name", "identifier", "serial", "client"].contains(label),
                "{name}"
            );
        }
    }
}
