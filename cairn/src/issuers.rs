//! A CA's hierarchy as its files tell it: the issuer that the configuration names, and what lies in the hierarchy folder. From the
//! files ([`folder`]) to what the CA issues with ([`load`]), and again whenever they change ([`mod@watch`]); when its
//! parts must be renewed is told by [`rotation`].
//!
//! ```text
//! hierarchy/
//!     issuers/NAME/certificate.pem     an issuer's certificate
//!     issuers/NAME/issuer.toml         where its key is (`KeyPlace`), and how it is used
//!     certificates/*.pem               roots, cross-certificates, CAs between: of these chains are made
//!     crls/*.pem                       what the CAs above have revoked
//!     responders/NAME/certificate.pem  a delegated OCSP responder
//!     responders/NAME/responder.toml   where its key is
//! ```
//!
//! Names that begin with a dot are left alone: a folder that is being made has one until it is whole.

pub mod files;
pub mod folder;
pub mod load;
pub mod rotation;
pub mod watch;

pub use self::folder::Inventory;
pub use self::load::{Loaded, Loader, Refusal};
pub use self::watch::watch;

/// The name of the issuer that the configuration itself names.
pub const CONFIGURED: &str = "configured";
