//! What a CA that serves asks for.

use cairn_x509::{CaCsr, Crl, PublicKey, Purpose, Subnet, Subtree};
use serde::{Deserialize, Serialize};

use super::{BundleError, Content, Nonce, bundle_key, digest, key_rows, moment, wrong};
use crate::file::{Digest, REASONS, Utc, hex, read_reason, read_serial};

/// Longest name of a request in bytes: it is the name of a folder.
const MAX_NAME: usize = 64;
/// Longest validity to ask for: what a ceremony gives a CA at most.
const MAX_DAYS: u32 = 15 * 366;
/// Certificates to revoke, and names to permit.
const MAX_LIST: usize = 1000;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name, and that of what is installed in the end: `i2`. Lower-case letters, digits and hyphens.
    pub name: String,
    /// Binds the response to it.
    pub nonce: Nonce,
    /// When it was made, in seconds since 1970.
    pub made: i64,
    /// The key of the CA that asks, which signs all its requests and nothing else.
    pub requester: PublicKey,
    /// Who shall sign.
    pub issuer: IssuerName,
    /// What it asks for.
    pub asks: Asks,
}

/// A CA by its name and the SHA-256 fingerprint of its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerName {
    /// RFC 4514 text.
    pub subject: String,
    /// Of its certificate.
    pub sha256: Digest,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A CA below the one that signs.
    Intermediate(IntermediateRequest),
    /// A new list of what the one that signs has revoked.
    Crl(RevocationRequest),
    /// A responder that answers OCSP for the one that signs.
    OcspSigner(ResponderRequest),
}

/// A CA that is asked for. Its name, path length and key usages stand in the CSR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntermediateRequest {
    /// The key, the name, the path length.
    pub csr: CaCsr,
    /// For how long.
    pub days: u32,
    /// For what; nothing means for anything.
    pub purposes: Vec<Purpose>,
    /// For which DNS names and addresses; of a form that is not here, for all.
    pub permitted: Vec<Subtree>,
    /// The certificate that it will replace.
    pub replaces: Option<Digest>,
}

/// An OCSP responder that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponderRequest {
    /// The key and the name.
    pub csr: CaCsr,
    /// For how long.
    pub days: u32,
}

/// A list that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRequest {
    /// The list that there is.
    pub installed: Option<Crl>,
    /// What shall be revoked besides.
    pub revoke: Vec<Revoke>,
}

/// A certificate that shall be revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoke {
    /// Its serial number, in the form of [`cairn_x509::Certificate::serial`].
    pub serial: Vec<u8>,
    /// Why, in the words of a ceremony file.
    pub reason: Option<String>,
}

impl Request {
    /// What it asks for, in words.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self.asks {
            Asks::Intermediate(_) => "an intermediate CA",
            Asks::Crl(_) => "a CRL",
            Asks::OcspSigner(_) => "an OCSP responder's certificate",
        }
    }

    /// The request for a certificate in it.
    #[must_use]
    pub const fn csr(&self) -> Option<&CaCsr> {
        match &self.asks {
            Asks::Intermediate(IntermediateRequest { csr, .. })
            | Asks::OcspSigner(ResponderRequest { csr, .. }) => Some(csr),
            Asks::Crl(_) => None,
        }
    }

    /// Whether `name` can be that of a request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_name(name: &str) -> Result<(), BundleError> {
        let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(is_good) && !name.starts_with('-') {
            Ok(())
        } else {
            Err(wrong("name", format!("must have 1 to {MAX_NAME} lower-case letters, digits and hyphens")))
        }
    }
}

