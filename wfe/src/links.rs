//! Every URL of the API: where each resource lives, and how a URL is built and read.

use std::fmt;
use std::num::NonZeroU8;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use cairn_core::renewal::CertificateIdError;
use cairn_core::{
    AccountId, AuthorizationId, CertificateId, ChallengeType, Error, ErrorKind, OrderId, Serial,
};
use http::HeaderValue;
use http::request::Parts;
use serde::{Serialize, Serializer};

use crate::problem::Rejection;

/// The paths as the router knows them. [`Resource`]'s `Display` writes the same.
pub(crate) mod path {
    pub(crate) const DIRECTORY: &str = "/dir";
    pub(crate) const NEW_NONCE: &str = "/nonce";
    pub(crate) const NEW_ACCOUNT: &str = "/new-account";
    pub(crate) const NEW_ORDER: &str = "/new-order";
    pub(crate) const REVOKE_CERT: &str = "/revoke-cert";
    pub(crate) const ACCOUNT: &str = "/account/{id}";
    pub(crate) const ORDER: &str = "/order/{id}";
    pub(crate) const FINALIZE: &str = "/order/{id}/finalize";
    pub(crate) const AUTHORIZATION: &str = "/authz/{id}";
    pub(crate) const CHALLENGE: &str = "/challenge/{id}/{type}";
    pub(crate) const CERTIFICATE: &str = "/certificate/{id}";
    pub(crate) const ALTERNATE: &str = "/certificate/{id}/{chain}";
    pub(crate) const RENEWAL_INFO: &str = "/renewal-info/{id}";

    /// All of them: requests are counted by them.
    pub(crate) const ALL: [&str; 13] = [
        DIRECTORY,
        NEW_NONCE,
        NEW_ACCOUNT,
        NEW_ORDER,
        REVOKE_CERT,
        ACCOUNT,
        ORDER,
        FINALIZE,
        AUTHORIZATION,
        CHALLENGE,
        CERTIFICATE,
        ALTERNATE,
        RENEWAL_INFO,
    ];
}

/// What a URL can name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Resource<'a> {
    Directory,
    NewNonce,
    NewAccount,
    NewOrder,
    RevokeCert,
    Account(AccountId),
    Order(OrderId),
    Finalize(OrderId),
    Authorization(AuthorizationId),
    Challenge(AuthorizationId, ChallengeType),
    /// With its default chain.
    Certificate(&'a Serial),
    /// With another chain.
    Alternate(&'a Serial, ChainNumber),
    /// Behind it stands a certificate's id (RFC 9773 §4.1).
    RenewalInfo,
}

impl Resource<'_> {
    /// The account that a path names.
    pub(crate) fn account(path: &str) -> Option<AccountId> {
        path.strip_prefix("/account/")?.parse().ok()
    }

    /// Whether a path lies where renewal information does, be there any or not.
    pub(crate) fn is_renewal_info(path: &str) -> bool {
        path.strip_prefix("/renewal-info").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The path.
impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory => f.write_str(path::DIRECTORY),
            Self::NewNonce => f.write_str(path::NEW_NONCE),
            Self::NewAccount => f.write_str(path::NEW_ACCOUNT),
            Self::NewOrder => f.write_str(path::NEW_ORDER),
            Self::RevokeCert => f.write_str(path::REVOKE_CERT),
            Self::Account(id) => write!(f, "/account/{id}"),
            Self::Order(id) => write!(f, "/order/{id}"),
            Self::Finalize(id) => write!(f, "/order/{id}/finalize"),
            Self::Authorization(id) => write!(f, "/authz/{id}"),
            Self::Challenge(id, kind) => write!(f, "/challenge/{id}/{kind}"),
            Self::Certificate(serial) => write!(f, "/certificate/{serial}"),
            Self::RenewalInfo => f.write_str("/renewal-info"),
            Self::Alternate(serial, chain) => write!(f, "/certificate/{serial}/{chain}"),
        }
    }
}

/// What every URL in an answer begins with, and the header that every answer carries.
#[derive(Debug)]
pub(crate) struct Base {
    /// `https://` and an authority, maybe a path; no slash at the end.
    url: String,
    /// The `Link` header to the directory (RFC 8555 §7.1).
    index: HeaderValue,
}

impl Base {
    /// `None` if `url` cannot stand in a header.
    pub(crate) fn new(url: String) -> Option<Self> {
        let index = HeaderValue::try_from(format!("<{url}{}>;rel=\"index\"", Resource::Directory)).ok()?;
        Some(Self { url, index })
    }

    /// The URL of a resource.
    pub(crate) const fn link<'a>(&'a self, resource: Resource<'a>) -> Link<'a> {
        Link { base: self, resource }
    }

    /// The path of a URL that begins with this base, character for character.
    pub(crate) fn path_of<'a>(&self, url: &'a str) -> Option<&'a str> {
        url.strip_prefix(self.url.as_str())
    }

    /// The host, with a port if the URL has one.
    pub(crate) fn authority(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest)
    }

    pub(crate) const fn index(&self) -> &HeaderValue {
        &self.index
    }
}

/// The URL.
impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// A URL, written only where it is needed: into JSON or a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    base: &'a Base,
    resource: Resource<'a>,
}

