//! Placing orders, RFC 8555 §7.4.

use cairn_core::api::ra::NewOrderRequest;
use cairn_core::api::sa::NewOrder;
use cairn_core::{
    AccountId, Authorization, AuthorizationId, AuthorizationProgress, CertificateId, ChallengeType, Error,
    ErrorKind, Identifier, Order, OrderId, OrderProgress, OrderStatus, OrderWithAuthorizations, Result,
    Timestamp, Token,
};

use crate::revocation::identifier;
use crate::selection::read;
use crate::{Ra, audit, metrics};

/// Places an order, or gives back an open one.
///
/// 1. The identifiers are sorted, duplicates dropped, their number bounded.
/// 2. The policy authority must be willing to issue for each.
/// 3. The certificate that it replaces must be the account's, and share a name with it.
/// 4. An open order for exactly these identifiers, that replaces the same, is given back.
/// 5. Valid authorizations are taken over; for the other identifiers new ones are made.
/// 6. The order expires with the first of its authorizations, and is stored with the new ones in one step, in which it claims what it
///    replaces.
#[tracing::instrument(level = "debug", skip_all, fields(account.id = %request.account))]
pub(crate) async fn new_order(ra: &Ra, request: NewOrderRequest) -> Result<OrderWithAuthorizations> {
    let identifiers = sorted(request.identifiers, ra.config.max_identifiers)?;
    let offers = ra.deps.pa.willing_to_issue(&identifiers).await?;

    if let Some(replaced) = &request.replaces {
        check_replaced(ra, request.account, replaced, &identifiers).await?;
    }

    let now = ra.deps.clock.now();
    let open = open_order(ra, request.account, &identifiers, now).await?;
    if let Some(open) = open.filter(|open| open.order.replaces == request.replaces) {
        metrics::order(true);
        return Ok(open);
    }
    let reused = reusable_authorizations(ra, request.account, &identifiers, &offers, now).await?;
    let mut new_authorizations = Vec::new();
    let mut authorizations = Vec::with_capacity(identifiers.len());
    for ((identifier, challenges), reused) in identifiers.iter().zip(offers).zip(reused) {
        authorizations.push(reused.unwrap_or_else(|| {
            let new = new_authorization(ra, request.account, identifier, challenges, now);
            new_authorizations.push(new.clone());
            new
        }));
    }
    let expires = authorizations
        .iter()
        .map(|authz| authz.expires)
        .fold(now.plus(ra.config.order_lifetime.seconds()), Timestamp::min);
    let order = Order {
        id: OrderId::new(now, ra.deps.random.as_ref()),
        account: request.account,
        identifiers,
        authorizations: authorizations.iter().map(|authz| authz.id).collect(),
        profile: ra.config.profile.clone(),
        created: now,
        expires,
        progress: OrderProgress::Open,
        replaces: request.replaces,
    };
    let new = NewOrder { order: order.clone(), new_authorizations };
    match ra.deps.sa.new_order_and_authorizations(new).await {
        Err(error) if error.kind == ErrorKind::Conflict => return claimed(ra, order, error).await,
        outcome => outcome?,
    }
    audit::order_placed(&order);
    metrics::order(false);
    Ok(OrderWithAuthorizations { order, authorizations })
}

fn sorted(mut identifiers: Vec<Identifier>, most: usize) -> Result<Vec<Identifier>> {
    identifiers.sort_unstable();
    identifiers.dedup();
    let malformed = |detail: String| Err(Error::new(ErrorKind::Malformed, detail));
    match identifiers.len() {
        0 => malformed("the order has no identifiers; give at least one".to_owned()),
        count if count > most => malformed(format!(
            "the order has {count} identifiers; give at most {most}, and split it into several orders"
        )),
        _ => Ok(identifiers),
    }
}

