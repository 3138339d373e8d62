//! The entries of a CRL (revokedCertificates, RFC 5280 §5.1.2.6, §5.3), written by hand into one buffer and read
//! where they lie: a list may have a hundred thousand.

use der::{
    Decode, Encode, Reader, Sequence, SliceReader, Tag,
    asn1::{Any, IntRef, OctetStringRef},
};
use x509_cert::time::Time;

use super::{CrlError, MAX_EXTENSIONS_LEN};
use crate::{oid, validity, wire::RawSequence};

/// Why a certificate was revoked (CRLReason, RFC 5280 §5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CrlReason {
    /// 0, which says nothing and should not be written.
    Unspecified = 0,
    /// 1: a subject's private key is in other hands.
    KeyCompromise = 1,
    /// 2: a CA's private key is in other hands.
    CaCompromise = 2,
    /// 3: the subject's name changed.
    AffiliationChanged = 3,
    /// 4: replaced by another certificate.
    Superseded = 4,
    /// 5: no longer needed.
    CessationOfOperation = 5,
    /// 6: revoked for the time being.
    CertificateHold = 6,
    /// 8: no longer revoked; in delta CRLs alone.
    RemoveFromCrl = 8,
    /// 9: the subject lost a privilege.
    PrivilegeWithdrawn = 9,
    /// 10: an attribute authority's private key is in other hands.
    AaCompromise = 10,
}

impl CrlReason {
    const ALL: [Self; 10] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::RemoveFromCrl,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The number of RFC 5280 §5.3.1.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The reason with this number; there is none with 7.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// Whether a complete CRL may give it: RFC 5280 §5.3.1 leaves unspecified out, and removeFromCRL to deltas.
    #[must_use]
    pub fn is_for_complete_crls(self) -> bool {
        !matches!(self, Self::Unspecified | Self::RemoveFromCrl)
    }
}

/// SEQUENCE { SEQUENCE { OID cRLReasons, OCTET STRING { ENUMERATED } } } (RFC 5280 §5.3.1), without the reason itself.
pub(super) const REASON: [u8; 13] = [0x30, 12, 0x30, 10, 0x06, 3, 0x55, 0x1d, 0x15, 0x04, 3, 0x0a, 1];

/// 2050-01-01T00:00:00Z: from here on times are longer (RFC 5280 §5.1.2.4).
const FIRST_GENERALIZED: i64 = 2_524_608_000;

/// A revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedEntry<'a> {
    /// Its serial number, in the form of [`Certificate::serial`](crate::Certificate::serial).
    pub serial: &'a [u8],
    /// When it was revoked, in seconds since 1970.
    pub revoked_at: i64,
    /// Why.
    pub reason: Option<CrlReason>,
}

impl<'a> RevokedEntry<'a> {
    /// How many octets [`write`](Self::write) writes. `None` if the time cannot be written, or the serial is no serial.
    pub(super) fn length(&self) -> Option<usize> {
        let time = if self.revoked_at < FIRST_GENERALIZED { 2 + 13 } else { 2 + 15 };
        let reason = self.reason.map_or(0, |_| REASON.len() + 1);
        let content = (2 + self.serial.len()).checked_add(time + reason)?;
        (content < 0x80).then_some(2 + content)
    }

    /// Writes the entry's DER behind `list`. `None` if the time cannot be written; the serial is the caller's to
    /// have checked.
    pub(super) fn write(&self, list: &mut Vec<u8>) -> Option<()> {
        let time = validity::time(self.revoked_at)?;
        let time_len = match time {
            Time::UtcTime(_) => 2 + 13,
            Time::GeneralTime(_) => 2 + 15,
        };
        let reason_len = self.reason.map_or(0, |_| REASON.len() + 1);
        let serial_len = u8::try_from(self.serial.len()).ok()?;
        let content_len = 2 + self.serial.len() + time_len + reason_len;
        // All of them are short: one octet says the length.
        list.extend([0x30, u8::try_from(content_len).ok().filter(|len| *len < 0x80)?]);
        list.extend([0x02, serial_len]);
        list.extend(self.serial);
        time.encode_to_vec(list).ok()?;
        if let Some(reason) = self.reason {
            list.extend(REASON);
            list.push(reason.code());
        }
        Some(())
    }

    fn from_fields(fields: &EntryFields<'a>) -> Result<Self, CrlError> {
        let serial = fields.serial.as_bytes();
        // RFC 5280 §4.1.2.2, as in certificates.
        if serial.first().is_none_or(|first| *first >= 0x80) {
            return Err(der::Error::from(Tag::Integer.value_error()).into());
        }
        let reason = fields.extensions.map(read_reason).transpose()?.flatten();
        Ok(Self { serial, revoked_at: validity::seconds(fields.date), reason })
    }
}

/// The entries of a CRL, one after the other, read as they are asked for.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    reader: Option<SliceReader<'a>>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(list: &'a [u8]) -> Self {
        Self { reader: SliceReader::new(list).ok() }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = RevokedEntry<'a>;

    /// What is read here has been checked when the CRL was read.
    fn next(&mut self) -> Option<RevokedEntry<'a>> {
        let reader = self.reader.as_mut().filter(|reader| !reader.is_finished())?;
        RevokedEntry::from_fields(&EntryFields::decode(reader).ok()?).ok()
    }
}

/// Checks that `list` is a list of entries.
pub(super) fn check(list: RawSequence<'_>) -> Result<(), CrlError> {
    let mut reader = SliceReader::new(list.0)?;
    // RFC 5280 §5.1.2.6: without entries the list MUST be absent. A reader can live with an empty one.
    while !reader.is_finished() {
        RevokedEntry::from_fields(&EntryFields::decode(&mut reader)?)?;
    }
    Ok(())
}

#[derive(Sequence)]
struct EntryFields<'a> {
    serial: IntRef<'a>,
    date: Time,
    extensions: Option<RawSequence<'a>>,
}

#[derive(Sequence)]
struct ExtensionFields<'a> {
    kind: const_oid::ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}

/// The reasonCode among the extensions of an entry.
fn read_reason(extensions: RawSequence<'_>) -> Result<Option<CrlReason>, CrlError> {
    if extensions.0.len() > MAX_EXTENSIONS_LEN {
        return Err(CrlError::Extensions(extensions.0.len()));
    }
    let mut reader = SliceReader::new(extensions.0)?;
    let mut reason = None;
    while !reader.is_finished() {
        let extension = ExtensionFields::decode(&mut reader)?;
        match extension.kind {
            oid::CRL_REASON if reason.is_some() => {
                return Err(CrlError::Repeated(oid::CRL_REASON.to_string()));
            }
            oid::CRL_REASON => {
                let code = Any::from_der(extension.value.as_bytes())?;
                reason = match (code.header().tag(), code.value()) {
                    (Tag::Enumerated, [code]) => CrlReason::from_code(*code),
                    _ => None,
                };
                if reason.is_none() {
                    return Err(der::Error::from(Tag::Enumerated.value_error()).into());
                }
            }
            other if extension.critical => return Err(CrlError::Critical(other.to_string())),
            _ => {}
        }
    }
    Ok(reason)
}
