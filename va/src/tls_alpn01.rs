//! tls-alpn-01, RFC 8737: the host shows a special certificate to whoever asks for the protocol `acme-tls/1`.

use std::io;
use std::net::{IpAddr, SocketAddr};

use cairn_core::api::va::ValidationRequest;
use cairn_core::{Error, Identifier, ProblemType, ValidationRecord};
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::certificate;
use crate::config::Config;
use crate::dial::{Connection, Dialer};
use crate::digest;
use crate::failure::Failure;
use crate::tls::{ACME_TLS, acme_connector, dns_server_name, handshake_failure};

/// Validates tls-alpn-01 challenges.
pub(crate) struct TlsAlpn01 {
    port: u16,
    tls: TlsConnector,
}

impl TlsAlpn01 {
    pub(crate) fn new(config: &Config) -> Self {
        Self { port: config.tls_alpn_port, tls: acme_connector() }
    }

    /// Connects, takes the certificate, hangs up, and looks at what it got.
    pub(crate) async fn validate(
        &self,
        dialer: &Dialer,
        request: &ValidationRequest,
        deadline: Instant,
        records: &mut Vec<ValidationRecord>,
    ) -> Result<(), Failure> {
        let identifier = &request.identifier;
        let mut record = ValidationRecord {
            hostname: identifier.to_string(),
            port: Some(self.port),
            ..ValidationRecord::default()
        };
        let connected = dialer.connect(identifier, self.port, deadline, &mut record).await;
        records.push(record);
        let Connection { stream, peer } = connected?;

        let failed = |cause| failure(identifier, peer, cause);
        let late = "connected, but the TLS handshake did not end in time";
        let mut stream = timeout_at(deadline, self.tls.connect(sni(identifier)?, stream))
            .await
            .map_err(|_| failed((ProblemType::Connection, late.to_owned())))?
            .map_err(|error| failed(refused(&error)))?;
        let (_, session) = stream.get_ref();
        let negotiated = session.alpn_protocol() == Some(ACME_TLS);
        let certificate = session.peer_certificates().and_then(<[_]>::first).cloned();
        // RFC 8737 §3: no application data; the connection is closed. What the server makes of that does not matter.
        let _ = timeout_at(deadline, stream.shutdown()).await;

        if !negotiated {
            return Err(failed((ProblemType::IncorrectResponse, NOT_NEGOTIATED.to_owned())));
        }
        let certificate = certificate.as_deref().unwrap_or_default();
        certificate::check(certificate, identifier, &digest(&request.key_authorization))
            .map_err(|violation| failed((violation.kind(), format!("the server's certificate {violation}"))))
    }
}

const NOT_NEGOTIATED: &str =
    "the server did not choose the protocol acme-tls/1; is it set up for tls-alpn-01?";

/// What the server is asked for: the name, or for an address its name in the reverse tree (RFC 8738 §6), since SNI holds no addresses.
fn sni(identifier: &Identifier) -> Result<ServerName<'static>, Error> {
    dns_server_name(match identifier {
        Identifier::Dns(name) => name.as_str().to_owned(),
        Identifier::Ip(ip) => reverse_name(*ip),
    })
}

/// The name of `ip` below in-addr.arpa (RFC 1035 §3.5) or ip6.arpa (RFC 3596 §2.5).
fn reverse_name(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|octet| [octet & 0xf, octet >> 4]);
            let mut name: String = nibbles.map(|nibble| format!("{nibble:x}.")).collect();
            name.push_str("ip6.arpa");
            name
        }
    }
}

fn refused(error: &io::Error) -> (ProblemType, String) {
    let alert = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match alert {
        // RFC 7301 §3.2: how a server says that it does not know the protocol.
        Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            (ProblemType::IncorrectResponse, NOT_NEGOTIATED.to_owned())
        }
        _ => handshake_failure(error),
    }
}

fn failure(identifier: &Identifier, peer: SocketAddr, (kind, what): (ProblemType, String)) -> Failure {
    Failure::challenge(kind, format!("TLS with {identifier} at {peer}: {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_by_their_reverse_names() {
        assert_eq!(reverse_name("192.0.2.1".parse().unwrap()), "1.2.0.192.in-addr.arpa");
        // The example of RFC 8738 §6.
        assert_eq!(
            reverse_name("2001:db8::1".parse().unwrap()),
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
