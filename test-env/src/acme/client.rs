//! The requests of RFC 8555 §7, a method each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cairn_jose::{base64url, sign::SigningKey};
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::account::{Account, Signer};
use super::connection::{Connection, Endpoint, Response};
use super::objects::{Authorization, Challenge, Directory, Identifier, Order};
use super::problem::{Error, Result};

/// The content type of every POST, RFC 8555 §6.2.
pub const JOSE: &str = "application/jose+json";

/// How often a request is sent again because its nonce was bad (RFC 8555 §6.5). A nonce can lapse once; more is a fault of the server.
const NONCE_ATTEMPTS: usize = 3;

const REPLAY_NONCE: &str = "replay-nonce";

/// The kinds of requests, to tell apart where the time goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// GET directory.
    Directory,
    /// HEAD newNonce.
    NewNonce,
    /// POST newAccount.
    NewAccount,
    /// POST newOrder.
    NewOrder,
    /// POST-as-GET of an authorization.
    Authorization,
    /// POST to a challenge.
    Challenge,
    /// POST to an order's finalize.
    Finalize,
    /// POST-as-GET of an order.
    Order,
    /// POST-as-GET of a certificate.
    Certificate,
    /// POST revokeCert.
    Revoke,
    /// Anything else.
    Other,
}

/// A new order and its URL.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The URL: by it the order can be found again.
    pub url: String,
    /// The order.
    pub order: Order,
}

/// An object that may be asked for again.
#[derive(Clone, Debug)]
pub struct Polled<T> {
    /// The object.
    pub object: T,
    /// When to ask again, if the server said so.
    pub retry_after: Option<Duration>,
}

/// A client: one connection, and the nonce that its last answer brought.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    /// The server's directory.
    pub directory: Directory,
    nonce: Option<String>,
    timings: Vec<(Step, Duration)>,
    /// Counts the requests of all clients that share it.
    meter: watch::Sender<u64>,
}

impl Client {
    /// Connects and reads the directory.
    ///
    /// # Errors
    /// If there is none.
    pub async fn connect(endpoint: Arc<Endpoint>, directory: &str) -> Result<Self> {
        let mut connection = Connection::new(endpoint);
        let request = request(Method::GET, directory, None, Bytes::new())?;
        let directory = connection.send(request).await?.success()?.json()?;
        let (meter, _) = watch::channel(0);
        Ok(Self { connection, directory, nonce: None, timings: Vec::new(), meter })
    }

    /// From now on its requests are counted here, at the moment when they are sent; a test waits for a count to do something while they
    /// are under way.
    pub fn count_requests(&mut self, meter: watch::Sender<u64>) {
        self.meter = meter;
    }

    /// As [`Connection::try_again_when_closed`].
    pub fn try_again_when_closed(&mut self) {
        self.connection.try_again_when_closed();
    }

    /// What the requests since the last call took.
    pub fn take_timings(&mut self) -> Vec<(Step, Duration)> {
        std::mem::take(&mut self.timings)
    }

    /// Makes the key's account, or finds it, RFC 8555 §7.3.
    ///
    /// # Errors
    /// As any request.
    pub async fn new_account(&mut self, key: SigningKey) -> Result<Account> {
        let url = self.directory.new_account.clone();
        let payload = json!({ "termsOfServiceAgreed": true });
        let response = self.post(Step::NewAccount, (&key).into(), &url, &payload).await?;
        Ok(Account { url: location(&response)?, key })
    }

    /// Places an order, RFC 8555 §7.4.
    ///
    /// # Errors
    /// As any request.
    pub async fn new_order(&mut self, account: &Account, identifiers: &[Identifier]) -> Result<Placed> {
        let url = self.directory.new_order.clone();
        let payload = json!({ "identifiers": identifiers });
        let response = self.post(Step::NewOrder, account.into(), &url, &payload).await?;
        Ok(Placed { url: location(&response)?, order: response.json()? })
    }

    /// Reads an authorization, RFC 8555 §7.5.
    ///
    /// # Errors
    /// As any request.
    pub async fn authorization(&mut self, account: &Account, url: &str) -> Result<Polled<Authorization>> {
        polled(&self.post_as_get(Step::Authorization, account, url).await?)
    }

    /// Says that a challenge can be validated, RFC 8555 §7.5.1.
    ///
    /// # Errors
    /// As any request.
    pub async fn answer(&mut self, account: &Account, url: &str) -> Result<Polled<Challenge>> {
        polled(&self.post(Step::Challenge, account.into(), url, &json!({})).await?)
    }

    /// Sends the CSR, RFC 8555 §7.4.
    ///
    /// # Errors
    /// As any request.
    pub async fn finalize(&mut self, account: &Account, url: &str, csr: &[u8]) -> Result<Polled<Order>> {
        let payload = json!({ "csr": base64url::encode(csr) });
        polled(&self.post(Step::Finalize, account.into(), url, &payload).await?)
    }

    /// Reads an order.
    ///
    /// # Errors
    /// As any request.
    pub async fn order(&mut self, account: &Account, url: &str) -> Result<Polled<Order>> {
        polled(&self.post_as_get(Step::Order, account, url).await?)
    }

