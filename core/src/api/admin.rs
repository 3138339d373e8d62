//! What an operator may ask of a running CA. The registration authority answers: whatever an operator changes goes the way that a
//! client's change goes, and everything that an operator asks is an event for the auditor, with the operator's name.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use cairn_jose::Thumbprint;

use crate::account::Account;
use crate::authorization::Authorization;
use crate::certificate::{CertificateRecord, IssuerId, Revocation, RevocationReason, Serial};
use crate::error::Result;
use crate::id::{AccountId, AuthorizationId, IncidentId, OrderId};
use crate::incident::Incident;
use crate::order::OrderWithAuthorizations;
use crate::selection::{Selection, Stretch};
use crate::time::Timestamp;

/// Longest name of an operator, in octets: it stands in every event.
const LONGEST_NAME: usize = 64;

/// Who asks, as far as the caller's side can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator(String);

/// The text was no operator's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an operator's name has 1 to 64 printable ASCII characters and no space")]
pub struct OperatorError;

impl FromStr for Operator {
    type Err = OperatorError;

    fn from_str(text: &str) -> Result<Self, OperatorError> {
        let good =
            (1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if good { Ok(Self(text.to_owned())) } else { Err(OperatorError) }
    }
}

impl Operator {
    /// The same, with what is known of the caller besides the name that was said.
    #[must_use]
    pub fn known_as(self, fact: &str) -> Self {
        Self(format!("{}({fact})", self.0))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an operator names an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountName {
    /// By its id.
    Id(AccountId),
    /// By the thumbprint of its key (RFC 7638).
    Key(Thumbprint),
}

/// A revocation that the CA itself decides on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorRevocation {
    /// Which certificate.
    pub serial: Serial,
    /// Why; `None` gives no reason (RFC 5280 §5.3.1).
    pub reason: Option<RevocationReason>,
    /// Whether its key is refused from now on.
    pub block_key: bool,
}

/// How much of a kind is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// At this moment.
    pub running: u64,
    /// At most; further requests are refused.
    pub limit: u64,
}

/// How a registration authority is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RaStatus {
    /// Validations that it waits for.
    pub validations: Workload,
    /// Certificates that are being issued.
    pub issuances: Workload,
    /// Whether it finishes what it has begun and takes nothing new.
    pub stopping: bool,
}

/// A certificate that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedCertificate {
    /// Which.
    pub serial: Serial,
    /// Whose.
    pub account: Option<AccountId>,
    /// Its first names, as text.
    pub names: Vec<String>,
    /// How many it has besides.
    pub more_names: u64,
    /// When it ends.
    pub not_after: Timestamp,
    /// Its revocation, if it is revoked.
    pub revocation: Option<Revocation>,
}

/// What a stretch of all certificates has of a selection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// How many certificates there are in the stretch.
    pub looked_at: u64,
    /// Those that a revocation would change.
    pub found: Vec<SelectedCertificate>,
    /// How many besides are revoked already.
    pub revoked: u64,
    /// How many besides have expired.
    pub expired: u64,
    /// Where the next stretch begins; `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// What has become of a stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokedStretch {
    /// How many certificates there are in it.
    pub looked_at: u64,
    /// How many were revoked, or their reason corrected.
    pub done: u64,
    /// How many were meant too, and have expired or are revoked already.
    pub passed_over: u64,
    /// Where the next stretch begins; `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// An incident to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewIncident {
    /// What people call it.
    pub name: String,
    /// What is looked for, in words.
    pub selection: String,
    /// Why its certificates will be revoked.
    pub reason: Option<RevocationReason>,
    /// Whether all shall be done but the revoking.
    pub drill: bool,
    /// A page that tells subscribers what has happened.
    pub explanation: Option<String>,
}

/// What has become of a stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnteredStretch {
    /// How many certificates there are in it.
    pub looked_at: u64,
    /// How many were entered.
    pub entered: u64,
    /// How many were meant too, and are part of the incident already, or have expired, or are revoked.
    pub passed_over: u64,
    /// Where the next stretch begins; `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// What was found out of certificates that were issued since an incident began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FollowedStretch {
    /// How many of the incident's certificates they replace that were not known to be replaced.
    pub replaced: u64,
    /// Where the next stretch begins; `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// How a stretch of an incident's certificates is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentStretch {
    /// How many certificates there are in it.
    pub certificates: u64,
    /// How many are known to be replaced.
    pub replaced: u64,
    /// How many are revoked.
    pub revoked: u64,
    /// How many have expired.
    pub expired: u64,
    /// Those that are neither replaced nor expired.
    pub waiting: Vec<SelectedCertificate>,
    /// Where the next stretch begins; `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// Looks at everything and changes what an operator may. What does not exist is `NotFound`.
