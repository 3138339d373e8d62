//! How services meet that run in processes of their own: the traits of [`cairn_core::api`] over gRPC, with mTLS.
//!
//! This is the only room that knows gRPC. A service that is called over it implements nothing but its trait, and a service that
//! calls holds nothing but the trait: `cairn/wiring` chooses, for each, between the thing itself and the client that stands here.
//!
//! `role` says who may be who, and who may call what. `transport` carries: connections, certificates, deadlines, health. Each
//! service then has a file with its conversions, its client and its server; `status` carries errors.

mod role;
pub mod transport;

pub use role::{Role, UnknownRole};
