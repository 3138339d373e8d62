//! What operators see of the environment: Prometheus watches every service, and Grafana's dashboard asks it for what is there.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cairn_test_env::acme::{Connection, Endpoint};
use cairn_test_env::load::Temper;
use cairn_test_env::{relying_party as party, wait};
use http::Request;
use http_body_util::Full;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::project::{Project, SERVICES};

/// Prometheus asks the services every few seconds, and needs two answers for a rate.
const WATCHED_LIMIT: Duration = Duration::from_secs(240);

const CLIENTS: usize = 2;

/// What nobody has who keeps everything in one PostgreSQL, and puts CRLs nowhere else.
const ELSEWHERE: [&str; 3] = ["cairn_sa_sqlite_", "cairn_sa_postgres_replica_", "cairn_crl_pushes_"];

/// What is counted from the first time on that it goes wrong.
const OF_WHAT_GOES_WRONG: [&str; 7] = [
    "status=~\"5..\"",
    "result!=\"ok\"",
    "code!=\"OK\"",
    "cairn_rpc_server_calls_refused_total",
    "cairn_rpc_server_handshakes_refused_total",
    "cairn_rpc_client_retries_total",
    "cairn_rpc_client_connect_failures_total",
];

pub(crate) fn watches_every_service_and_fills_the_dashboard(
    project: &Project,
    runtime: &Runtime,
) -> Result<()> {
    let prometheus = Prometheus::of(project, runtime)?;
    // It goes on to the end: without it, rates are zero and quantiles of nothing.
    let load = runtime.block_on(async {
        let site = project.site(Temper::Forbearing).await?;
        anyhow::Ok(site.load("watched", CLIENTS))
    })?;

    let all: BTreeSet<_> = SERVICES.iter().map(|service| format!("{service}:15000")).collect();
    wait::until("Prometheus to reach every service", WATCHED_LIMIT, || {
        Ok(prometheus.reached().ok().filter(|reached| *reached == all).map(drop))
    })?;

    let (elsewhere, here): (Vec<_>, Vec<_>) =
        expressions()?.into_iter().partition(|expression| is_one_of(&ELSEWHERE, expression));
    let (wrong, mut blank): (Vec<_>, Vec<_>) =
        here.into_iter().partition(|expression| is_one_of(&OF_WHAT_GOES_WRONG, expression));
    let filled = wait::until("the dashboard to be filled", WATCHED_LIMIT, || {
        // Relying parties look, too: whether there is something under the URL is all the same here.
        party::get(project.pki(), "/issuers/none.cer", "")?;
        let asked: Result<Vec<_>> = blank.iter().map(|expression| prometheus.knows(expression)).collect();
        let mut known = asked?.into_iter();
        blank.retain(|_| !known.next().unwrap_or_default());
        Ok(blank.is_empty().then_some(()))
    });
    filled.with_context(|| format!("these have nothing to show:\n{}", blank.join("\n")))?;
    for expression in &wrong {
        // Something or nothing, but no error.
        prometheus.knows(expression)?;
    }
    for expression in &elsewhere {
        ensure!(!prometheus.knows(expression)?, "{expression} knows of what is not here");
    }
    runtime.block_on(load.stop())
}

fn is_one_of(parts: &[&str], expression: &str) -> bool {
    parts.iter().any(|part| expression.contains(part))
}

/// Prometheus, by its HTTP API.
struct Prometheus<'a> {
    endpoint: Arc<Endpoint>,
    runtime: &'a Runtime,
}

impl<'a> Prometheus<'a> {
    fn of(project: &Project, runtime: &'a Runtime) -> Result<Self> {
        let url = format!("http://127.0.0.1:{}", project.prometheus_port());
        Ok(Self { endpoint: Arc::new(Endpoint::new(&url, "")?), runtime })
    }

    /// The services whose metrics it could read when it last tried.
    fn reached(&self) -> Result<BTreeSet<String>> {
        let found = self.ask("/api/v1/targets?state=active")?;
        let targets = found["activeTargets"].as_array().context("there are no targets")?;
        let up = targets.iter().filter(|target| target["health"] == "up");
        Ok(up.filter_map(|target| target["labels"]["instance"].as_str().map(str::to_owned)).collect())
    }

    /// Whether an expression gives a number.
    fn knows(&self, expression: &str) -> Result<bool> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let found = self.ask(&format!("/api/v1/query?query={encoded}"))?;
        let series = found["result"].as_array().with_context(|| format!("{expression} gives {found}"))?;
        Ok(series.iter().any(|series| series["value"][1] != "NaN"))
    }

    fn ask(&self, path: &str) -> Result<Value> {
        let request = Request::builder().uri(path).body(Full::default())?;
        let mut connection = Connection::new(Arc::clone(&self.endpoint));
        let answer: Value = self.runtime.block_on(connection.send(request))?.json()?;
        ensure!(answer["status"] == "success", "Prometheus says of {path}: {answer}");
        Ok(answer["data"].clone())
    }
}

/// What the panels of the dashboard ask for, as Grafana would for all services.
fn expressions() -> Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grafana/cairn.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let panels = dashboard["panels"].as_array().context("there are no panels")?;
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let found: Vec<_> = targets.filter_map(|target| target["expr"].as_str()).map(of_all_services).collect();
    ensure!(!found.is_empty(), "the dashboard asks for nothing");
    Ok(found)
}

fn of_all_services(expression: &str) -> String {
    expression.replace("$job", ".*").replace("$instance", ".*").replace("$__rate_interval", "1m")
}
