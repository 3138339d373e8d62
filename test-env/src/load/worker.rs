//! Clients who do not give up: when the server goes away, they ask again until it is back, and go on where they stood.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cairn_jose::{Algorithm, sign::SigningKey};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::told::End;
use super::{Site, Temper, Trouble};
use crate::acme::{Account, CertificateRequest, Certified, Client, Error, Identifier, Placed, resume};

/// How long an order may take to come to its end, with the server killed and started on the way.
const PATIENCE: Duration = Duration::from_secs(120);

/// Pause before a client asks a server again that was not there.
const RETRY: Duration = Duration::from_millis(20);

/// Longest wait that a server may ask for before a refused request is sent again.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// Every so many certificates a worker takes a new account, so that the kill finds some being made.
const CERTIFICATES_PER_ACCOUNT: usize = 4;

#[derive(Debug)]
pub(super) struct Worker {
    site: Arc<Site>,
    name: String,
    stopping: watch::Receiver<bool>,
    client: Option<Client>,
}

/// One certificate to be had, and how far it has come.
struct Task {
    account: Arc<Account>,
    identifiers: Vec<Identifier>,
    csr: Vec<u8>,
    order: Option<String>,
    /// Whether the server went away while the order was under way.
    interrupted: bool,
}

impl Worker {
    pub(super) fn new(site: Arc<Site>, name: String, stopping: watch::Receiver<bool>) -> Self {
        Self { site, name, stopping, client: None }
    }

    /// One certificate after the other; the one that is begun when it is stopped is brought to its end.
    pub(super) async fn work_until_stopped(mut self) -> Result<()> {
        let mut account = self.account().await?;
        let mut number = 0;
        while !*self.stopping.borrow() {
            number += 1;
            if number % CERTIFICATES_PER_ACCOUNT == 0 {
                account = self.account().await?;
            }
            let identifiers = vec![Identifier::dns(format!("{number}.{}.kill.test", self.name))];
            let csr = CertificateRequest::new(&identifiers)?.der;
            let account = Arc::clone(&account);
            self.bring_to_its_end(Task { account, identifiers, csr, order: None, interrupted: false })
                .await?;
        }
        Ok(())
    }

    async fn account(&mut self) -> Result<Arc<Account>> {
        let key = SigningKey::generate(Algorithm::Es256)?;
        let pkcs8 = key.to_pkcs8_der()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A key whose first request got no answer may have an account by now: then the second request finds it.
            let key = SigningKey::from_pkcs8_der(Algorithm::Es256, &pkcs8)?;
            match self.try_account(key).await {
                Ok(account) => {
                    let account = Arc::new(account);
                    self.site.told.account(&account);
                    return Ok(account);
                }
                Err(error) => self.pause_or_fail(&error, deadline).await?,
            }
        }
    }

    async fn try_account(&mut self, key: SigningKey) -> Result<Account, Error> {
        self.client().await?.new_account(key).await
    }

    async fn bring_to_its_end(&mut self, mut task: Task) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let end = loop {
            match self.attempt(&mut task).await {
                Ok(certified) => break End::Certified(certified),
                // What was being signed when the server was killed cannot be signed any more: the order fails, and says so.
                Err(Error::Failed(problem)) if self.may_fail(&task) && problem.name() == "serverInternal" => {
                    self.site.met(Trouble::FAILED);
                    break End::Failed;
                }
                // Nothing of the server's: it says that it asked, and that nobody answered.
                Err(Error::Failed(problem)) if self.may_lack_dns() && problem.name() == "dns" => {
                    self.site.met(Trouble::UNRESOLVED);
                    break End::Failed;
                }
                Err(error) => {
                    self.pause_or_fail(&error, deadline).await?;
                    task.interrupted = true;
                }
            }
        };
        let order = task.order.context("an order that came to its end without a beginning")?;
        self.site.told.end(&order, end)
    }

    async fn attempt(&mut self, task: &mut Task) -> Result<Certified, Error> {
        let site = Arc::clone(&self.site);
        let client = self.client().await?;
        let placed = match &task.order {
            Some(url) => Placed { url: url.clone(), order: client.order(&task.account, url).await?.object },
            None => {
                let placed = client.new_order(&task.account, &task.identifiers).await?;
                site.told.order(&task.account, &placed.url);
                task.order = Some(placed.url.clone());
                placed
            }
        };
        resume(client, &task.account, &site.responder, placed, &task.csr).await
    }

    async fn client(&mut self) -> Result<&mut Client, Error> {
        match &mut self.client {
            Some(_) => {}
            empty => *empty = Some(self.site.connect().await?),
        }
        self.client.as_mut().ok_or_else(|| Error::connection("there is no client"))
    }

    fn may_fail(&self, task: &Task) -> bool {
        match self.site.temper {
            Temper::Strict => false,
            Temper::Patient => task.interrupted,
            Temper::Forbearing => true,
        }
    }

    fn may_lack_dns(&self) -> bool {
        self.site.temper == Temper::Forbearing
    }

    /// Gives the server a moment to come back. Anything that the client does not put up with is a failure of the test.
    async fn pause_or_fail(&mut self, error: &Error, deadline: Instant) -> Result<()> {
        let name = &self.name;
        let pause = match (error, self.site.temper) {
            (Error::Connection(_), Temper::Patient | Temper::Forbearing) => {
                self.site.met(Trouble::UNANSWERED);
                RETRY
            }
            // What a lost process left may be longer under way than a client usually waits; the deadline here is for that.
            (Error::Late(_), Temper::Forbearing) => RETRY,
            (Error::Refused(problem), Temper::Forbearing) if problem.status == Some(503) => {
                self.site.met(Trouble::REFUSED);
                let asked_for = problem.retry_after;
                let asked_for = asked_for.with_context(|| format!("{name}: a 503 without Retry-After"))?;
                ensure!(asked_for <= LONGEST_RETRY_AFTER, "{name}: come back in {asked_for:?}?");
                asked_for
            }
            _ => bail!("{name}: {error}"),
        };
        ensure!(Instant::now() < deadline, "{name}: the server did not come back: {error}");
        self.client = None;
        sleep(pause).await;
        Ok(())
    }
}
