//! How a session of ours begins: the way to the server, TLS, and who we are.

use std::sync::Arc;
use std::{fmt, io};

use bytes::BytesMut;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::frontend;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::messages::{Incoming, Message, text, wrong};
use crate::config::{Place, Tls};

/// A way to the server: its socket, or the network with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A server, and how to sign in to it.
pub(super) struct Server {
    pub(super) place: Place,
    pub(super) tls: Tls,
    /// Roots, PEM, in addition to those that browsers trust.
    pub(super) root_certificate: Option<String>,
    /// What the session is told at its beginning: the user, the database, settings.
    pub(super) parameters: Vec<(&'static str, String)>,
    pub(super) user: String,
    /// Empty where there is none.
    pub(super) password: Zeroizing<String>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A session that has begun.
pub(super) type Opened =
    (Incoming<tokio::io::ReadHalf<Box<dyn Stream>>>, tokio::io::WriteHalf<Box<dyn Stream>>);

impl Server {
    /// Begins a session. Whoever waits for it sets the bound.
    pub(super) async fn sign_in(&self) -> io::Result<Opened> {
        let (reader, mut writer) = tokio::io::split(self.reach().await?);
        let mut incoming = Incoming::new(reader);
        let mut out = BytesMut::new();
        frontend::startup_message(
            self.parameters.iter().map(|(name, value)| (*name, value.as_str())),
            &mut out,
        )?;
        let mut proof = None;
        loop {
            // Empty unless there is something to say.
            writer.write_all_buf(&mut out).await?;
            writer.flush().await?;
            match incoming.next().await? {
                Message::Authentication(0, _) if proof.is_some() => {
                    return Err(wrong("no proof that it knows us"));
                }
                Message::Authentication(0, _) => {}
                Message::Authentication(3, _) => {
                    frontend::password_message(self.password.as_bytes(), &mut out)?;
                }
                Message::Authentication(5, salt) => {
                    let salt =
                        <[u8; 4]>::try_from(&salt[..]).map_err(|_| wrong("a salt of another length"))?;
                    let hash = md5_hash(self.user.as_bytes(), self.password.as_bytes(), salt);
                    frontend::password_message(hash.as_bytes(), &mut out)?;
                }
                Message::Authentication(10, mechanisms) => {
                    let scram = offered(&mechanisms).then(|| {
                        sasl::ScramSha256::new(self.password.as_bytes(), sasl::ChannelBinding::unsupported())
                    });
                    let scram = proof.insert(scram.ok_or_else(|| wrong("another way to prove who we are"))?);
                    frontend::sasl_initial_response(sasl::SCRAM_SHA_256, scram.message(), &mut out)?;
                }
                Message::Authentication(11, question) => {
                    let scram = proof.as_mut().ok_or_else(|| wrong("a question out of order"))?;
                    scram.update(&question)?;
                    frontend::sasl_response(scram.message(), &mut out)?;
                }
                // The server proves that it knows the password.
                Message::Authentication(12, answer) => {
                    proof.take().ok_or_else(|| wrong("an answer out of order"))?.finish(&answer)?;
                }
                Message::Authentication(..) => return Err(wrong("another way to prove who we are")),
                Message::Ready => return Ok((incoming, writer)),
                Message::Refusal(refusal) => return Err(io::Error::other(refusal)),
                _ => {}
            }
        }
    }

    async fn reach(&self) -> io::Result<Box<dyn Stream>> {
        let Place { host, port } = &self.place;
        if self.place.is_socket() {
            return Ok(Box::new(UnixStream::connect(format!("{host}/.s.PGSQL.{port}")).await?));
        }
        let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
        // What is written is a whole group: nothing would be gained by waiting for more.
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls().map_err(io::Error::other)? else { return Ok(Box::new(stream)) };
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all_buf(&mut request).await?;
        // One letter, and no more: what came behind it would be believed to be encrypted.
        if stream.read_u8().await? != b'S' {
            return Err(io::Error::other("the server has no TLS"));
        }
        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(Arc::new(tls)).connect(name, stream).await?))
    }

    /// TLS as the configuration wants it.
    fn tls(&self) -> Result<Option<ClientConfig>, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match self.tls {
            Tls::Disable => return Ok(None),
            Tls::Require => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            }
            Tls::VerifyFull => {
                let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                let ours = self.root_certificate.as_deref().unwrap_or_default();
                for root in CertificateDer::pem_slice_iter(ours.as_bytes()) {
                    let root = root.map_err(|error| rustls::Error::General(error.to_string()))?;
                    roots.add(root)?;
                }
                builder.with_root_certificates(roots)
            }
        };
        Ok(Some(builder.with_no_client_auth()))
    }
}

/// Whether the server can be proven to by SCRAM-SHA-256.
fn offered(mut mechanisms: &[u8]) -> bool {
    while let Some((name, rest)) = text(mechanisms) {
        if name == sasl::SCRAM_SHA_256 {
            return true;
        }
        mechanisms = rest;
    }
    false
}

/// Accepts every certificate whose key signs the handshake.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

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
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
