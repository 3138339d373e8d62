//! The objects of a CA, as an operator is shown them.

use cairn_core::api::admin::{RaStatus, Workload};
use cairn_core::{
    Account, Authorization, AuthorizationProgress, CertificateRecord, OrderProgress, OrderWithAuthorizations,
    RevocationReason, Timestamp,
};
use cairn_x509::Certificate;

use super::sheet::Sheet;

pub(super) fn account(account: &Account) -> Sheet {
    Sheet::new()
        .with("id", account.id)
        .with("status", account.status.as_str())
        .with("created", account.created)
        .list("contact", &account.contact)
        .with("key_thumbprint", account.thumbprint())
}

pub(super) fn order(found: &OrderWithAuthorizations, now: Timestamp) -> Sheet {
    let order = &found.order;
    let sheet = Sheet::new()
        .with("id", order.id)
        .with("status", found.status(now).as_str())
        .with("account", order.account)
        .list("identifiers", &order.identifiers)
        .with("profile", &order.profile)
        .with("created", order.created)
        .with("expires", order.expires);
    let sheet = match &order.progress {
        OrderProgress::Open => sheet,
        OrderProgress::Processing { since } => sheet.with("processing_since", since),
        OrderProgress::Issued { serial } => sheet.with("serial", serial),
        OrderProgress::Failed { problem } => sheet.with("problem", &problem.detail),
    };
    let authorizations = found.authorizations.iter().map(|authz| {
        Sheet::new()
            .with("id", authz.id)
            .with("identifier", identifier(authz))
            .with("status", authz.status(now).as_str())
    });
    sheet.sheets("authorizations", authorizations)
}

pub(super) fn authorization(authz: &Authorization, now: Timestamp) -> Sheet {
    let sheet = Sheet::new()
        .with("id", authz.id)
        .with("status", authz.status(now).as_str())
        .with("account", authz.account)
        .with("identifier", identifier(authz))
        .with("created", authz.created)
        .with("expires", authz.expires)
        .list("challenges", &authz.challenges);
    match &authz.progress {
        AuthorizationProgress::Pending => sheet,
        AuthorizationProgress::Validating { challenge, since } => {
            sheet.with("challenge", challenge).with("validating_since", since)
        }
        AuthorizationProgress::Valid { challenge, at, .. } => {
            sheet.with("challenge", challenge).with("validated_at", at)
        }
        AuthorizationProgress::Invalid { challenge, at, problem, .. } => {
            sheet.with("challenge", challenge).with("failed_at", at).with("problem", &problem.detail)
        }
        AuthorizationProgress::Deactivated { at } => sheet.with("deactivated_at", at),
    }
}

fn identifier(authz: &Authorization) -> String {
    if authz.wildcard { format!("*.{}", authz.identifier) } else { authz.identifier.to_string() }
}

/// With the certificate itself, PEM, only where it was asked for.
pub(super) fn certificate(record: &CertificateRecord, now: Timestamp, pem: bool) -> Sheet {
    let status = match record.revocation {
        Some(_) => "revoked",
        None if record.not_after < now => "expired",
        None => "valid",
    };
    let sheet = Sheet::new().with("serial", &record.serial).with("status", status);
    let sheet = match &record.revocation {
        Some(revocation) => {
            sheet.with("revoked_at", revocation.at).with("reason", reason_name(revocation.reason))
        }
        None => sheet,
    };
    let parsed = Certificate::from_der(&record.der).ok();
    let sheet = match &parsed {
        Some(certificate) => sheet
            .list("names", certificate.names())
            .with("issuer", certificate.issuer())
            .with("issuer_id", record.issuer)
            .with("not_before", Timestamp::from_unix(certificate.validity().not_before))
            .with("not_after", record.not_after)
            .with("sha256", hex(&certificate.sha256_fingerprint()))
            .with("key", certificate.public_key().kind())
            .with("key_sha256", hex(&certificate.public_key().sha256())),
        None => sheet.with("not_after", record.not_after),
    };
    let sheet = sheet.maybe("account", record.account).maybe("order", record.order);
    match parsed.filter(|_| pem) {
        Some(certificate) => sheet.with("pem", certificate.to_pem()),
        None => sheet,
    }
}

pub(super) fn status(status: &RaStatus) -> Sheet {
    let workload = |workload: Workload| {
        Sheet::new().json("running", workload.running).json("limit", workload.limit).into_json()
    };
    Sheet::new()
        .json("validations", workload(status.validations))
        .json("issuances", workload(status.issuances))
        .json("stopping", status.stopping)
}

pub(super) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The name of RFC 5280 §5.3.1.
pub(super) fn reason_name(reason: Option<RevocationReason>) -> &'static str {
    match reason {
        None => "unspecified",
        Some(RevocationReason::KeyCompromise) => "keyCompromise",
        Some(RevocationReason::AffiliationChanged) => "affiliationChanged",
        Some(RevocationReason::Superseded) => "superseded",
        Some(RevocationReason::CessationOfOperation) => "cessationOfOperation",
        Some(RevocationReason::PrivilegeWithdrawn) => "privilegeWithdrawn",
    }
}
