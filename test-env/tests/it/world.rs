//! A server, the subscriber's side of its challenges, and clients.

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{
    Account, CertificateRequest, Certified, Client, Endpoint, Error, Identifier, Order, Placed, Problem,
    Response, Status, certify,
};
use cairn_test_env::challenges::{Dns01, Http01, Responder, TlsAlpn01};
use cairn_test_env::harness::Cairn;
use cairn_test_env::port;
use cairn_x509::Certificate;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// Far longer than anything here takes; it only ends a test that has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) cairn: Cairn,
    pub(crate) http01: Arc<Http01>,
    pub(crate) tls_alpn01: Arc<TlsAlpn01>,
    /// The root to trust, PEM.
    pub(crate) root: String,
}

impl World {
    /// Around a Cairn in the form that the tests are run on.
    pub(crate) async fn new() -> Self {
        Self::around(Cairn::under_test().unwrap().start().unwrap()).await
    }

    /// Around a `cairn dev`, with further arguments: for stories about that command.
    pub(crate) async fn dev(arguments: &[&str]) -> Self {
        Self::around(Cairn::dev().args(arguments).start().unwrap()).await
    }

    async fn around(cairn: Cairn) -> Self {
        let root = std::fs::read_to_string(cairn.root_file().unwrap()).unwrap();
        let http01 = Arc::new(Http01::start(cairn.http_port()).await.unwrap());
        let tls_alpn01 = Arc::new(TlsAlpn01::start(cairn.tls_port()).await.unwrap());
        Self { cairn, http01, tls_alpn01, root }
    }

    /// A `cairn dev` that listens on IPv6 too, and its directory there.
    pub(crate) async fn on_ipv6(arguments: &[&str]) -> (Self, String) {
        let address = format!("[{}]:{}", Ipv6Addr::LOCALHOST, port::free().unwrap());
        let world = Self::dev(&[&["--listen", &address], arguments].concat()).await;
        (world, format!("https://{address}/dir"))
    }

    /// Stops the server and starts it again on its data.
    pub(crate) async fn restart(self) -> Self {
        let cairn = self.cairn;
        let cairn = spawn_blocking(|| cairn.stop().unwrap().start().unwrap()).await.unwrap();
        Self { cairn, ..self }
    }

    /// The story is over, and the server ends well. Meanwhile the story's clients go on: a server that is stopping asks those with HTTP/2
    /// to leave, and waits for them.
    pub(crate) async fn end(self) {
        spawn_blocking(|| self.cairn.stop().unwrap()).await.unwrap();
    }

    pub(crate) fn http(&self) -> Responder {
        Responder::Http01(Arc::clone(&self.http01))
    }

    pub(crate) fn tls(&self) -> Responder {
        Responder::TlsAlpn01(Arc::clone(&self.tls_alpn01))
    }

    pub(crate) fn dns(&self) -> Responder {
        Responder::Dns01(Arc::new(self.fake_dns()))
    }

    pub(crate) fn fake_dns(&self) -> Dns01 {
        Dns01::new(self.cairn.ready.dns_management).unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_at(&self.cairn.ready.directory).await
    }

    pub(crate) async fn client_at(&self, directory: &str) -> Client {
        let endpoint = Endpoint::new(directory, &self.root).unwrap();
        Client::connect(Arc::new(endpoint), directory).await.unwrap()
    }

    /// A client and its account.
    pub(crate) async fn member(&self) -> (Client, Account) {
        let mut client = self.client().await;
        let account = client.new_account(es256()).await.unwrap();
        (client, account)
    }

    /// A certificate, by http-01.
    pub(crate) async fn certificate(
        &self,
        client: &mut Client,
        account: &Account,
        identifiers: &[Identifier],
    ) -> (Certified, CertificateRequest) {
        let request = CertificateRequest::new(identifiers).unwrap();
        let certified = certify(client, account, &self.http(), identifiers, &request.der).await.unwrap();
        (certified, request)
    }

