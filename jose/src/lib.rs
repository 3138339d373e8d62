//! JSON Object Signing: the keys and signatures with which an ACME client proves who it is.
//!
//! This room serves RFC 7515 (JWS), RFC 7517 and RFC 7518 (JWK and their algorithms), RFC 7638 (thumbprints)
//! and RFC 8037 (Ed25519). It is a pure library: it does no I/O, reads no clock and knows nothing of ACME
//! except that a protected header carries `nonce`, `url` and one of `jwk` and `kid` (RFC 8555 §6.2).
//!
//! A request goes through two steps, which are two types of certainty:
//!
//! 1. [`Jws::parse`] turns a body into header, payload and signature. **Nothing is proven yet.** The caller
//!    has bounded the size of the body; everything here is linear in it.
//! 2. [`Jws::verify`] proves that the holder of one key signed exactly that header and payload. The caller
//!    chooses the key: the one in the header, or that of the account which the header names.
//!
//! What this room deliberately does not do: decide which keys are good enough (that is policy), MACs (`HS256`
//! and its family), `none`, RSA-PSS, encryption, the compact serialization, and the general serialization
//! with its many signatures.
//!
//! The signing half, [`sign`], is for clients and tests; the CA's own keys never pass through here.

mod algorithm;
pub mod base64url;
mod json;
mod jws;
mod verify;

mod jwk;
mod spki;
mod thumbprint;

pub mod sign;

pub use algorithm::{Algorithm, UnsupportedAlgorithm};
pub use base64url::Base64UrlError;
pub use jwk::{Jwk, JwkError, KeyKind};
pub use jws::{Jws, JwsError, KeyReference, ProtectedHeader};
pub use thumbprint::{Thumbprint, ThumbprintError};
pub use verify::VerifyError;
