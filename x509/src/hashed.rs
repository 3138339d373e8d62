//! Long messages, whose hash is made once for all that is done with them.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};

use crate::algorithm::SignatureAlgorithm;

/// A message, and the hash of it that a signature algorithm signs. A revocation list is signed twice, by a throw-away key and by the
/// issuer's, and then verified: that reads its megabytes once. Ed25519 and ML-DSA sign messages and no hashes (RFC 8032 §8.5, FIPS 204
/// §5): with them there is none.
#[derive(Clone, Copy)]
pub struct HashedMessage<'a> {
    octets: &'a [u8],
    algorithm: SignatureAlgorithm,
    hash: Option<Digest>,
}

impl<'a> HashedMessage<'a> {
    /// Hashes `octets` as `algorithm` does.
    #[must_use]
    pub fn new(octets: &'a [u8], algorithm: SignatureAlgorithm) -> Self {
        let hash = hash_of(algorithm).map(|hash| digest::digest(hash, octets));
        Self { octets, algorithm, hash }
    }

    /// One whose hash was kept.
    pub(crate) fn hashed(octets: &'a [u8], algorithm: SignatureAlgorithm, hash: Option<Digest>) -> Self {
        Self { octets, algorithm, hash }
    }

    /// The hash, to keep it for longer than the message is lent.
    pub(crate) fn into_hash(self) -> Option<Digest> {
        self.hash
    }

    /// The message.
    #[must_use]
    pub fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The hash for a signature of `algorithm`, unless it signs messages as they are, or is another than this was made for.
    pub(crate) fn hash(&self, algorithm: SignatureAlgorithm) -> Option<&Digest> {
        self.hash.as_ref().filter(|_| algorithm == self.algorithm)
    }
}

impl fmt::Debug for HashedMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashedMessage")
            .field("octets", &self.octets.len())
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn hash_of(algorithm: SignatureAlgorithm) -> Option<&'static digest::Algorithm> {
    match algorithm {
        SignatureAlgorithm::EcdsaSha256
        | SignatureAlgorithm::RsaSha256
        | SignatureAlgorithm::RsaPssSha256 => Some(&digest::SHA256),
        SignatureAlgorithm::EcdsaSha384
        | SignatureAlgorithm::RsaSha384
        | SignatureAlgorithm::RsaPssSha384 => Some(&digest::SHA384),
        SignatureAlgorithm::EcdsaSha512
        | SignatureAlgorithm::RsaSha512
        | SignatureAlgorithm::RsaPssSha512 => Some(&digest::SHA512),
        SignatureAlgorithm::Ed25519
        | SignatureAlgorithm::MlDsa44
        | SignatureAlgorithm::MlDsa65
        | SignatureAlgorithm::MlDsa87 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::{FileSigner, KeySpec, Signer};

    #[test]
    fn a_message_that_was_hashed_before_has_a_signature_like_any_other() {
        let mut signers: Vec<FileSigner> = [KeySpec::P256, KeySpec::P384, KeySpec::Ed25519, KeySpec::MlDsa44]
            .map(|spec| FileSigner::generate(spec).unwrap())
            .into();
        for algorithm in [
            SignatureAlgorithm::RsaSha256,
            SignatureAlgorithm::RsaSha384,
            SignatureAlgorithm::RsaSha512,
            SignatureAlgorithm::RsaPssSha256,
            SignatureAlgorithm::RsaPssSha384,
            SignatureAlgorithm::RsaPssSha512,
        ] {
            let key = FileSigner::generate(KeySpec::Rsa2048).unwrap();
            signers.push(key.with_algorithm(algorithm).unwrap());
        }
        for signer in signers {
            let algorithm = signer.algorithm();
            let message = HashedMessage::new(b"message", algorithm);
            let signature = signer.sign_hashed(&message).unwrap();
            signer.public_key().verify(algorithm, b"message", &signature).unwrap();
            signer.public_key().verify_hashed(algorithm, &message, &signature).unwrap();
            // One that was hashed for something else is hashed again.
            let other = HashedMessage::new(b"message", SignatureAlgorithm::EcdsaSha512);
            let signature = signer.sign_hashed(&other).unwrap();
            signer.public_key().verify(algorithm, b"message", &signature).unwrap();
            signer.public_key().verify_hashed(algorithm, &other, &signature).unwrap();
            let wrong = HashedMessage::new(b"another", algorithm);
            assert!(signer.public_key().verify_hashed(algorithm, &wrong, &signature).is_err());
        }
    }
}
