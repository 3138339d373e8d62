//! An answer as HTTP: the headers of RFC 5019 §6.2, by which caches in between keep it for as long as they may.

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use axum::body::{Body, Bytes};
use axum::response::Response;
use cairn_core::Timestamp;
use cairn_core::api::OcspResponse;
use cairn_x509::ocsp::Refusal;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::OCSP_RESPONSE;
use crate::pki::config::Ocsp as Config;
use crate::pki::edge::Said;
use crate::pki::issuers::has_etag;
use crate::pki::{NO_STORE, metrics};

/// When a client may ask again that was put off, in seconds: about as long as a restart takes.
const SOON: HeaderValue = HeaderValue::from_static("10");

/// A signed answer that many may share.
#[derive(Debug)]
pub(super) struct Answer {
    der: Bytes,
    /// Until when it is given out from memory: half of its life.
    fresh_until: Timestamp,
    next_update: Timestamp,
    /// The values of ETag, Last-Modified and Expires, one behind the other: one allocation, and not three, of each of many answers.
    headers: Bytes,
    etag_len: usize,
    date_len: usize,
}

impl Answer {
    /// One that was given at `now`.
    pub(super) fn new(response: OcspResponse, now: Timestamp) -> Self {
        let OcspResponse { der, this_update, next_update } = response;
        // RFC 5019 §6.2 recommends this one. It is no secret and no signature.
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &der);
        let mut headers = String::with_capacity(2 + 2 * hash.as_ref().len() + 2 * 29);
        headers.push('"');
        for octet in hash.as_ref() {
            headers.extend(
                [octet >> 4, octet & 0xf].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')),
            );
        }
        headers.push('"');
        let etag_len = headers.len();
        headers.push_str(&http_date(this_update));
        let date_len = headers.len() - etag_len;
        headers.push_str(&http_date(next_update));
        Self {
            der: der.into(),
            fresh_until: now.plus(next_update.since(now).max(0) / 2),
            next_update,
            headers: headers.into(),
            etag_len,
            date_len,
        }
    }

    /// Whether it may still be given out.
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.fresh_until
    }

    #[cfg(test)]
    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    fn header(&self, from: usize, to: usize) -> HeaderValue {
        // Dates and hexadecimal digits.
        let value = self.headers.slice(from.min(self.headers.len())..to.min(self.headers.len()));
        HeaderValue::from_maybe_shared(value).unwrap_or(HeaderValue::from_static(""))
    }

    fn etag(&self) -> HeaderValue {
        self.header(0, self.etag_len)
    }

    /// For how long others may keep it: not beyond the moment at which there will be a newer one here.
    fn max_age(&self, config: &Config, now: Timestamp) -> i64 {
        let left = self.fresh_until.since(now).min(self.next_update.since(now)).max(0);
        config.max_age.seconds().min(left)
    }
}

