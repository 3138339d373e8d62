//! TXT records under `_acme-challenge`, RFC 8555 §8.4, set through the management API of the fake DNS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use cairn_jose::base64url;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::acme::{Connection, Endpoint, Error, Result};

/// The fake DNS, as its manager sees it.
#[derive(Debug)]
pub struct Dns01 {
    endpoint: Arc<Endpoint>,
    /// Connections that nobody uses at the moment; held only to take one or put one back.
    idle: Mutex<Vec<Connection>>,
}

impl Dns01 {
    /// For the management API at this address. Does not connect yet.
    ///
    /// # Errors
    /// Never for an address.
    pub fn new(management: SocketAddr) -> Result<Self> {
        let endpoint = Arc::new(Endpoint::new(&format!("http://{management}"), "")?);
        Ok(Self { endpoint, idle: Mutex::default() })
    }

    /// Adds the record that proves control of a name; several may stand beside each other, as for a name and its wildcard.
    ///
    /// # Errors
    /// If the fake DNS refuses it.
    pub async fn put(&self, name: &str, key_authorization: &str) -> Result<()> {
        let value = base64url::encode(digest(&SHA256, key_authorization.as_bytes()).as_ref());
        self.command("/set-txt", &json!({ "host": host(name), "value": value })).await
    }

    /// Takes all records of a name away.
    ///
    /// # Errors
    /// If the fake DNS refuses it.
    pub async fn clear(&self, name: &str) -> Result<()> {
        self.command("/clear-txt", &json!({ "host": host(name) })).await
    }

    /// Any command of the management API: `/add-caa`, `/set-servfail`, …
    ///
    /// # Errors
    /// If the fake DNS refuses it.
    pub async fn command(&self, path: &str, body: &Value) -> Result<()> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = idle.unwrap_or_else(|| Connection::new(Arc::clone(&self.endpoint)));
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| Error::Nonsense(error.to_string()))?;
        let response = connection.send(request).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        if response.status.is_success() {
            return Ok(());
        }
        Err(Error::Nonsense(format!(
            "the fake DNS refused {path}: {}",
            String::from_utf8_lossy(&response.body)
        )))
    }
}

fn host(name: &str) -> String {
    format!("_acme-challenge.{name}.")
}
