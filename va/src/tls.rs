//! TLS towards hosts whose certificates prove nothing yet: that is why they are validated.
//!
//! Two configurations are made once and shared by all validations. Neither resumes sessions, since strangers have nothing to do with
//! each other and tls-alpn-01 must see the certificate; neither needs a process-wide provider.

use std::io;
use std::sync::Arc;

use cairn_core::{Error, Identifier, ProblemType};
use der::{AnyRef, Decode, Encode};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, PeerMisbehaved, SignatureScheme};
use spki::SubjectPublicKeyInfoRef;
use tokio_rustls::TlsConnector;

use crate::certificate::subject_public_key_info;

/// For https redirects of http-01: any certificate will do. RFC 8555 §8.3 takes its assurance from the name's control over HTTP,
/// and a host that asks for its first certificate cannot have a good one.
pub(crate) fn trusting_connector() -> TlsConnector {
    connector(Arc::new(AnyCertificate(supported_algorithms())), b"http/1.1")
}

/// For tls-alpn-01: the server proves that it has the key of the certificate it shows. What the certificate says is checked after
/// the handshake.
pub(crate) fn acme_connector() -> TlsConnector {
    connector(Arc::new(KeyHolder(supported_algorithms())), ACME_TLS)
}

/// The protocol name of RFC 8737 §6.2.
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// What aws-lc-rs can verify.
pub(crate) fn supported_algorithms() -> WebPkiSupportedAlgorithms {
    aws_lc_rs::default_provider().signature_verification_algorithms
}

#[expect(clippy::expect_used, reason = "aws-lc-rs has cipher suites for TLS 1.2 and 1.3")]
fn connector(verifier: Arc<dyn ServerCertVerifier>, protocol: &[u8]) -> TlsConnector {
    let provider: CryptoProvider = aws_lc_rs::default_provider();
    // RFC 8737 §3: TLS 1.2 or higher; rustls knows nothing older.
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs supports the default versions")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

/// The server name for SNI: a DNS name as it is; an address sends none (RFC 6066 §3).
pub(crate) fn server_name(host: &Identifier) -> Result<ServerName<'static>, Error> {
    match host {
        Identifier::Ip(ip) => Ok(ServerName::IpAddress((*ip).into())),
        Identifier::Dns(name) => dns_server_name(name.as_str().to_owned()),
    }
}

/// The DNS name `name` for SNI.
pub(crate) fn dns_server_name(name: String) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name)
        .map_err(|error| Error::internal("The name does not fit into a TLS handshake.", error))
}

/// What a failed handshake means for the challenge.
pub(crate) fn handshake_failure(error: &io::Error) -> (ProblemType, String) {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => {
            (ProblemType::Tls, format!("the server ended the handshake with the alert {alert:?}"))
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            (ProblemType::Tls, "the server does not speak TLS on this port".to_owned())
        }
        Some(error) => (ProblemType::Tls, format!("the handshake failed: {error}")),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            (ProblemType::Tls, "the server closed the connection during the handshake".to_owned())
        }
        None => {
            (ProblemType::Connection, format!("the connection broke during the handshake: {}", error.kind()))
        }
    }
}

/// Accepts every certificate and does not even ask for the key: nothing is concluded from it.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Accepts every certificate whose key signed the handshake. webpki's own certificate type is of no use here: it refuses the critical
/// acmeIdentifier extension before it looks at a key, so the key is taken out of the certificate first.
#[derive(Debug)]
struct KeyHolder(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for KeyHolder {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = subject_public_key_info(cert).map_err(|_| CertificateError::BadEncoding)?;
        let unadvertised = PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme;
        let (_, candidates) =
            self.0.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme).ok_or(unadvertised)?;
        // In TLS 1.2 one scheme goes with keys on several curves (RFC 8422 §5.1.1), hence several candidates.
        if verify_with_key(candidates, &key, message, dss.signature()) {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let key = subject_public_key_info(cert).map_err(|_| CertificateError::BadEncoding)?;
        verify_tls13_signature_with_raw_key(message, &SubjectPublicKeyInfoDer::from(key), dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

type Algorithm = &'static dyn rustls::pki_types::SignatureVerificationAlgorithm;

/// Whether one of `candidates` that fits the key (a DER SubjectPublicKeyInfo) finds `signature` good for `message`.
pub(crate) fn verify_with_key(
    candidates: &[Algorithm],
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    let Ok(key) = SubjectPublicKeyInfoRef::from_der(key) else { return false };
    let Ok(algorithm) = key.algorithm.to_der() else { return false };
    let Ok(algorithm) = AnyRef::from_der(&algorithm) else { return false };
    let Some(bits) = key.subject_public_key.as_bytes() else { return false };
    candidates
        .iter()
        .filter(|candidate| candidate.public_key_alg_id().as_ref() == algorithm.value())
        .any(|candidate| candidate.verify_signature(bits, message, signature).is_ok())
}
