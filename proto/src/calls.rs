//! What all calls have in common, whatever carries them: how large a message may be, and which calls may be made a second time.

/// Largest message in octets, of requests and of answers.
///
/// The largest is an order with its authorizations and what was seen at their validation. Usually that is half a MiB for the 1000
/// identifiers that an order may have at most. At worst each of them was redirected ten times to URLs of 2048 characters, which leaves
/// 30 KiB of records at each place that looked; there is room for two places that met this with every identifier. An order beyond that
/// cannot be read, which hurts only the account that went out of its way to make it.
pub const MAX_MESSAGE: usize = 64 * 1024 * 1024;

/// Whether the call at `path` (`/cairn.v1.Service/Method`) may be made again when nobody knows whether it was carried out: a second
/// time does no harm and has the answer that the first would have had, or one as good.
#[must_use]
pub fn is_idempotent(path: &str) -> bool {
    REPEATABLE.iter().any(|(repeatable, _)| *repeatable == path)
}

/// Every call that may be repeated, and why.
const REPEATABLE: &[(&str, &str)] = &[
    // The account is found by its key the second time. The client is told that it is not new, and gets its URL all the same.
    ("/cairn.v1.RegistrationAuthority/NewAccount", "the account of a key is made once"),
    ("/cairn.v1.RegistrationAuthority/UpdateAccount", "sets contacts to what they are then"),
    (
        "/cairn.v1.RegistrationAuthority/PerformValidation",
        "looks again at most, and changes nothing that is decided",
    ),
    ("/cairn.v1.ValidationAuthority/Validate", "looks and changes nothing"),
    ("/cairn.v1.PolicyAuthority/WillingToIssue", "computes"),
    ("/cairn.v1.PolicyAuthority/ChallengeEnabled", "computes"),
    ("/cairn.v1.PolicyAuthority/GoodKey", "computes"),
    ("/cairn.v1.NonceService/Prefix", "reads"),
    ("/cairn.v1.StorageRead/Account", "reads"),
    ("/cairn.v1.StorageRead/AccountByKey", "reads"),
    ("/cairn.v1.StorageRead/Order", "reads"),
    ("/cairn.v1.StorageRead/Authorization", "reads"),
    ("/cairn.v1.StorageRead/Certificate", "reads"),
    ("/cairn.v1.StorageRead/AccountAndOrder", "reads"),
    ("/cairn.v1.StorageRead/AccountAndAuthorization", "reads"),
    ("/cairn.v1.StorageRead/AccountAndCertificate", "reads"),
    ("/cairn.v1.StorageRead/Renewal", "reads"),
    ("/cairn.v1.StorageRead/CaCertificates", "reads"),
    ("/cairn.v1.StorageRead/Ping", "reads"),
    ("/cairn.v1.CertificateStore/RecordCaCertificates", "what is recorded stays as it is"),
    ("/cairn.v1.PkiRead/RevocationPosition", "reads"),
    ("/cairn.v1.PkiRead/RevocationsAfter", "reads"),
    ("/cairn.v1.PkiRead/PublishedCaCertificates", "reads"),
    ("/cairn.v1.OcspResponder/OcspResponse", "reads, and signs what it read"),
    ("/cairn.v1.CertificateStore/CertificateStatuses", "reads"),
    ("/cairn.v1.PkiRead/Crl", "reads"),
    ("/cairn.v1.PkiRead/CrlChunk", "reads"),
    ("/cairn.v1.CrlStore/HoldCrlShard", "who has the lease keeps it"),
    ("/cairn.v1.CrlStore/ReleaseCrlShard", "the lease is given back"),
    ("/cairn.v1.CrlStore/Crls", "reads"),
    ("/cairn.v1.CrlStore/LatestCrl", "reads"),
    ("/cairn.v1.CrlStore/LatestChange", "reads"),
    ("/cairn.v1.CrlStore/ChangesAfter", "reads"),
    ("/cairn.v1.CrlStore/Revoked", "reads"),
    ("/cairn.v1.CrlStore/RevokedLengths", "reads"),
    ("/cairn.v1.CrlStore/RemoveCrls", "what is removed is gone"),
    ("/cairn.v1.CrlStore/ForgetRevocations", "what is forgotten is gone"),
    ("/cairn.v1.StorageAuthority/SetContact", "sets contacts to what they are then"),
    ("/cairn.v1.StorageAuthority/OrderForIdentifiers", "reads"),
    ("/cairn.v1.StorageAuthority/ValidAuthorizations", "reads"),
    ("/cairn.v1.StorageAuthority/Heartbeat", "says again that the worker lived then"),
    ("/cairn.v1.StorageAuthority/Retire", "the worker has ended"),
    ("/cairn.v1.StorageAuthority/TakeAbandonedOrders", "what the worker has taken comes to it again"),
    ("/cairn.v1.StorageAuthority/TakeAbandonedValidations", "what the worker has taken comes to it again"),
    ("/cairn.v1.StorageAuthority/KeyBlocked", "reads"),
    ("/cairn.v1.RevocationStore/CertificatesAfter", "reads"),
    ("/cairn.v1.RevocationStore/CertificatesOfKey", "reads"),
    ("/cairn.v1.RevocationStore/CertificatesWithSerials", "reads"),
    ("/cairn.v1.RevocationStore/KeysToSweep", "reads"),
    ("/cairn.v1.RevocationStore/EndSweep", "what is ended has ended"),
    ("/cairn.v1.RevocationStore/CertificatesWithoutKey", "reads"),
    ("/cairn.v1.RevocationStore/EnterKeys", "enters what does not change"),
    ("/cairn.v1.RevocationStore/Replacement", "reads"),
    ("/cairn.v1.RevocationStore/SetReplaceBy", "sets it to what it is then"),
    ("/cairn.v1.RevocationStore/StoredIncident", "reads"),
    ("/cairn.v1.RevocationStore/StoredIncidents", "reads"),
    ("/cairn.v1.RevocationStore/DueIncidents", "reads"),
    ("/cairn.v1.RevocationStore/SetIncidentEnd", "sets it to what it is then"),
    ("/cairn.v1.RevocationStore/IncidentCertificates", "reads"),
    ("/cairn.v1.RevocationStore/IncidentToDo", "reads"),
    ("/cairn.v1.RevocationStore/SetIncidentDone", "what is done is done"),
    ("/cairn.v1.Admin/Select", "reads"),
    ("/cairn.v1.Admin/Incidents", "reads"),
    ("/cairn.v1.Admin/Incident", "reads"),
    ("/cairn.v1.Admin/IncidentStretch", "reads"),
    ("/cairn.v1.Admin/RetireIssuer", "sets it to what it is then"),
    ("/cairn.v1.Admin/Account", "reads"),
    ("/cairn.v1.Admin/Order", "reads"),
    ("/cairn.v1.Admin/Authorization", "reads"),
    ("/cairn.v1.Admin/Certificate", "reads"),
    ("/cairn.v1.Admin/Status", "reads"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every call that may not be repeated, and what a second time would do.
    const ONCE: &[(&str, &str)] = &[
        (
            "/cairn.v1.RegistrationAuthority/DeactivateAccount",
            "says that the account is closed, as if by another",
        ),
        ("/cairn.v1.RegistrationAuthority/NewOrder", "may place a second order"),
        ("/cairn.v1.RegistrationAuthority/DeactivateAuthorization", "may say that it is final already"),
        ("/cairn.v1.RegistrationAuthority/FinalizeOrder", "says that the order is not ready"),
        ("/cairn.v1.RegistrationAuthority/RevokeCertificate", "says that it is revoked already"),
        ("/cairn.v1.ListenerCertificates/ListenerCertificate", "issues a second certificate"),
        (
            "/cairn.v1.CertificateAuthority/IssueCertificate",
            "says that one was begun; for listeners issues a second",
        ),
        ("/cairn.v1.NonceService/RedeemOwn", "says that the nonce is used"),
        ("/cairn.v1.CertificateStore/RecordIntent", "says that the serial is used"),
        ("/cairn.v1.CertificateStore/AddCertificate", "says that the certificate is there already"),
        ("/cairn.v1.CrlStore/AddCrlChunk", "says that the piece is there already"),
        ("/cairn.v1.CrlStore/PublishCrl", "says that the number is used"),
        ("/cairn.v1.StorageAuthority/NewAccount", "gives the account back as another's, made before"),
        ("/cairn.v1.StorageAuthority/DeactivateAccount", "says that the account is closed already"),
        ("/cairn.v1.StorageAuthority/NewOrderAndAuthorizations", "meets the ids of the first"),
        (
            "/cairn.v1.StorageAuthority/SetAuthorizationProcessing",
            "says that it is being validated by another",
        ),
        (
            "/cairn.v1.StorageAuthority/FinalizeAuthorization",
            "says that it is final, as if another had ended it",
        ),
        ("/cairn.v1.StorageAuthority/DeactivateAuthorization", "says that it is final already"),
        ("/cairn.v1.StorageAuthority/SetOrderProcessing", "says that the order is being issued by another"),
        ("/cairn.v1.StorageAuthority/SetOrderError", "says that the order is not processing"),
        ("/cairn.v1.StorageAuthority/RevokeCertificate", "says that it is revoked already"),
        ("/cairn.v1.StorageAuthority/RevokeAccount", "says that the account is closed already"),
        ("/cairn.v1.StorageAuthority/BlockKey", "says that the key is blocked already"),
        ("/cairn.v1.RevocationStore/CorrectRevocation", "says that nothing was corrected"),
        ("/cairn.v1.RevocationStore/NewIncident", "meets the id of the first"),
        ("/cairn.v1.RevocationStore/AddIncidentCertificates", "says that none is new"),
        ("/cairn.v1.RevocationStore/CloseIncident", "says that it is not open"),
        ("/cairn.v1.RevocationStore/SetIncidentReplaced", "says that none was new"),
        ("/cairn.v1.Admin/RevokeSelected", "says that all were passed over"),
        ("/cairn.v1.Admin/NewIncident", "says that there is one of that name"),
        ("/cairn.v1.Admin/EnterIntoIncident", "says that all were passed over"),
        ("/cairn.v1.Admin/FollowIncident", "says that none was new"),
        ("/cairn.v1.Admin/FinishIncident", "may say that it is not open"),
        ("/cairn.v1.Admin/CancelIncident", "says that it is not open"),
        ("/cairn.v1.Admin/DeactivateAccount", "says that the account is closed already"),
        ("/cairn.v1.Admin/DeactivateAuthorization", "says that it is final already"),
        ("/cairn.v1.Admin/RevokeCertificate", "says that it is revoked already"),
        ("/cairn.v1.Admin/BlockKey", "says that the key is blocked already"),
    ];

    #[test]
    fn every_call_is_judged_once() {
        let home = Path::new(env!("CARGO_MANIFEST_DIR"));
        let sources = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
        let sources: Vec<_> =
            sources.filter(|path| path.extension().is_some_and(|extension| extension == "proto")).collect();
        let mut calls: Vec<String> = Vec::new();
        for file in protox::compile(&sources, [home]).unwrap().file {
            for service in &file.service {
                let methods = service.method.iter();
                calls.extend(
                    methods.map(|it| format!("/{}.{}/{}", file.package(), service.name(), it.name())),
                );
            }
        }
        let mut judged: Vec<&str> = REPEATABLE.iter().chain(ONCE).map(|(path, _)| *path).collect();
        calls.sort();
        judged.sort_unstable();
        assert_eq!(judged, calls);
    }

    #[test]
    fn what_is_unknown_is_not_repeated() {
        assert!(is_idempotent("/cairn.v1.StorageRead/Ping"));
        assert!(!is_idempotent("/cairn.v1.NonceService/RedeemOwn"));
        assert!(!is_idempotent("/cairn.v1.StorageRead/Ping2"));
    }
}
