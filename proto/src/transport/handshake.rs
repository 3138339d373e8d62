//! Why a connection came to nothing, in words for both sides' logs.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

const LOST: &str = "lost";

/// A reason for metrics, and a text for the log.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) reason: &'static str,
    pub(super) text: String,
}

impl Refused {
    pub(super) fn by(error: &io::Error) -> Self {
        let tls = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
        let (reason, text) = match tls {
            Some(Error::NoCertificatesPresented) => (
                "no-certificate",
                "the peer showed no certificate; only roles of this installation may connect".to_owned(),
            ),
            Some(Error::InvalidCertificate(error)) => certificate(error),
            Some(Error::AlertReceived(alert)) => alert_received(*alert),
            Some(Error::InappropriateMessage { .. } | Error::InvalidMessage(_)) => {
                ("not-tls", "what the peer sent is not TLS".to_owned())
            }
            Some(Error::PeerIncompatible(_)) => {
                ("not-tls-1.3", "the peer does not speak TLS 1.3 as the roles do".to_owned())
            }
            Some(error) => ("other", format!("TLS failed: {error}")),
            None if error.kind() == io::ErrorKind::TimedOut => {
                ("timeout", "the peer did not finish the TLS handshake in time".to_owned())
            }
            None => (LOST, format!("the connection was lost during the TLS handshake: {error}")),
        };
        Self { reason, text }
    }

    /// Whether somebody only looked whether anybody listens here, as balancers do.
    pub(super) fn is_a_look(&self) -> bool {
        self.reason == LOST
    }
}

fn certificate(error: &CertificateError) -> (&'static str, String) {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "unknown-root",
            "the peer's certificate was not issued by our root; is its internal.pki another one?".to_owned(),
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "expired",
            "the peer's certificate has expired; renew it there with `cairn internal-pki renew`".to_owned(),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("not-yet-valid", "the peer's certificate is not valid yet; do the clocks agree?".to_owned())
        }
        CertificateError::NotValidForNameContext { presented, .. } => (
            "wrong-role",
            format!(
                "the peer at this address is another role: its certificate is for {}; is the address right?",
                presented.join(", ")
            ),
        ),
        CertificateError::Other(error) => ("unknown-name", format!("the peer is no role: {}", error.0)),
        error => ("certificate", format!("the peer's certificate cannot be used: {error}")),
    }
}

/// The peer has refused us.
fn alert_received(alert: AlertDescription) -> (&'static str, String) {
    let text = match alert {
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "the peer does not know the root of our certificate; is its internal.pki another one?".to_owned()
        }
        AlertDescription::CertificateExpired => {
            "the peer finds that our certificate has expired; renew it with `cairn internal-pki renew`, and compare the clocks"
                .to_owned()
        }
        AlertDescription::BadCertificate => {
            "the peer expected another role than ours at the address where it found us; is that address right?".to_owned()
        }
        AlertDescription::CertificateUnknown => "the peer does not take our certificate for that of a role".to_owned(),
        AlertDescription::CertificateRequired => "the peer wants us to show a certificate".to_owned(),
        alert => format!("the peer refused us with the TLS alert {alert:?}"),
    };
    ("refused-us", text)
}