impl Link<'_> {
    /// For `Location`.
    pub(crate) fn location(&self) -> Result<HeaderValue, Error> {
        header(self.to_string())
    }

    /// For `Link`, with a relation of RFC 8555 §7.1.
    pub(crate) fn relation(&self, relation: &str) -> Result<HeaderValue, Error> {
        header(format!("<{self}>;rel=\"{relation}\""))
    }
}

fn header(value: String) -> Result<HeaderValue, Error> {
    HeaderValue::try_from(value).map_err(|error| Error::internal("A link could not be written.", error))
}

impl fmt::Display for Link<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.base.url, self.resource)
    }
}

impl Serialize for Link<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The `{id}` of the request's path. What is no id names nothing: 404.
pub(crate) struct Id<T>(pub(crate) T);

impl<T: FromStr, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        parameter(parts, state, "id").await.map(Self)
    }
}

/// The `{id}` of a path that is a certificate's (RFC 9773 §4.1). What is none is for the handler to say.
pub(crate) struct Renewed(pub(crate) Result<CertificateId, CertificateIdError>);

impl<S: Send + Sync> FromRequestParts<S> for Renewed {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
        let text = parameters.as_ref().and_then(|all| all.iter().find(|(key, _)| *key == "id"));
        Ok(Self(text.map_or(Err(CertificateIdError::Malformed), |(_, text)| text.parse())))
    }
}

/// The `{type}` of a challenge's path.
pub(crate) struct Kind(pub(crate) ChallengeType);

impl<S: Send + Sync> FromRequestParts<S> for Kind {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        parameter(parts, state, "type").await.map(Self)
    }
}

/// The `{chain}` of a certificate's path.
pub(crate) struct Alternate(pub(crate) ChainNumber);

impl<S: Send + Sync> FromRequestParts<S> for Alternate {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        parameter(parts, state, "chain").await.map(Self)
    }
}

/// Which of a certificate's chains, where it is not the default: 1 is the first after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainNumber(NonZeroU8);

impl ChainNumber {
    /// The one at a place in a list whose first is the default, which has no number.
    pub(crate) fn of_place(place: usize) -> Option<Self> {
        u8::try_from(place).ok().and_then(NonZeroU8::new).map(Self)
    }

    pub(crate) fn place(self) -> usize {
        self.0.get().into()
    }
}

impl fmt::Display for ChainNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As it is written: neither `01` nor `+1`, so that each resource has one URL.
impl FromStr for ChainNumber {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let number = text.parse().map(Self).map_err(|_| ())?;
        if number.to_string() == text { Ok(number) } else { Err(()) }
    }
}

async fn parameter<T: FromStr, S: Send + Sync>(
    parts: &mut Parts,
    state: &S,
    name: &str,
) -> Result<T, Rejection> {
    let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
    let text = parameters.as_ref().and_then(|all| all.iter().find(|(key, _)| *key == name));
    let value = text.and_then(|(_, text)| text.parse().ok());
    value.ok_or_else(|| Error::new(ErrorKind::NotFound, "There is nothing under this URL.").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_where_the_router_looks() {
        let (account, order, authz) = (
            AccountId::from_bytes([1; 16]),
            OrderId::from_bytes([2; 16]),
            AuthorizationId::from_bytes([3; 16]),
        );
        let serial = Serial::from_bytes(&[0x0a, 0xff]).unwrap();
        for (resource, pattern) in [
            (Resource::Account(account), path::ACCOUNT),
            (Resource::Order(order), path::ORDER),
            (Resource::Finalize(order), path::FINALIZE),
            (Resource::Authorization(authz), path::AUTHORIZATION),
            (Resource::Challenge(authz, ChallengeType::Dns01), path::CHALLENGE),
            (Resource::Certificate(&serial), path::CERTIFICATE),
            (Resource::Alternate(&serial, ChainNumber::of_place(7).unwrap()), path::ALTERNATE),
        ] {
            let written = resource.to_string();
            assert_eq!(written.split('/').count(), pattern.split('/').count());
            for (written, pattern) in written.split('/').zip(pattern.split('/')) {
                assert!(pattern.starts_with('{') || written == pattern, "{written} {pattern}");
            }
        }
    }

    #[test]
    fn an_accounts_path_is_read_exactly() {
        let id = AccountId::from_bytes([0xab; 16]);
        let path = Resource::Account(id).to_string();
        assert_eq!(Resource::account(&path), Some(id));
        for wrong in
            [format!("{path}/"), path.to_uppercase(), format!("/x{path}"), path.replace("account", "order")]
        {
            assert_eq!(Resource::account(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_alternate_chain_has_one_number_and_the_default_none() {
        assert_eq!("7".parse(), Ok(ChainNumber::of_place(7).unwrap()));
        assert_eq!(ChainNumber::of_place(0), None);
        for wrong in ["", "0", "01", "+1", "-1", "256", "1 ", "x"] {
            assert_eq!(wrong.parse::<ChainNumber>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_url_is_compared_character_for_character() {
        let base = Base::new("https://ca.test".to_owned()).unwrap();
        assert_eq!(base.path_of("https://ca.test/new-order"), Some("/new-order"));
        for wrong in
            ["https://CA.test/new-order", "https://ca.test:443/new-order", "http://ca.test/new-order", ""]
        {
            assert_ne!(base.path_of(wrong), Some("/new-order"), "{wrong}");
        }
    }
}
