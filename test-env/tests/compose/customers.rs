//! Clients who do not give up: they wait as they are told when the CA is not well, ask again, and go on where they stood.

use std::sync::Arc;
use std::time::Duration;

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{
    Account, CertificateRequest, Certified, Client, Endpoint, Error, Identifier, Placed, Status, Step, resume,
};
use cairn_test_env::challenges::Responder;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::ledger::{End, Ledger};

/// How long an order may take to come to its end, with services away on the way. It is the bound of what clients have to bear.
const PATIENCE: Duration = Duration::from_secs(150);

/// Pause before a client asks again.
const RETRY: Duration = Duration::from_millis(200);

/// Every so many certificates a customer takes a new account, so that disturbances find some being made.
const CERTIFICATES_PER_ACCOUNT: usize = 4;

/// What all customers share.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) directory: String,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) responder: Responder,
    pub(crate) ledger: Ledger,
    /// Counts the requests that were sent.
    pub(crate) meter: watch::Sender<u64>,
    /// Counts how often somebody went on with what was to be done, or tried to.
    pub(crate) attempts: watch::Sender<u64>,
    /// Counts the certificates that were got.
    pub(crate) certificates: watch::Sender<u64>,
}

impl Site {
    async fn connect(&self) -> Result<Client, Error> {
        let mut client = Client::connect(Arc::clone(&self.endpoint), &self.directory).await?;
        client.count_requests(self.meter.clone());
        Ok(client)
    }
}

#[derive(Debug)]
pub(crate) struct Customer {
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
}

impl Customer {
    pub(crate) fn new(site: Arc<Site>, name: String, stopping: watch::Receiver<bool>) -> Self {
        Self { site, name, stopping, client: None }
    }

    /// One certificate after the other; the one that is begun when it is stopped is brought to its end.
    pub(crate) async fn buy_until_stopped(mut self) {
        let mut account = self.account().await;
        let mut number = 0;
        while !*self.stopping.borrow() {
            number += 1;
            if number % CERTIFICATES_PER_ACCOUNT == 0 {
                account = self.account().await;
            }
            let identifiers = vec![Identifier::dns(format!("{number}.{}.compose.test", self.name))];
            let csr = CertificateRequest::new(&identifiers).unwrap().der;
            let account = Arc::clone(&account);
            self.bring_to_its_end(Task { account, identifiers, csr, order: None }).await;
        }
    }

    async fn account(&mut self) -> Arc<Account> {
        let pkcs8 = SigningKey::generate(Algorithm::Es256).unwrap().to_pkcs8_der().unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A key whose first request got no answer may have an account by now: then the second request finds it.
            let key = SigningKey::from_pkcs8_der(Algorithm::Es256, &pkcs8).unwrap();
            match self.try_account(key).await {
                Ok(account) => {
                    let account = Arc::new(account);
                    self.site.ledger.account(&account);
                    return account;
                }
                Err(error) => self.pause_or_fail(&error, deadline).await,
            }
        }
    }

    async fn try_account(&mut self, key: SigningKey) -> Result<Account, Error> {
        self.client().await?.new_account(key).await
    }

    async fn bring_to_its_end(&mut self, mut task: Task) {
        let deadline = Instant::now() + PATIENCE;
        let end = loop {
            match self.attempt(&mut task).await {
                Ok(certified) => {
                    self.site.certificates.send_modify(|count| *count += 1);
                    break End::Certified(certified);
                }
                // What was under way when a service went away may have failed: the order says so, and says that it was the CA.
                Err(Error::Failed(problem)) if problem.name() == "serverInternal" => break End::Failed,
                Err(error) => self.pause_or_fail(&error, deadline).await,
            }
        };
        self.site.ledger.end(&task.order.unwrap(), end);
    }

    async fn attempt(&mut self, task: &mut Task) -> Result<Certified, Error> {
        let site = Arc::clone(&self.site);
        let client = self.client().await?;
        let placed = match &task.order {
            Some(url) => Placed { url: url.clone(), order: client.order(&task.account, url).await?.object },
            None => {
                let placed = client.new_order(&task.account, &task.identifiers).await?;
                site.ledger.order(&task.account, &placed.url);
                task.order = Some(placed.url.clone());
                placed
            }
        };
        resume(client, &task.account, &site.responder, placed, &task.csr).await
    }

    async fn client(&mut self) -> Result<&mut Client, Error> {
        self.site.attempts.send_modify(|count| *count += 1);
        match &mut self.client {
            Some(_) => {}
            empty => *empty = Some(self.site.connect().await?),
        }
        Ok(self.client.as_mut().unwrap())
    }

    /// Waits a moment. That the CA is not there, or says that it is not well, is what a client bears; anything else is a failure.
    async fn pause_or_fail(&mut self, error: &Error, deadline: Instant) {
        let bearable = match error {
            Error::Connection(_) => true,
            Error::Refused(problem) => problem.status == Some(503),
            _ => false,
        };
        assert!(bearable, "{}: {error}", self.name);
        assert!(Instant::now() < deadline, "{}: it did not heal: {error}", self.name);
        self.client = None;
        sleep(RETRY).await;
    }
}

/// Asks for everything in the ledger again.
pub(crate) async fn verify(site: &Site) {
    let mut client = site.connect().await.unwrap();
    for account in site.ledger.accounts() {
        let url = client.directory.new_account.clone();
        let payload = json!({ "onlyReturnExisting": true });
        let found = client.post(Step::NewAccount, (&account.key).into(), &url, &payload).await.unwrap();
        assert_eq!(found.header("location"), account.url);
    }
    for entry in site.ledger.orders() {
        let order = client.order(&entry.account, &entry.url).await.unwrap().object;
        match entry.end.expect("every customer has brought its orders to their end") {
            End::Certified(certified) => {
                assert_eq!(order.status, Status::Valid, "{}", entry.url);
                assert_eq!(order.certificate.as_deref(), Some(certified.url.as_str()), "{}", entry.url);
                let again = client.certificate(&entry.account, &certified.url).await.unwrap();
                assert_eq!(again, certified.chain, "{}", certified.url);
            }
            End::Failed => {
                assert_eq!(order.status, Status::Invalid, "{}", entry.url);
                assert_eq!(order.certificate, None, "{}", entry.url);
            }
        }
    }
}
