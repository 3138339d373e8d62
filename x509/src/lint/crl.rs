//! What RFC 5280 §5 demands of a CRL, and the Baseline Requirements beside it. The list is read with
//! types of its own, where it lies: it may have a million entries, and x509-cert's would copy every one. All that is to be asked of an
//! entry is asked when it is read, and nothing of it is kept.

use std::collections::HashSet;

use const_oid::ObjectIdentifier;
use der::{
    Decode, Encode, Reader, Sequence, SliceReader, Writer,
    asn1::{BitStringRef, IntRef, OctetStringRef, UintRef},
};
use spki::AlgorithmIdentifierOwned;
use x509_cert::{
    ext::pkix::{
        AuthorityKeyIdentifier, CrlDistributionPoints, KeyUsage, KeyUsages,
        crl::IssuingDistributionPoint,
        name::{DistributionPointName, GeneralName},
    },
    name::Name,
    time::Time,
};

use super::{Finding, cabf_br, ensure, rfc5280};
use crate::{certificate::Certificate, crl::Crl, oid, wire::RawSequence};

/// RFC 5280 §4.1.2.2, §5.2.3.
const MAX_INTEGER_LEN: usize = 20;

struct Lint {
    name: &'static str,
    citation: &'static str,
    check: fn(&Subject<'_>) -> Result<(), String>,
}

const ALL: &[Lint] = &[
    Lint { name: "crl_round_trip", citation: "X.690 §10, RFC 5280 §5.1", check: round_trip },
    Lint { name: "crl_version_2", citation: "RFC 5280 §5.1.2.1", check: version_2 },
    Lint {
        name: "crl_signature_algorithms_agree",
        citation: "RFC 5280 §5.1.1.2",
        check: signature_algorithms_agree,
    },
    Lint {
        name: "crl_signature_parameters",
        citation: "RFC 4055 §3.1, §5, RFC 5758 §3.2, RFC 8410 §3, RFC 9881 §2",
        check: |subject| rfc5280::check_signature_parameters(&subject.tbs().signature),
    },
    Lint {
        name: "crl_signature_fits_issuer",
        citation: "BRs §7.1.3.2",
        check: |subject| cabf_br::check_signature_fits(&subject.tbs().signature, subject.issuer),
    },
    Lint { name: "crl_issuer", citation: "RFC 5280 §5.1.2.3, §4.2.1.3", check: issuer },
    Lint { name: "crl_next_update", citation: "RFC 5280 §5.1.2.5", check: next_update },
    Lint { name: "crl_times", citation: "RFC 5280 §5.1.2.4, §5.1.2.6", check: times },
    Lint { name: "crl_list_is_not_empty", citation: "RFC 5280 §5.1.2.6", check: list_is_not_empty },
    Lint { name: "crl_serials", citation: "RFC 5280 §4.1.2.2, §5.1.2.6", check: serials },
    Lint { name: "crl_entry_extensions", citation: "RFC 5280 §5.3", check: entry_extensions },
    Lint { name: "crl_reasons", citation: "RFC 5280 §5.3.1, BRs §7.2.2", check: reasons },
    Lint { name: "crl_extensions", citation: "RFC 5280 §5.2", check: extensions },
    Lint {
        name: "crl_authority_key_identifier",
        citation: "RFC 5280 §5.2.1",
        check: authority_key_identifier,
    },
    Lint { name: "crl_number", citation: "RFC 5280 §5.2.3", check: number },
    Lint { name: "crl_base", citation: "RFC 5280 §5.2.4", check: base },
    Lint { name: "crl_freshest", citation: "RFC 5280 §5.2.6, §4.2.1.13", check: freshest },
    Lint { name: "crl_scope", citation: "RFC 5280 §5.2.5, BRs §7.2.2.1", check: scope },
];

/// Judges a complete CRL that `issuer` is going to sign.
#[must_use]
pub fn lint_crl(crl: &Crl, issuer: &Certificate) -> Vec<Finding> {
    lint_large_crl(crl.der(), issuer, false)
}

/// Judges a CRL, or a delta CRL.
pub(crate) fn lint_large_crl(der: &[u8], issuer: &Certificate, is_delta: bool) -> Vec<Finding> {
    let subject = match Subject::read(der, issuer, is_delta) {
        Ok(subject) => subject,
        Err(error) => {
            return vec![Finding {
                lint: "crl_readable",
                citation: "RFC 5280 §5.1",
                message: error.to_string(),
            }];
        }
    };
    let found = ALL.iter().filter_map(|lint| {
        let message = (lint.check)(&subject).err()?;
        Some(Finding { lint: lint.name, citation: lint.citation, message })
    });
    found.collect()
}

struct Subject<'a> {
    der: &'a [u8],
    parsed: List<'a>,
    entries: Entries,
    issuer: &'a Certificate,
    is_delta: bool,
}

