//! Certificates that an operator means, a stretch at a time ([`cairn_core::selection`]).
//!
//! A serial is made of its CA's prefix, the second in which it was made, and chance (`ca/src/serial.rs`). So certificates lie in the order
//! of time for each prefix, and where a time is said only that part is read.

use cairn_core::api::admin::{Operator, RevokedStretch, Selected, SelectedCertificate};
use cairn_core::api::revocations::StoredCertificate;
use cairn_core::{
    CertificateRecord, Error, ErrorKind, Result, RevocationReason, Selection, Stretch, Timestamp,
};
use cairn_x509::Certificate;
use futures_util::future::join_all;

use crate::Ra;
use crate::revocation::{Wanted, identifier, revoke};

/// How many certificates one call looks at: it takes a fraction of a second, also where each of them is revoked.
const LOOKED_AT: usize = 200;

/// How many are revoked at the same time: a database commits them together.
pub(crate) const AT_ONCE: usize = 20;

/// How many names of a certificate are told.
const NAMES_TOLD: usize = 5;

/// How far the time in a serial may be from that at which its certificate was stored, in seconds.
const MARGIN: i64 = 60 * 60;

/// What a stretch has of a selection.
pub(crate) struct Found {
    pub(crate) looked_at: u64,
    pub(crate) certificates: Vec<StoredCertificate>,
    pub(crate) next: Option<Vec<u8>>,
}

/// Finds what `stretch` has of `selection`.
pub(crate) async fn find(ra: &Ra, selection: &Selection, stretch: &Stretch) -> Result<Found> {
    let sa = &ra.deps.sa;
    let found = match (stretch, selection.key) {
        (Stretch::These(serials), _) => sa.certificates_with_serials(serials).await?,
        (Stretch::After(after), Some(key)) => sa.certificates_of_key(key, after, LOOKED_AT).await?,
        (Stretch::After(after), None) => match beginning(after, selection) {
            Some(after) => sa.certificates_after(&after, LOOKED_AT).await?,
            None => Vec::new(),
        },
    };
    let looked_at = found.len() as u64;
    let more = matches!(stretch, Stretch::After(_)) && found.len() == LOOKED_AT;
    let next = found.last().filter(|_| more).map(|last| last.record.serial.as_bytes().to_vec());
    // The CA's own, of its listeners and responders, are nobody's to replace: they are meant by their serial or key alone.
    let of_accounts = matches!(stretch, Stretch::After(_)) && selection.key.is_none();
    let mut certificates = Vec::new();
    for certificate in found {
        let is_own = certificate.record.account.is_none();
        if !(of_accounts && is_own) && is_meant(&certificate, selection)? {
            certificates.push(certificate);
        }
    }
    Ok(Found { looked_at, certificates, next })
}

/// From where on to look for certificates behind `after` that were issued at the time that is said; `None` if there are none.
fn beginning(after: &[u8], selection: &Selection) -> Option<Vec<u8>> {
    let second = |at: Timestamp| u32::try_from(at.unix().max(0)).unwrap_or(u32::MAX);
    let first = selection.issued_after.map_or(0, |at| second(at.plus(-MARGIN)));
    let last = selection.issued_before.map_or(u32::MAX, |at| second(at.plus(MARGIN)));
    let prefix = after.first().copied().unwrap_or_default();
    let mut time = [0; 4];
    time.iter_mut().zip(after.iter().skip(1)).for_each(|(to, from)| *to = *from);
    let time = u32::from_be_bytes(time);
    let (prefix, time) =
        if time > last { (prefix.checked_add(1)?, first) } else { (prefix, time.max(first)) };
    let jump = [&[prefix][..], &time.to_be_bytes()].concat();
    Some(if jump.as_slice() > after { jump } else { after.to_vec() })
}

fn is_meant(certificate: &StoredCertificate, selection: &Selection) -> Result<bool> {
    let StoredCertificate { record, issued, profile } = certificate;
    let Selection { account, name, key, issuer, issued_before, issued_after, profile: wanted } = selection;
    let meant = account.is_none_or(|account| record.account == Some(account))
        && issuer.is_none_or(|issuer| record.issuer == issuer)
        && issued_before.is_none_or(|before| *issued < before)
        && issued_after.is_none_or(|after| *issued >= after)
        && (wanted.is_none() || wanted == profile);
    if !meant || (name.is_none() && key.is_none()) {
        return Ok(meant);
    }
    let certificate = read(record)?;
    let named = name.as_ref().is_none_or(|wanted| {
        certificate.names().iter().filter_map(identifier).any(|name| wanted.includes(&name))
    });
    Ok(named && key.is_none_or(|key| certificate.public_key().sha256() == key))
}

