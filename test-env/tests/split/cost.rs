//! What a certificate costs the services among each other: calls over the network, and transactions. Both are counted where they arrive,
//! by what the processes tell Prometheus.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{CertificateRequest, Client, Connection, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::split::{Layout, Split};
use http::Request;
use http_body_util::Full;
use tokio::task::block_in_place;

const CERTIFICATES: u32 = 10;

/// Between one process of each role, one of them a remote perspective.
const MOST_CALLS: f64 = 18.0;

/// What changes the database for a certificate, each once.
const CHANGES: [&str; 5] = [
    "new_order_and_authorizations",
    "finalize_authorization",
    "set_order_processing",
    "record_intent",
    "add_certificate",
];

/// What only reads, and what comes whether anything is issued or not.
const OTHERS: [&str; 10] = [
    "account",
    "order",
    "authorization",
    "certificate",
    "ping",
    "heartbeat",
    "take_abandoned_orders",
    "take_abandoned_validations",
    "ca_certificates",
    "record_ca_certificates",
];

/// What is asked and stored for CRLs and of what is revoked, in the background.
const REVOCATION: [&str; 16] = [
    "revocation_position",
    "revocations_after",
    "published_ca_certificates",
    "latest_change",
    "changes_after",
    "crls",
    "latest_crl",
    "hold_crl_shard",
    "release_crl_shard",
    "revoked",
    "revoked_lengths",
    "add_crl_chunk",
    "publish_crl",
    "remove_crls",
    "keys_to_sweep",
    "due_incidents",
];

/// Services that are called for that alone.
const OF_REVOCATION: [&str; 3] = ["CrlStore", "PkiRead", "RevocationStore"];

/// Calls that come whether anything is issued or not.
const BACKGROUND: [&str; 6] = [
    "Ping",
    "Heartbeat",
    "TakeAbandonedOrders",
    "TakeAbandonedValidations",
    "CaCertificates",
    "RecordCaCertificates",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_takes_five_transactions_and_eighteen_calls_at_most() {
    let split = block_in_place(|| Split::start(&Layout::split(1).patient())).unwrap();
    let roots = std::fs::read_to_string(split.root_file()).unwrap();
    let endpoint = Arc::new(Endpoint::new(&split.directory(), &roots).unwrap());
    let mut client = Client::connect(endpoint, &split.directory()).await.unwrap();
    let account = client.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
    let responder = Responder::Http01(Arc::new(Http01::start(split.http_port()).await.unwrap()));

    let before = Counts::of(&split).await;
    for number in 0..CERTIFICATES {
        let identifiers = [Identifier::dns(format!("{number}.test"))];
        let csr = CertificateRequest::new(&identifiers).unwrap().der;
        certify(&mut client, &account, &responder, &identifiers, &csr).await.unwrap();
    }
    let each = Counts::of(&split).await.since(&before).per(CERTIFICATES);
    println!("{each:#?}");

    for (name, count) in &each.storage {
        let once = CHANGES.contains(&name.as_str());
        let in_background = OTHERS.contains(&name.as_str()) || REVOCATION.contains(&name.as_str());
        let allowed = once || in_background || *count < 0.01;
        assert!(allowed && (!once || (count - 1.0).abs() < 0.01), "{name}: {count}");
    }
    assert!(CHANGES.iter().all(|name| each.storage.contains_key(*name)), "{each:?}");
    let calls: f64 = each.calls.values().sum();
    assert!(calls > 10.0 && calls < MOST_CALLS + 0.01, "{calls} calls");
    block_in_place(|| split.stop()).unwrap();
}

/// How often each thing was done since the processes started.
#[derive(Debug)]
struct Counts {
    /// What the storage was told and asked, by name.
    storage: BTreeMap<String, f64>,
    /// What any process was told and asked by another, by service and method, but for what comes anyway.
    calls: BTreeMap<String, f64>,
}

impl Counts {
    async fn of(split: &Split) -> Self {
        let mut counts = Self { storage: BTreeMap::new(), calls: BTreeMap::new() };
        for address in split.management_inside() {
            let endpoint = Arc::new(Endpoint::new(&format!("http://{address}"), "").unwrap());
            let request = Request::builder().uri("/metrics").body(Full::default()).unwrap();
            let answer = Connection::new(endpoint).send(request).await.unwrap();
            std::str::from_utf8(&answer.body).unwrap().lines().for_each(|line| counts.add(line));
        }
        counts
    }

    /// A line of Prometheus's format.
    fn add(&mut self, line: &str) {
        let Some((series, count)) = line.rsplit_once(' ') else { return };
        let counted = if series.starts_with("cairn_sa_calls_total{") {
            self.storage.entry(label(series, "call").to_owned())
        } else if series.starts_with("cairn_rpc_server_calls_total{")
            && !BACKGROUND.contains(&label(series, "method"))
            && !label(series, "service").contains("Health")
            && !OF_REVOCATION.iter().any(|service| label(series, "service").ends_with(service))
        {
            self.calls.entry(format!("{}/{}", label(series, "service"), label(series, "method")))
        } else {
            return;
        };
        *counted.or_default() += count.parse::<f64>().unwrap();
    }

    fn since(mut self, before: &Self) -> Self {
        for (counts, before) in [(&mut self.storage, &before.storage), (&mut self.calls, &before.calls)] {
            counts.iter_mut().for_each(|(name, count)| *count -= before.get(name).unwrap_or(&0.0));
        }
        self
    }

    fn per(mut self, certificates: u32) -> Self {
        let all = self.storage.values_mut().chain(self.calls.values_mut());
        all.for_each(|count| *count /= f64::from(certificates));
        self
    }
}

/// `b` of `name{a="b"}`.
fn label<'a>(series: &'a str, name: &str) -> &'a str {
    let (_, value) = series.split_once(&format!("{name}=\"")).unwrap();
    value.split('"').next().unwrap()
}