#[async_trait]
pub trait Administration: Send + Sync {
    /// An account.
    async fn account(&self, operator: &Operator, name: AccountName) -> Result<Account>;

    /// Closes an account for good, in the name of the CA: its status is `revoked` (RFC 8555 §7.1.6).
    ///
    /// # Errors
    /// `Conflict` if it is closed already.
    async fn deactivate_account(&self, operator: &Operator, account: AccountId) -> Result<Account>;

    /// An order and its authorizations.
    async fn order(&self, operator: &Operator, order: OrderId) -> Result<OrderWithAuthorizations>;

    /// An authorization.
    async fn authorization(
        &self,
        operator: &Operator,
        authorization: AuthorizationId,
    ) -> Result<Authorization>;

    /// Takes an authorization away, so that its account must prove again that it controls the identifier.
    ///
    /// # Errors
    /// `Conflict` if it is invalid or deactivated already.
    async fn deactivate_authorization(
        &self,
        operator: &Operator,
        authorization: AuthorizationId,
    ) -> Result<Authorization>;

    /// A certificate.
    async fn certificate(&self, operator: &Operator, serial: &Serial) -> Result<CertificateRecord>;

    /// Revokes a certificate, and gives it as it is then. One that is revoked for another reason than `keyCompromise` can be revoked
    /// for that: the time stays.
    ///
    /// # Errors
    /// `AlreadyRevoked`.
    async fn revoke_certificate(
        &self,
        operator: &Operator,
        revocation: OperatorRevocation,
    ) -> Result<CertificateRecord>;

    /// Refuses a key from now on, in accounts and in certificates; `false` if it was refused already. Certificates that have it stay.
    async fn block_key(&self, operator: &Operator, spki_sha256: [u8; 32]) -> Result<bool>;

    /// What `stretch` has of `selection`, and what a revocation for `reason` would do to it.
    async fn select(
        &self,
        operator: &Operator,
        selection: &Selection,
        stretch: &Stretch,
        reason: Option<RevocationReason>,
    ) -> Result<Selected>;

    /// Revokes what `stretch` has of `selection`. What is revoked already is passed over, so that it can be done again; but the reason of
    /// a revocation can be changed to `keyCompromise`.
    async fn revoke_selected(
        &self,
        operator: &Operator,
        selection: &Selection,
        stretch: &Stretch,
        reason: Option<RevocationReason>,
    ) -> Result<RevokedStretch>;

    /// Begins an incident, without certificates.
    ///
    /// # Errors
    /// `Malformed` for a name or an explanation that cannot be shown; `Conflict` if an open one has the same name.
    async fn new_incident(&self, operator: &Operator, incident: NewIncident) -> Result<Incident>;

    /// Enters what `stretch` has of `selection` into an open incident.
    ///
    /// # Errors
    /// `Conflict` if it is not open.
    async fn enter_into_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        selection: &Selection,
        stretch: &Stretch,
    ) -> Result<EnteredStretch>;

    /// The latest incidents, the newest first.
    async fn incidents(&self, operator: &Operator) -> Result<Vec<Incident>>;

    /// An incident.
    async fn incident(&self, operator: &Operator, incident: IncidentId) -> Result<Incident>;

    /// Looks through certificates that were issued since an incident began, for those that replace some of its. Begins with no octets.
    async fn follow_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        after: &[u8],
    ) -> Result<FollowedStretch>;

    /// How the certificates of an incident are, a stretch of them. Begins with no octets.
    async fn incident_stretch(
        &self,
        operator: &Operator,
        incident: IncidentId,
        after: &[u8],
    ) -> Result<IncidentStretch>;

    /// Decides when what is left of an incident's certificates is revoked, in the place of what was decided before.
    ///
    /// # Errors
    /// `Conflict` if it is not open.
    async fn finish_incident(
        &self,
        operator: &Operator,
        incident: IncidentId,
        at: Timestamp,
    ) -> Result<Incident>;

    /// Ends an incident that was none: nothing (more) is revoked.
    ///
    /// # Errors
    /// `Conflict` if it is not open.
    async fn cancel_incident(&self, operator: &Operator, incident: IncidentId) -> Result<Incident>;

    /// Says by when whatever an issuer has issued must be replaced, or that it stays.
    async fn retire_issuer(&self, operator: &Operator, issuer: IssuerId, by: Option<Timestamp>)
    -> Result<()>;

    /// How this registration authority is.
    async fn status(&self, operator: &Operator) -> Result<RaStatus>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_name_is_short_and_cannot_forge_an_event() {
        assert_eq!("ops@example.com".parse::<Operator>().unwrap().as_str(), "ops@example.com");
        for name in ["", "two words", "new\nline", "tab\t", "ä", &"x".repeat(65)] {
            assert_eq!(name.parse::<Operator>(), Err(OperatorError), "{name:?}");
        }
    }
}
