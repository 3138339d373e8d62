//! What calls tell of a stretch of certificates.

use cairn_core::api::admin::{
    EnteredStretch, FollowedStretch, IncidentStretch, RevokedStretch, Selected, SelectedCertificate,
};

use crate::reading::{BadMessage, Read, list, maybe, present, time, wire};
use crate::v1;
use crate::vocabulary::{account_id, serial};

impl From<SelectedCertificate> for v1::SelectedCertificate {
    fn from(certificate: SelectedCertificate) -> Self {
        let SelectedCertificate { serial, account, names, more_names, not_after, revocation } = certificate;
        Self {
            serial: serial.as_bytes().to_vec(),
            account: account.map(|id| id.as_bytes().to_vec()),
            names,
            more_names: Some(more_names),
            not_after: Some(not_after.unix()),
            revocation: revocation.map(Into::into),
        }
    }
}

impl TryFrom<v1::SelectedCertificate> for SelectedCertificate {
    type Error = BadMessage;

    fn try_from(it: v1::SelectedCertificate) -> Read<Self> {
        Ok(Self {
            serial: serial("SelectedCertificate.serial", &it.serial)?,
            account: it.account.map(|id| account_id("SelectedCertificate.account", &id)).transpose()?,
            names: it.names,
            more_names: present("SelectedCertificate.more_names", it.more_names)?,
            not_after: time("SelectedCertificate.not_after", it.not_after)?,
            revocation: maybe(it.revocation)?,
        })
    }
}

impl From<Selected> for v1::Selected {
    fn from(selected: Selected) -> Self {
        let Selected { looked_at, found, revoked, expired, next } = selected;
        Self {
            looked_at: Some(looked_at),
            found: wire(found),
            revoked: Some(revoked),
            expired: Some(expired),
            next,
        }
    }
}

impl TryFrom<v1::Selected> for Selected {
    type Error = BadMessage;

    fn try_from(it: v1::Selected) -> Read<Self> {
        Ok(Self {
            looked_at: present("Selected.looked_at", it.looked_at)?,
            found: list(it.found)?,
            revoked: present("Selected.revoked", it.revoked)?,
            expired: present("Selected.expired", it.expired)?,
            next: it.next,
        })
    }
}

impl From<RevokedStretch> for v1::RevokedStretch {
    fn from(stretch: RevokedStretch) -> Self {
        let RevokedStretch { looked_at, done, passed_over, next } = stretch;
        Self { looked_at: Some(looked_at), done: Some(done), passed_over: Some(passed_over), next }
    }
}

impl TryFrom<v1::RevokedStretch> for RevokedStretch {
    type Error = BadMessage;

    fn try_from(it: v1::RevokedStretch) -> Read<Self> {
        Ok(Self {
            looked_at: present("RevokedStretch.looked_at", it.looked_at)?,
            done: present("RevokedStretch.done", it.done)?,
            passed_over: present("RevokedStretch.passed_over", it.passed_over)?,
            next: it.next,
        })
    }
}

impl From<EnteredStretch> for v1::EnteredStretch {
    fn from(stretch: EnteredStretch) -> Self {
        let EnteredStretch { looked_at, entered, passed_over, next } = stretch;
        Self { looked_at: Some(looked_at), entered: Some(entered), passed_over: Some(passed_over), next }
    }
}

impl TryFrom<v1::EnteredStretch> for EnteredStretch {
    type Error = BadMessage;

    fn try_from(it: v1::EnteredStretch) -> Read<Self> {
        Ok(Self {
            looked_at: present("EnteredStretch.looked_at", it.looked_at)?,
            entered: present("EnteredStretch.entered", it.entered)?,
            passed_over: present("EnteredStretch.passed_over", it.passed_over)?,
            next: it.next,
        })
    }
}

impl From<FollowedStretch> for v1::FollowedStretch {
    fn from(FollowedStretch { replaced, next }: FollowedStretch) -> Self {
        Self { replaced: Some(replaced), next }
    }
}

impl TryFrom<v1::FollowedStretch> for FollowedStretch {
    type Error = BadMessage;

    fn try_from(it: v1::FollowedStretch) -> Read<Self> {
        Ok(Self { replaced: present("FollowedStretch.replaced", it.replaced)?, next: it.next })
    }
}

impl From<IncidentStretch> for v1::IncidentStretch {
    fn from(stretch: IncidentStretch) -> Self {
        let IncidentStretch { certificates, replaced, revoked, expired, waiting, next } = stretch;
        Self {
            certificates: Some(certificates),
            replaced: Some(replaced),
            revoked: Some(revoked),
            expired: Some(expired),
            waiting: wire(waiting),
            next,
        }
    }
}

impl TryFrom<v1::IncidentStretch> for IncidentStretch {
    type Error = BadMessage;

    fn try_from(it: v1::IncidentStretch) -> Read<Self> {
        Ok(Self {
            certificates: present("IncidentStretch.certificates", it.certificates)?,
            replaced: present("IncidentStretch.replaced", it.replaced)?,
            revoked: present("IncidentStretch.revoked", it.revoked)?,
            expired: present("IncidentStretch.expired", it.expired)?,
            waiting: list(it.waiting)?,
            next: it.next,
        })
    }
}