#[derive(Sequence)]
struct List<'a> {
    tbs: Tbs<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitStringRef<'a>,
}

#[derive(Sequence)]
struct Tbs<'a> {
    version: Option<u8>,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    this_update: Time,
    next_update: Option<Time>,
    revoked: Option<RawSequence<'a>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension<'a>>>,
}

#[derive(Sequence)]
struct Revoked<'a> {
    serial: IntRef<'a>,
    date: Time,
    extensions: Option<RawSequence<'a>>,
}

/// The default of `critical` is told from its absence here.
#[derive(Sequence)]
struct EntryExtension<'a> {
    kind: ObjectIdentifier,
    critical: Option<bool>,
    value: &'a OctetStringRef,
}

#[derive(Sequence)]
struct Extension<'a> {
    kind: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}

impl<'a> Subject<'a> {
    fn read(der: &'a [u8], issuer: &'a Certificate, is_delta: bool) -> der::Result<Self> {
        let parsed = List::from_der(der)?;
        let list = parsed.tbs.revoked.map_or(&[][..], |list| list.0);
        Ok(Self { der, entries: Entries::read(list)?, parsed, issuer, is_delta })
    }

    fn tbs(&self) -> &Tbs<'a> {
        &self.parsed.tbs
    }

    fn extensions(&self) -> impl Iterator<Item = &Extension<'a>> {
        self.tbs().extensions.iter().flatten()
    }

    /// The extension of this kind, which is a number, without leading zeros.
    fn integer(&self, kind: ObjectIdentifier) -> Result<Option<&'a [u8]>, String> {
        let Some(extension) = self.extensions().find(|extension| extension.kind == kind) else {
            return Ok(None);
        };
        let value: &'a [u8] = extension.value.as_bytes();
        let number = UintRef::from_der(value)
            .map_err(|error| format!("the number of extension {kind} does not decode: {error}"))?;
        Ok(Some(number.as_bytes()))
    }

    /// The extension of this kind as `(critical, value)`.
    fn decoded<T>(&self, kind: ObjectIdentifier) -> Result<Option<(bool, T)>, String>
    where
        T: for<'b> Decode<'b, Error = der::Error>,
    {
        let Some(extension) = self.extensions().find(|extension| extension.kind == kind) else {
            return Ok(None);
        };
        T::from_der(extension.value.as_bytes())
            .map(|value| Some((extension.critical, value)))
            .map_err(|error| format!("extension {kind} does not decode: {error}"))
    }
}

/// What was found among the entries: of each lint the first thing.
struct Entries {
    /// A default is written, which DER leaves out.
    default_written: bool,
    times: Result<(), String>,
    serials: Result<(), String>,
    extensions: Result<(), String>,
    reasons: Result<(), String>,
}

impl Entries {
    fn read(list: &[u8]) -> der::Result<Self> {
        let mut found = Self {
            default_written: false,
            times: Ok(()),
            serials: Ok(()),
            extensions: Ok(()),
            reasons: Ok(()),
        };
        let mut last: &[u8] = &[];
        // Where serials ascend, as numbers or octet by octet, none stands twice, and nothing needs remembering.
        let (mut by_number, mut by_octets) = (true, true);
        let mut reader = SliceReader::new(list)?;
        while !reader.is_finished() {
            let entry = Revoked::decode(&mut reader)?;
            let serial = entry.serial.as_bytes();
            by_number &= (last.len(), last) < (serial.len(), serial);
            by_octets &= last < serial;
            last = serial;
            note(&mut found.serials, || check_serial(serial));
            note(&mut found.times, || rfc5280::check_time(entry.date));
            match entry.extensions {
                None => {}
                // Nearly all are one reason.
                Some(RawSequence(
                    [0x30, 10, 0x06, 3, 0x55, 0x1d, 0x15, 0x04, 3, 0x0a, 1, 1..=6 | 9 | 10],
                )) => {}
                Some(list) => found.read_extensions(list)?,
            }
        }
        if !by_number && !by_octets && found.serials.is_ok() {
            found.serials = check_repeats(list);
        }
        Ok(found)
    }