/// The body of a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestBody {
    format: String,
    name: String,
    nonce: String,
    made: String,
    requester: String,
    issuer: IssuerBody,
    asks: AsksBody,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerBody {
    subject: String,
    sha256: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum AsksBody {
    Intermediate(IntermediateBody),
    Crl(CrlBody),
    OcspSigner(OcspSignerBody),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntermediateBody {
    csr: String,
    days: u32,
    purposes: Vec<String>,
    permitted_dns: Vec<String>,
    permitted_ip: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OcspSignerBody {
    csr: String,
    days: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CrlBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    installed: Option<String>,
    revoke: Vec<RevokeBody>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RevokeBody {
    serial: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Content for Request {
    const NAME: &'static str = "REQUEST";
    const FORMAT: &'static str = "cairn-request/1";
    type Body = RequestBody;

    fn to_body(&self) -> RequestBody {
        RequestBody {
            format: Self::FORMAT.to_owned(),
            name: self.name.clone(),
            nonce: self.nonce.to_string(),
            made: Utc(self.made).to_string(),
            requester: self.requester.to_pem(),
            issuer: IssuerBody {
                subject: self.issuer.subject.clone(),
                sha256: self.issuer.sha256.to_string(),
            },
            asks: self.asks.to_body(),
        }
    }

    fn from_body(body: RequestBody) -> Result<Self, BundleError> {
        let RequestBody { format: _, name, nonce, made, requester, issuer, asks } = body;
        Self::check_name(&name)?;
        Ok(Self {
            name,
            nonce: nonce.parse().map_err(|error: super::nonce::NoNonce| wrong("nonce", error.to_string()))?,
            made: moment("time", &made)?,
            requester: bundle_key("requester's key", &requester)?,
            issuer: IssuerName { subject: issuer.subject, sha256: digest("issuer", &issuer.sha256)? },
            asks: Asks::from_body(asks)?,
        })
    }

    fn head(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("asks for", self.what().to_owned()),
            ("name", self.name.clone()),
            ("from", self.issuer.subject.clone()),
            ("which is, SHA-256", self.issuer.sha256.to_string()),
        ];
        self.asks.head(&mut rows);
        rows.extend([("made at", Utc(self.made).to_string()), ("nonce", self.nonce.to_string())]);
        rows.extend(key_rows(["asked by, SHA-256", "the same as words"], &self.requester));
        rows
    }

    fn key(&self) -> &PublicKey {
        &self.requester
    }
}

impl Asks {
    fn to_body(&self) -> AsksBody {
        match self {
            Self::Intermediate(asked) => AsksBody::Intermediate(IntermediateBody {
                csr: asked.csr.to_pem(),
                days: asked.days,
                purposes: asked.purposes.iter().map(ToString::to_string).collect(),
                permitted_dns: asked.dns().map(ToOwned::to_owned).collect(),
                permitted_ip: asked.ip().map(|block| block.to_string()).collect(),
                replaces: asked.replaces.map(|digest| digest.to_string()),
            }),
            Self::Crl(RevocationRequest { installed, revoke }) => AsksBody::Crl(CrlBody {
                installed: installed.as_ref().map(Crl::to_pem),
                revoke: revoke
                    .iter()
                    .map(|revoke| RevokeBody { serial: hex(&revoke.serial), reason: revoke.reason.clone() })
                    .collect(),
            }),
            Self::OcspSigner(ResponderRequest { csr, days }) => {
                AsksBody::OcspSigner(OcspSignerBody { csr: csr.to_pem(), days: *days })
            }
        }
    }

    fn from_body(body: AsksBody) -> Result<Self, BundleError> {
        Ok(match body {
            AsksBody::Intermediate(body) => Self::Intermediate(IntermediateRequest {
                csr: csr(&body.csr)?,
                days: days(body.days)?,
                purposes: body.purposes.iter().map(|name| purpose(name)).collect::<Result<_, _>>()?,
                permitted: permitted(&body.permitted_dns, &body.permitted_ip)?,
                replaces: body.replaces.map(|text| digest("replaced certificate", &text)).transpose()?,
            }),
            AsksBody::Crl(CrlBody { installed, revoke }) => {
                within("serial numbers to revoke", revoke.len())?;
                Self::Crl(RevocationRequest {
                    installed: installed.map(|pem| crl(&pem)).transpose()?,
                    revoke: revoke.into_iter().map(Revoke::from_body).collect::<Result<_, _>>()?,
                })
            }
            AsksBody::OcspSigner(body) => {
                Self::OcspSigner(ResponderRequest { csr: csr(&body.csr)?, days: days(body.days)? })
            }
        })
    }

    fn head(&self, rows: &mut Vec<(&'static str, String)>) {
        match self {
            Self::Intermediate(asked) => {
                asked_key(&asked.csr, rows);
                let length = asked.csr.path_len().map_or("any".to_owned(), |length| length.to_string());
                let purposes = asked.purposes.iter().map(ToString::to_string);
                let names =
                    asked.dns().map(ToOwned::to_owned).chain(asked.ip().map(|block| block.to_string()));
                rows.extend([
                    ("valid for", format!("{} days", asked.days)),
                    ("path length", length),
                    ("extended key usage", listed(purposes, "any")),
                    ("permitted names", listed(names, "all")),
                ]);
                rows.extend(asked.replaces.map(|digest| ("replaces, SHA-256", digest.to_string())));
            }
            Self::OcspSigner(ResponderRequest { csr, days }) => {
                asked_key(csr, rows);
                rows.push(("valid for", format!("{days} days")));
            }
            Self::Crl(RevocationRequest { installed, revoke }) => {
                match installed.as_ref().map(Crl::tbs) {
                    None => rows.push(("installed list", "none".to_owned())),
                    Some(tbs) => {
                        let number = tbs.number_as_u64().unwrap_or_default();
                        let ends = tbs.next_update().map_or("never".to_owned(), |at| Utc(at).to_string());
                        let count = tbs.entries().count();
                        rows.push((
                            "installed list",
                            format!("number {number}, {count} entries, ends {ends}"),
                        ));
                    }
                }
                if revoke.is_empty() {
                    rows.push(("to revoke", "nothing more".to_owned()));
                }
                rows.extend(revoke.iter().map(|revoke| {
                    let reason = revoke.reason.as_deref().unwrap_or("no reason given");
                    ("to revoke", format!("{}, {reason}", hex(&revoke.serial)))
                }));
            }
        }
    }
}

impl IntermediateRequest {
    pub(super) fn dns(&self) -> impl Iterator<Item = &str> {
        self.permitted.iter().filter_map(|subtree| match subtree {
            Subtree::Dns(name) => Some(name.as_str()),
            _ => None,
        })
    }

    pub(super) fn ip(&self) -> impl Iterator<Item = &Subnet> {
        self.permitted.iter().filter_map(|subtree| match subtree {
            Subtree::Ip(block) => Some(block),
            _ => None,
        })
    }
}

impl Revoke {
    fn from_body(body: RevokeBody) -> Result<Self, BundleError> {
        Self::new(&body.serial, body.reason)
    }

    /// From hexadecimal digits.
    ///
    /// # Errors
    /// If they are no serial number, or the reason is none for a CA.
    pub fn new(serial: &str, reason: Option<String>) -> Result<Self, BundleError> {
        let serial = read_serial(serial).ok_or_else(|| {
            wrong("serial number", "is none: write its hexadecimal digits, two for each octet")
        })?;
        if let Some(name) = reason.as_deref().filter(|name| read_reason(name).is_none()) {
            return Err(wrong("reason", format!("{name:?} is none for a CA: use {REASONS}")));
        }
        Ok(Self { serial, reason })
    }
}

/// Names that shall be permitted: domains with all below them, and blocks of addresses.
///
/// # Errors
/// The first that is none.
pub fn permitted(dns: &[String], ip: &[String]) -> Result<Vec<Subtree>, BundleError> {
    within("permitted names", dns.len() + ip.len())?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let domain = |name: &String| {
        let is_domain = name.len() <= 253 && name.split('.').all(is_label);
        is_domain.then(|| Subtree::Dns(name.clone())).ok_or_else(|| {
            wrong("permitted names", format!("have {name:?}, which is no domain such as example.com"))
        })
    };
    let block = |text: &String| {
        let read = text.parse().map(Subtree::Ip);
        read.map_err(|error: cairn_x509::constraints::NotASubnet| wrong("permitted names", error.to_string()))
    };
    dns.iter().map(domain).chain(ip.iter().map(block)).collect()
}

fn asked_key(csr: &CaCsr, rows: &mut Vec<(&'static str, String)>) {
    rows.push(("subject", csr.subject().to_string()));
    rows.push((
        "key",
        format!("{}, SHA-256 {}", csr.public_key().kind(), Digest::of(csr.public_key().der())),
    ));
}

fn listed(items: impl Iterator<Item = String>, none: &str) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

fn csr(pem: &str) -> Result<CaCsr, BundleError> {
    CaCsr::from_pem(pem).map_err(|error| wrong("CSR", format!("cannot be read: {error}")))
}

fn crl(pem: &str) -> Result<Crl, BundleError> {
    Crl::from_pem(pem).map_err(|error| wrong("installed list", format!("cannot be read: {error}")))
}

fn purpose(name: &str) -> Result<Purpose, BundleError> {
    name.parse()
        .map_err(|error: cairn_x509::UnknownPurpose| wrong("extended key usage", format!("has an {error}")))
}

fn days(days: u32) -> Result<u32, BundleError> {
    if (1..=MAX_DAYS).contains(&days) {
        Ok(days)
    } else {
        Err(wrong("validity", format!("of {days} days cannot be: ask for 1 to {MAX_DAYS}")))
    }
}

fn within(field: &'static str, count: usize) -> Result<(), BundleError> {
    if count <= MAX_LIST {
        Ok(())
    } else {
        Err(wrong(field, format!("are {count}, and at most {MAX_LIST} can be")))
    }
}
