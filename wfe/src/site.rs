//! Under which name this CA is reached: what links begin with, what the `url` header must begin with (RFC 8555 §6.4), and which
//! `kid`s are account URLs of ours.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use cairn_core::{AccountId, Problem, ProblemType};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Uri, header};
use serde::{Deserialize, Deserializer};

use crate::config::Config;
use crate::links::{Base, Resource};
use crate::problem::{Rejection, misdirected};
use crate::text::shown;

/// The URL that clients reach the API under: `https://`, a name with maybe a port, maybe a path.
#[derive(Clone, Debug)]
pub struct BaseUrl(Arc<Base>);

/// The text is no base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a base URL is \"https://\" and a host, maybe with a port and a path, without a query, a fragment or a user name, \
     for example \"https://acme.example.com\""
)]
pub struct BaseUrlError;

impl BaseUrl {
    /// The host, without a port: what a certificate for this URL must name.
    pub fn host(&self) -> &str {
        let rest = self.0.authority();
        // An IPv6 address has colons of its own, inside brackets.
        let end = if rest.starts_with('[') { rest.find(']').map(|end| end + 1) } else { rest.find(':') };
        end.and_then(|end| rest.get(..end)).unwrap_or(rest)
    }
}

impl FromStr for BaseUrl {
    type Err = BaseUrlError;