    fn read_extensions(&mut self, RawSequence(list): RawSequence<'_>) -> der::Result<()> {
        let mut reader = SliceReader::new(list)?;
        let mut extensions = Vec::new();
        while !reader.is_finished() {
            extensions.push(EntryExtension::decode(&mut reader)?);
        }
        self.default_written |= extensions.iter().any(|extension| extension.critical == Some(false));
        note(&mut self.extensions, || check_entry_extensions(&extensions));
        note(&mut self.reasons, || extensions.iter().try_for_each(check_reason));
        Ok(())
    }
}

/// What is wrong first is told.
fn note(told: &mut Result<(), String>, check: impl FnOnce() -> Result<(), String>) {
    if told.is_ok() {
        *told = check();
    }
}

/// Positive, of at most 20 octets.
fn check_serial(serial: &[u8]) -> Result<(), String> {
    let is_positive = serial.first().is_some_and(|first| *first < 0x80) && serial != [0];
    ensure(is_positive && serial.len() <= MAX_INTEGER_LEN, || {
        format!("serial number {serial:02x?} cannot be one")
    })
}

/// Each once, in a list in no order: somebody else's.
fn check_repeats(list: &[u8]) -> Result<(), String> {
    let mut seen = HashSet::new();
    let mut reader = SliceReader::new(list).map_err(|error| error.to_string())?;
    while !reader.is_finished() {
        let entry = Revoked::decode(&mut reader).map_err(|error| error.to_string())?;
        let serial = entry.serial.as_bytes();
        ensure(seen.insert(serial), || format!("serial number {serial:02x?} is listed twice"))?;
    }
    Ok(())
}

/// reasonCode and invalidityDate at most, each once, never critical; no empty list of extensions.
fn check_entry_extensions(extensions: &[EntryExtension<'_>]) -> Result<(), String> {
    ensure(!extensions.is_empty(), || "an entry has an empty list of extensions".to_owned())?;
    extensions.iter().enumerate().try_for_each(|(at, extension)| {
        let kind = extension.kind;
        ensure([oid::CRL_REASON, oid::INVALIDITY_DATE].contains(&kind), || {
            format!("an entry has the extension {kind}")
        })?;
        ensure(extension.critical != Some(true), || format!("extension {kind} of an entry is critical"))?;
        let is_first = !extensions.iter().take(at).any(|earlier| earlier.kind == kind);
        ensure(is_first, || format!("an entry has the extension {kind} twice"))
    })
}

/// A number that says something and belongs into a list: not 0 (unspecified), 7 (unused) or 8
/// (removeFromCRL, which nothing here has a use for: certificates that were on hold).
fn check_reason(extension: &EntryExtension<'_>) -> Result<(), String> {
    match (extension.kind, extension.value.as_bytes()) {
        (oid::CRL_REASON, [0x0a, 1, 1..=6 | 9 | 10]) => Ok(()),
        (oid::CRL_REASON, value) => Err(format!("the reason {value:02x?} cannot be given")),
        _ => Ok(()),
    }
}

/// Compares what is written with what stands there, and keeps nothing.
struct Same<'a> {
    rest: &'a [u8],
    is_same: bool,
}

impl Writer for Same<'_> {
    fn write(&mut self, octets: &[u8]) -> der::Result<()> {
        match self.rest.split_at_checked(octets.len()) {
            Some((expected, rest)) if expected == octets => self.rest = rest,
            _ => self.is_same = false,
        }
        Ok(())
    }
}

