//! Where http-01 may be sent: the first URL (RFC 8555 §8.3) and the redirects that follow, each parsed and checked before a
//! socket is opened.
//!
//! Redirects lead to `http` and `https` on the two configured ports alone (CA/Browser Forum Baseline Requirements §3.2.2.4.19), carry
//! no credentials, and name hosts that could be identifiers. Whether the host's address may be dialled is the dialler's question.

use std::net::IpAddr;

use cairn_core::{DnsName, Error, Identifier, Token};
use http::{HeaderValue, Uri};
use url::{Host, Position, Url};

use crate::config::Config;

/// Longest Location that is read: what servers commonly accept as a request line, and far more than a path to a token needs.
const MAX_LOCATION: usize = 2048;

/// The ports that http-01 may dial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    http: u16,
    https: u16,
}

impl Ports {
    pub(crate) fn new(config: &Config) -> Self {
        Self { http: config.http_port, https: config.https_port }
    }
}

/// A URL that may be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    url: Url,
    host: Identifier,
    port: u16,
}

/// Why a redirect is not followed. The message completes "redirects to …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRedirect {
    #[error("nowhere: there is no single Location header")]
    NoLocation,
    #[error("a Location of more than {MAX_LOCATION} characters")]
    TooLong,
    #[error("a Location that is not a valid URL")]
    NotAUrl,
    #[error("a URL whose scheme is neither http nor https")]
    Scheme,
    #[error("a URL with a user name or password, which is not allowed")]
    Credentials,
    #[error("a URL whose host is neither a DNS name nor an IP address")]
    Host,
    #[error("port {port}; allowed are ports {} and {}", ports.http, ports.https)]
    Port { port: u16, ports: Ports },
}

impl PartialEq for Ports {
    fn eq(&self, other: &Self) -> bool {
        (self.http, self.https) == (other.http, other.https)
    }
}
impl Eq for Ports {}

impl Target {
    /// Where the answer to an http-01 challenge must stand.
    pub(crate) fn first(identifier: &Identifier, token: &Token, ports: Ports) -> Result<Self, Error> {
        let host = match identifier {
            // RFC 8738 §4: the literal goes into the URL, and with it into the Host header.
            Identifier::Ip(IpAddr::V6(ip)) => format!("[{ip}]"),
            other => other.to_string(),
        };
        let text = format!("http://{host}:{}/.well-known/acme-challenge/{token}", ports.http);
        let url = Url::parse(&text).map_err(|error| Error::internal("The challenge has no URL.", error))?;
        Self::new(url, ports).map_err(|error| Error::internal("The challenge has no URL.", error))
    }

    /// Where `location` leads from here.
    pub(crate) fn redirected(
        &self,
        location: Option<&HeaderValue>,
        ports: Ports,
    ) -> Result<Self, BadRedirect> {
        let location = location.ok_or(BadRedirect::NoLocation)?;
        if location.len() > MAX_LOCATION {
            return Err(BadRedirect::TooLong);
        }
        let location = location.to_str().map_err(|_| BadRedirect::NotAUrl)?;
        let url = self.url.join(location).map_err(|_| BadRedirect::NotAUrl)?;
        Self::new(url, ports)
    }

