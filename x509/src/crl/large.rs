//! Builds a CRL whose entries are never all in memory beside it: a million of them make 50 megabytes.
//!
//! Whoever has the entries goes over them twice: once to learn how long they are ([`EntriesLength`]), and once to write them
//! ([`CrlWriter`]) into a buffer that has exactly that room. Before them there is room for the heads, whose lengths are known last; they
//! are written with their end against what follows them. Behind them there is room for the extensions and a signature. So the list is
//! written, linted, signed and published where it lies ([`UnsignedCrl`],
//! [`LintedCrl`], [`LargeCrl`]), and hashed once for all of that.

use std::fmt;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use der::{Encode, Header, Length, Tag, TagNumber, asn1::BitStringRef};
use x509_cert::{Version, ext::Extension};

use super::{CrlInputs, RevokedEntry, entry::REASON, may_sign_crls};
use crate::{
    algorithm::SignatureAlgorithm,
    certificate::Certificate,
    extension,
    hashed::HashedMessage,
    lint::{Finding, lint_large_crl},
    profile::{BuildError, authority, serial},
    signer::{Signer, SignerError},
    tbs::SignError,
    validity::{self, Validity},
};

/// A tag, and a length in at most 4 octets behind their count.
const MAX_HEADER_LEN: usize = 6;

/// The longest signature is ML-DSA-87's, of 4,627 octets; an AlgorithmIdentifier of RSASSA-PSS has 67.
const SIGNATURE_ROOM: usize = 5 << 10;

/// How long entries are that are going to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntriesLength {
    octets: usize,
}

impl EntriesLength {
    /// One more.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, entry: &RevokedEntry<'_>) -> Result<(), BuildError> {
        self.octets += entry.length().ok_or(BuildError::Serial)?;
        Ok(())
    }

    /// More, of which is known how many they are, and how long all their serials together; they may turn out to be shorter.
    pub fn add_at_most(&mut self, count: u64, serial_octets: u64) {
        // Two heads, a time of the longer form, and a reason.
        const MOST: u64 = 2 + 2 + 2 + 15 + REASON.len() as u64 + 1;
        let octets = count.saturating_mul(MOST).saturating_add(serial_octets);
        self.octets = self.octets.saturating_add(usize::try_from(octets).unwrap_or(usize::MAX));
    }

    /// In octets.
    #[must_use]
    pub fn octets(self) -> usize {
        self.octets
    }
}

/// A CRL that is being written, entry by entry.
pub struct CrlWriter {
    /// Room for the heads, the entries so far, and capacity for what follows.
    octets: Vec<u8>,
    /// Where the entries begin.
    entries_at: usize,
    count: u64,
    /// The serial before.
    last: Vec<u8>,
    order: Order,
    /// The fields before the entries (RFC 5280 §5.1.2.1 to §5.1.2.5).
    before: Vec<u8>,
    /// Those behind them (RFC 5280 §5.1.2.7).
    behind: Vec<u8>,
    is_delta: bool,
    algorithm: SignatureAlgorithm,
}

/// In which orders the serials ascend so far. One is enough to know that none stands twice.
#[derive(Clone, Copy, Debug)]
struct Order {
    /// As numbers.
    by_number: bool,
    /// Octet by octet, as databases sort them.
    by_octets: bool,
}

impl CrlWriter {
    /// Begins the list of what `issuer` revoked, with room for entries of `length` in all. More of them fit, at the price of moving what
    /// was written.
    pub fn new(
        issuer: &Certificate,
        signature: SignatureAlgorithm,
        inputs: CrlInputs<'_>,
        length: EntriesLength,
    ) -> Result<Self, BuildError> {
        let authority = authority(issuer, signature)?;
        if !may_sign_crls(issuer) {
            return Err(BuildError::CrlSign);
        }
        let before = before(issuer, signature, inputs)?;
        let behind = behind(&extensions(authority, inputs)?)?;
        // The list, the heads of the whole, of its signed part and of the entries.
        let entries_at = 3 * MAX_HEADER_LEN + before.len();
        let mut octets = Vec::new();
        octets.reserve_exact(entries_at + length.octets + behind.len() + SIGNATURE_ROOM);
        octets.resize(entries_at, 0);
        Ok(Self {
            octets,
            entries_at,
            count: 0,
            last: Vec::new(),
            order: Order { by_number: true, by_octets: true },
            before,
            behind,
            is_delta: inputs.base.is_some(),
            algorithm: signature,
        })
    }

