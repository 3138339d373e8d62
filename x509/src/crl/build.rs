//! Builds a CRL (RFC 5280 §5.1).

use der::{Decode, Encode, asn1::AnyRef};
use x509_cert::Version;

use super::{CrlExtensions, CrlScope, RevokedEntry, TbsCrl, may_sign_crls};
use crate::{
    algorithm::SignatureAlgorithm,
    certificate::Certificate,
    extension,
    profile::{BuildError, authority, serial},
    validity::{self, Validity},
    wire::{RawSequence, TbsCertListFields},
};

/// What the entries of a list have on the average, and a little more: room is made once.
const ENTRY_LEN: usize = 56;

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
}

/// Builds the list of what `issuer` revoked. The entries may come in any order and stand by ascending serial
/// numbers, so that one set of entries makes one list.
pub fn crl<'a>(
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: CrlInputs<'_>,
    entries: impl IntoIterator<Item = RevokedEntry<'a>>,
) -> Result<TbsCrl, BuildError> {
    let CrlInputs { this_update, next_update, number, scope } = inputs;
    let authority = authority(issuer, signature)?;
    if !may_sign_crls(issuer) {
        return Err(BuildError::CrlSign);
    }
    let impossible =
        BuildError::Validity { validity: Validity { not_before: this_update, not_after: next_update } };
    if next_update <= this_update {
        return Err(impossible);
    }
    let (Some(this_time), Some(next_time)) = (validity::time(this_update), validity::time(next_update))
    else {
        return Err(impossible);
    };
    let mut extensions =
        vec![extension::authority_key_identifier(authority)?, extension::crl_number(number)?];
    if let Some(scope) = scope {
        // RFC 5280 §5.2.5: the extension MUST NOT be an empty sequence.
        if scope.is_empty() {
            return Err(BuildError::CrlScope);
        }
        extensions.push(extension::issuing_distribution_point(&scope.to_wire()?)?);
    }
    let known = CrlExtensions {
        authority_key_identifier: Some(authority.to_vec()),
        number: Some(significant(&number.to_be_bytes()).to_vec()),
        scope: scope.cloned(),
    };

    let mut extension_list = Vec::new();
    for extension in &extensions {
        extension.encode_to_vec(&mut extension_list)?;
    }
    let list = list(entries)?;
    let fields = TbsCertListFields {
        version: Version::V2,
        signature: signature.identifier(),
        issuer: AnyRef::from_der(issuer.subject().der())?,
        this_update: this_time,
        next_update: Some(next_time),
        // RFC 5280 §5.1.2.6: without entries the list MUST be absent.
        revoked: if list.is_empty() { None } else { Some(RawSequence(&list)) },
        extensions: Some(RawSequence(&extension_list)),
    };
    Ok(TbsCrl {
        der: fields.to_der()?,
        algorithm: signature,
        issuer: issuer.subject().clone(),
        this_update,
        next_update: Some(next_update),
        extensions: known,
    })
}

fn list<'a>(entries: impl IntoIterator<Item = RevokedEntry<'a>>) -> Result<Vec<u8>, BuildError> {
    let mut entries: Vec<RevokedEntry<'_>> = entries.into_iter().collect();
    for entry in &entries {
        serial(entry.serial)?;
        if entry.reason.is_some_and(|reason| !reason.is_for_complete_crls()) {
            return Err(BuildError::CrlReason);
        }
    }
    // Of two positive numbers in their shortest form the longer is the greater.
    entries.sort_unstable_by_key(|entry| (entry.serial.len(), entry.serial));
    if entries.windows(2).any(|pair| matches!(pair, [one, other] if one.serial == other.serial)) {
        return Err(BuildError::CrlRepeats);
    }
    let mut list = Vec::with_capacity(entries.len() * ENTRY_LEN);
    for entry in &entries {
        let at = entry.revoked_at;
        let impossible = BuildError::Validity { validity: Validity { not_before: at, not_after: at } };
        entry.write(&mut list).ok_or(impossible)?;
    }
    Ok(list)
}

/// Without leading zeros, but for zero itself.
fn significant(octets: &[u8; 8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(octets.len() - 1);
    octets.get(zeros..).unwrap_or_default()
}
