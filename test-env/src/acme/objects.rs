//! The JSON objects of RFC 8555 §7.1 as a client reads them.

use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// The directory, RFC 8555 §7.1.1: what Cairn offers of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Directory {
    /// Where nonces are.
    pub new_nonce: String,
    /// Where accounts are made.
    pub new_account: String,
    /// Where orders are placed.
    pub new_order: String,
    /// Where certificates are revoked.
    pub revoke_cert: String,
    /// Where renewal information is (RFC 9773 §3), if the server has any.
    pub renewal_info: Option<String>,
}

/// An identifier, RFC 8555 §9.7.7 and RFC 8738.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identifier {
    /// `dns` or `ip`, or whatever a test wants.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name or address.
    pub value: String,
}

impl Identifier {
    /// A DNS name, also a wildcard.
    pub fn dns(name: impl Into<String>) -> Self {
        Self { kind: "dns".to_owned(), value: name.into() }
    }

    /// An IP address, RFC 8738.
    pub fn ip(address: impl std::fmt::Display) -> Self {
        Self { kind: "ip".to_owned(), value: address.to_string() }
    }
}

/// The statuses of RFC 8555 §7.1.6, those of all objects together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are the words of RFC 8555 §7.1.6, explained there")]
pub enum Status {
    Pending,
    Ready,
    Processing,
    Valid,
    Invalid,
    Deactivated,
    Expired,
    Revoked,
}

/// An order, RFC 8555 §7.1.3.
#[derive(Clone, Debug, Deserialize)]
pub struct Order {
    /// How far it has come.
    pub status: Status,
    /// What it is for.
    pub identifiers: Vec<Identifier>,
    /// The URLs of its authorizations.
    pub authorizations: Vec<String>,
    /// Where the CSR goes.
    pub finalize: String,
    /// Where the certificate is, when the order is valid.
    pub certificate: Option<String>,
    /// Why it is invalid.
    pub error: Option<Problem>,
    /// From when on it is worth nothing.
    pub expires: Option<String>,
}

/// An authorization, RFC 8555 §7.1.4.
#[derive(Clone, Debug, Deserialize)]
pub struct Authorization {
    /// What it is about.
    pub identifier: Identifier,
    /// How far it has come.
    pub status: Status,
    /// The ways to prove it.
    pub challenges: Vec<Challenge>,
    /// Whether it serves `*.identifier`; absent when it does not.
    pub wildcard: Option<bool>,
}

impl Authorization {
    /// The challenge of a type, if it is offered.
    pub fn challenge(&self, kind: &str) -> Option<&Challenge> {
        self.challenges.iter().find(|challenge| challenge.kind == kind)
    }

    /// Why it failed: the error of the challenge that was tried.
    pub fn error(&self) -> Option<&Problem> {
        self.challenges.iter().find_map(|challenge| challenge.error.as_ref())
    }
}

/// A challenge, RFC 8555 §7.1.5.
#[derive(Clone, Debug, Deserialize)]
pub struct Challenge {
    /// `http-01`, `dns-01`, `tls-alpn-01`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is answered.
    pub url: String,
    /// How far it has come.
    pub status: Status,
    /// What the answer is made of.
    pub token: String,
    /// When it became valid.
    pub validated: Option<String>,
    /// Why it failed.
    pub error: Option<Problem>,
}
