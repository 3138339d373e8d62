//! Keys and certificate signing requests of subscribers.

use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::objects::Identifier;
use super::problem::{Error, Result};

/// A subscriber's key and the CSR for it.
#[derive(Debug)]
pub struct CertificateRequest {
    /// The CSR, DER.
    pub der: Vec<u8>,
    /// The private key, PKCS#8 DER.
    pub key: Vec<u8>,
}

impl CertificateRequest {
    /// A new P-256 key, and a CSR with the identifiers as alternative names and an empty subject.
    ///
    /// # Errors
    /// If an identifier cannot stand in a CSR.
    pub fn new(identifiers: &[Identifier]) -> Result<Self> {
        Self::with(identifiers, KeyPair::generate().map_err(Error::nonsense)?)
    }

    /// The same for a key that there is already, PKCS#8 PEM.
    ///
    /// # Errors
    /// If the key is none, or an identifier cannot stand in a CSR.
    pub fn with_key(identifiers: &[Identifier], key: &str) -> Result<Self> {
        Self::with(identifiers, KeyPair::from_pem(key).map_err(Error::nonsense)?)
    }

    fn with(identifiers: &[Identifier], key: KeyPair) -> Result<Self> {
        // rcgen tells addresses from names by itself.
        let names: Vec<String> = identifiers.iter().map(|identifier| identifier.value.clone()).collect();
        let mut params = CertificateParams::new(names).map_err(Error::nonsense)?;
        params.distinguished_name = DistinguishedName::new();
        let csr = params.serialize_request(&key).map_err(Error::nonsense)?;
        Ok(Self { der: csr.der().to_vec(), key: key.serialize_der() })
    }
}