/// RFC 9773 §5: what an order replaces must correspond to it. One name in common is enough: names come and go.
async fn check_replaced(
    ra: &Ra,
    account: AccountId,
    replaced: &CertificateId,
    identifiers: &[Identifier],
) -> Result<()> {
    let record = ra.deps.sa.certificate(&replaced.serial).await?;
    let record = record.filter(|record| record.issuer == replaced.issuer).ok_or_else(|| {
        let detail =
            "this CA knows no certificate that \"replaces\" names; leave it out, or name one of this CA";
        Error::new(ErrorKind::Malformed, detail)
    })?;
    if record.account != Some(account) {
        let detail = "the certificate that \"replaces\" names was not issued to this account; leave it out";
        return Err(Error::new(ErrorKind::Unauthorized, detail));
    }
    let names = read(&record)?.names();
    if names.iter().filter_map(identifier).any(|name| identifiers.contains(&name)) {
        return Ok(());
    }
    let detail = "the certificate that \"replaces\" names has none of the order's identifiers; leave it out, or name another";
    Err(Error::new(ErrorKind::Malformed, detail))
}

/// Why the storage did not take an order: most likely since what it replaces is claimed. If the claim is that of an open order which asks for
/// just the same, the client has not heard of that one, and gets it.
async fn claimed(ra: &Ra, order: Order, conflict: Error) -> Result<OrderWithAuthorizations> {
    let Some(replaced) = &order.replaces else { return Err(conflict) };
    let Some(holder) = ra.deps.sa.replacement(&replaced.serial).await? else { return Err(conflict) };
    let same = |it: &OrderWithAuthorizations| {
        ra.config.reuse_orders
            && it.order.account == order.account
            && it.order.identifiers == order.identifiers
            && it.order.profile == order.profile
            && matches!(it.status(order.created), OrderStatus::Pending | OrderStatus::Ready)
    };
    if let Some(open) = ra.deps.sa.order(holder).await?.filter(same) {
        metrics::order(true);
        return Ok(open);
    }
    let detail = "the certificate that \"replaces\" names is replaced by another order already; leave it out";
    Err(Error::new(ErrorKind::AlreadyReplaced, detail))
}

/// An order of the account that asks for the same and can still be used.
async fn open_order(
    ra: &Ra,
    account: AccountId,
    identifiers: &[Identifier],
    now: Timestamp,
) -> Result<Option<OrderWithAuthorizations>> {
    if !ra.config.reuse_orders {
        return Ok(None);
    }
    let until = now.plus(ra.config.reuse_margin.seconds());
    let open = ra.deps.sa.order_for_identifiers(account, identifiers, &ra.config.profile, until).await?;
    // One whose authorization failed is open in the storage, but nothing can come of it.
    Ok(open.filter(|open| matches!(open.status(now), OrderStatus::Pending | OrderStatus::Ready)))
}

/// For each identifier a valid authorization that was proven in a way the policy still offers and that lasts.
async fn reusable_authorizations(
    ra: &Ra,
    account: AccountId,
    identifiers: &[Identifier],
    offers: &[Vec<ChallengeType>],
    now: Timestamp,
) -> Result<Vec<Option<Authorization>>> {
    if !ra.config.reuse_authorizations {
        return Ok(vec![None; identifiers.len()]);
    }
    let until = now.plus(ra.config.reuse_margin.seconds());
    let valid = ra.deps.sa.valid_authorizations(account, identifiers, until).await?;
    let still_offered = |(authz, offer): (Option<Authorization>, &Vec<ChallengeType>)| {
        authz.filter(|authz| {
            matches!(&authz.progress, AuthorizationProgress::Valid { challenge, .. } if offer.contains(challenge))
        })
    };
    Ok(valid.into_iter().zip(offers).map(still_offered).collect())
}

fn new_authorization(
    ra: &Ra,
    account: AccountId,
    identifier: &Identifier,
    challenges: Vec<ChallengeType>,
    now: Timestamp,
) -> Authorization {
    let random = ra.deps.random.as_ref();
    Authorization {
        id: AuthorizationId::new(now, random),
        account,
        identifier: identifier.base(),
        wildcard: identifier.is_wildcard(),
        created: now,
        expires: now.plus(ra.config.pending_authorization_lifetime.seconds()),
        token: Token::new(random),
        challenges,
        progress: AuthorizationProgress::Pending,
    }
}
