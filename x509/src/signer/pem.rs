//! Finds the private key in a PEM file (RFC 7468).
//!
//! Key files carry more than the key: `openssl ecparam -genkey` writes the curve's parameters before it,
//! people write comments. The first block whose label ends in `PRIVATE KEY` is taken.

use super::file::KeyFileError;

const BEGIN: &str = "-----BEGIN ";
const DASHES: &str = "-----";
const PRIVATE_KEY: &str = "PRIVATE KEY";

/// One PEM block, from its first dash to its last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    pub(super) text: &'a str,
}

/// The first private key block of a file.
pub(super) fn private_key_block(pem: &str) -> Result<Block<'_>, KeyFileError> {
    let mut rest = pem;
    while let Some((_, after_begin)) = rest.split_once(BEGIN) {
        let (label, body) = after_begin.split_once(DASHES).ok_or(KeyFileError::NoPrivateKey)?;
        if label.ends_with(PRIVATE_KEY) && !label.contains('\n') {
            // `after_begin` is a tail of `pem`, so the block begins a fixed distance before it.
            let start = pem.len() - after_begin.len() - BEGIN.len();
            let end_line = format!("-----END {label}-----");
            let block = pem.get(start..).unwrap_or_default();
            let length = block.find(&end_line).ok_or(KeyFileError::NoPrivateKey)? + end_line.len();
            return Ok(Block { label, text: block.get(..length).unwrap_or_default() });
        }
        rest = body;
    }
    Err(KeyFileError::NoPrivateKey)
}

impl Block<'_> {
    /// The encryption of OpenSSL before PKCS#8: a key derived by one round of MD5.
    pub(super) fn is_encrypted_the_old_way(&self) -> bool {
        self.text.contains("Proc-Type: 4,ENCRYPTED")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_behind_comments_and_parameters() {
        let pem = "my key\n-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n\
                   -----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\ntrailing";
        let block = private_key_block(pem).unwrap();
        assert_eq!(block.label, "EC PRIVATE KEY");
        assert_eq!(block.text, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----");
    }

    #[test]
    fn a_file_without_a_whole_private_key_has_none() {
        for pem in [
            "",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n",
            "-----BEGIN PRIVATE KEY",
        ] {
            assert!(matches!(private_key_block(pem), Err(KeyFileError::NoPrivateKey)), "{pem}");
        }
    }
}