    fn from_str(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let uri: Uri = text.parse().map_err(|_| BaseUrlError)?;
        // RFC 8555 §6.1: HTTPS is required. The parser drops a fragment, so the text itself is asked for one.
        let sound = uri.scheme() == Some(&Scheme::HTTPS)
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && text.is_ascii()
            && !text.ends_with('/')
            && !text.contains(['?', '#']);
        if !sound {
            return Err(BaseUrlError);
        }
        Base::new(text.to_owned()).map(|base| Self(Arc::new(base))).ok_or(BaseUrlError)
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How a request's base is found.
#[derive(Debug)]
pub(crate) enum Site {
    /// It is always this one, whatever the request's host says: a proxy in front may have changed that.
    Fixed(Arc<Base>),
    /// It follows the request's host, which must be one of these.
    ByHost(Vec<Host>),
}

impl Site {
    pub(crate) fn new(config: &Config) -> Self {
        match &config.base_url {
            Some(BaseUrl(base)) => Self::Fixed(base.clone()),
            None => Self::ByHost(config.allowed_hosts.iter().map(|host| Host::new(host)).collect()),
        }
    }

    /// The base of a request with this target and these headers.
    pub(crate) fn base(&self, uri: &Uri, headers: &HeaderMap) -> Result<Arc<Base>, Rejection> {
        let hosts = match self {
            Self::Fixed(base) => return Ok(base.clone()),
            Self::ByHost(hosts) => hosts,
        };
        // HTTP/2 has the authority in the target; so has the absolute form of HTTP/1.1, where it outranks Host (RFC 9112 §3.2.2).
        let authority = match uri.authority() {
            Some(authority) => Some(authority.clone()),
            None => headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok())
                .and_then(|host| host.parse().ok()),
        };
        let Some(authority) = authority else {
            return Err(Problem::new(ProblemType::Malformed, "The request has no valid Host header.").into());
        };
        if !allowed(hosts, &authority) {
            return Err(misdirected(&shown(authority.as_str()), hosts));
        }
        let base = Base::new(format!("https://{authority}"));
        base.map(Arc::new).ok_or_else(|| misdirected(&shown(authority.as_str()), hosts))
    }

    /// The account whose URL `kid` is. When links follow the host, an account made under one name may be used under another.
    pub(crate) fn account(&self, kid: &str) -> Option<AccountId> {
        let path = match self {
            Self::Fixed(base) => base.path_of(kid)?,
            Self::ByHost(hosts) => {
                let rest = kid.strip_prefix("https://")?;
                let (authority, path) = rest.split_at(rest.find('/')?);
                allowed(hosts, &authority.parse().ok()?).then_some(path)?
            }
        };
        Resource::account(path)
    }
}

fn allowed(hosts: &[Host], authority: &Authority) -> bool {
    !authority.as_str().contains('@') && hosts.contains(&Host::new(authority.host()))
}

/// A host as it is compared: names without regard to case, addresses without regard to spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Host {
    fn new(text: &str) -> Self {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        inner.parse().map_or_else(|_| Self::Name(text.to_ascii_lowercase()), Self::Address)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "000102030405060708090a0b0c0d0e0f";

    fn fixed(url: &str) -> Site {
        Site::new(&Config { base_url: Some(url.parse().unwrap()), ..Config::default() })
    }

    fn by_host(hosts: &[&str]) -> Site {
        let allowed_hosts = hosts.iter().map(|&host| host.to_owned()).collect();
        Site::new(&Config { allowed_hosts, ..Config::default() })
    }

    fn directory(site: &Site, target: &str, host: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        let base = site.base(&target.parse().unwrap(), &headers).ok()?;
        Some(base.link(Resource::Directory).to_string())
    }

    #[test]
    fn only_https_urls_without_frills_are_base_urls() {
        for (text, url) in [
            ("https://ca.test", "https://ca.test"),
            ("https://ca.test:14000/", "https://ca.test:14000"),
            ("https://ca.test/acme", "https://ca.test/acme"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().to_string(), url);
        }
        for (text, host) in [
            ("https://ca.test", "ca.test"),
            ("https://ca.test:14000/acme", "ca.test"),
            ("https://[2001:db8::1]:14000/acme", "[2001:db8::1]"),
        ] {
            assert_eq!(text.parse::<BaseUrl>().unwrap().host(), host);
        }
        for text in [
            "",
            "ca.test",
            "/acme",
            "http://ca.test",
            "https://",
            "https://u@ca.test",
            "https://ca.test?x",
            "https://ca.test/#x",
            "https://ca.test//",
            "https://ca.test/ü",
            "https://ca.test/>",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_configured_base_url_is_used_whatever_the_host_says() {
        let site = fixed("https://ca.test/acme");
        assert_eq!(directory(&site, "/dir", Some("evil.test")).unwrap(), "https://ca.test/acme/dir");
        assert_eq!(directory(&site, "/dir", None).unwrap(), "https://ca.test/acme/dir");
        assert!(site.account(&format!("https://ca.test/acme/account/{ID}")).is_some());
        assert_eq!(site.account(&format!("https://ca.test/account/{ID}")), None);
        assert_eq!(site.account(&format!("https://evil.test/acme/account/{ID}")), None);
    }

    #[test]
    fn without_one_links_follow_an_allowed_host() {
        let site = by_host(&["localhost", "127.0.0.1", "::1"]);
        for (target, host, url) in [
            ("/dir", Some("localhost:14000"), "https://localhost:14000/dir"),
            ("/dir", Some("LocalHost"), "https://LocalHost/dir"),
            ("/dir", Some("[::1]:14000"), "https://[::1]:14000/dir"),
            ("https://127.0.0.1:1/dir", Some("localhost"), "https://127.0.0.1:1/dir"),
        ] {
            assert_eq!(directory(&site, target, host).as_deref(), Some(url));
        }
        for host in
            [None, Some("evil.test"), Some("localhost.evil.test"), Some("x@localhost"), Some("localhost/x")]
        {
            assert_eq!(directory(&site, "/dir", host), None, "{host:?}");
        }
    }

    #[test]
    fn an_account_made_under_one_allowed_name_is_known_under_another() {
        let site = by_host(&["localhost", "127.0.0.1"]);
        for kid in
            [format!("https://localhost:14000/account/{ID}"), format!("https://127.0.0.1/account/{ID}")]
        {
            assert!(site.account(&kid).is_some(), "{kid}");
        }
        for kid in [
            format!("https://evil.test/account/{ID}"),
            format!("http://localhost/account/{ID}"),
            format!("https://x@localhost/account/{ID}"),
            format!("https://localhost/account/{ID}/"),
            ID.to_owned(),
            String::new(),
        ] {
            assert_eq!(site.account(&kid), None, "{kid}");
        }
    }
}
