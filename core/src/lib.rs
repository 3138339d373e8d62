//! The vocabulary of Cairn: what an account, an order, an authorization and a certificate *are* (RFC 8555 §7.1), the errors that
//! pass between rooms, and the traits by which the services meet ([`api`]).
//!
//! Everything here is data and pure functions. There is no I/O, no runtime and no SQL; the time and randomness that the functions
//! need are passed in ([`Clock`], [`Random`]).

pub mod identifier;

pub mod account;
pub mod authorization;
pub mod certificate;
pub mod challenge;
pub mod crl;
pub mod id;
pub mod order;
pub mod renewal;

pub mod incident;
pub mod selection;

pub mod error;
pub mod problem;

pub mod metric;
pub mod period;
pub mod pki;

pub mod random;
pub mod time;

pub mod api;

pub use account::{Account, AccountStatus};
pub use authorization::{Authorization, AuthorizationProgress, AuthorizationStatus};
pub use cairn_jose::{Jwk, Thumbprint};
pub use certificate::{
    CaCertificate, CertificateRecord, CertificateStatus, CrlShard, IssuerId, Revocation, RevocationReason,
    Serial,
};
pub use challenge::{ChallengeType, KeyAuthorization, Token, ValidationRecord};
pub use crl::{CrlHead, CrlId, CrlKind, RevokedCertificate, ShardId};
pub use error::{Error, ErrorKind, Result};
pub use id::{AccountId, AuthorizationId, IncidentId, OrderId, WorkerId};
pub use identifier::{DnsName, Identifier};
pub use incident::{Incident, IncidentEnd, IncidentStatus};
pub use metric::{Metric, MetricKind};
pub use order::{Order, OrderProgress, OrderStatus, OrderWithAuthorizations};
pub use period::Period;
pub use pki::PkiUrl;
pub use problem::{Problem, ProblemType, Subproblem};
pub use random::{Random, SystemRandom};
pub use renewal::{CertificateId, OpenIncident, Renewal, RenewalInfo};
pub use selection::{SelectedName, Selection, Stretch};
pub use time::{Clock, Timestamp};
