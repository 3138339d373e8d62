//! From a `[crl]` table, and what was revoked before, to a list.

use std::collections::HashSet;

use cairn_x509::{Certificate, Crl, CrlReason};

use super::CrlPlan;
use crate::file::{CrlSpec, FileError, REASONS, Revocation, Utc, hex, read_reason, read_serial};
use crate::inputs::Inputs;

/// A CRL for CA certificates is there for at most a year (BRs §4.9.7), and whoever looks after its end trusts nothing any more.
const LONGEST: i64 = 366 * 24 * 60 * 60;

/// An entry of a CRL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The certificate's serial number.
    pub serial: Vec<u8>,
    /// Since when, in seconds since 1970.
    pub at: i64,
    /// Why.
    pub reason: Option<CrlReason>,
}

/// A list as the file has it, which loses nothing of the one before.
pub(super) fn list(spec: &CrlSpec, inputs: &Inputs) -> Result<CrlPlan, FileError> {
    let revoked = spec.revoked.iter().enumerate();
    let entries =
        revoked.map(|(place, revocation)| entry(&format!("crl.revoked[{place}]"), revocation, inputs));
    let plan = finish(spec, inputs, entries.collect::<Result<Vec<_>, _>>()?)?;
    let there: HashSet<_> = plan.entries.iter().map(|entry| &entry.serial).collect();
    if let Some(entry) = before(inputs).iter().find(|entry| !there.contains(&entry.serial)) {
        return Err(FileError::value(
            "crl.revoked",
            format!("lacks {}, which the list before has; write it in again", hex(&entry.serial)),
        ));
    }
    Ok(plan)
}

/// The list before, and one certificate more.
pub(super) fn revocation(spec: &CrlSpec, revoke: &Revocation, inputs: &Inputs) -> Result<CrlPlan, FileError> {
    if !spec.revoked.is_empty() {
        return Err(FileError::value(
            "crl.revoked",
            "is not for a ceremony of this kind, which takes over the list before and adds [revoke] to it",
        ));
    }
    let new = entry("revoke", revoke, inputs)?;
    let mut entries = before(inputs);
    if entries.iter().any(|entry| entry.serial == new.serial) {
        return Err(FileError::value("revoke", "is in the list before already"));
    }
    entries.push(new);
    finish(spec, inputs, entries)
}

fn finish(spec: &CrlSpec, inputs: &Inputs, entries: Vec<Entry>) -> Result<CrlPlan, FileError> {
    let (this_update, next_update) = (spec.this_update.beginning(), spec.next_update.end());
    if next_update <= this_update || next_update - this_update > LONGEST {
        return Err(FileError::value("crl.next_update", "must be after this_update, by a year at most"));
    }
    for (place, entry) in entries.iter().enumerate() {
        if entry.at > this_update {
            return Err(FileError::value(
                "crl.this_update",
                format!("is before {} was revoked", hex(&entry.serial)),
            ));
        }
        if entries.iter().take(place).any(|other| other.serial == entry.serial) {
            return Err(FileError::value("crl.revoked", format!("has {} twice", hex(&entry.serial))));
        }
    }
    if let Some(old) = inputs.replaced_crl() {
        follows(spec.number, this_update, old)?;
    }
    Ok(CrlPlan { issuer: inputs.issuer()?.clone(), number: spec.number, this_update, next_update, entries })
}

/// RFC 5280 §5.2.3: numbers grow.
fn follows(number: u64, this_update: i64, old: &Crl) -> Result<(), FileError> {
    if old.tbs().number_as_u64().is_none_or(|before| number <= before) {
        let before = old.tbs().number_as_u64().map_or("unreadable".to_owned(), |number| number.to_string());
        return Err(FileError::value(
            "crl.number",
            format!("must be greater than that of the list before, {before}"),
        ));
    }
    if this_update < old.tbs().this_update() {
        let before = Utc(old.tbs().this_update());
        return Err(FileError::value(
            "crl.this_update",
            format!("is before that of the list before, {before}"),
        ));
    }
    Ok(())
}

fn before(inputs: &Inputs) -> Vec<Entry> {
    let Some(old) = inputs.replaced_crl() else { return Vec::new() };
    let entries = old.tbs().entries();
    entries
        .map(|entry| Entry { serial: entry.serial.to_vec(), at: entry.revoked_at, reason: entry.reason })
        .collect()
}

fn entry(table: &str, revocation: &Revocation, inputs: &Inputs) -> Result<Entry, FileError> {
    let serial = match (revocation.sha256, &revocation.serial) {
        (Some(digest), None) => {
            inputs.revoked_certificate(digest).map(Certificate::serial).map(<[u8]>::to_vec)?
        }
        (None, Some(serial)) => read_serial(serial).ok_or_else(|| {
            FileError::value(
                format!("{table}.serial"),
                "is no serial number: write its hexadecimal digits, two for each octet",
            )
        })?,
        _ => return Err(FileError::value(table, "write either the certificate's sha256, or its serial")),
    };
    let read_reason = |name: &str| {
        read_reason(name).ok_or_else(|| {
            FileError::value(format!("{table}.reason"), format!("{name:?} is none for a CA: use {REASONS}"))
        })
    };
    let reason = revocation.reason.as_deref().map(read_reason).transpose()?;
    Ok(Entry { serial, at: revocation.at.beginning(), reason })
}
