//! What a ceremony answers.

use cairn_x509::{Certificate, Crl, PublicKey};
use serde::{Deserialize, Serialize};

use super::{BundleError, Content, Nonce, Request, Signed, bundle_key, digest, key_rows, moment, wrong};
use crate::file::{Digest, Utc};
use crate::record::Record;

/// Longest chain in certificates. Nobody builds more CAs above one that issues.
const MAX_CHAIN: usize = 8;

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Whether the ceremony was a rehearsal: then nothing of it is to be used.
    pub rehearsal: bool,
    /// The request's.
    pub nonce: Nonce,
    /// The SHA-256 of the request's file.
    pub request: Digest,
    /// When the ceremony ended, in seconds since 1970.
    pub made: i64,
    /// What was asked for.
    pub issued: Issued,
    /// The certificate of who signed, and those above it, as far as they were at hand.
    pub chain: Vec<Certificate>,
    /// The ceremony's record.
    pub record: RecordPlace,
    /// The key that signs the records of this root's ceremonies, and this.
    pub record_key: PublicKey,
}

/// What was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issued {
    /// A CA's certificate.
    Intermediate(Certificate),
    /// A list.
    Crl(Crl),
    /// An OCSP responder's certificate.
    OcspSigner(Certificate),
}

/// Which record tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPlace {
    /// Its place in the chain of records.
    pub number: u64,
    /// Of `record.json`.
    pub sha256: Digest,
}

impl Response {
    /// The response to `request` of a ceremony with this record, whose bytes follow it.
    ///
    /// # Errors
    /// If the record's times are none.
    pub fn new(
        request: &Signed<Request>,
        issued: Issued,
        issuer: &Certificate,
        (record, json): (&Record, &[u8]),
        record_key: &PublicKey,
    ) -> Result<Self, BundleError> {
        Ok(Self {
            rehearsal: record.rehearsal,
            nonce: request.content().nonce,
            request: request.digest(),
            made: moment("time", &record.ended)?,
            issued,
            chain: vec![issuer.clone()],
            record: RecordPlace { number: record.number, sha256: Digest::of(json) },
            record_key: record_key.clone(),
        })
    }

    /// Whether it names this very request.
    #[must_use]
    pub fn is_to(&self, request: &Signed<Request>) -> bool {
        self.nonce == request.content().nonce && self.request == request.digest()
    }
}

/// The body of a response.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseBody {
    format: String,
    rehearsal: bool,
    nonce: String,
    request: String,
    made: String,
    issued: IssuedBody,
    chain: Vec<String>,
    record: RecordBody,
    record_key: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum IssuedBody {
    Intermediate(String),
    Crl(String),
    OcspSigner(String),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordBody {
    number: u64,
    sha256: String,
}

impl Content for Response {
    const NAME: &'static str = "RESPONSE";
    const FORMAT: &'static str = "cairn-response/1";
    type Body = ResponseBody;

    fn to_body(&self) -> ResponseBody {
        ResponseBody {
            format: Self::FORMAT.to_owned(),
            rehearsal: self.rehearsal,
            nonce: self.nonce.to_string(),
            request: self.request.to_string(),
            made: Utc(self.made).to_string(),
            issued: match &self.issued {
                Issued::Intermediate(certificate) => IssuedBody::Intermediate(certificate.to_pem()),
                Issued::Crl(crl) => IssuedBody::Crl(crl.to_pem()),
                Issued::OcspSigner(certificate) => IssuedBody::OcspSigner(certificate.to_pem()),
            },
            chain: self.chain.iter().map(Certificate::to_pem).collect(),
            record: RecordBody { number: self.record.number, sha256: self.record.sha256.to_string() },
            record_key: self.record_key.to_pem(),
        }
    }

    fn from_body(body: ResponseBody) -> Result<Self, BundleError> {
        if !(1..=MAX_CHAIN).contains(&body.chain.len()) {
            return Err(wrong(
                "chain",
                format!("has {} certificates, and 1 to {MAX_CHAIN} can be", body.chain.len()),
            ));
        }
        Ok(Self {
            rehearsal: body.rehearsal,
            nonce: body
                .nonce
                .parse()
                .map_err(|error: super::nonce::NoNonce| wrong("nonce", error.to_string()))?,
            request: digest("request's SHA-256", &body.request)?,
            made: moment("time", &body.made)?,
            issued: match body.issued {
                IssuedBody::Intermediate(pem) => Issued::Intermediate(certificate("certificate", &pem)?),
                IssuedBody::Crl(pem) => Issued::Crl(
                    Crl::from_pem(&pem).map_err(|error| wrong("CRL", format!("cannot be read: {error}")))?,
                ),
                IssuedBody::OcspSigner(pem) => Issued::OcspSigner(certificate("certificate", &pem)?),
            },
            chain: body.chain.iter().map(|pem| certificate("chain", pem)).collect::<Result<_, _>>()?,
            record: RecordPlace {
                number: body.record.number,
                sha256: digest("record's SHA-256", &body.record.sha256)?,
            },
            record_key: bundle_key("record key", &body.record_key)?,
        })
    }

    fn head(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        if self.rehearsal {
            rows.push(("REHEARSAL", "all keys were throw-away; nothing of this is to be used".to_owned()));
        }
        match &self.issued {
            Issued::Intermediate(certificate) => of_certificate("an intermediate CA", certificate, &mut rows),
            Issued::OcspSigner(certificate) => {
                of_certificate("an OCSP responder's certificate", certificate, &mut rows);
            }
            Issued::Crl(crl) => {
                let tbs = crl.tbs();
                let number = tbs.number_as_u64().map_or("none".to_owned(), |number| number.to_string());
                let ends = tbs.next_update().map_or("never".to_owned(), |at| Utc(at).to_string());
                rows.extend([
                    ("holds", "a CRL".to_owned()),
                    ("number", number),
                    ("entries", tbs.entries().count().to_string()),
                    ("next update", ends),
                ]);
            }
        }
        if let Some(issuer) = self.chain.first() {
            rows.push(("from", issuer.subject().to_string()));
            rows.push(("which is, SHA-256", Digest::of(issuer.der()).to_string()));
        }
        rows.extend([
            ("to the request", self.request.to_string()),
            ("nonce", self.nonce.to_string()),
            ("record", format!("{}, SHA-256 {}", self.record.number, self.record.sha256)),
            ("made at", Utc(self.made).to_string()),
        ]);
        rows.extend(key_rows(["record key, SHA-256", "the same as words"], &self.record_key));
        rows
    }

    fn key(&self) -> &PublicKey {
        &self.record_key
    }
}

fn of_certificate(what: &str, certificate: &Certificate, rows: &mut Vec<(&'static str, String)>) {
    let validity = certificate.validity();
    rows.extend([
        ("holds", what.to_owned()),
        ("subject", certificate.subject().to_string()),
        ("valid", format!("{} to {}", Utc(validity.not_before), Utc(validity.not_after))),
        ("certificate, SHA-256", Digest::of(certificate.der()).to_string()),
    ]);
}

fn certificate(field: &'static str, pem: &str) -> Result<Certificate, BundleError> {
    Certificate::from_pem(pem).map_err(|error| wrong(field, format!("cannot be read: {error}")))
}
