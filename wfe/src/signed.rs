//! The door before every handler that acts for somebody: RFC 8555 §6.2 to §6.5.
//!
//! In this order: content type, a free place, size, JWS, nonce, url, kid or jwk, account, signature, payload. The nonce is used up before anything
//! costs more than microseconds, so that a request, however often it is repeated, makes us verify one signature. The signature is
//! verified on the async thread: 50 µs are less than it takes to hand the work to another thread and back under load.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use cairn_core::{
    Account, AccountId, AccountStatus, Authorization, AuthorizationId, CertificateRecord, Error, ErrorKind,
    Jwk, OrderId, OrderWithAuthorizations, Problem, ProblemType, Serial,
};
use cairn_jose::{Algorithm, Jws, JwsError, KeyReference, VerifyError, base64url};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use crate::edge::{Visit, Visiting};
use crate::links::Id;
use crate::problem::{Rejection, malformed, too_large, too_slow, unsupported_media_type};
use crate::text::shown;
use crate::wire::Payload;
use crate::{WebFrontEnd, metrics};

/// Bytes of a request's body. The largest requests are CSRs: one with 100 names of the greatest length is some 30 KB of DER, and twice
/// base64url makes 53 KB of that.
const MAX_BODY: usize = 64 * 1024;

/// How long a body may take to arrive: [`MAX_BODY`] over a bad mobile connection, and no longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that was signed by `signer`, just now, for this URL.
pub(crate) struct Signed<T, S = Account> {
    pub(crate) visit: Arc<Visit>,
    pub(crate) signer: S,
    pub(crate) payload: T,
}

impl<T: Payload, S: Signer> FromRequest<Arc<WebFrontEnd>> for Signed<T, S> {
    type Rejection = Rejection;

    async fn from_request(request: Request, wfe: &Arc<WebFrontEnd>) -> Result<Self, Rejection> {
        let (mut parts, body) = request.into_parts();
        let Visiting(visit) = Visiting::from_request_parts(&mut parts, wfe).await?;
        check_content_type(&parts.headers)?;
        wfe.places.check()?;
        let body = read(&parts.headers, body, BODY_TIMEOUT).await?;
        visit.has(wfe.places.take()?);
        let jws = Jws::parse(&body).map_err(|error| not_a_jws(&error))?;
        redeem(wfe, jws.header.nonce.as_deref()).await?;
        check_url(&visit, parts.uri.path(), jws.header.url.as_deref())?;
        let signer = S::resolve(wfe, &mut parts, &jws.header.key).await?;
        jws.verify(signer.key()).map_err(|error| not_signed(error, signer.key()))?;
        signer.admit(&visit)?;
        let payload = T::parse(&jws.payload)?;
        Ok(Self { visit, signer, payload })
    }
}

/// Who may sign a request.
pub(crate) trait Signer: Sized + Send {
    /// Whom the header of the JWS names, in a request with these `parts`. Nothing is proven yet.
    fn resolve(
        wfe: &WebFrontEnd,
        parts: &mut Parts,
        key: &KeyReference,
    ) -> impl Future<Output = Result<Self, Rejection>> + Send;

    /// The key that must have signed.
    fn key(&self) -> &Jwk;

    /// Whether the signer, now proven, may act at all.
    fn admit(&self, visit: &Visit) -> Result<(), Error>;
}

/// A `kid`: what RFC 8555 §6.2 demands of all requests but two.
impl Signer for Account {
    async fn resolve(wfe: &WebFrontEnd, _: &mut Parts, key: &KeyReference) -> Result<Self, Rejection> {
        let (kid, id) = named(wfe, key)?;
        wfe.sa.account(id).await?.ok_or_else(|| no_account(kid))
    }

    fn key(&self) -> &Jwk {
        &self.key
    }

    fn admit(&self, visit: &Visit) -> Result<(), Error> {
        visit.is_by(self.id);
        check_status(self)
    }
}

/// The account that a `kid` names, and the `kid`.
fn named<'a>(wfe: &WebFrontEnd, key: &'a KeyReference) -> Result<(&'a str, AccountId), Rejection> {
    let KeyReference::Kid(kid) = key else {
        let detail = "This request is signed with \"kid\", the account's URL, not with \"jwk\".";
        return Err(malformed(detail).into());
    };
    wfe.site.account(kid).map(|id| (kid.as_str(), id)).ok_or_else(|| no_account(kid))
}

