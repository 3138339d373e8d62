//! For which CAs there is somebody to speak: the issuers in use, and those for which a responder was installed.

use std::sync::Arc;

use cairn_core::{IssuerId, Timestamp};
use cairn_x509::ocsp::{CertId, IssuerNames, Status};
use cairn_x509::{Certificate, Crl, CrlContents};

use super::Responder;
use crate::hierarchy::{Ready, id};
use crate::issuer::Issuer;
use crate::metrics::Handles;

/// A CA for which answers can be signed.
pub(crate) struct Voice {
    /// How requests name it.
    pub(super) names: IssuerNames,
    pub(super) source: Source,
    /// Its name in the storage, which knows what it issued; `None` for a CA of which the storage cannot know anything.
    id: Option<IssuerId>,
    /// The latest CRL of it that is here.
    crl: Option<Crl>,
    /// The serials of the CAs that it certified and that are known here.
    certified: Vec<Vec<u8>>,
}

/// Whose key signs.
pub(super) enum Source {
    /// The issuer's, or one that it delegates to.
    Issuer(Speaking),
    /// An installed responder's.
    Installed(Arc<Responder>),
}

/// An issuer with its counters.
pub(super) struct Speaking {
    pub(super) issuer: Arc<Issuer>,
    pub(super) metrics: Arc<Handles>,
}

/// All for whom there is somebody to speak. Issuers whose keys are here speak for themselves.
pub(crate) fn voices(
    issuers: &[Ready],
    responders: &[Arc<Responder>],
    crls: &[Crl],
    authorities: &[Certificate],
) -> Vec<Voice> {
    let mut voices: Vec<Voice> = Vec::new();
    let own = issuers.iter().map(|Ready { issuer, metrics }| {
        let speaking = Speaking { issuer: Arc::clone(issuer), metrics: Arc::clone(metrics) };
        (issuer.certificate(), Source::Issuer(speaking))
    });
    let mut installed: Vec<_> = responders.iter().collect();
    // Of several responders for a CA, the one that lives longest.
    installed.sort_by_key(|responder| std::cmp::Reverse(responder.certificate().validity().not_after));
    let installed = installed.into_iter().map(|it| (it.authority(), Source::Installed(Arc::clone(it))));
    for (certificate, source) in own.chain(installed) {
        let names = IssuerNames::of(certificate);
        if voices.iter().any(|voice| voice.names == names) {
            continue;
        }
        let below = authorities.iter().filter(|it| it.verify_issued_by(certificate).is_ok());
        voices.push(Voice {
            names,
            source,
            id: id(certificate),
            crl: latest(crls, certificate),
            certified: below.map(|it| it.serial().to_vec()).collect(),
        });
    }
    voices
}

/// The latest CRL of this CA that is about all CAs below it.
fn latest(crls: &[Crl], authority: &Certificate) -> Option<Crl> {
    let is_about_cas =
        |crl: &&Crl| crl.tbs().scope().is_none_or(|scope| scope.contents != CrlContents::UserCertificates);
    let own = crls.iter().filter(is_about_cas).filter(|crl| crl.verify_issued_by(authority).is_ok());
    own.max_by_key(|crl| crl.tbs().this_update()).cloned()
}

impl Voice {
    /// Its name in the storage.
    pub(super) const fn issuer_id(&self) -> Option<IssuerId> {
        self.id
    }

    /// What the CRL says of the certificate of a CA that is known here, since when, and until when. Nothing if there is no CRL of today.
    pub(super) fn status_by_crl(&self, id: &CertId, now: Timestamp) -> Option<(Status, i64, i64)> {
        let crl = self.crl.as_ref()?.tbs();
        let (from, until) = (crl.this_update(), crl.next_update()?);
        if !(from..=until).contains(&now.unix()) {
            return None;
        }
        let entry = crl.entries().find(|entry| entry.serial == id.serial);
        let status = match entry {
            Some(entry) => Status::Revoked { at: entry.revoked_at, reason: entry.reason },
            // What is not on the list was not revoked, if it was ever issued.
            None if self.certified.contains(&id.serial) => Status::Good,
            None => return None,
        };
        Some((status, from, until))
    }
}
