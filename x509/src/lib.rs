//! Everything about certificates that needs no network, clock or database.
//!
//! Reading: [`PublicKey`], [`Csr`] (RFC 2986), [`Certificate`] and [`Crl`] (RFC 5280), and
//! [`CaCsr`], by which CAs ask each other. Making: [`profile`] says what a certificate shall look like and
//! builds a [`TbsCertificate`], [`mod@crl`] a [`TbsCrl`], whose exact bytes can be recorded before a [`Signer`]
//! signs them. Judging: [`lint`] reads a finished certificate or CRL again, with other code than that which
//! built it; [`Description`] tells a person what a certificate says.
//!
//! Time, serial numbers and names come as arguments. Only key generation and signing take randomness, the
//! system's, inside aws-lc-rs, or that of a hardware security module that keeps the key ([`Pkcs11Signer`]). Nothing here knows ACME: which names an order holds, whether a key is good
//! enough, when a certificate may be issued are questions for other rooms.
//!
//! ```
//! use cairn_x509::{
//!     Certificate, FileSigner, KeySpec, LeafInputs, LeafProfile, Name, RootInputs, Signer, SubjectAltName,
//!     Validity, leaf, lint_leaf, root, throwaway_signer,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ca_key = FileSigner::generate(KeySpec::P256)?;
//! let subject = Name::new("Example Root", None)?;
//! let validity = Validity { not_before: 1_700_000_000, not_after: 2_000_000_000 };
//! let inputs = RootInputs {
//!     serial: &[1; 16],
//!     validity,
//!     public_key: ca_key.public_key(),
//!     subject: &subject,
//!     digital_signature: false,
//! };
//! let ca = root(ca_key.algorithm(), inputs)?.sign(&ca_key)?;
//!
//! let key = FileSigner::generate(KeySpec::P256)?;
//! let tbs = leaf(
//!     &LeafProfile::default(),
//!     &ca,
//!     ca_key.algorithm(),
//!     LeafInputs {
//!         serial: &[2; 16],
//!         validity: Validity { not_before: 1_750_000_000, not_after: 1_757_775_999 },
//!         public_key: key.public_key(),
//!         names: &[SubjectAltName::Dns("www.example.test".into())],
//!         common_name: None,
//!         crl_url: None,
//!         ocsp_url: None,
//!         issuer_url: None,
//!     },
//! )?;
//! let rehearsal = tbs.sign(&throwaway_signer(&ca_key)?)?;
//! assert!(lint_leaf(&rehearsal, &ca).is_empty());
//! let certificate = tbs.sign(&ca_key)?;
//! certificate.verify_issued_by(&ca)?;
//! assert_eq!(Certificate::from_pem(&certificate.to_pem())?, certificate);
//! # Ok(())
//! # }
//! ```

pub mod algorithm;
pub mod ca_csr;
pub mod certificate;
pub mod constraints;
pub mod crl;
pub mod csr;
pub mod description;
mod extension;
pub mod hashed;
pub mod lint;
pub mod name;
pub mod ocsp;
mod oid;
mod pem;
pub mod policy;
pub mod profile;
mod pss;
pub mod purpose;
pub mod san;
pub mod signer;
pub mod spki;
pub mod tbs;
pub mod validity;
mod wire;

pub use crate::{
    algorithm::{AlgorithmError, SignatureAlgorithm},
    ca_csr::{CaCsr, CaCsrError, CaRequest, CsrRequest},
    certificate::{Certificate, CertificateError, VerifyError},
    constraints::{NameConstraints, Subnet, Subtree},
    crl::{
        Crl, CrlContents, CrlError, CrlInputs, CrlReason, CrlScope, CrlWriter, EntriesLength, LargeCrl,
        LargeCrlError, LintedCrl, RevokedEntry, TbsCrl, UnsignedCrl, crl,
    },
    csr::{Csr, CsrError},
    description::Description,
    hashed::HashedMessage,
    lint::{
        Finding, lint_ca, lint_crl, lint_cross_certificate, lint_intermediate, lint_leaf,
        lint_ocsp_responder, lint_root,
    },
    name::{Name, NameAttributes, NameError},
    policy::{CertificatePolicy, PolicyError},
    profile::{
        BuildError, CaProfile, CrossInputs, IntermediateInputs, LeafInputs, LeafProfile, OcspResponderInputs,
        RootInputs, Urls, cross_certificate, intermediate, leaf, ocsp_responder, root,
    },
    purpose::{KeyUsage, Purpose, UnknownPurpose},
    san::SubjectAltName,
    signer::{
        FileSigner, KeyFileError, KeySpec, Pkcs11Error, Pkcs11Place, Pkcs11Signer, Signer, SignerError,
        throwaway_signer,
    },
    spki::{KeyKind, PublicKey, SignatureError, SpkiError},
    tbs::{SignError, TbsCertificate},
    validity::Validity,
};