fn no_account(kid: &str) -> Rejection {
    let detail = format!("There is no account \"{}\". Create one by newAccount.", shown(kid));
    Error::new(ErrorKind::AccountDoesNotExist, detail).into()
}

/// An account that asks to see a `T`. Both are read in one call, so before it is proven who asks; nothing is told before that. Handlers take
/// the [`Id`] too, and first: a path without one is nobody's, whoever asks.
pub(crate) struct Asking<T> {
    pub(crate) account: Account,
    /// What is under the request's URL. Whether it is the account's is for the handler to look.
    pub(crate) found: Option<T>,
}

/// What an account can ask to see.
pub(crate) trait Shown: Sized + Send {
    /// What it is called in its URL.
    type Id: FromStr + Send;

    /// The account, and the thing.
    fn read(
        wfe: &WebFrontEnd,
        account: AccountId,
        id: Self::Id,
    ) -> impl Future<Output = Result<(Option<Account>, Option<Self>), Error>> + Send;
}

impl Shown for OrderWithAuthorizations {
    type Id = OrderId;

    async fn read(
        wfe: &WebFrontEnd,
        account: AccountId,
        id: OrderId,
    ) -> Result<(Option<Account>, Option<Self>), Error> {
        wfe.sa.account_and_order(account, id).await
    }
}

impl Shown for Authorization {
    type Id = AuthorizationId;

    async fn read(
        wfe: &WebFrontEnd,
        account: AccountId,
        id: AuthorizationId,
    ) -> Result<(Option<Account>, Option<Self>), Error> {
        wfe.sa.account_and_authorization(account, id).await
    }
}

impl Shown for CertificateRecord {
    type Id = Serial;

    async fn read(
        wfe: &WebFrontEnd,
        account: AccountId,
        serial: Serial,
    ) -> Result<(Option<Account>, Option<Self>), Error> {
        wfe.sa.account_and_certificate(account, &serial).await
    }
}

impl<T: Shown> Signer for Asking<T> {
    async fn resolve(wfe: &WebFrontEnd, parts: &mut Parts, key: &KeyReference) -> Result<Self, Rejection> {
        let (kid, account) = named(wfe, key)?;
        let Id(id) = Id::from_request_parts(parts, wfe).await?;
        let (account, found) = T::read(wfe, account, id).await?;
        Ok(Self { account: account.ok_or_else(|| no_account(kid))?, found })
    }

    fn key(&self) -> &Jwk {
        self.account.key()
    }

    fn admit(&self, visit: &Visit) -> Result<(), Error> {
        self.account.admit(visit)
    }
}

/// RFC 8555 §7.3.6: an account that is not valid any more can do nothing.
pub(crate) fn check_status(account: &Account) -> Result<(), Error> {
    match account.status {
        AccountStatus::Valid => Ok(()),
        status => Err(Error::new(ErrorKind::AccountNotValid, format!("The account is {}.", status.as_str()))),
    }
}

/// A `jwk`: a key that has no account yet, or that may have forgotten which.
pub(crate) struct NewKey(pub(crate) Jwk);

impl Signer for NewKey {
    async fn resolve(_: &WebFrontEnd, _: &mut Parts, key: &KeyReference) -> Result<Self, Rejection> {
        match key {
            KeyReference::Jwk(jwk) => Ok(Self(Jwk::clone(jwk))),
            KeyReference::Kid(_) => {
                Err(malformed("This request is signed with \"jwk\", not with \"kid\".").into())
            }
        }
    }

    fn key(&self) -> &Jwk {
        &self.0
    }

    fn admit(&self, _: &Visit) -> Result<(), Error> {
        Ok(())
    }
}

/// Either: revokeCert takes an account's key or the certificate's (RFC 8555 §7.6).
pub(crate) enum AccountOrKey {
    Account(Account),
    Key(NewKey),
}

impl Signer for AccountOrKey {
    async fn resolve(wfe: &WebFrontEnd, parts: &mut Parts, key: &KeyReference) -> Result<Self, Rejection> {
        match key {
            KeyReference::Kid(_) => Account::resolve(wfe, parts, key).await.map(Self::Account),
            KeyReference::Jwk(_) => NewKey::resolve(wfe, parts, key).await.map(Self::Key),
        }
    }

    fn key(&self) -> &Jwk {
        match self {
            Self::Account(account) => account.key(),
            Self::Key(key) => key.key(),
        }
    }