/// DER has one encoding for one value, so writing what was read gives the same bytes.
fn round_trip(subject: &Subject<'_>) -> Result<(), String> {
    let not_der = || "the CRL is not DER: encoding it again gives other bytes".to_owned();
    let mut again = Same { rest: subject.der, is_same: true };
    subject.parsed.encode(&mut again).map_err(|error| error.to_string())?;
    ensure(again.is_same && again.rest.is_empty(), not_der)?;
    // The list went through as it was. In an entry the decoder takes one thing that DER does not: a default
    // that is written. Writing a hundred thousand entries again would cost more than all other lints.
    ensure(!subject.entries.default_written, not_der)
}

/// Version 2 is written as 1.
fn version_2(subject: &Subject<'_>) -> Result<(), String> {
    let version = subject.tbs().version;
    ensure(version == Some(1), || format!("the version is {version:?}"))
}

fn signature_algorithms_agree(subject: &Subject<'_>) -> Result<(), String> {
    let (outer, inner) = (&subject.parsed.algorithm, &subject.tbs().signature);
    ensure(outer == inner, || {
        format!("signatureAlgorithm is {}, but signature inside the CRL is {}", outer.oid, inner.oid)
    })
}

/// The issuing certificate's subject, octet by octet; one that may sign CRLs.
fn issuer(subject: &Subject<'_>) -> Result<(), String> {
    let issuer = &subject.tbs().issuer;
    ensure(!issuer.is_empty(), || "the issuer is empty".to_owned())?;
    let der = issuer.to_der().map_err(|error| error.to_string())?;
    ensure(der == subject.issuer.subject().der(), || {
        format!(
            "the issuer is {issuer}, but the issuing certificate's subject is {}",
            subject.issuer.subject()
        )
    })?;
    let certificate =
        x509_cert::Certificate::from_der(subject.issuer.der()).map_err(|error| error.to_string())?;
    let usage =
        certificate.tbs_certificate().get_extension::<KeyUsage>().map_err(|error| error.to_string())?;
    ensure(usage.is_none_or(|(_, usage)| usage.0.contains(KeyUsages::CRLSign)), || {
        "the issuer's keyUsage lacks cRLSign".to_owned()
    })
}

fn next_update(subject: &Subject<'_>) -> Result<(), String> {
    let this_update = subject.tbs().this_update.to_date_time();
    let Some(next_update) = subject.tbs().next_update else {
        return Err("there is no nextUpdate".to_owned());
    };
    let next_update = next_update.to_date_time();
    ensure(this_update < next_update, || {
        format!("nextUpdate {next_update} is not after thisUpdate {this_update}")
    })
}

/// UTCTime through 2049, GeneralizedTime from then on.
fn times(subject: &Subject<'_>) -> Result<(), String> {
    let tbs = subject.tbs();
    [Some(tbs.this_update), tbs.next_update].into_iter().flatten().try_for_each(rfc5280::check_time)?;
    subject.entries.times.clone()
}

fn list_is_not_empty(subject: &Subject<'_>) -> Result<(), String> {
    ensure(subject.tbs().revoked.is_none_or(|list| !list.0.is_empty()), || {
        "the list of revoked certificates is there and empty".to_owned()
    })
}

fn serials(subject: &Subject<'_>) -> Result<(), String> {
    subject.entries.serials.clone()
}

fn entry_extensions(subject: &Subject<'_>) -> Result<(), String> {
    subject.entries.extensions.clone()
}

fn reasons(subject: &Subject<'_>) -> Result<(), String> {
    subject.entries.reasons.clone()
}

/// Those of a complete list or of a delta CRL, each once, critical or not as they must be; perhaps others that are not
/// critical.
fn extensions(subject: &Subject<'_>) -> Result<(), String> {
    const CRITICAL: [ObjectIdentifier; 2] = [oid::ISSUING_DISTRIBUTION_POINT, oid::DELTA_CRL_INDICATOR];
    let mut seen = HashSet::new();
    subject.extensions().try_for_each(|extension| {
        let kind = extension.kind;
        ensure(seen.insert(kind), || format!("extension {kind} is there twice"))?;
        ensure(subject.is_delta || kind != oid::DELTA_CRL_INDICATOR, || "this is a delta CRL".to_owned())?;
        ensure(!subject.is_delta || kind != oid::FRESHEST_CRL, || {
            "a delta CRL says where there is another".to_owned()
        })?;
        ensure(extension.critical == CRITICAL.contains(&kind), || {
            format!("extension {kind} is {}critical", if extension.critical { "" } else { "not " })
        })
    })
}

