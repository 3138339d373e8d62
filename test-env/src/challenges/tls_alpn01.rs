//! A TLS server that speaks `acme-tls/1` alone, RFC 8737: it shows the certificate for the name in the SNI and says nothing more.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs as provider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::listen;
use crate::acme::{Error, Identifier, Result};

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The protocol's name, RFC 8737 §6.2.
const ALPN: &[u8] = b"acme-tls/1";

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub struct TlsAlpn01 {
    /// One key for all its certificates: nothing depends on it.
    key: KeyPair,
    signing_key: Arc<dyn SigningKey>,
    certificates: Arc<Certificates>,
    _tasks: JoinSet<()>,
}

/// The certificates by SNI.
#[derive(Debug, Default)]
struct Certificates(Mutex<HashMap<String, Arc<CertifiedKey>>>);

impl Certificates {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.lock().get(hello.server_name()?).cloned()
    }
}

impl TlsAlpn01 {
    /// Starts on the port where the validation looks.
    ///
    /// # Errors
    /// If somebody else listens there.
    pub async fn start(port: u16) -> Result<Self> {
        let key = KeyPair::generate().map_err(Error::nonsense)?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing_key = provider::sign::any_ecdsa_type(&der).map_err(Error::nonsense)?;
        let certificates = Arc::new(Certificates::default());
        let acceptor = acceptor(&certificates)?;
        let listeners = listen::loopback(port).await.map_err(Error::connection)?;
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(accept(listener, acceptor.clone()));
        }
        Ok(Self { key, signing_key, certificates, _tasks: tasks })
    }

    /// Shows a certificate for the identifier from now on, and says under which SNI.
    ///
    /// # Errors
    /// If no certificate can be made for it.
    pub fn put(&self, identifier: &Identifier, key_authorization: &str) -> Result<String> {
        let hash = digest(&SHA256, key_authorization.as_bytes());
        let mut params = CertificateParams::new([identifier.value.clone()]).map_err(Error::nonsense)?;
        params.distinguished_name = DistinguishedName::new();
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(hash.as_ref())];
        let certificate = params.self_signed(&self.key).map_err(Error::nonsense)?;
        let certified = CertifiedKey::new(vec![certificate.der().clone()], Arc::clone(&self.signing_key));
        let name = server_name(identifier);
        self.certificates.lock().insert(name.clone(), Arc::new(certified));
        Ok(name)
    }

    /// Takes the certificate of an SNI away.
    pub fn take(&self, name: &str) {
        self.certificates.lock().remove(name);
    }
}

/// The SNI under which an identifier is validated: for an address its reverse name, RFC 8738 §6.
fn server_name(identifier: &Identifier) -> String {
    match identifier.value.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Ok(IpAddr::V6(address)) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 0xf, octet >> 4]);
            let labels: Vec<String> = nibbles.map(|nibble| format!("{nibble:x}")).collect();
            format!("{}.ip6.arpa", labels.join("."))
        }
        Err(_) => identifier.value.clone(),
    }
}

fn acceptor(certificates: &Arc<Certificates>) -> Result<TlsAcceptor> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(Error::nonsense)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(certificates) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor) {
    let mut connections = JoinSet::new();
    loop {
        // A connection that was gone before it was accepted is nobody's loss.
        if let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn(async move {
                let _outcome = timeout(PATIENCE, serve(stream, acceptor)).await;
            });
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Shakes hands and waits for the other side to leave: RFC 8737 §3 lets no data follow.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor) -> std::io::Result<()> {
    let mut tls = acceptor.accept(stream).await?;
    let _nothing = tls.read(&mut [0; 1]).await?;
    tls.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_asked_for_by_its_reverse_name() {
        assert_eq!(server_name(&Identifier::dns("a.test")), "a.test");
        assert_eq!(server_name(&Identifier::ip("192.0.2.5")), "5.2.0.192.in-addr.arpa");
        // The example of RFC 8738 §6 would be as long; this one is its shape.
        let name = server_name(&Identifier::ip("::1"));
        assert!(name.starts_with("1.0.0.") && name.ends_with(".0.0.ip6.arpa"), "{name}");
        assert_eq!(name.split('.').count(), 34);
    }
}
