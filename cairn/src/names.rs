//! The names and addresses under which the server itself is called.

use std::net::IpAddr;

use anyhow::{Context, Result};
use cairn_core::Identifier;

/// What `cairn dev` is always called.
pub const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Reads a name or an address (an IPv6 address with or without brackets).
///
/// # Errors
/// If it is neither.
pub fn parse(text: &str) -> Result<Identifier> {
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    match address.parse::<IpAddr>() {
        Ok(ip) => Ok(Identifier::Ip(ip)),
        Err(_) => Identifier::parse("dns", text)
            .with_context(|| format!("\"{text}\" is no DNS name and no IP address")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        assert_eq!(parse("ca.test").unwrap().kind(), "dns");
        assert_eq!(parse("[::1]").unwrap(), parse("::1").unwrap());
        assert_eq!(parse("127.0.0.1").unwrap().kind(), "ip");
        assert!(parse("not a name").is_err());
    }
}
