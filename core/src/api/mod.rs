//! The traits by which the services meet. Each service stands on these and on no other service; `cairn/wiring` hands each the
//! implementations, in the same process or (over gRPC) in another.
//!
//! ```text
//!   wfe ──► RegistrationAuthority ◄── ra ──► ValidationAuthority  ◄── va
//!    │                                ├────► PolicyAuthority      ◄── pa
//!    │                                ├────► CertificateAuthority ◄── ca ──► CertificateStore ◄── sa
//!    ├────► NonceService ◄── wfe      └────► StorageAuthority     ◄── sa
//!    └────► StorageRead ◄── sa
//! ```
//!
//! What relying parties are told is read through `PkiRead`, by the front end that serves them; whether a certificate is revoked is said by
//! the certificate authority, as `OcspResponder`.
//!
//! Front ends that run side by side ask each other for one thing: whether a nonce of theirs is good (`NonceOwner`, found by
//! `NoncePeers`).
//!
//! An operator asks through `Administration`, which the registration authority answers.
//!
//! Each consumer holds the narrowest trait that does: the front end can only read, the CA can only record what it signs, and
//! the RA can do everything but that.

pub mod admin;
pub mod ca;
pub mod crl;
pub mod nonce;
pub mod ocsp;
pub mod pa;
pub mod pki;
pub mod ra;
pub mod revocations;
pub mod sa;
pub mod va;

pub use admin::Administration;
pub use ca::{CertificateAuthority, IssuanceRequest};
pub use crl::CrlStore;
pub use nonce::{NonceOwner, NoncePeer, NoncePeers, NoncePrefix, NonceService};
pub use ocsp::{OcspAnswer, OcspResponder, OcspResponse};
pub use pa::{KeyUse, PolicyAuthority};
pub use pki::PkiRead;
pub use ra::{ListenerCertificates, RegistrationAuthority};
pub use revocations::RevocationStore;
pub use sa::{CertificateStore, Storage, StorageAuthority, StorageRead};
pub use va::{ValidationAuthority, ValidationRequest, ValidationResult};
