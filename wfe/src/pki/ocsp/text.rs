//! Reads a request out of a URL. RFC 6960 appendix A.1.1 wants the URL-encoding of the base64 encoding; what clients and what stands
//! between them and us make of it differs, and there is nothing to be confused: whatever is meant begins with the same octet.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cairn_x509::ocsp::MAX_REQUEST_LEN;

/// Longest text that is looked at: each character of base64 may be three, as `%2B`.
const MAX_LEN: usize = 3 * (MAX_REQUEST_LEN.div_ceil(3) * 4);

/// Padding or none, and whatever lies in the bits that no octet has: the DER behind it is read strictly.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The octets of the request that stands behind `/ocsp/` in a URL; `None` if there is none.
///
/// Clients send `+`, `/` and `=` as they are, or as `%2B`, `%2f` and so on; leave the padding out; use base64url; or put a slash more in
/// front, since their URL ended with one.
pub(super) fn request(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_LEN {
        return None;
    }
    let mut base64 = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let octet = match octet {
            b'%' => {
                let (high, low) = (octets.next()?, octets.next()?);
                16 * hex(high)? + hex(low)?
            }
            plain => plain,
        };
        match octet {
            b'/' if base64.is_empty() => {}
            b'-' => base64.push(b'+'),
            b'_' => base64.push(b'/'),
            // What somebody on the way made of a `+`.
            b' ' => base64.push(b'+'),
            other => base64.push(other),
        }
    }
    while base64.last() == Some(&b'=') {
        base64.pop();
    }
    BASE64.decode(base64).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Has `+`, `//` and padding in its base64.
    const OCTETS: [u8; 7] = [0x30, 0x0f, 0xbe, 0xff, 0xff, 0xfb, 0xef];
    const PLAIN: &str = "MA++///77w==";

    #[test]
    fn every_form_that_clients_send_is_the_same_request() {
        for text in [
            PLAIN,
            "MA++///77w",
            "MA%2B%2B%2F%2F%2F77w%3D%3D",
            "MA%2b%2b%2f%2f%2f77w%3d%3d",
            "MA%2B+/%2f/77w=%3D",
            "MA--___77w",
            "MA--___77w==",
            "/MA++///77w==",
            "%2F/MA++///77w==",
            "%4DA++///77w==",
            "MA  ///77w==",
            "MA%20%20///77w%3D%3D",
        ] {
            assert_eq!(request(text).as_deref(), Some(&OCTETS[..]), "{text}");
        }
    }

    #[test]
    fn what_is_no_base64_is_no_request() {
        for text in ["MA*", "M", "MA%2", "MA%", "MA%zz", "MA=A", "MÄ", "MA%00"] {
            assert_eq!(request(text), None, "{text}");
        }
        assert_eq!(request("").as_deref(), Some(&[][..]));
        assert_eq!(request(&"A".repeat(MAX_LEN + 1)), None);
    }
}
