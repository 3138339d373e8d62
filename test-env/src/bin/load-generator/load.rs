//! The closed loop: each worker brings one order after the other to its certificate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{Account, CertificateRequest, Client, Identifier, Step, certify};
use cairn_test_env::challenges::Responder;
use cairn_test_env::ledger;
use tokio::task::JoinSet;

use crate::machine;
use crate::options::Options;
use crate::report::{Latencies, LoadReport};
use crate::target::Target;

/// One certificate to ask for.
struct Job {
    identifiers: Vec<Identifier>,
    csr: Vec<u8>,
}

/// One client, and the accounts that it uses in turn.
struct Worker {
    client: Client,
    accounts: Vec<Account>,
    responder: Responder,
    ledger: Option<Arc<ledger::Writer>>,
    /// Certificates asked for so far.
    asked: usize,
}

/// What the workers have seen.
#[derive(Default)]
struct Seen {
    certificates: Vec<Duration>,
    steps: BTreeMap<Step, Vec<Duration>>,
    errors: BTreeMap<String, u32>,
}

/// Loads a server and measures it.
pub(crate) async fn measure(options: &Options) -> Result<LoadReport> {
    let target = Target::find(options)?;
    let idle = target.memory()?;
    let responder = target.responder(options.challenge).await?;
    let jobs = jobs(options)?;
    let (warm_up, measured) = jobs.split_at(usize::try_from(options.warm_up)?);
    let (warm_up, measured) = (Arc::from(warm_up), Arc::from(measured));
    let workers = workers(options, &target, &responder).await?;

    let (workers, first) = work(workers, warm_up).await?;
    let (before, began) = (target.cpu()?, Instant::now());
    let (workers, seen) = work(workers, measured).await?;
    let (elapsed, after) = (began.elapsed(), target.cpu()?);
    let memory = target.memory()?;
    drop(workers);
    target.stop()?;

    let mut errors = first.errors;
    for (label, count) in seen.errors {
        *errors.entry(label).or_default() += count;
    }
    let issued = u32::try_from(seen.certificates.len())?;
    let taken = after.into_iter().zip(before);
    let shares: Vec<_> =
        taken.map(|((name, after), (_, before))| (name, (after - before).per(issued))).collect();
    Ok(LoadReport {
        machine: machine::description(),
        form: options.form,
        challenge: responder.kind(),
        workers: options.workers,
        names: options.names,
        accounts: options.accounts,
        warm_up: options.warm_up,
        certificates: issued,
        cpu_per_certificate: shares.iter().map(|(_, share)| *share).sum(),
        cpu_shares: shares,
        certificates_per_second: f64::from(issued) / elapsed.as_secs_f64(),
        idle_mib: idle.resident_mib,
        peak_mib: memory.peak_mib,
        certificate_latency: Latencies::of(seen.certificates),
        request_latency: seen
            .steps
            .into_iter()
            .map(|(step, took)| (name(step), Latencies::of(took)))
            .collect(),
        errors,
    })
}

fn jobs(options: &Options) -> Result<Vec<Arc<Job>>> {
    let job = |number: u32| {
        let names = (0..options.names).map(|name| match name {
            0 => Identifier::dns(format!("{number}.load.test")),
            more => Identifier::dns(format!("{more}.{number}.load.test")),
        });
        let identifiers: Vec<_> = names.collect();
        let csr = CertificateRequest::new(&identifiers)?.der;
        Ok(Arc::new(Job { identifiers, csr }))
    };
    (0..options.warm_up.saturating_add(options.certificates)).map(job).collect()
}

async fn workers(options: &Options, target: &Target, responder: &Responder) -> Result<Vec<Worker>> {
    let each = options.accounts.div_ceil(u32::from(options.workers));
    let ledger = options.ledger.as_deref().map(ledger::Writer::open).transpose()?.map(Arc::new);
    let mut workers = Vec::new();
    for _ in 0..options.workers {
        let mut client = Client::connect(Arc::clone(&target.endpoint), &target.directory).await?;
        let mut accounts = Vec::new();
        for _ in 0..each {
            accounts.push(client.new_account(SigningKey::generate(Algorithm::Es256)?).await?);
        }
        client.take_timings();
        workers.push(Worker {
            client,
            accounts,
            responder: responder.clone(),
            ledger: ledger.clone(),
            asked: 0,
        });
    }
    Ok(workers)
}

/// Lets the workers do all jobs; they come back when everything is done.
async fn work(workers: Vec<Worker>, jobs: Arc<[Arc<Job>]>) -> Result<(Vec<Worker>, Seen)> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut running = JoinSet::new();
    for mut worker in workers {
        let (jobs, next) = (Arc::clone(&jobs), Arc::clone(&next));
        running.spawn(async move {
            let mut seen = Seen::default();
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                worker.work(job, &mut seen).await;
            }
            (worker, seen)
        });
    }
    let (mut workers, mut all) = (Vec::new(), Seen::default());
    while let Some(done) = running.join_next().await {
        let (worker, seen) = done.context("a worker broke down")?;
        workers.push(worker);
        all.add(seen);
    }
    Ok((workers, all))
}

impl Worker {
    async fn work(&mut self, job: &Job, seen: &mut Seen) {
        self.asked += 1;
        let Some(account) = self.accounts.get(self.asked % self.accounts.len().max(1)) else { return };
        let began = Instant::now();
        match certify(&mut self.client, account, &self.responder, &job.identifiers, &job.csr).await {
            Ok(certified) => {
                seen.certificates.push(began.elapsed());
                if let Some(Err(_)) = self.ledger.as_ref().map(|ledger| ledger.add(&certified)) {
                    *seen.errors.entry("(ledger)".to_owned()).or_default() += 1;
                }
            }
            Err(error) => *seen.errors.entry(error.label().to_owned()).or_default() += 1,
        }
        for (step, took) in self.client.take_timings() {
            seen.steps.entry(step).or_default().push(took);
        }
    }
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.certificates.extend(other.certificates);
        for (step, took) in other.steps {
            self.steps.entry(step).or_default().extend(took);
        }
        for (label, count) in other.errors {
            *self.errors.entry(label).or_default() += count;
        }
    }
}

const fn name(step: Step) -> &'static str {
    match step {
        Step::Directory => "directory",
        Step::NewNonce => "newNonce",
        Step::NewAccount => "newAccount",
        Step::NewOrder => "newOrder",
        Step::Authorization => "authorization",
        Step::Challenge => "challenge",
        Step::Finalize => "finalize",
        Step::Order => "order",
        Step::Certificate => "certificate",
        Step::Revoke => "revokeCert",
        Step::Other => "other",
    }
}
