//! Says of certificates whether they are revoked (RFC 6960; RFC 5019; RFC 9654 for nonces).
//!
//! What it says it looks up itself, in the storage for leaves and in the installed CRLs for CAs. A request may name certificates of several
//! issuers, but an answer has one signature: it is that of the issuer of the first certificate that is known, and the others are unknown
//! to it. Where none is known there is no answer at all (RFC 6960 §2.3): to sign that something was never issued, for whoever asks,
//! would be a lever for strangers.

mod delegate;
mod responder;
mod voice;

use cairn_core::api::{OcspAnswer, OcspResponse};
use cairn_core::certificate::CertificateStatus;
use cairn_core::{Error, ErrorKind, Result, Revocation, RevocationReason, Serial, Timestamp};
use cairn_x509::ocsp::{
    CertId, Nonce, Request, RequestError, ResponseInputs, SingleResponse, Status, TbsResponse,
};
use cairn_x509::{BuildError, CrlReason};

pub use self::responder::{Responder, ResponderError};
pub(crate) use self::voice::{Voice, voices};

use self::delegate::Delegates;
use self::voice::Source;
use crate::config::{OcspConfig, OcspSigner};
use crate::{Ca, metrics};

/// What a client hears whose request is none.
const MALFORMED: &str = "The OCSP request cannot be understood.";
/// What is said while the storage cannot be asked.
const AWAY: &str = "The status of certificates cannot be looked up at this moment; try again in a moment.";

/// What answering needs besides the hierarchy.
pub(crate) struct Ocsp {
    config: OcspConfig,
    delegates: Delegates,
}

impl Ocsp {
    pub(crate) fn new(config: OcspConfig) -> Self {
        Self { config, delegates: Delegates::default() }
    }
}

/// What is known of a certificate.
#[derive(Clone, Copy)]
struct Known {
    status: Status,
    /// When that was so, and until when there is nothing newer; a CRL's times, where one says it.
    from: i64,
    until: Option<i64>,
}

impl Ca {
    #[tracing::instrument(level = "debug", name = "ocsp_response", skip_all)]
    pub(crate) async fn answer_ocsp(&self, request: &[u8]) -> Result<OcspAnswer> {
        let answer = self.ocsp_answer(request).await;
        metrics::ocsp(match &answer {
            Ok(OcspAnswer::Signed(_)) => "signed",
            Ok(OcspAnswer::Unauthorized) => "unauthorized",
            Err(error) if error.kind == ErrorKind::Malformed => "malformed",
            Err(_) => "failed",
        });
        answer
    }

    async fn ocsp_answer(&self, request: &[u8]) -> Result<OcspAnswer> {
        let Request { certificates, nonce } = Request::from_der(request).map_err(malformed)?;
        // Before the storage is asked: what it says was so then at least.
        let now = self.clock.now();
        let hierarchy = self.hierarchy.load_full();
        let named: Vec<Option<&Voice>> = certificates
            .iter()
            .map(|id| hierarchy.voices.iter().find(|voice| voice.names.include(id)))
            .collect();
        if named.iter().all(Option::is_none) {
            return Ok(OcspAnswer::Unauthorized);
        }
        let known = self.known(&certificates, &named, now).await?;
        let Some(voice) = named.iter().zip(&known).find_map(|(voice, known)| known.and(*voice)) else {
            return Ok(OcspAnswer::Unauthorized);
        };
        let own = named
            .iter()
            .zip(known)
            .map(|(named, known)| known.filter(|_| named.is_some_and(|named| std::ptr::eq(named, voice))));
        self.sign_answer(voice, certificates.into_iter().zip(own).collect(), nonce, now).await
    }

    /// What is known of each certificate; nothing of those that nobody can be named for.
    async fn known(
        &self,
        ids: &[CertId],
        named: &[Option<&Voice>],
        now: Timestamp,
    ) -> Result<Vec<Option<Known>>> {
        let in_storage = |(id, voice): (&CertId, &Option<&Voice>)| {
            voice.and_then(|voice| voice.issuer_id())?;
            Serial::from_bytes(&id.serial)
        };
        let serials: Vec<Option<Serial>> = ids.iter().zip(named).map(in_storage).collect();
        let asked: Vec<Serial> = serials.iter().flatten().cloned().collect();
        let mut found = match asked.as_slice() {
            [] => Vec::new(),
            asked => self.store.certificate_statuses(asked).await.map_err(away)?,
        }
        .into_iter();
        let mut known = Vec::with_capacity(ids.len());
        for ((id, voice), serial) in ids.iter().zip(named).zip(serials) {
            let stored = serial.and_then(|_| found.next().flatten());
            known.push(voice.and_then(|voice| known_of(voice, id, stored, now)));
        }
        Ok(known)
    }