/// IMF-fixdate (RFC 9110 §5.6.7).
fn http_date(time: Timestamp) -> String {
    let seconds = u64::try_from(time.unix()).unwrap_or(0);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The answer, or that the client has it (RFC 9110 §15.4.5).
pub(super) fn signed(answer: &Answer, config: &Config, now: Timestamp, asked: &HeaderMap) -> Response {
    let etag = answer.etag();
    let is_known = has_etag(asked, &etag);
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(answer.der.clone()) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let dates = answer.etag_len + answer.date_len;
    let headers = response.headers_mut();
    headers.reserve(5);
    if !is_known {
        headers.insert(CONTENT_TYPE, OCSP_RESPONSE);
    }
    headers.insert(CACHE_CONTROL, kept(answer.max_age(config, now)));
    headers.insert(ETAG, etag);
    headers.insert(LAST_MODIFIED, answer.header(answer.etag_len, dates));
    headers.insert(EXPIRES, answer.header(dates, answer.headers.len()));
    response
}

/// RFC 5019 §6.2, in its words.
fn kept(max_age: i64) -> HeaderValue {
    let text = format!("max-age={max_age}, public, no-transform, must-revalidate");
    HeaderValue::try_from(text).unwrap_or(NO_STORE)
}

/// An answer to one request alone: with its nonce, or about several certificates.
pub(super) fn signed_once(response: OcspResponse) -> Response {
    metrics::ocsp_for_one();
    not_kept(Body::from(response.der))
}

/// A refusal. It is not signed, and nobody keeps it: it may be otherwise in a moment.
pub(super) fn refused(refusal: Refusal) -> Response {
    metrics::ocsp_refused(refusal);
    let mut response = not_kept(Body::from(Bytes::from_owner(refusal.der())));
    if refusal == Refusal::TryLater {
        response.headers_mut().insert(RETRY_AFTER, SOON);
    }
    response.extensions_mut().insert(Said(metrics::name(refusal)));
    response
}

fn not_kept(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, OCSP_RESPONSE);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

#[cfg(test)]
mod tests {
    use cairn_core::Period;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const DAY: i64 = 24 * 60 * 60;

    fn answer() -> Answer {
        let response = OcspResponse { der: vec![0x30, 0], this_update: NOW, next_update: NOW.plus(DAY) };
        Answer::new(response, NOW)
    }

    fn at(seconds: i64, max_age: u32) -> HeaderMap {
        let config = Config { max_age: Period::from_secs(max_age), ..Config::default() };
        signed(&answer(), &config, NOW.plus(seconds), &HeaderMap::new()).headers().clone()
    }

    #[test]
    fn the_headers_are_those_of_rfc_5019() {
        let headers = at(0, 300);
        assert_eq!(headers[CONTENT_TYPE], "application/ocsp-response");
        assert_eq!(headers[CACHE_CONTROL], "max-age=300, public, no-transform, must-revalidate");
        assert_eq!(headers[LAST_MODIFIED], "Fri, 15 Jan 2027 08:00:00 GMT");
        assert_eq!(headers[EXPIRES], "Sat, 16 Jan 2027 08:00:00 GMT");
        let etag = headers[ETAG].to_str().unwrap();
        assert_eq!((etag.len(), etag.starts_with('"'), etag.ends_with('"')), (42, true, true));
    }

    #[test]
    fn nobody_keeps_it_beyond_half_of_its_life() {
        let cache_control = |seconds| at(seconds, 24 * 60 * 60)[CACHE_CONTROL].to_str().unwrap().to_owned();
        assert!(cache_control(0).starts_with(&format!("max-age={},", DAY / 2)));
        assert!(cache_control(DAY / 2 - 1).starts_with("max-age=1,"));
        assert!(cache_control(DAY / 2).starts_with("max-age=0,"));
        assert!(cache_control(2 * DAY).starts_with("max-age=0,"));
        assert!(answer().is_fresh(NOW.plus(DAY / 2 - 1)) && !answer().is_fresh(NOW.plus(DAY / 2)));
    }

    #[test]
    fn who_has_it_is_told_so() {
        let answer = answer();
        let with = |value: &str| {
            let headers = HeaderMap::from_iter([(http::header::IF_NONE_MATCH, value.parse().unwrap())]);
            signed(&answer, &Config::default(), NOW, &headers).status()
        };
        let etag = answer.etag();
        let etag = etag.to_str().unwrap();
        for value in [etag.to_owned(), format!("W/{etag}"), format!("\"a\", {etag}"), "*".to_owned()] {
            assert_eq!(with(&value), StatusCode::NOT_MODIFIED, "{value}");
        }
        assert_eq!(with("\"other\""), StatusCode::OK);
    }

    #[test]
    fn refusals_are_kept_by_nobody() {
        let later = refused(Refusal::TryLater);
        assert_eq!((later.status(), &later.headers()[RETRY_AFTER]), (StatusCode::OK, &SOON));
        for refusal in [Refusal::Unauthorized, Refusal::MalformedRequest, Refusal::InternalError] {
            let headers = refused(refusal).headers().clone();
            assert_eq!((&headers[CACHE_CONTROL], headers.get(RETRY_AFTER)), (&NO_STORE, None));
        }
    }
}
