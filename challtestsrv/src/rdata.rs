//! From a test's words to what goes on the wire: names (RFC 1035 §3.1), TXT (§3.3.14) and CAA (RFC 8659 §4.1) data.
//!
//! Whatever cannot be sent is refused here, when it is set, so answering cannot fail.

use hickory_proto::rr::{
    LowerName, Name, RData,
    rdata::{CAA, TXT},
};

use crate::zone::{CaaPolicy, MAX_VALUE_BYTES, ZoneError};

/// A character-string has one octet for its length (RFC 1035 §3.3), and so has a CAA tag (RFC 8659 §4.1).
const MAX_CHARACTER_STRING: usize = 255;

/// The name a host's text stands for: lower case, and absolute whether or not it ends in a dot.
pub(crate) fn name(host: &str) -> Result<LowerName, ZoneError> {
    if host.is_empty() {
        return Err(ZoneError::NotAName);
    }
    let mut name = Name::from_ascii(host).map_err(|_| ZoneError::NotAName)?;
    name.set_fqdn(true);
    Ok(LowerName::from(name))
}

/// A TXT record of one value.
pub(crate) fn txt(value: &str) -> Result<RData, ZoneError> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(ZoneError::TooLong);
    }
    let mut strings: Vec<&[u8]> = value.as_bytes().chunks(MAX_CHARACTER_STRING).collect();
    if strings.is_empty() {
        // RFC 1035 §3.3.14: one or more character-strings, so nothing is one empty string.
        strings.push(&[]);
    }
    Ok(RData::TXT(TXT::from_bytes(strings)))
}

/// A CAA record of one property.
pub(crate) fn caa(policy: &CaaPolicy) -> Result<RData, ZoneError> {
    if policy.value.len() > MAX_VALUE_BYTES {
        return Err(ZoneError::TooLong);
    }
    let tag_fits = (1..=MAX_CHARACTER_STRING).contains(&policy.tag.len());
    if !tag_fits || !policy.tag.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(ZoneError::NotATag);
    }
    // hickory constructs well-formed properties only; ours may be broken on purpose.
    let mut caa = CAA::new_issue(false, None, Vec::new());
    caa.tag.clone_from(&policy.tag);
    caa.value = policy.value.as_bytes().to_vec();
    Ok(RData::CAA(caa))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::Zone;

    #[test]
    fn a_host_is_the_same_with_and_without_its_dot_and_in_any_case() {
        assert_eq!(name("_ACME-challenge.Example.test"), name("_acme-challenge.example.test."));
    }

    #[test]
    fn what_cannot_be_asked_for_is_not_a_name() {
        let long_label = format!("{}.test", "a".repeat(64));
        let long_name = "a.".repeat(128);
        for host in ["", "a..test", "ünicode.test", "two words.test", &long_label, &long_name] {
            assert_eq!(name(host), Err(ZoneError::NotAName), "{host}");
        }
    }

    #[test]
    fn a_value_that_is_too_long_is_refused() {
        let zone = Zone::new();
        let value = "v".repeat(MAX_VALUE_BYTES + 1);
        assert_eq!(zone.add_txt("a.test", &value), Err(ZoneError::TooLong));
        let policy = CaaPolicy { tag: "issue".to_owned(), value };
        assert_eq!(zone.add_caa("a.test", &[policy]), Err(ZoneError::TooLong));
    }

    #[test]
    fn a_caa_tag_is_letters_and_digits() {
        let zone = Zone::new();
        for tag in ["", "is-sue", "isśue", &"a".repeat(256)] {
            let policy = CaaPolicy { tag: tag.to_owned(), value: String::new() };
            assert_eq!(zone.add_caa("a.test", &[policy]), Err(ZoneError::NotATag), "{tag}");
        }
    }
}
