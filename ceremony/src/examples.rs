//! Examples of the two files, with every field explained. Tests hold a ceremony from each.

use anyhow::{Context, Result};

/// Name and text of each.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("root", include_str!("examples/root.toml")),
    ("intermediate", include_str!("examples/intermediate.toml")),
    ("cross-sign", include_str!("examples/cross-sign.toml")),
    ("ocsp-signer", include_str!("examples/ocsp-signer.toml")),
    ("csr", include_str!("examples/csr.toml")),
    ("crl", include_str!("examples/crl.toml")),
    ("revoke-intermediate", include_str!("examples/revoke-intermediate.toml")),
    ("key", include_str!("examples/key.toml")),
    ("rollover-intermediate", include_str!("examples/rollover-intermediate.toml")),
    ("rollover-root", include_str!("examples/rollover-root.toml")),
    ("machine", include_str!("examples/machine.toml")),
];

/// The example of this name.
///
/// # Errors
/// If there is none.
pub fn find(name: &str) -> Result<&'static str> {
    let names = EXAMPLES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let found = EXAMPLES.iter().find(|(other, _)| *other == name);
    found.map(|(_, text)| *text).with_context(|| format!("there is no example \"{name}\"; there are {names}"))
}
