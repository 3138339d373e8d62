//! The events that an auditor asks for (CA/Browser Forum BRs 5.4.1), each with a stable name in `event`. They go to the target
//! `audit`, which an operator can keep apart from the log.
//!
//! What a client wrote stands in fields alone, never in an event's text, so that it cannot forge one.

use cairn_core::api::ra::RevocationProof;
use cairn_core::{
    Account, AccountId, Authorization, AuthorizationProgress, Error, Identifier, Order, OrderId, Revocation,
    Serial,
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

pub(crate) fn order_placed(order: &Order) {
    tracing::info!(
        target: "audit",
        event = "order.placed",
        order.id = %order.id,
        account.id = %order.account,
        identifiers = %list(&order.identifiers),
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

pub(crate) fn certificate_revoked(
    serial: &Serial,
    revocation: &Revocation,
    proof: &RevocationProof,
    key_blocked: bool,
) {
    let by = match proof {
        RevocationProof::Account(account) => format!("account {account}"),
        RevocationProof::CertificateKey(key) => format!("certificate key {}", key.thumbprint()),
    };
    tracing::info!(
        target: "audit",
        event = "certificate.revoked",
        certificate.serial = %serial,
        reason = revocation.reason.map_or(0, cairn_core::RevocationReason::code),
        by,
        key_blocked,
    );
}

fn list(identifiers: &[Identifier]) -> String {
    identifiers.iter().map(Identifier::to_string).collect::<Vec<_>>().join(" ")
}