pub(crate) fn read(record: &CertificateRecord) -> Result<Certificate> {
    Certificate::from_der(&record.der).map_err(|error| {
        Error::internal(format!("the stored certificate {} cannot be read", record.serial), error)
    })
}

/// A certificate as it is told.
pub(crate) fn told(record: &CertificateRecord) -> Result<SelectedCertificate> {
    let names = read(record)?.names();
    Ok(SelectedCertificate {
        serial: record.serial.clone(),
        account: record.account,
        more_names: names.len().saturating_sub(NAMES_TOLD) as u64,
        names: names.iter().take(NAMES_TOLD).map(ToString::to_string).collect(),
        not_after: record.not_after,
        revocation: record.revocation,
    })
}

/// Whether a revocation for `reason` would change anything.
fn is_changed(record: &CertificateRecord, reason: Option<RevocationReason>) -> bool {
    match record.revocation {
        None => true,
        Some(revocation) => reason == Some(RevocationReason::KeyCompromise) && revocation.reason != reason,
    }
}

pub(crate) async fn select(
    ra: &Ra,
    selection: &Selection,
    stretch: &Stretch,
    reason: Option<RevocationReason>,
) -> Result<Selected> {
    let Found { looked_at, certificates, next } = find(ra, selection, stretch).await?;
    let now = ra.deps.clock.now();
    let mut selected = Selected { looked_at, next, ..Selected::default() };
    for StoredCertificate { record, .. } in &certificates {
        if record.not_after < now {
            selected.expired += 1;
        } else if is_changed(record, reason) {
            selected.found.push(told(record)?);
        } else {
            selected.revoked += 1;
        }
    }
    Ok(selected)
}

pub(crate) async fn revoke_selected(
    ra: &Ra,
    operator: &Operator,
    selection: &Selection,
    stretch: &Stretch,
    reason: Option<RevocationReason>,
) -> Result<RevokedStretch> {
    let Found { looked_at, certificates, next } = find(ra, selection, stretch).await?;
    let meant = certificates.len() as u64;
    let (now, by) = (ra.deps.clock.now(), format!("operator {operator}"));
    let records: Vec<&CertificateRecord> = certificates
        .iter()
        .map(|certificate| &certificate.record)
        .filter(|record| record.not_after >= now && is_changed(record, reason))
        .collect();
    let mut done = 0;
    for some in records.chunks(AT_ONCE) {
        let each = some
            .iter()
            .map(|record| revoke(ra, record, Wanted { reason, blocked_key: None, corrects: true, by: &by }));
        for outcome in join_all(each).await {
            match outcome {
                Ok(_) => done += 1,
                // Somebody else was faster.
                Err(error) if error.kind == ErrorKind::AlreadyRevoked => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(RevokedStretch { looked_at, done, passed_over: meant - done, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(after: Option<i64>, before: Option<i64>) -> Selection {
        let at = |seconds: i64| Timestamp::from_unix(seconds);
        Selection { issued_after: after.map(at), issued_before: before.map(at), ..Selection::default() }
    }

    fn place(prefix: u8, time: i64) -> Vec<u8> {
        [&[prefix][..], &u32::try_from(time).unwrap().to_be_bytes()].concat()
    }

    #[test]
    fn only_the_time_that_is_said_is_looked_at_with_every_prefix() {
        let range = issued(Some(100_000), Some(200_000));
        let first = 100_000 - MARGIN;
        assert_eq!(beginning(&[], &range), Some(place(0, first)));
        // What comes first may have any prefix; before its time, it is jumped to.
        assert_eq!(beginning(&place(1, 5), &range), Some(place(1, first)));
        let within = [place(1, 150_000), vec![9; 11]].concat();
        assert_eq!(beginning(&within, &range), Some(within));
        let behind = [place(1, 200_000 + MARGIN + 1), vec![9; 11]].concat();
        assert_eq!(beginning(&behind, &range), Some(place(2, first)));
        assert_eq!(beginning(&place(0xff, 200_000 + MARGIN + 1), &range), None);
        assert_eq!(beginning(&place(7, 5), &issued(None, None)), Some(place(7, 5)));
    }
}