    /// Writes an entry. Its serial is greater than the one before: as a number, or octet by octet.
    pub fn push(&mut self, entry: &RevokedEntry<'_>) -> Result<(), BuildError> {
        serial(entry.serial)?;
        if entry.reason.is_some_and(|reason| !reason.is_for_complete_crls()) {
            return Err(BuildError::CrlReason);
        }
        let (last, next) = (self.last.as_slice(), entry.serial);
        if self.count > 0 {
            if last == next {
                return Err(BuildError::CrlRepeats);
            }
            self.order.by_number &= (last.len(), last) < (next.len(), next);
            self.order.by_octets &= last < next;
            if !self.order.by_number && !self.order.by_octets {
                return Err(BuildError::CrlOrder);
            }
        }
        let at = entry.revoked_at;
        let impossible = BuildError::Validity { validity: Validity { not_before: at, not_after: at } };
        entry.write(&mut self.octets).ok_or(impossible)?;
        self.last.clear();
        self.last.extend_from_slice(entry.serial);
        self.count += 1;
        Ok(())
    }

    /// Writes what stands around the entries.
    pub fn finish(self) -> Result<UnsignedCrl, BuildError> {
        let Self { mut octets, entries_at, count, before, behind, is_delta, algorithm, .. } = self;
        let mut start = entries_at;
        // RFC 5280 §5.1.2.6: without entries the list MUST be absent.
        if count > 0 {
            let head = head(Tag::Sequence, octets.len() - entries_at)?;
            start = put_before(&mut octets, start, &head);
        }
        start = put_before(&mut octets, start, &before);
        octets.extend_from_slice(&behind);
        let head = head(Tag::Sequence, octets.len() - start)?;
        start = put_before(&mut octets, start, &head);
        Ok(UnsignedCrl { octets, start, count, is_delta, algorithm })
    }
}

/// Writes `head` so that it ends where `end` is, and tells where it begins. There is always room.
fn put_before(octets: &mut [u8], end: usize, head: &[u8]) -> usize {
    let start = end.saturating_sub(head.len());
    if let Some(room) = octets.get_mut(start..end)
        && room.len() == head.len()
    {
        room.copy_from_slice(head);
    }
    start
}

fn head(tag: Tag, length: usize) -> der::Result<Vec<u8>> {
    Header::new(tag, Length::try_from(length)?).to_der()
}

fn before(
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: CrlInputs<'_>,
) -> Result<Vec<u8>, BuildError> {
    let CrlInputs { this_update, next_update, .. } = inputs;
    let impossible =
        BuildError::Validity { validity: Validity { not_before: this_update, not_after: next_update } };
    if next_update <= this_update {
        return Err(impossible);
    }
    let (Some(this_time), Some(next_time)) = (validity::time(this_update), validity::time(next_update))
    else {
        return Err(impossible);
    };
    let mut fields = Version::V2.to_der()?;
    signature.identifier().encode_to_vec(&mut fields)?;
    fields.extend_from_slice(issuer.subject().der());
    this_time.encode_to_vec(&mut fields)?;
    next_time.encode_to_vec(&mut fields)?;
    Ok(fields)
}

fn extensions(authority: &[u8], inputs: CrlInputs<'_>) -> Result<Vec<Extension>, BuildError> {
    let CrlInputs { number, scope, base, delta_url, .. } = inputs;
    // RFC 5280 §5.2.4, §5.2.6: a delta CRL is of the same time as its base or later, and has no delta of its own.
    if base.is_some_and(|base| base > number || delta_url.is_some()) {
        return Err(BuildError::CrlBase);
    }
    let mut extensions =
        vec![extension::authority_key_identifier(authority)?, extension::crl_number(number)?];
    if let Some(base) = base {
        extensions.push(extension::delta_crl_indicator(base)?);
    }
    if let Some(scope) = scope {
        // RFC 5280 §5.2.5: the extension MUST NOT be an empty sequence.
        if scope.is_empty() {
            return Err(BuildError::CrlScope);
        }
        extensions.push(extension::issuing_distribution_point(&scope.to_wire()?)?);
    }
    if let Some(url) = delta_url {
        extensions.push(extension::freshest_crl(url)?);
    }
    Ok(extensions)
}

/// `[0] EXPLICIT SEQUENCE OF Extension`.
fn behind(extensions: &[Extension]) -> der::Result<Vec<u8>> {
    const EXPLICIT_0: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let mut list = Vec::new();
    for extension in extensions {
        extension.encode_to_vec(&mut list)?;
    }
    let sequence = head(Tag::Sequence, list.len())?;
    Ok([head(EXPLICIT_0, sequence.len() + list.len())?, sequence, list].concat())
}

