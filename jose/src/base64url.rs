//! base64url without padding, as RFC 7515 §2 defines it for every binary member of a JWS or JWK.
//!
//! Strict in all three ways in which decoders differ. RFC 8555 §6.1 demands that a trailing `=` is refused;
//! the alphabet is that of RFC 4648 §5 alone; and the unused bits of the last character must be zero (RFC
//! 4648 §3.5), so that a value has exactly one spelling and nobody can alter a signed text without altering
//! its bytes.

use base64::{DecodeError, Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Encodes bytes without padding.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the one valid spelling of some bytes.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64UrlError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| match error {
        DecodeError::InvalidByte(_, b'=') | DecodeError::InvalidPadding => Base64UrlError::Padding,
        DecodeError::InvalidByte(offset, _) => Base64UrlError::Alphabet { offset },
        DecodeError::InvalidLength(_) => Base64UrlError::Length,
        DecodeError::InvalidLastSymbol(..) => Base64UrlError::TrailingBits,
    })
}

/// Why a text is not base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Base64UrlError {
    /// RFC 8555 §6.1: a trailing `=` must be rejected.
    #[error("it is padded with '=', which base64url here must not be")]
    Padding,
    /// A character outside of `A-Z a-z 0-9 - _`.
    #[error("the character at offset {offset} is not in the base64url alphabet")]
    Alphabet {
        /// Where in the text it stands, in bytes.
        offset: usize,
    },
    /// No byte sequence encodes to a text of this length.
    #[error("no base64url text has this length")]
    Length,
    /// The last character carries bits that belong to no byte, and they are not zero.
    #[error("its last character has bits set that belong to no byte")]
    TrailingBits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_octets_of_rfc_7515_appendix_c_are_encoded_as_there() {
        assert_eq!(encode(&[3, 236, 255, 224, 193]), "A-z_4ME");
        assert_eq!(decode("A-z_4ME").unwrap(), [3, 236, 255, 224, 193]);
        assert_eq!(decode(""), Ok(Vec::new()));
    }

    #[test]
    fn padding_is_refused() {
        for padded in ["QQ==", "QUI=", "QUJD=", "QQ=", "="] {
            assert_eq!(decode(padded), Err(Base64UrlError::Padding), "{padded}");
        }
    }

    #[test]
    fn the_alphabet_of_plain_base64_is_refused() {
        assert_eq!(decode("A+z_"), Err(Base64UrlError::Alphabet { offset: 1 }));
        assert_eq!(decode("A-z/"), Err(Base64UrlError::Alphabet { offset: 3 }));
        assert_eq!(decode("QUJD\n"), Err(Base64UrlError::Alphabet { offset: 4 }));
        assert_eq!(decode(" QUJD"), Err(Base64UrlError::Alphabet { offset: 0 }));
        assert_eq!(decode("QüJD"), Err(Base64UrlError::Alphabet { offset: 1 }));
    }

    #[test]
    fn set_bits_after_the_last_byte_are_refused() {
        assert_eq!(decode("QQ").unwrap(), b"A");
        assert_eq!(decode("QR"), Err(Base64UrlError::TrailingBits));
        assert_eq!(decode("QUJ"), Err(Base64UrlError::TrailingBits));
    }

    #[test]
    fn a_length_that_no_bytes_give_is_refused() {
        assert_eq!(decode("A"), Err(Base64UrlError::Length));
        assert_eq!(decode("QUJDA"), Err(Base64UrlError::Length));
    }
}