fn authority_key_identifier(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, authority)) = subject.decoded::<AuthorityKeyIdentifier>(oid::AUTHORITY_KEY_IDENTIFIER)?
    else {
        return Err("there is no authorityKeyIdentifier".to_owned());
    };
    let identifier = authority.key_identifier.as_ref().map(|octets| octets.as_bytes());
    ensure(identifier.is_some() && identifier == subject.issuer.subject_key_identifier(), || {
        "the authorityKeyIdentifier is not the issuer's subjectKeyIdentifier".to_owned()
    })
}

fn number(subject: &Subject<'_>) -> Result<(), String> {
    let Some(number) = subject.integer(oid::CRL_NUMBER)? else {
        return Err("there is no CRL number".to_owned());
    };
    ensure(number.len() <= MAX_INTEGER_LEN, || format!("the CRL number has {} octets", number.len()))
}

/// Of a delta CRL: the number of an earlier CRL, or its own where both are of one moment.
fn base(subject: &Subject<'_>) -> Result<(), String> {
    let (base, number) = (subject.integer(oid::DELTA_CRL_INDICATOR)?, subject.integer(oid::CRL_NUMBER)?);
    match (base, number) {
        (None, _) => ensure(!subject.is_delta, || "a delta CRL does not name its base".to_owned()),
        (Some(base), Some(number)) => {
            let is_before = (base.len(), base) <= (number.len(), number);
            ensure(is_before, || "the base of the delta CRL has a greater number than itself".to_owned())
        }
        // That there is none is said elsewhere.
        (Some(_), None) => Ok(()),
    }
}

/// Where the delta CRL lies: http URLs, for all reasons and of this issuer.
fn freshest(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, points)) = subject.decoded::<CrlDistributionPoints>(oid::FRESHEST_CRL)? else {
        return Ok(());
    };
    ensure(!points.0.is_empty(), || "the freshestCRL extension is empty".to_owned())?;
    points.0.iter().try_for_each(|point| {
        ensure(point.reasons.is_none() && point.crl_issuer.is_none(), || {
            "the freshestCRL extension is about some reasons, or another issuer's delta CRL".to_owned()
        })?;
        match &point.distribution_point {
            Some(point) => check_place(point),
            None => Err("a point of the freshestCRL extension has no place".to_owned()),
        }
    })
}

/// Not empty, for all reasons, of this issuer, of one kind of certificates at most, at http URLs.
fn scope(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, point)) = subject.decoded::<IssuingDistributionPoint>(oid::ISSUING_DISTRIBUTION_POINT)?
    else {
        return Ok(());
    };
    let kinds =
        [point.only_contains_user_certs, point.only_contains_ca_certs, point.only_contains_attribute_certs];
    let kinds = kinds.into_iter().filter(|is_only| *is_only).count();
    ensure(kinds > 0 || point.distribution_point.is_some(), || {
        "the issuingDistributionPoint says nothing".to_owned()
    })?;
    ensure(kinds <= 1 && !point.only_contains_attribute_certs, || {
        "the issuingDistributionPoint limits the list to certificates that do not exist".to_owned()
    })?;
    ensure(!point.indirect_crl, || "the CRL is indirect".to_owned())?;
    ensure(point.only_some_reasons.is_none(), || "the CRL is for some reasons only".to_owned())?;
    point.distribution_point.as_ref().map_or(Ok(()), check_place)
}

/// One or more http URLs.
fn check_place(point: &DistributionPointName) -> Result<(), String> {
    let DistributionPointName::FullName(names) = point else {
        return Err("the distribution point is relative to the issuer".to_owned());
    };
    ensure(!names.is_empty(), || "the distribution point is empty".to_owned())?;
    names.iter().try_for_each(|name| match name {
        GeneralName::UniformResourceIdentifier(url) if url.as_str().starts_with("http://") => Ok(()),
        other => Err(format!("the distribution point {other:?} is not an http URL")),
    })
}