/// A CRL that nobody has signed yet.
pub struct UnsignedCrl {
    octets: Vec<u8>,
    /// Where the signed part begins; before it is room for the head of the whole.
    start: usize,
    count: u64,
    is_delta: bool,
    algorithm: SignatureAlgorithm,
}

impl UnsignedCrl {
    /// The bytes to sign.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.octets.get(self.start..).unwrap_or_default()
    }

    /// How many certificates it lists.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Has it judged as a whole, under the signature of a key that is thrown away: the bytes that are linted are those that are
    /// signed, in their place.
    ///
    /// # Errors
    /// With what is wrong, or if the key cannot sign.
    pub fn lint(self, issuer: &Certificate, throwaway: &dyn Signer) -> Result<LintedCrl, LargeCrlError> {
        let hash = HashedMessage::new(self.tbs(), self.algorithm).into_hash();
        let mut linted = LintedCrl { crl: self, hash };
        let start = linted.crl.start;
        let tbs_len = linted.crl.tbs().len();
        let signature = linted.signature(throwaway)?;
        let whole = linted.crl.close(&signature)?;
        let der = linted.crl.octets.get(whole..).unwrap_or_default();
        let findings = lint_large_crl(der, issuer, linted.crl.is_delta);
        linted.crl.octets.truncate(start + tbs_len);
        if findings.is_empty() { Ok(linted) } else { Err(LargeCrlError::Lints(findings)) }
    }

    /// Writes a signature behind what was signed, and the head of the whole before it. Tells where the whole begins.
    fn close(&mut self, signature: &[u8]) -> der::Result<usize> {
        self.algorithm.identifier().encode_to_vec(&mut self.octets)?;
        BitStringRef::from_bytes(signature)?.encode_to_vec(&mut self.octets)?;
        let head = head(Tag::Sequence, self.octets.len() - self.start)?;
        Ok(put_before(&mut self.octets, self.start, &head))
    }
}

/// A CRL that may be signed.
pub struct LintedCrl {
    crl: UnsignedCrl,
    hash: Option<Digest>,
}

impl LintedCrl {
    /// Signs it, and sees that the signature is one.
    ///
    /// # Errors
    /// If the key cannot sign, or signs wrongly.
    pub fn sign(mut self, signer: &dyn Signer) -> Result<LargeCrl, SignError> {
        let signature = self.signature(signer)?;
        let start = self.crl.close(&signature)?;
        let UnsignedCrl { octets, count, .. } = self.crl;
        let sha256 = octets.get(start..).map(|der| digest(&SHA256, der));
        let sha256 = sha256.and_then(|hash| hash.as_ref().try_into().ok()).unwrap_or_default();
        Ok(LargeCrl { octets, start, count, sha256 })
    }

    fn signature(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let UnsignedCrl { algorithm, .. } = self.crl;
        if signer.algorithm() != algorithm {
            return Err(SignError::AlgorithmMismatch { tbs: algorithm, signer: signer.algorithm() });
        }
        let message = HashedMessage::hashed(self.crl.tbs(), algorithm, self.hash);
        let signature = signer.sign_hashed(&message)?;
        let verified = signer.public_key().verify_hashed(algorithm, &message, &signature);
        verified.map_err(|_wrong| SignerError::Signing)?;
        Ok(signature)
    }
}

/// A signed CRL, and room around it.
pub struct LargeCrl {
    octets: Vec<u8>,
    start: usize,
    count: u64,
    sha256: [u8; 32],
}

impl LargeCrl {
    /// The DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.octets.get(self.start..).unwrap_or_default()
    }

    /// How many certificates it lists.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The SHA-256 of the DER.
    #[must_use]
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }
}

/// Not the megabytes.
impl fmt::Debug for LargeCrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LargeCrl").field("length", &self.der().len()).finish_non_exhaustive()
    }
}

/// Why a CRL may not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LargeCrlError {
    /// The lints have something to say.
    #[error("the CRL must not be signed: {}", told(.0))]
    Lints(Vec<Finding>),
    /// The throw-away key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The whole cannot be written.
    #[error("the CRL cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
}

fn told(findings: &[Finding]) -> String {
    let texts =
        findings.iter().map(|Finding { lint, citation, message }| format!("{message} ({lint}, {citation})"));
    texts.collect::<Vec<_>>().join("; ")
}
