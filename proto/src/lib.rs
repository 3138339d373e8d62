//! How services meet that run in processes of their own: the traits of [`cairn_core::api`] over gRPC, with mTLS.
//!
//! This is the only room that knows gRPC. A service that is called over it implements nothing but its trait, and a service that
//! calls holds nothing but the trait: `cairn/wiring` chooses, for each, between the thing itself and the client that stands here.
//!
//! `role` says who may be who, and who may call what. `transport` carries: connections, certificates, deadlines, health. Each
//! service then has a file with its conversions, its client and its server; `status` carries errors.

mod role;
pub mod transport;

mod admin;
mod nonce;
mod pa;
mod ra;
mod sa;
mod va;

mod ca;
mod ocsp;

mod client;
mod server;

pub mod calls;
pub mod status;

mod reading;
mod vocabulary;

#[path = "gen/cairn.v1.rs"]
#[rustfmt::skip]
#[expect(
    unreachable_pub,
    unused_qualifications,
    clippy::allow_attributes,
    clippy::large_enum_variant,
    clippy::allow_attributes_without_reason,
    reason = "generated from the .proto files, where the documentation is; tests/generated.rs compares"
)]
mod v1;

pub use admin::{RemoteAdministration, administration_server};
pub use ca::{RemoteCertificateAuthority, certificate_authority_server};
pub use client::Carrier;
pub use nonce::{RemoteNonceOwner, nonce_owner_server};
pub use ocsp::{RemoteOcspResponder, ocsp_responder_server};
pub use pa::{RemotePolicyAuthority, policy_authority_server};
pub use ra::{
    RemoteListenerCertificates, RemoteRegistrationAuthority, listener_certificates_server,
    registration_authority_server,
};
pub use role::{Role, UnknownRole};
pub use sa::{
    RemoteCertificateStore, RemoteCrlStore, RemotePkiRead, RemoteStorageAuthority, RemoteStorageRead,
    certificate_store_server, crl_store_server, pki_read_server, revocation_store_server,
    storage_authority_server, storage_read_server, storage_read_servers,
};
pub use server::Servable;
pub use va::{RemoteValidationAuthority, validation_authority_server};