    async fn sign_answer(
        &self,
        voice: &Voice,
        certificates: Vec<(CertId, Option<Known>)>,
        nonce: Option<Nonce>,
        now: Timestamp,
    ) -> Result<OcspAnswer> {
        let validity = self.ocsp.config.validity.seconds();
        let speaker = match (&voice.source, self.ocsp.config.signer) {
            (Source::Issuer(ready), OcspSigner::Issuer) => delegate::Speaker::Issuer(&ready.issuer),
            (Source::Issuer(ready), OcspSigner::Delegated) => {
                delegate::Speaker::Delegate(self.delegate(ready, now).await?)
            }
            (Source::Installed(responder), _) => {
                let ends = responder.certificate().validity().not_after;
                if now.unix() > ends {
                    return Ok(OcspAnswer::Unauthorized);
                }
                delegate::Speaker::Installed(responder)
            }
        };
        let last = speaker.last_second().filter(|last| *last >= now.unix()).unwrap_or(i64::MAX);
        let responses: Vec<SingleResponse> = certificates
            .into_iter()
            .map(|(id, known)| {
                let known = known.unwrap_or(Known { status: Status::Unknown, from: now.unix(), until: None });
                let until =
                    now.unix().saturating_add(validity).min(known.until.unwrap_or(i64::MAX)).min(last);
                SingleResponse { id, status: known.status, this_update: known.from, next_update: Some(until) }
            })
            .collect();
        let inputs = ResponseInputs {
            responder: speaker.certificate(),
            delegated: speaker.is_delegated(),
            produced_at: now.unix(),
            responses: &responses,
            nonce: nonce.as_ref(),
        };
        let tbs = TbsResponse::new(speaker.key().signer().algorithm(), inputs).map_err(unbuilt)?;
        let turn = speaker.key().turn().await?;
        let signing = speaker.key().sign_response(turn, tbs);
        let signed = match (&voice.source, &speaker) {
            (Source::Issuer(ready), delegate::Speaker::Issuer(_)) => ready.metrics.signing(signing).await,
            _ => signing.await,
        };
        let der = signed.map_err(crate::issuance::unsigned)?;
        let earliest = |times: &mut dyn Iterator<Item = i64>| times.min().unwrap_or_else(|| now.unix());
        Ok(OcspAnswer::Signed(OcspResponse {
            der,
            this_update: Timestamp::from_unix(earliest(&mut responses.iter().map(|it| it.this_update))),
            next_update: Timestamp::from_unix(earliest(
                &mut responses.iter().filter_map(|it| it.next_update),
            )),
        }))
    }
}

/// What the storage says, or else the CRL of a CA whose CAs are known.
fn known_of(voice: &Voice, id: &CertId, stored: Option<CertificateStatus>, now: Timestamp) -> Option<Known> {
    let own = stored.filter(|stored| Some(stored.issuer) == voice.issuer_id());
    if let Some(CertificateStatus { revocation, .. }) = own {
        let status = revocation.map_or(Status::Good, revoked);
        return Some(Known { status, from: now.unix(), until: None });
    }
    let (status, from, until) = voice.status_by_crl(id, now)?;
    Some(Known { status, from, until: Some(until) })
}

fn revoked(Revocation { at, reason }: Revocation) -> Status {
    let reason = reason.map(|reason| match reason {
        RevocationReason::KeyCompromise => CrlReason::KeyCompromise,
        RevocationReason::AffiliationChanged => CrlReason::AffiliationChanged,
        RevocationReason::Superseded => CrlReason::Superseded,
        RevocationReason::CessationOfOperation => CrlReason::CessationOfOperation,
        RevocationReason::PrivilegeWithdrawn => CrlReason::PrivilegeWithdrawn,
    });
    Status::Revoked { at: at.unix(), reason }
}

fn malformed(error: RequestError) -> Error {
    Error::new(ErrorKind::Malformed, MALFORMED).with_source(error)
}

/// Whatever keeps the storage from answering, it may answer the next time.
fn away(error: Error) -> Error {
    Error::new(ErrorKind::Unavailable, AWAY).with_source(error)
}

fn unbuilt(error: BuildError) -> Error {
    Error::internal("The OCSP answer cannot be made; its operator finds the reason in the log.", error)
}