    fn admit(&self, visit: &Visit) -> Result<(), Error> {
        match self {
            Self::Account(account) => account.admit(visit),
            Self::Key(key) => key.admit(visit),
        }
    }
}

/// RFC 8555 §6.2: `application/jose+json`, or 415. Parameters are tolerated, as RFC 9110 §8.3.1 would have it.
fn check_content_type(headers: &HeaderMap) -> Result<(), Rejection> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/jose+json") { Ok(()) } else { Err(unsupported_media_type()) }
}

/// The body, bounded in size and time. One that announces too much is not read at all.
async fn read(headers: &HeaderMap, body: Body, patience: Duration) -> Result<Bytes, Rejection> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > MAX_BODY) {
        return Err(too_large(MAX_BODY));
    }
    match timeout(patience, Limited::new(body, MAX_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(MAX_BODY)),
        Ok(Err(_)) => Err(malformed("The request's body ended early.").into()),
        Err(_) => Err(too_slow()),
    }
}

fn not_a_jws(error: &JwsError) -> Problem {
    let detail = format!("The request cannot be accepted: {error}.");
    match error {
        JwsError::Malformed(_) => malformed(detail),
        JwsError::UnsupportedAlgorithm(_) => bad_algorithm(detail, |_| true),
        JwsError::BadPublicKey(_) => Problem::new(ProblemType::BadPublicKey, detail),
    }
}

/// RFC 8555 §6.2: the problem lists the algorithms to use instead.
fn bad_algorithm(detail: String, use_instead: impl Fn(Algorithm) -> bool) -> Problem {
    let mut problem = Problem::new(ProblemType::BadSignatureAlgorithm, detail);
    let algorithms = Algorithm::ALL.into_iter().filter(|algorithm| use_instead(*algorithm));
    problem.algorithms = algorithms.map(|algorithm| algorithm.name().to_owned()).collect();
    problem
}

/// RFC 8555 §6.5: each nonce is good for one request. §6.5.2: one that is no base64url is malformed.
async fn redeem(wfe: &WebFrontEnd, nonce: Option<&str>) -> Result<(), Rejection> {
    let bad = |detail: &str| Err(Error::new(ErrorKind::BadNonce, detail).into());
    let Some(nonce) = nonce else {
        return bad("The JWS has no \"nonce\". Use the one in this answer's Replay-Nonce header.");
    };
    if let Err(error) = base64url::decode(nonce) {
        return Err(malformed(format!("The \"nonce\" of the JWS is not base64url: {error}.")).into());
    }
    let good = wfe.nonces.redeem(nonce).await?;
    metrics::nonce_came(good);
    if !good {
        return bad(
            "The nonce is unknown, used or too old. Try again with the one in this answer's Replay-Nonce header.",
        );
    }
    Ok(())
}

/// RFC 8555 §6.4: the JWS must have been made for the URL that it was sent to.
fn check_url(visit: &Visit, path: &str, url: Option<&str>) -> Result<(), Problem> {
    let Some(url) = url else { return Err(malformed("The JWS has no \"url\".")) };
    if visit.base().path_of(url) == Some(path) {
        return Ok(());
    }
    let detail = format!(
        "The JWS is signed for \"{}\", but was sent to \"{}{}\".",
        shown(url),
        visit.base(),
        shown(path)
    );
    Err(Problem::new(ProblemType::Unauthorized, detail))
}

/// RFC 8555 has no type for a wrong signature. `malformed` with status 400 is what Boulder and Pebble send and what clients know;
/// `unauthorized` would tell them that their account may not do this.
fn not_signed(error: VerifyError, key: &Jwk) -> Problem {
    match error {
        VerifyError::Unfit { .. } => bad_algorithm(format!("{error}."), |algorithm| algorithm.fits(key)),
        VerifyError::Signature => malformed(
            "JWS verification error: the signature was not made over this header and payload by the key that the header names.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let body = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        let rejection = read(&HeaderMap::new(), body, Duration::ZERO).await.unwrap_err();
        assert_eq!(rejection.problem().status, 408);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_malformed() {
        let body =
            Body::from_stream(stream::iter([Ok(Bytes::from_static(b"{")), Err(io::Error::other("reset"))]));
        let rejection = read(&HeaderMap::new(), body, BODY_TIMEOUT).await.unwrap_err();
        assert_eq!(rejection.problem(), &malformed("The request's body ended early."));
    }
}
