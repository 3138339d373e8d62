//! docs/METRICS.md and docs/grafana/cairn.json against the code: the first is written from what the rooms say of their metrics, the second
//! may ask for nothing else.
//!
//! After a change, `CAIRN_BLESS=1 cargo test -p cairn --test it metrics_docs` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use cairn::metrics::ROOMS;
use cairn_core::{Metric, MetricKind};

use crate::written::{assert_written, root};

/// What docs/METRICS.md is written behind.
const MARK: &str = "<!-- The rest is written from the code by cairn/tests/it/metrics_docs.rs. -->\n";

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
    assert_written("docs/METRICS.md", MARK, &reference());
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

/// Every text of the dashboard that asks Prometheus for something.
fn queries(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| name == "expr" || name == "query") {
                    Some(query) => found.push(query.to_owned()),
                    None => queries(value, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_exist_and_for_all_of_them() {
    let text = std::fs::read_to_string(root().join("docs/grafana/cairn.json")).unwrap();
    let mut asked = Vec::new();
    queries(&serde_json::from_str(&text).unwrap(), &mut asked);
    let words = asked.iter().flat_map(|query| query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let named: BTreeSet<&str> =
        words.filter(|word| word.starts_with("cairn_") || word.starts_with("process_")).collect();
    // What Prometheus knows of a histogram are its buckets, their number and their sum.
    let series = |metric: &Metric| match metric.kind {
        MetricKind::Histogram => {
            ["_bucket", "_count", "_sum"].map(|end| format!("{}{end}", metric.name)).to_vec()
        }
        MetricKind::Counter | MetricKind::Gauge => vec![metric.name.to_owned()],
    };
    let exist: BTreeSet<String> = all().flat_map(series).collect();
    let unknown: Vec<_> = named.iter().filter(|name| !exist.contains(**name)).collect();
    assert!(unknown.is_empty(), "nobody counts {unknown:?}");
    let unseen: Vec<_> =
        all().filter(|metric| !series(metric).iter().any(|name| named.contains(&**name))).collect();
    assert!(unseen.is_empty(), "nobody sees {unseen:?}");
}

#[test]
fn the_dashboard_asks_for_labels_that_exist() {
    let text = std::fs::read_to_string(root().join("docs/grafana/cairn.json")).unwrap();
    let mut asked = Vec::new();
    queries(&serde_json::from_str(&text).unwrap(), &mut asked);
    let of_prometheus = ["le", "job", "instance"];
    for query in asked {
        let metric = all().find(|metric| {
            let mut words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            words.any(|word| word.trim_end_matches("_bucket") == metric.name)
        });
        let grouped = query.split("by (").skip(1).map(|rest| rest.split_once(')').unwrap().0);
        for label in grouped.flat_map(|labels| labels.split(", ")) {
            let known = metric.is_some_and(|metric| metric.labels.contains(&label));
            assert!(known || of_prometheus.contains(&label), "{label} in {query}");
        }
    }
}
