//! What a certificate of a CA or of an OCSP responder says.

use serde::Deserialize;

use super::Moment;

/// A certificate. Which fields there may be depends on what it is for; [`crate::plan`] says so of those that do not fit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateSpec {
    /// Whose it is. A cross-certificate has the name that its subject has already.
    pub subject: Option<Subject>,
    /// Its first second; a date alone means midnight UTC, when the day begins.
    pub not_before: Moment,
    /// Its last second; a date alone means the last second of the day in UTC.
    pub not_after: Moment,
    /// How many further CAs may follow below it: 0 issues leaves only (RFC 5280 §4.2.1.9). Without it, any number.
    pub path_length: Option<u8>,
    /// For what it, and all below it, may be used (RFC 5280 §4.2.1.12): `serverAuth`, `clientAuth`, `codeSigning`,
    /// `emailProtection`, `timeStamping`, `OCSPSigning`. Not for roots. An intermediate without it may be used for anything, so it has
    /// to say so: `[]`.
    pub extended_key_usage: Option<Vec<String>>,
    /// Whether the CA's key may also sign OCSP answers by itself (keyUsage digitalSignature). Default: false.
    #[serde(default)]
    pub digital_signature: bool,
    /// For which names it may issue (RFC 5280 §4.2.1.10), critical. Not for roots, whose constraints many clients do not look at.
    pub name_constraints: Option<NameConstraints>,
    /// Under which policies it issues (RFC 5280 §4.2.1.4). Not for roots.
    #[serde(default)]
    pub policies: Vec<Policy>,
    /// Where the issuer's certificate lies, in DER, over plain http (RFC 5280 §4.2.2.1).
    #[serde(default)]
    pub issuer_urls: Vec<String>,
    /// Where OCSP answers about this certificate.
    #[serde(default)]
    pub ocsp_urls: Vec<String>,
    /// Where the issuer's CRL lies (RFC 5280 §4.2.1.13).
    #[serde(default)]
    pub crl_urls: Vec<String>,
}

/// A distinguished name, written in this order.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Two letters (ISO 3166).
    pub country: Option<String>,
    /// State or province.
    pub state: Option<String>,
    /// Locality.
    pub locality: Option<String>,
    /// Organization.
    pub organization: Option<String>,
    /// Organizational unit.
    pub organizational_unit: Option<String>,
    /// What tells it from others of the same organization. At most 64 characters.
    pub common_name: String,
}

/// Names that a CA may issue for, and names that it may not. A form of name that `permitted` has nothing of is not restricted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NameConstraints {
    /// Nothing else of these forms.
    pub permitted: NameForms,
    /// None of these, permitted or not.
    pub excluded: NameForms,
}

/// Names by their forms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NameForms {
    /// A domain and all below it: `example.com`.
    pub dns: Vec<String>,
    /// Addresses: `10.0.0.0/8`, `fd00::/8`.
    pub ip: Vec<String>,
    /// Mailboxes: `someone@example.com`, all of a host `example.com`, or all of a domain's hosts `.example.com`.
    pub email: Vec<String>,
}

/// A certificate policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// `2.23.140.1.2.1` is domain validation by the CA/Browser Forum's rules.
    pub oid: String,
    /// Where the certification practice statement can be read.
    pub cps: Option<String>,
}
