//! Why a role's files cannot be used, and what to do.

use std::io;
use std::path::PathBuf;

use cairn_core::Timestamp;

use crate::Role;

/// A role's certificate, key or root cannot be used. All of them are the operator's to mend, before the process serves anyone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file is missing or cannot be read.
    #[error(
        "cannot read {}: {source}; make the internal certificates with `cairn internal-pki init`, and name their folder in \
         internal.pki", path.display()
    )]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder, a pipe, or larger than any certificate.
    #[error("{} is not a file of at most {limit} bytes", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
        /// The most bytes.
        limit: u64,
    },
    /// Others than its owner can read or change the key.
    #[error(
        "{path} holds a private key that is not encrypted, and its mode {mode:04o} lets others read or change it; run: chmod 600 {path}",
        path = path.display()
    )]
    NotPrivate {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file's text is no certificate or key.
    #[error("{} holds no {what} in PEM; make a new one with `cairn internal-pki renew`", path.display())]
    NotPem {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The certificate is another key's.
    #[error(
        "the key in {} is not that of the certificate in {}; put the pair that was made together there, or make a new one with \
         `cairn internal-pki renew`", key.display(), certificate.display()
    )]
    NotItsKey {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The certificate is for somebody else.
    #[error(
        "the certificate in {} is for {presented}, and the role {role} needs one for {}; make it with `cairn internal-pki renew`",
        path.display(), role.dns_name()
    )]
    NotTheRole {
        /// The certificate's file.
        path: PathBuf,
        /// Whose it should be.
        role: Role,
        /// Whose it is.
        presented: String,
    },
    /// Its time is over, or the clock is wrong.
    #[error("the certificate in {} ended at {at}; make a new one with `cairn internal-pki renew`", path.display())]
    Expired {
        /// The certificate's file.
        path: PathBuf,
        /// When it ended.
        at: Timestamp,
    },
    /// Its time has not come, or the clock is wrong.
    #[error("the certificate in {} begins only at {at}; set this machine's clock", path.display())]
    NotYetValid {
        /// The certificate's file.
        path: PathBuf,
        /// When it begins.
        at: Timestamp,
    },
    /// It does not lead to the root.
    #[error(
        "the certificate in {} was not issued by the root in {}; put the root that was made with it there, or make a new \
         certificate with `cairn internal-pki renew`", certificate.display(), root.display()
    )]
    NotTheRoots {
        /// The certificate's file.
        certificate: PathBuf,
        /// The root's file.
        root: PathBuf,
    },
    /// Anything else that TLS does not like about it.
    #[error("the certificate in {} cannot be used: {text}; make a new one with `cairn internal-pki renew`", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong.
        text: String,
    },
}