    /// An order that can be finalized.
    pub(crate) async fn ready_order(
        &self,
        client: &mut Client,
        account: &Account,
        identifiers: &[Identifier],
    ) -> Placed {
        let mut placed = client.new_order(account, identifiers).await.unwrap();
        for url in placed.order.authorizations.clone() {
            self.authorize(client, account, &self.http(), &url).await.unwrap();
        }
        placed.order = client.order(account, &placed.url).await.unwrap().object;
        assert_eq!(placed.order.status, Status::Ready);
        placed
    }

    /// Answers the responder's challenge of an authorization and waits for the outcome.
    pub(crate) async fn authorize(
        &self,
        client: &mut Client,
        account: &Account,
        responder: &Responder,
        url: &str,
    ) -> Result<(), Option<Problem>> {
        let authz = client.authorization(account, url).await.unwrap().object;
        let challenge = authz.challenge(responder.kind()).unwrap();
        let answer = account.key_authorization(&challenge.token);
        responder.provide(&authz.identifier, &challenge.token, &answer).await.unwrap();
        client.answer(account, &challenge.url).await.unwrap();
        let authz = settled(client, account, url).await;
        if authz.status == Status::Valid { Ok(()) } else { Err(authz.error().cloned()) }
    }
}

/// The authorization, when it is pending no more.
pub(crate) async fn settled(
    client: &mut Client,
    account: &Account,
    url: &str,
) -> cairn_test_env::acme::Authorization {
    let poll = async {
        loop {
            let authz = client.authorization(account, url).await.unwrap().object;
            if authz.status != Status::Pending {
                return authz;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, poll).await.unwrap()
}

/// The order, when it is in processing no more.
pub(crate) async fn finished(client: &mut Client, account: &Account, url: &str) -> Order {
    let poll = async {
        loop {
            let order = client.order(account, url).await.unwrap().object;
            if order.status != Status::Processing {
                return order;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, poll).await.unwrap()
}

pub(crate) fn es256() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

/// Identifiers of type dns.
pub(crate) fn dns<const N: usize>(names: [&str; N]) -> [Identifier; N] {
    names.map(Identifier::dns)
}

/// The answer is this problem, with everything that belongs to one.
#[track_caller]
pub(crate) fn assert_problem(response: &Response, status: u16, name: &str) -> Problem {
    let problem: Problem = response.json().unwrap();
    assert_eq!((response.status.as_u16(), problem.name()), (status, name), "{problem:?}");
    assert_eq!(response.header("content-type"), "application/problem+json");
    assert!(problem.kind.starts_with("urn:ietf:params:acme:error:"), "{}", problem.kind);
    assert_eq!(problem.status, Some(status));
    assert!(!problem.detail.is_empty());
    // RFC 8555 §6.5: a client whose request was refused shall have a nonce for the next.
    assert_ne!(response.header("replay-nonce"), "");
    problem
}

/// The request was refused with this problem.
#[track_caller]
pub(crate) fn assert_refused<T: std::fmt::Debug>(
    outcome: Result<T, Error>,
    status: u16,
    name: &str,
) -> Problem {
    match outcome {
        Err(Error::Refused(problem)) => {
            assert_eq!((problem.status, problem.name()), (Some(status), name), "{problem:?}");
            *problem
        }
        other => panic!("{name} was expected, and came: {other:?}"),
    }
}

/// The certificates of a PEM chain, leaf first.
pub(crate) fn certificates(pem: &[u8]) -> Vec<Certificate> {
    let pem = std::str::from_utf8(pem).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let chain: Vec<Certificate> =
        pem.split_inclusive(end).map(|one| Certificate::from_pem(one).unwrap()).collect();
    assert!(!chain.is_empty());
    chain
}

/// Each certificate was signed by the next, and the last by the root. Gives the leaf.
pub(crate) fn verified_leaf(chain: &[u8], root: &str) -> Certificate {
    let mut chain = certificates(chain);
    let root = Certificate::from_pem(root).unwrap();
    for pair in chain.windows(2) {
        pair[0].verify_issued_by(&pair[1]).unwrap();
    }
    chain.last().unwrap().verify_issued_by(&root).unwrap();
    chain.remove(0)
}

/// The names in a certificate, as text.
pub(crate) fn names(certificate: &Certificate) -> Vec<String> {
    certificate.names().iter().map(ToString::to_string).collect()
}