    /// Downloads a certificate and its chain, PEM, RFC 8555 §7.4.2.
    ///
    /// # Errors
    /// As any request.
    pub async fn certificate(&mut self, account: &Account, url: &str) -> Result<Bytes> {
        Ok(self.post_as_get(Step::Certificate, account, url).await?.body)
    }

    /// The URLs of a certificate with its other chains, RFC 8555 §7.4.2.
    ///
    /// # Errors
    /// As any request.
    pub async fn alternates(&mut self, account: &Account, url: &str) -> Result<Vec<String>> {
        let response = self.post_as_get(Step::Certificate, account, url).await?;
        let links = response.headers.get_all(header::LINK).iter().filter_map(|link| link.to_str().ok());
        let alternate = |link: &str| {
            let url = link.strip_suffix(">;rel=\"alternate\"")?.strip_prefix('<')?;
            Some(url.to_owned())
        };
        Ok(links.filter_map(alternate).collect())
    }

    /// Revokes a certificate, DER, RFC 8555 §7.6.
    ///
    /// # Errors
    /// As any request.
    pub async fn revoke(&mut self, signer: Signer<'_>, der: &[u8], reason: Option<i64>) -> Result<()> {
        let url = self.directory.revoke_cert.clone();
        let mut payload = json!({ "certificate": base64url::encode(der) });
        if let (Some(members), Some(reason)) = (payload.as_object_mut(), reason) {
            members.insert("reason".to_owned(), reason.into());
        }
        self.post(Step::Revoke, signer, &url, &payload).await.map(drop)
    }

    /// Reads any resource: a POST whose payload is empty, RFC 8555 §6.3.
    ///
    /// # Errors
    /// As any request.
    pub async fn post_as_get(&mut self, step: Step, account: &Account, url: &str) -> Result<Response> {
        self.post_bytes(step, account.into(), url, b"").await
    }

    /// Sends a payload, signed, and again if the nonce was bad.
    ///
    /// # Errors
    /// The server's problem; or that there was no answer.
    pub async fn post(
        &mut self,
        step: Step,
        signer: Signer<'_>,
        url: &str,
        payload: &Value,
    ) -> Result<Response> {
        self.post_bytes(step, signer, url, payload.to_string().as_bytes()).await
    }

    async fn post_bytes(
        &mut self,
        step: Step,
        signer: Signer<'_>,
        url: &str,
        payload: &[u8],
    ) -> Result<Response> {
        let mut attempt = 1;
        loop {
            let header = self.header(signer, url).await?;
            let body = signer.key().jws(&header, payload).map_err(Error::nonsense)?;
            let sent = Instant::now();
            let outcome = self.send(Method::POST, url, Some(JOSE), body).await?.success();
            self.timings.push((step, sent.elapsed()));
            match outcome {
                Err(Error::Refused(problem)) if problem.name() == "badNonce" && attempt < NONCE_ATTEMPTS => {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// The protected header of a right request, with a fresh nonce in it.
    ///
    /// # Errors
    /// If the server gives no nonce.
    pub async fn header(&mut self, signer: Signer<'_>, url: &str) -> Result<Value> {
        Ok(signer.header(url, &self.fresh_nonce().await?))
    }

    /// A nonce: the last answer's, or one from newNonce (RFC 8555 §7.2). It is given out once.
    ///
    /// # Errors
    /// If the server gives none.
    pub async fn fresh_nonce(&mut self) -> Result<String> {
        if self.nonce.is_none() {
            let url = self.directory.new_nonce.clone();
            let sent = Instant::now();
            self.send(Method::HEAD, &url, None, Bytes::new()).await?;
            self.timings.push((Step::NewNonce, sent.elapsed()));
        }
        self.nonce.take().ok_or_else(|| Error::nonsense("an answer to newNonce without a nonce"))
    }

    /// Sends any request at all, and gives the answer as it is.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send(
        &mut self,
        method: Method,
        url: &str,
        content_type: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Result<Response> {
        self.send_request(request(method, url, content_type, body.into())?).await
    }

    /// Sends a request with whatever headers it has; its URI is a path.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn send_request(&mut self, request: Request<Full<Bytes>>) -> Result<Response> {
        self.meter.send_modify(|count| *count += 1);
        let response = self.connection.send(request).await?;
        if let Some(nonce) = response.headers.get(REPLAY_NONCE).and_then(|nonce| nonce.to_str().ok()) {
            self.nonce = Some(nonce.to_owned());
        }
        Ok(response)
    }
}

fn request(
    method: Method,
    url: &str,
    content_type: Option<&str>,
    body: Bytes,
) -> Result<Request<Full<Bytes>>> {
    let url: http::Uri = url.parse().map_err(Error::nonsense)?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().map_err(Error::nonsense)?;
    if let Some(content_type) = content_type {
        let content_type = HeaderValue::try_from(content_type).map_err(Error::nonsense)?;
        request.headers_mut().insert(header::CONTENT_TYPE, content_type);
    }
    Ok(request)
}

fn location(response: &Response) -> Result<String> {
    match response.header(header::LOCATION) {
        "" => Err(Error::nonsense("an answer that must have a Location and has none")),
        url => Ok(url.to_owned()),
    }
}

fn polled<T: DeserializeOwned>(response: &Response) -> Result<Polled<T>> {
    Ok(Polled { object: response.json()?, retry_after: response.retry_after() })
}