    fn new(mut url: Url, ports: Ports) -> Result<Self, BadRedirect> {
        let usual = match url.scheme() {
            "http" => ports.http,
            "https" => ports.https,
            _ => return Err(BadRedirect::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadRedirect::Credentials);
        }
        let port = url.port().unwrap_or(usual);
        if port != ports.http && port != ports.https {
            return Err(BadRedirect::Port { port, ports });
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => {
                name.parse::<DnsName>().map(Identifier::Dns).map_err(|_| BadRedirect::Host)?
            }
            Some(Host::Ipv4(ip)) => Identifier::Ip(ip.into()),
            Some(Host::Ipv6(ip)) => Identifier::Ip(ip.into()),
            None => return Err(BadRedirect::Host),
        };
        if host.is_wildcard() {
            return Err(BadRedirect::Host);
        }
        url.set_fragment(None);
        // So that logs, problems and the Host header name the port that is dialled.
        url.set_port(Some(port)).map_err(|()| BadRedirect::Host)?;
        Ok(Self { url, host, port })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// The host to dial.
    pub(crate) fn host(&self) -> &Identifier {
        &self.host
    }

    /// The port to dial.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether TLS is spoken.
    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Path and query, as the request line names them (RFC 9112 §3.2.1).
    pub(crate) fn request_target(&self) -> Result<Uri, http::uri::InvalidUri> {
        self.url[Position::BeforePath..Position::AfterQuery].parse()
    }

    /// The Host header: with the port unless it is the scheme's own (RFC 9110 §7.2).
    pub(crate) fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_core::random::SeededRandom;

    const REAL: Ports = Ports { http: 80, https: 443 };
    const DEV: Ports = Ports { http: 5002, https: 5003 };

    fn first(kind: &str, value: &str, ports: Ports) -> Target {
        let identifier = Identifier::parse(kind, value).unwrap();
        Target::first(&identifier, &Token::new(&SeededRandom::new(1)), ports).unwrap()
    }

    fn redirected(location: &str, ports: Ports) -> Result<Target, BadRedirect> {
        let location = HeaderValue::from_str(location).unwrap();
        first("dns", "a.test", ports).redirected(Some(&location), ports)
    }

    #[test]
    fn the_first_url_is_that_of_the_rfc() {
        let token = Token::new(&SeededRandom::new(1));
        let target = first("dns", "a.test", REAL);
        assert_eq!(target.url().as_str(), format!("http://a.test/.well-known/acme-challenge/{token}"));
        assert_eq!(target.request_target().unwrap(), format!("/.well-known/acme-challenge/{token}").as_str());
        assert_eq!((target.authority(), target.port(), target.is_https()), ("a.test", 80, false));
    }

    #[test]
    fn the_host_header_names_an_unusual_port_and_brackets_ipv6() {
        assert_eq!(first("dns", "a.test", DEV).authority(), "a.test:5002");
        assert_eq!(first("ip", "2001:db8::1", REAL).authority(), "[2001:db8::1]");
        assert_eq!(first("ip", "2001:db8::1", DEV).authority(), "[2001:db8::1]:5002");
        assert_eq!(first("ip", "192.0.2.1", REAL).authority(), "192.0.2.1");
    }

    #[test]
    fn locations_are_resolved_against_the_url_they_came_from() {
        for (location, url) in [
            ("/x?y=1#z", "http://a.test/x?y=1"),
            ("x", "http://a.test/.well-known/acme-challenge/x"),
            ("../x", "http://a.test/.well-known/x"),
            ("//b.test/x", "http://b.test/x"),
            ("?q", &format!("{}?q", first("dns", "a.test", REAL).url())),
            ("https://B.test", "https://b.test/"),
            ("http://b.test:443/", "http://b.test:443/"),
            ("https://[2001:db8::1]/", "https://[2001:db8::1]/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
        ] {
            assert_eq!(redirected(location, REAL).unwrap().url().as_str(), url, "{location}");
        }
    }

    #[test]
    fn a_redirect_without_a_port_leads_to_the_configured_one() {
        assert_eq!(redirected("https://b.test/x", DEV).unwrap().url().as_str(), "https://b.test:5003/x");
        assert_eq!(redirected("http://b.test/x", DEV).unwrap().authority(), "b.test:5002");
        assert_eq!(redirected("https://b.test:5002/", DEV).unwrap().port(), 5002);
    }

    #[test]
    fn redirects_elsewhere_are_refused() {
        for (location, expected) in [
            ("ftp://b.test/", BadRedirect::Scheme),
            ("file:///etc/passwd", BadRedirect::Scheme),
            ("javascript:alert(1)", BadRedirect::Scheme),
            ("http://user@b.test/", BadRedirect::Credentials),
            ("http://:secret@b.test/", BadRedirect::Credentials),
            ("http://b.test:8080/", BadRedirect::Port { port: 8080, ports: REAL }),
            ("http://b.test:99999/", BadRedirect::NotAUrl),
            ("http://*.b.test/", BadRedirect::Host),
            ("http://b_c.test/", BadRedirect::Host),
            ("http://", BadRedirect::NotAUrl),
        ] {
            assert_eq!(redirected(location, REAL), Err(expected), "{location}");
        }
        let long = format!("/{}", "x".repeat(MAX_LOCATION));
        assert_eq!(redirected(&long, REAL), Err(BadRedirect::TooLong));
        assert_eq!(first("dns", "a.test", REAL).redirected(None, REAL), Err(BadRedirect::NoLocation));
    }
}
