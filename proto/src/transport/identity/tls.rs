//! How TLS is done with a role's files: 1.3 alone, both sides with certificates of the one root, nothing resumed.
//!
//! The configurations are made once per reload and checked on ourselves first: what no peer would accept is refused here, where the
//! operator sees why.

use std::sync::Arc;

use cairn_core::{Clock, Timestamp};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, InconsistentKeys, OtherError,
    RootCertStore, ServerConfig, SignatureScheme, version,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::files::{Contents, Files};
use super::name::{NameError, certified};
use super::{Certified, IdentityError};
use crate::Role;

/// The protocol of gRPC, as ALPN names it.
const HTTP_2: &[u8] = b"h2";

/// A role's files in the form in which connections use them.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
    certified: Certified,
}

impl Tls {
    pub(super) fn new(
        role: Role,
        files: &Files,
        contents: Contents,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, IdentityError> {
        let unusable = |error: rustls::Error| unusable(files, &error);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let time = Arc::new(Time(Arc::clone(clock)));
        let mut roots = RootCertStore::empty();
        for root in contents.roots {
            roots.add(root).map_err(|_| IdentityError::NotPem {
                path: files.root.clone(),
                what: "usable certificate",
            })?;
        }
        let roots = Arc::new(roots);

        let chain = contents.chain;
        let key = provider.key_provider.load_private_key(contents.key).map_err(unusable)?;
        let pair = CertifiedKey::new(chain, key);
        match pair.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => {
                let (certificate, key) = (files.certificate.clone(), files.key.clone());
                return Err(IdentityError::NotItsKey { certificate, key });
            }
        }
        let verifiers = Verifiers::new(&roots, &provider)
            .map_err(|text| IdentityError::Unusable { path: files.root.clone(), text })?;
        let certified = verifiers.check(role, files, &pair.cert, clock.now())?;

        let resolver = Arc::new(SingleCertAndKey::from(pair));
        let mut server =
            ServerConfig::builder_with_details(Arc::clone(&provider), Arc::clone(&time) as Arc<_>)
                .with_protocol_versions(&[&version::TLS13])
                .map_err(unusable)?
                .with_client_cert_verifier(Arc::new(RolesAlone(verifiers.of_clients)))
                .with_cert_resolver(Arc::clone(&resolver) as Arc<_>);
        server.alpn_protocols = vec![HTTP_2.to_vec()];
        // A resumed connection would not show its certificate again, which may have expired since. Connections last for days: there
        // is nothing to win.
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(unusable)?
            .with_root_certificates(roots)
            .with_client_cert_resolver(resolver);
        client.alpn_protocols = vec![HTTP_2.to_vec()];
        client.resumption = Resumption::disabled();
        Ok(Self { server: Arc::new(server), client: Arc::new(client), certified })
    }

    pub(super) const fn ends(&self) -> Timestamp {
        self.certified.ends
    }

    pub(super) const fn lifetime(&self) -> i64 {
        self.certified.ends.since(self.certified.begins)
    }
}

/// The judges of both sides of a connection.
struct Verifiers {
    of_clients: Arc<dyn ClientCertVerifier>,
    of_servers: Arc<WebPkiServerVerifier>,
}

impl Verifiers {
    fn new(roots: &Arc<RootCertStore>, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let of_clients =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider)).build();
        let of_servers =
            WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider)).build();
        Ok(Self {
            of_clients: of_clients.map_err(|error| error.to_string())?,
            of_servers: of_servers.map_err(|error| error.to_string())?,
        })
    }

    /// Judges our own certificate as others will.
    fn check(
        &self,
        role: Role,
        files: &Files,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<Certified, IdentityError> {
        let path = || files.certificate.clone();
        let not_the_role = |presented| IdentityError::NotTheRole { path: path(), role, presented };
        let not_pem = || IdentityError::NotPem { path: path(), what: "certificate" };
        let (leaf, intermediates) = chain.split_first().ok_or_else(not_pem)?;
        let certified = certified(leaf).map_err(|error| match error {
            NameError::NotARole(presented) => not_the_role(presented),
            NameError::Unreadable => not_pem(),
        })?;
        if certified.role != role {
            return Err(not_the_role(certified.role.dns_name()));
        }
        if now > certified.ends {
            return Err(IdentityError::Expired { path: path(), at: certified.ends });
        }
        if now < certified.begins {
            return Err(IdentityError::NotYetValid { path: path(), at: certified.begins });
        }
        let name = ServerName::try_from(role.dns_name())
            .map_err(|error| IdentityError::Unusable { path: path(), text: error.to_string() })?;
        let now = unix_time(now);
        self.of_servers
            .verify_server_cert(leaf, intermediates, &name, &[], now)
            .map_err(|error| unusable(files, &error))?;
        self.of_clients
            .verify_client_cert(leaf, intermediates, now)
            .map_err(|error| unusable(files, &error))?;
        Ok(certified)
    }
}

fn unusable(files: &Files, error: &rustls::Error) -> IdentityError {
    match error {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => IdentityError::NotTheRoots { certificate: files.certificate.clone(), root: files.root.clone() },
        error => IdentityError::Unusable { path: files.certificate.clone(), text: error.to_string() },
    }
}

/// Judges clients' certificates as any TLS server does, and then wants them to name one role.
#[derive(Debug)]
struct RolesAlone(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for RolesAlone {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        match certified(end_entity) {
            Ok(_) => Ok(verified),
            Err(error) => Err(CertificateError::Other(OtherError(Arc::new(error))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Our clock, as TLS wants it.
#[derive(Debug)]
struct Time(Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}

fn unix_time(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(u64::try_from(at.unix()).unwrap_or_default()))
}
