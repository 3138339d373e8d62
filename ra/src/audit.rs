//! The events that an auditor asks for (CA/Browser Forum BRs 5.4.1), each with a stable name in `event`. They go to the target
//! `audit`, which an operator can keep apart from the log.
//!
//! What a client wrote stands in fields alone, never in an event's text, so that it cannot forge one.

use std::fmt::Display;

use cairn_core::api::admin::Operator;
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationProgress, Error, Identifier, Incident, IssuerId, Order,
    OrderId, Revocation, Serial, Timestamp,
};

pub(crate) fn account_created(account: &Account) {
    tracing::info!(
        target: "audit",
        event = "account.created",
        account.id = %account.id,
        account.key = %account.thumbprint(),
        contact = ?account.contact,
    );
}

pub(crate) fn account_updated(account: &Account) {
    tracing::info!(target: "audit", event = "account.updated", account.id = %account.id, contact = ?account.contact);
}

pub(crate) fn account_deactivated(account: AccountId) {
    tracing::info!(target: "audit", event = "account.deactivated", account.id = %account);
}

pub(crate) fn listener_certificate_issued(serial: &Serial, names: &[Identifier]) {
    tracing::info!(
        target: "audit",
        event = "listener_certificate.issued",
        serial = %serial,
        identifiers = %list(names),
    );
}

pub(crate) fn account_revoked(account: AccountId, operator: &Operator) {
    tracing::info!(target: "audit", event = "account.revoked", account.id = %account, by = %format_args!("operator {operator}"));
}

pub(crate) fn order_placed(order: &Order) {
    tracing::info!(
        target: "audit",
        event = "order.placed",
        order.id = %order.id,
        account.id = %order.account,
        identifiers = %list(&order.identifiers),
        replaces = order.replaces.as_ref().map(|id| tracing::field::display(&id.serial)),
    );
}

pub(crate) fn authorization_deactivated(authz: &Authorization) {
    tracing::info!(
        target: "audit",
        event = "authorization.deactivated",
        authorization.id = %authz.id,
        account.id = %authz.account,
        identifier = %authz.identifier,
    );
}

/// The outcome of a validation; nothing for an authorization that has none.
pub(crate) fn validation_ended(authz: &Authorization) {
    match &authz.progress {
        AuthorizationProgress::Valid { challenge, records, .. } => tracing::info!(
            target: "audit",
            event = "validation.succeeded",
            authorization.id = %authz.id,
            account.id = %authz.account,
            identifier = %authz.identifier,
            wildcard = authz.wildcard,
            %challenge,
            ?records,
        ),
        AuthorizationProgress::Invalid { challenge, records, problem, .. } => tracing::info!(
            target: "audit",
            event = "validation.failed",
            authorization.id = %authz.id,
            account.id = %authz.account,
            identifier = %authz.identifier,
            wildcard = authz.wildcard,
            %challenge,
            ?records,
            problem = problem.kind.name(),
            detail = ?problem.detail,
        ),
        AuthorizationProgress::Pending
        | AuthorizationProgress::Validating { .. }
        | AuthorizationProgress::Deactivated { .. } => {}
    }
}

pub(crate) fn issuance_begun(order: &Order) {
    tracing::info!(
        target: "audit",
        event = "issuance.begun",
        order.id = %order.id,
        account.id = %order.account,
        identifiers = %list(&order.identifiers),
    );
}

pub(crate) fn issuance_done(order: OrderId, serial: &Serial) {
    tracing::info!(target: "audit", event = "issuance.done", order.id = %order, certificate.serial = %serial);
}

pub(crate) fn issuance_failed(order: OrderId, error: &Error) {
    tracing::warn!(target: "audit", event = "issuance.failed", order.id = %order, %error);
}

pub(crate) fn certificate_revoked(serial: &Serial, revocation: &Revocation, by: &str, key_blocked: bool) {
    tracing::info!(
        target: "audit",
        event = "certificate.revoked",
        certificate.serial = %serial,
        reason = revocation.reason.map_or(0, cairn_core::RevocationReason::code),
        by,
        key_blocked,
    );
}

/// The time of the revocation stays.
pub(crate) fn revocation_corrected(serial: &Serial, revocation: &Revocation, by: &str, key_blocked: bool) {
    tracing::info!(
        target: "audit",
        event = "certificate.revocation_corrected",
        certificate.serial = %serial,
        revoked_at = %revocation.at,
        reason = revocation.reason.map_or(0, cairn_core::RevocationReason::code),
        by,
        key_blocked,
    );
}

/// What a drill has come to.
pub(crate) fn certificate_would_be_revoked(serial: &Serial, incident: &Incident) {
    tracing::info!(
        target: "audit",
        event = "certificate.would_be_revoked",
        certificate.serial = %serial,
        incident.id = %incident.id,
    );
}

/// What became of an incident: `begun`, `to_be_finished`, `finished`, `cancelled`.
pub(crate) fn incident(what: &'static str, incident: &Incident, by: &str) {
    tracing::info!(
        target: "audit",
        event = "incident.changed",
        what,
        incident.id = %incident.id,
        name = ?incident.name,
        selection = ?incident.selection,
        drill = incident.drill,
        revoke_at = incident.end.as_ref().map(|end| tracing::field::display(end.at)),
        by,
    );
}

pub(crate) fn issuer_retired(issuer: IssuerId, by: Option<Timestamp>, operator: &Operator) {
    tracing::info!(
        target: "audit",
        event = "issuer.retired",
        %issuer,
        replace_by = by.map(tracing::field::display),
        by = %format_args!("operator {operator}"),
    );
}

pub(crate) fn key_blocked(spki_sha256: &str, operator: &Operator) {
    tracing::info!(target: "audit", event = "key.blocked", spki_sha256, by = %format_args!("operator {operator}"));
}

/// Whatever an operator asked, and what came of it.
pub(crate) fn operator_asked(
    operator: &Operator,
    what: &'static str,
    object: &dyn Display,
    error: Option<&Error>,
) {
    match error {
        None => tracing::info!(target: "audit", event = "operator.asked", %operator, what, %object),
        Some(error) => {
            tracing::warn!(target: "audit", event = "operator.refused", %operator, what, %object, %error)
        }
    }
}

fn list(identifiers: &[Identifier]) -> String {
    identifiers.iter().map(Identifier::to_string).collect::<Vec<_>>().join(" ")
}
