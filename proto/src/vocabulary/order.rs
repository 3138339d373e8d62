//! Orders in every progress, alone and with their authorizations.

use cairn_core::{CertificateId, Order, OrderProgress, OrderWithAuthorizations};

use super::{account_id, authorization_id, issuer_id, order_id, serial};
use crate::reading::{BadMessage, Read, list, maybe, present, read, time, wire};
use crate::v1;
use crate::v1::order_progress::{Processing, Progress};

impl From<Order> for v1::Order {
    fn from(order: Order) -> Self {
        let Order { id, account, identifiers, authorizations, profile, created, expires, progress, replaces } =
            order;
        Self {
            id: id.as_bytes().to_vec(),
            account: account.as_bytes().to_vec(),
            identifiers: wire(identifiers),
            authorizations: authorizations.iter().map(|id| id.as_bytes().to_vec()).collect(),
            profile,
            created: Some(created.unix()),
            expires: Some(expires.unix()),
            progress: Some(progress.into()),
            replaces: replaces.map(Into::into),
        }
    }
}

impl TryFrom<v1::Order> for Order {
    type Error = BadMessage;

    fn try_from(it: v1::Order) -> Read<Self> {
        let authorizations = it.authorizations.iter();
        Ok(Self {
            id: order_id("Order.id", &it.id)?,
            account: account_id("Order.account", &it.account)?,
            identifiers: list(it.identifiers)?,
            authorizations: authorizations
                .map(|id| authorization_id("Order.authorizations", id))
                .collect::<Read<_>>()?,
            profile: it.profile,
            created: time("Order.created", it.created)?,
            expires: time("Order.expires", it.expires)?,
            progress: read("Order.progress", it.progress)?,
            replaces: maybe(it.replaces)?,
        })
    }
}

impl From<CertificateId> for v1::CertificateId {
    fn from(CertificateId { issuer, serial }: CertificateId) -> Self {
        Self { issuer: issuer.as_bytes().to_vec(), serial: serial.as_bytes().to_vec() }
    }
}

impl TryFrom<v1::CertificateId> for CertificateId {
    type Error = BadMessage;

    fn try_from(it: v1::CertificateId) -> Read<Self> {
        Ok(Self {
            issuer: issuer_id("CertificateId.issuer", &it.issuer)?,
            serial: serial("CertificateId.serial", &it.serial)?,
        })
    }
}

impl From<OrderProgress> for v1::OrderProgress {
    fn from(progress: OrderProgress) -> Self {
        let progress = match progress {
            OrderProgress::Open => Progress::Open(v1::Nothing {}),
            OrderProgress::Processing { since } => {
                Progress::Processing(Processing { since: Some(since.unix()) })
            }
            OrderProgress::Issued { serial } => Progress::Issued(serial.as_bytes().to_vec()),
            OrderProgress::Failed { problem } => Progress::Failed(problem.into()),
        };
        Self { progress: Some(progress) }
    }
}

impl TryFrom<v1::OrderProgress> for OrderProgress {
    type Error = BadMessage;

    fn try_from(it: v1::OrderProgress) -> Read<Self> {
        Ok(match present("OrderProgress.progress", it.progress)? {
            Progress::Open(v1::Nothing {}) => Self::Open,
            Progress::Processing(it) => Self::Processing { since: time("OrderProgress.since", it.since)? },
            Progress::Issued(it) => Self::Issued { serial: serial("OrderProgress.issued", &it)? },
            Progress::Failed(it) => Self::Failed { problem: it.try_into()? },
        })
    }
}

impl From<OrderWithAuthorizations> for v1::OrderWithAuthorizations {
    fn from(it: OrderWithAuthorizations) -> Self {
        let OrderWithAuthorizations { order, authorizations } = it;
        Self { order: Some(order.into()), authorizations: wire(authorizations) }
    }
}

impl TryFrom<v1::OrderWithAuthorizations> for OrderWithAuthorizations {
    type Error = BadMessage;

    fn try_from(it: v1::OrderWithAuthorizations) -> Read<Self> {
        let found = Self {
            order: read("OrderWithAuthorizations.order", it.order)?,
            authorizations: list(it.authorizations)?,
        };
        // An order's status follows from its authorizations: with one left out, a pending order would look ready.
        if found.authorizations.iter().map(|authorization| &authorization.id).eq(&found.order.authorizations)
        {
            Ok(found)
        } else {
            Err(BadMessage::new("OrderWithAuthorizations.authorizations", "are not those of the order"))
        }
    }
}
