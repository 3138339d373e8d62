//! Builds a CRL (RFC 5280 §5.1) of entries that are in memory.

use super::{CrlExtensions, CrlScope, CrlWriter, EntriesLength, RevokedEntry, TbsCrl};
use crate::{algorithm::SignatureAlgorithm, certificate::Certificate, profile::BuildError};

/// What goes into a CRL besides its entries.
#[derive(Clone, Copy, Debug)]
pub struct CrlInputs<'a> {
    /// When it is made, in seconds since 1970.
    pub this_update: i64,
    /// By when there will be another one.
    pub next_update: i64,
    /// Greater than that of every CRL of this issuer and scope before (RFC 5280 §5.2.3).
    pub number: u64,
    /// Which certificates it is about, if not all that its issuer issued.
    pub scope: Option<&'a CrlScope>,
    /// The number of the CRL since which it tells the changes, if it is a delta CRL (RFC 5280 §5.2.4).
    pub base: Option<u64>,
    /// Where the delta CRL of a complete one lies (RFC 5280 §5.2.6).
    pub delta_url: Option<&'a str>,
}

/// Builds the list of what `issuer` revoked. The entries may come in any order and stand by ascending serial
/// numbers, so that one set of entries makes one list.
pub fn crl<'a>(
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: CrlInputs<'_>,
    entries: impl IntoIterator<Item = RevokedEntry<'a>>,
) -> Result<TbsCrl, BuildError> {
    if inputs.base.is_some() {
        return Err(BuildError::CrlBase);
    }
    let mut entries: Vec<RevokedEntry<'_>> = entries.into_iter().collect();
    // Of two positive numbers in their shortest form the longer is the greater.
    entries.sort_unstable_by_key(|entry| (entry.serial.len(), entry.serial));
    let mut length = EntriesLength::default();
    for entry in &entries {
        length.add(entry)?;
    }
    let mut writer = CrlWriter::new(issuer, signature, inputs, length)?;
    for entry in &entries {
        writer.push(entry)?;
    }
    let authority = issuer.subject_key_identifier();
    Ok(TbsCrl {
        der: writer.finish()?.tbs().to_vec(),
        algorithm: signature,
        issuer: issuer.subject().clone(),
        this_update: inputs.this_update,
        next_update: Some(inputs.next_update),
        extensions: CrlExtensions {
            authority_key_identifier: authority.map(<[u8]>::to_vec),
            number: Some(significant(&inputs.number.to_be_bytes()).to_vec()),
            scope: inputs.scope.cloned(),
        },
    })
}

/// Without leading zeros, but for zero itself.
fn significant(octets: &[u8; 8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(octets.len() - 1);
    octets.get(zeros..).unwrap_or_default()
}
