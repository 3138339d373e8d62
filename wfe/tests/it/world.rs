//! A front end to send requests to, and clients that can send right ones and wrong ones.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use cairn_core::time::FakeClock;
use cairn_core::{Account, AccountId, Period, SystemRandom};
use cairn_jose::sign::SigningKey;
use cairn_jose::{Algorithm, base64url};
use cairn_wfe::{Chains, Config, Deps, Nonces, router};
use cairn_x509::Certificate;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::fakes::{Fake, NOW};

pub(crate) const BASE: &str = "https://ca.test";
pub(crate) const JOSE: &str = "application/jose+json";

pub(crate) struct World {
    pub(crate) fake: Arc<Fake>,
    pub(crate) clock: Arc<FakeClock>,
    router: Router,
}

impl World {
    /// A CA that is reached as [`BASE`].
    pub(crate) fn new() -> Self {
        Self::with(Config { base_url: Some(BASE.parse().unwrap()), ..Config::default() }, Vec::new())
    }

    /// A CA whose links follow the host.
    pub(crate) fn following(hosts: &[&str]) -> Self {
        let allowed_hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        Self::with(
            Config { allowed_hosts, retry_after: Period::from_secs(1), ..Config::default() },
            Vec::new(),
        )
    }

    /// A CA that works on so many signed requests at a time.
    pub(crate) fn with_places(max_requests: usize) -> Self {
        let base_url = Some(BASE.parse().unwrap());
        Self::with(Config { base_url, max_requests, ..Config::default() }, Vec::new())
    }

    pub(crate) fn with_issuers(issuers: Vec<Certificate>) -> Self {
        Self::with(Config { base_url: Some(BASE.parse().unwrap()), ..Config::default() }, issuers)
    }

    /// The same, where chains that end at the root with this name are the default.
    pub(crate) fn with_preferred(root: &str, issuers: Vec<Certificate>) -> Self {
        let (base_url, preferred_root) =
            (Some(BASE.parse().unwrap()), Some(root.to_owned().try_into().unwrap()));
        Self::with(Config { base_url, preferred_root, ..Config::default() }, issuers)
    }

    fn with(config: Config, issuers: Vec<Certificate>) -> Self {
        crate::log::hear_everything();
        config.validate().unwrap();
        let (fake, clock) = (Arc::new(Fake::new()), Arc::new(FakeClock::new(NOW)));
        let deps = Deps {
            ra: fake.clone(),
            sa: fake.clone(),
            nonces: Arc::new(Nonces::new(&SystemRandom)),
            clock: clock.clone(),
            chains: Arc::new(Chains::new(
                issuers,
                config.preferred_root.clone(),
                fake.clone(),
                clock.clone(),
            )),
        };
        Self { router: router(deps, config), fake, clock }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let method = request.method().clone();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, body, method }
    }

    /// A request without a body.
    pub(crate) async fn bare(&self, method: Method, path: &str) -> Reply {
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn nonce(&self) -> String {
        self.bare(Method::HEAD, "/nonce").await.header("replay-nonce").to_owned()
    }

    /// A POST of some body, as it is.
    pub(crate) async fn post_raw(&self, path: &str, body: impl Into<Body>) -> Reply {
        let request = Request::post(path).header(CONTENT_TYPE, JOSE).body(body.into()).unwrap();
        self.send(request).await
    }

    /// The JWS that a correct client would send.
    pub(crate) async fn jws(&self, client: &Client, path: &str, payload: &str) -> String {
        client.sign(&client.header(path, &self.nonce().await), payload)
    }

    /// What a correct client would do.
    pub(crate) async fn post(&self, client: &Client, path: &str, payload: &Value) -> Reply {
        self.post_raw(path, self.jws(client, path, &payload.to_string()).await).await
    }

    pub(crate) async fn post_as_get(&self, client: &Client, path: &str) -> Reply {
        self.post_raw(path, self.jws(client, path, "").await).await
    }

    /// A client with a new account.
    pub(crate) async fn client(&self) -> Client {
        let mut client = Client::new(Algorithm::Es256);
        let reply = self.post(&client, "/new-account", &json!({})).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        client.kid = Some(reply.header("location").to_owned());
        client
    }
}

/// A key, and the account that it may have.
pub(crate) struct Client {
    pub(crate) key: SigningKey,
    pub(crate) kid: Option<String>,
}

impl Client {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self { key: SigningKey::generate(algorithm).unwrap(), kid: None }
    }

    pub(crate) fn account(&self) -> AccountId {
        self.kid.as_ref().unwrap().rsplit('/').next().unwrap().parse().unwrap()
    }

    /// A correct protected header.
    pub(crate) fn header(&self, path: &str, nonce: &str) -> Value {
        let mut header = json!({
            "alg": self.key.algorithm().name(),
            "nonce": nonce,
            "url": format!("{BASE}{path}"),
        });
        match &self.kid {
            Some(kid) => header["kid"] = json!(kid),
            None => header["jwk"] = serde_json::to_value(self.key.jwk()).unwrap(),
        }
        header
    }

    pub(crate) fn sign(&self, header: &Value, payload: &str) -> String {
        self.key.jws(header, payload.as_bytes()).unwrap()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    method: Method,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    pub(crate) fn links(&self) -> Vec<&str> {
        self.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts that this is a complete problem document of this type; gives its detail.
    pub(crate) fn assert_problem(&self, status: u16, kind: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let nonce = self.header("replay-nonce");
        assert!(!nonce.is_empty() && base64url::decode(nonce).is_ok());
        assert_eq!(self.header("cache-control"), "no-store");
        self.assert_cors();
        if self.method == Method::HEAD {
            return String::new();
        }
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:ietf:params:acme:error:{kind}"), "{problem}");
        assert_eq!(problem["status"], status);
        // RFC 8555 §6.7.1: an identifier stands in subproblems only.
        assert!(problem.get("identifier").is_none());
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// Asserts that this is an object with what every answer to a POST has.
    pub(crate) fn assert_object(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        assert!(!self.header("replay-nonce").is_empty());
        assert_eq!(self.header("cache-control"), "no-store");
        assert!(self.links().contains(&"<https://ca.test/dir>;rel=\"index\""), "{self:?}");
        self.assert_cors();
        self.json()
    }

    pub(crate) fn assert_cors(&self) {
        assert_eq!(self.header("access-control-allow-origin"), "*");
        assert_eq!(self.header("access-control-expose-headers"), "Link, Location, Replay-Nonce, Retry-After");
    }
}

/// The path of a URL of ours.
pub(crate) fn path(url: &Value) -> String {
    url.as_str().unwrap().strip_prefix(BASE).unwrap().to_owned()
}

/// A request with another host.
pub(crate) fn get(path: &str, host: &str) -> Request<Body> {
    Request::get(path).header(HOST, host).body(Body::empty()).unwrap()
}

/// An account as the fake has it.
pub(crate) fn stored(world: &World, client: &Client) -> Account {
    world.fake.state().account_mut(client.account()).clone()
}
