//! Load by clients who write down what they were told, for tests that do harm to a server meanwhile.
//!
//! A [`Site`] has the clients' side of things; [`Site::load`] sets clients to work, who go on where they stood when a server is back, as
//! good clients do; [`Site::verify`] asks for everything again that they were told.

mod told;
mod trouble;
mod worker;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::acme::{Client, Endpoint, Error, Status, Step};
use crate::challenges::{Http01, Responder};

use self::told::End;
use self::worker::Worker;

pub use self::told::Told;
pub use self::trouble::Trouble;

/// Far longer than any wait here takes; it only ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(180);

/// What clients put up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Nothing: every request succeeds, save that a nonce may have lapsed, and that a connection that was kept may have been closed.
    Strict,
    /// The server may go away and come back. It then says of what it had not finished that it failed.
    Patient,
    /// What stands behind the server may go away: it may ask to come back later, and say of any order that it failed by its own fault, or
    /// that the DNS said nothing.
    Forbearing,
}

/// The clients' side of a Cairn.
#[derive(Debug)]
pub struct Site {
    directory: String,
    endpoint: Arc<Endpoint>,
    responder: Responder,
    /// What the server has told.
    pub told: Told,
    /// Requests that were sent.
    meter: watch::Sender<u64>,
    trouble: watch::Sender<Trouble>,
    temper: Temper,
}

impl Site {
    /// For the Cairn of this directory, whose clients prove their names by http-01.
    ///
    /// # Errors
    /// If the root cannot be read, or the port for challenges is taken.
    pub async fn new(directory: &str, root_file: &Path, http_port: u16, temper: Temper) -> Result<Arc<Self>> {
        let roots = std::fs::read_to_string(root_file).context("cannot read the root")?;
        Self::answering(directory, &roots, Http01::start(http_port).await?, temper)
    }

    /// The same for roots in PEM, and for a server that looks for answers elsewhere than at the loopback addresses.
    ///
    /// # Errors
    /// If the roots cannot be used.
    pub fn answering(directory: &str, roots: &str, responder: Http01, temper: Temper) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            directory: directory.to_owned(),
            endpoint: Arc::new(Endpoint::new(directory, roots)?),
            responder: Responder::Http01(Arc::new(responder)),
            told: Told::default(),
            meter: watch::Sender::new(0),
            trouble: watch::Sender::new(Trouble::default()),
            temper,
        }))
    }

    /// Sets so many clients to work; `name` is in the names that they ask for. They go on until told to stop.
    pub fn load(self: &Arc<Self>, name: &str, workers: usize) -> Load {
        let (stop, stopping) = watch::channel(false);
        let mut running = JoinSet::new();
        for number in 0..workers {
            let worker = Worker::new(Arc::clone(self), format!("{name}.w{number}"), stopping.clone());
            running.spawn(worker.work_until_stopped());
        }
        Load { site: Arc::clone(self), stop, running }
    }

    /// What the clients have met so far.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        *self.trouble.borrow()
    }

    /// Asks for everything again that clients were told. Nobody may be at work.
    ///
    /// # Errors
    /// If something is not as they were told.
    pub async fn verify(&self) -> Result<()> {
        self.told.finished()?;
        let mut client = self.connect().await?;
        for account in self.told.accounts() {
            let url = client.directory.new_account.clone();
            let payload = json!({ "onlyReturnExisting": true });
            let found = client.post(Step::NewAccount, (&account.key).into(), &url, &payload).await?;
            ensure!(found.header("location") == account.url, "{} is not its key's account", account.url);
        }
        for entry in self.told.orders() {
            let url = &entry.url;
            let order = client.order(&entry.account, url).await?.object;
            match entry.end {
                Some(End::Certified(certified)) => {
                    ensure!(order.status == Status::Valid, "{url} was valid and is {:?}", order.status);
                    let same = order.certificate.as_deref() == Some(certified.url.as_str());
                    ensure!(same, "{url} has another certificate than before");
                    let again = client.certificate(&entry.account, &certified.url).await?;
                    ensure!(again == certified.chain, "{} is another than before", certified.url);
                }
                Some(End::Failed) => {
                    ensure!(order.status == Status::Invalid, "{url} had failed and is {:?}", order.status);
                    ensure!(order.certificate.is_none(), "{url} had failed and has a certificate");
                }
                None => bail!("nobody has brought {url} to its end"),
            }
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Client, Error> {
        let mut client = Client::connect(Arc::clone(&self.endpoint), &self.directory).await?;
        client.count_requests(self.meter.clone());
        if self.temper == Temper::Strict {
            client.try_again_when_closed();
        }
        Ok(client)
    }

    fn met(&self, trouble: Trouble) {
        self.trouble.send_modify(|all| *all += trouble);
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Load {
    site: Arc<Site>,
    stop: watch::Sender<bool>,
    running: JoinSet<Result<()>>,
}

impl Load {
    /// Waits until the clients have sent so many more requests.
    ///
    /// # Errors
    /// If a client gives up, or it takes too long.
    pub async fn requests(&mut self, more: u64) -> Result<()> {
        let counted = self.site.meter.subscribe();
        self.counted("requests", counted, |count| *count, more).await
    }

    /// Waits until the clients have been given so many more certificates.
    ///
    /// # Errors
    /// If a client gives up, or it takes too long.
    pub async fn certificates(&mut self, more: u64) -> Result<()> {
        let counted = self.site.told.given.subscribe();
        self.counted("certificates", counted, |count| *count, more).await
    }

    /// Waits until clients were told so often more that the server cannot do it now, or has failed at it.
    ///
    /// # Errors
    /// If a client gives up, or it takes too long.
    pub async fn refused_or_failed(&mut self, more: u64) -> Result<()> {
        let counted = self.site.trouble.subscribe();
        self.counted("refusals", counted, |trouble| trouble.refused + trouble.failed, more).await
    }

    /// Each client brings to its end what it has begun.
    ///
    /// # Errors
    /// If one gives up, or it takes too long.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.send_replace(true);
        while let Some(ended) =
            timeout(PATIENCE, self.running.join_next()).await.context("a client is stuck")?
        {
            ended.context("a client broke down")??;
        }
        Ok(())
    }

    async fn counted<T>(
        &mut self,
        what: &str,
        mut counted: watch::Receiver<T>,
        count: impl Fn(&T) -> u64,
        more: u64,
    ) -> Result<()> {
        let wanted = count(&counted.borrow()) + more;
        let reached = timeout(PATIENCE, counted.wait_for(|counted| count(counted) >= wanted));
        tokio::select! {
            reached = reached => {
                reached.with_context(|| format!("there were not {more} more {what} in {PATIENCE:?}"))??;
                Ok(())
            }
            // Before the end, they end by giving up alone.
            Some(ended) = self.running.join_next() => ended.context("a client broke down")?,
        }
    }
}
