//! `GET /metrics` after a certificate was issued, held against docs/METRICS.md, which is what an operator builds on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cairn_test_env::acme::{Connection, Endpoint};
use cairn_test_env::relying_party;
use http::Request;
use http_body_util::Full;

use tokio::time::timeout;

use crate::world::{PATIENCE, World, certificates, dns};

/// What is documented: name, and kind.
fn documented() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/METRICS.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let metrics: BTreeMap<_, _> =
        rows.map(|(name, rest)| (name.to_owned(), rest.split_once(' ').unwrap().0.to_owned())).collect();
    assert!(metrics.len() > 30, "{metrics:?}");
    metrics
}

/// A text in Prometheus's format.
#[derive(Debug, Default)]
struct Exposition {
    kinds: BTreeMap<String, String>,
    helped: BTreeSet<String>,
    /// By name and labels, as they are written.
    samples: BTreeMap<String, f64>,
}

impl Exposition {
    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(!help.is_empty() && found.helped.insert(name.to_owned()), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert!(found.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
                assert!(name == series || series.ends_with("\"}"), "{line}");
                let value: f64 = value.parse().unwrap();
                assert!(found.samples.insert(series.to_owned(), value).is_none(), "{line}");
            }
        }
        found
    }

    /// The sum of all series of this name that have these labels.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let of_name = self.samples.iter().filter(|(series, _)| series.split('{').next() == Some(name));
        of_name
            .filter(|(series, _)| labels.iter().all(|label| series.contains(label)))
            .map(|(_, value)| value)
            .sum()
    }
}

async fn metrics(world: &World) -> Exposition {
    let url = world.cairn.management_url("/metrics").unwrap();
    let mut connection = Connection::new(Arc::new(Endpoint::new(&url, &world.root).unwrap()));
    let request = Request::builder().uri("/metrics").body(Full::default()).unwrap();
    let answer = connection.send(request).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    Exposition::parse(std::str::from_utf8(&answer.body).unwrap())
}

#[tokio::test]
async fn after_one_certificate_every_documented_series_is_there_and_counts() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let (certified, _) = world.certificate(&mut client, &account, &dns(["counted.test"])).await;
    let chain = certificates(&certified.chain);
    let (pki, _) = relying_party::place(&chain[0].description().unwrap().ocsp_urls[0]).unwrap();
    relying_party::status(pki, &chain[1], &chain[0]).unwrap();

    // The first CRL is made soon after the start.
    let listed = async {
        loop {
            let found = metrics(&world).await;
            if found.kinds.contains_key("cairn_ca_crl_entries") {
                break found;
            }
        }
    };
    let found = timeout(PATIENCE, listed).await.expect("there is no CRL");
    for (name, kind) in documented() {
        // This server has the other engine, is one process that looks from one place, and puts CRLs nowhere else.
        let elsewhere = ["cairn_sa_postgres_", "cairn_rpc_", "cairn_va_perspective_", "cairn_crl_pushes_"];
        if elsewhere.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        assert_eq!(found.kinds.get(&name), Some(&kind), "{name}");
        assert!(found.helped.contains(&name), "{name}");
        let series = if kind == "histogram" { format!("{name}_count") } else { name };
        assert!(found.samples.keys().any(|sample| sample.split('{').next() == Some(&series)), "{series}");
    }
    for (name, labels, expected) in [
        (
            "cairn_wfe_requests_total",
            &["endpoint=\"/new-order\"", "method=\"POST\"", "status=\"201\""][..],
            1.0,
        ),
        ("cairn_wfe_requests_in_flight", &[], 0.0),
        ("cairn_ra_orders_total", &["result=\"new\""], 1.0),
        ("cairn_ra_validations_total", &["challenge=\"http-01\"", "result=\"valid\""], 1.0),
        ("cairn_ra_validation_duration_seconds_count", &["challenge=\"http-01\""], 1.0),
        ("cairn_ra_issuances_total", &["result=\"issued\""], 1.0),
        ("cairn_ra_issuances_in_progress", &[], 0.0),
        ("cairn_va_validations_total", &["challenge=\"http-01\"", "result=\"valid\""], 1.0),
        ("cairn_va_validations_running", &[], 0.0),
        ("cairn_va_dns_queries_total", &["type=\"address\"", "result=\"found\""], 1.0),
        // The subscriber's and the server's own.
        ("cairn_ca_certificates_total", &["profile=\"default\""], 2.0),
        ("cairn_ca_signatures_total", &["issuer=\"Cairn Dev Intermediate CA 1 ", "algorithm=\"ECDSA"], 2.0),
        ("cairn_sa_calls_total", &["call=\"add_certificate\"", "result=\"ok\""], 2.0),
        ("cairn_sa_sqlite_queue_length", &[], 0.0),
    ] {
        assert!((found.sum(name, labels) - expected).abs() < 0.5, "{name} {labels:?}: {found:#?}");
    }
    for name in ["cairn_wfe_nonces_made_total", "cairn_wfe_nonces_redeemed_total", "process_open_fds"] {
        assert!(found.sum(name, &[]) > 1.0, "{name}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_strangers_ask_for_makes_no_series_of_its_own() {
    let world = World::new().await;
    let mut connection =
        Connection::new(Arc::new(Endpoint::new(&world.cairn.ready.directory, &world.root).unwrap()));
    for path in ["/admin.php", "/order/1/2/3", "/%7Bid%7D"] {
        let request = Request::builder().method("BREW").uri(path).body(Full::default()).unwrap();
        assert!(connection.send(request).await.unwrap().status.is_client_error());
    }
    let found = metrics(&world).await;
    let labels = &["endpoint=\"other\"", "method=\"other\""];
    assert!((found.sum("cairn_wfe_requests_total", labels) - 3.0).abs() < 0.5, "{found:#?}");
    assert!(found.samples.keys().all(|series| !series.contains("admin") && !series.contains("BREW")));
    world.end().await;
}
