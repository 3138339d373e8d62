//! An issuer by the hashes under which requests name it: made once, since every request is compared with all issuers.

use super::{CertId, IssuerHash};
use crate::certificate::Certificate;

/// The names of one issuer in [`CertId`]s.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IssuerNames {
    /// By SHA-1 and by SHA-256: the hash of the name, and that of the key.
    hashes: [(Vec<u8>, Vec<u8>); 2],
}

impl IssuerNames {
    /// Those of this issuer.
    #[must_use]
    pub fn of(issuer: &Certificate) -> Self {
        let hashes =
            |hash: IssuerHash| (hash.of(issuer.subject().der()), hash.of(issuer.public_key().bits()));
        Self { hashes: [hashes(IssuerHash::Sha1), hashes(IssuerHash::Sha256)] }
    }

    /// Whether `id` names a certificate of this issuer.
    #[must_use]
    pub fn include(&self, id: &CertId) -> bool {
        let [sha1, sha256] = &self.hashes;
        let (name, key) = match id.hash {
            IssuerHash::Sha1 => sha1,
            IssuerHash::Sha256 => sha256,
        };
        id.name == *name && id.key == *key
    }
}
