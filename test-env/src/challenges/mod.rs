//! The subscriber's side of the challenges (RFC 8555 §8, RFC 8737): servers that answer where the validation looks.
//!
//! [`Http01`] and [`TlsAlpn01`] listen on both loopback addresses, on the port that the server under test was told. [`Dns01`]
//! sets records in the fake DNS of `cairn dev` through its management API. [`Responder`] is one of them, chosen at run time.

mod dns01;
mod http01;
mod listen;
mod tls_alpn01;

use std::sync::Arc;

use crate::acme::{Identifier, Result};

pub use dns01::Dns01;
pub use http01::{Asked, Http01};
pub use tls_alpn01::TlsAlpn01;

/// Whatever answers the challenges of a client.
#[derive(Clone, Debug)]
pub enum Responder {
    /// RFC 8555 §8.3.
    Http01(Arc<Http01>),
    /// RFC 8555 §8.4.
    Dns01(Arc<Dns01>),
    /// RFC 8737.
    TlsAlpn01(Arc<TlsAlpn01>),
}

/// An answer that stands where a validation will look, until it is withdrawn.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The token, host or name that it is filed under.
    under: String,
}

impl Responder {
    /// The challenge that it answers.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Http01(_) => "http-01",
            Self::Dns01(_) => "dns-01",
            Self::TlsAlpn01(_) => "tls-alpn-01",
        }
    }

    /// Puts an answer where the validation will look.
    ///
    /// # Errors
    /// If the fake DNS does not take it, or no certificate can be made for the identifier.
    pub async fn provide(
        &self,
        identifier: &Identifier,
        token: &str,
        key_authorization: &str,
    ) -> Result<Answer> {
        let under = match self {
            Self::Http01(responder) => {
                responder.put(token, key_authorization);
                token.to_owned()
            }
            Self::Dns01(responder) => {
                responder.put(&identifier.value, key_authorization).await?;
                identifier.value.clone()
            }
            Self::TlsAlpn01(responder) => responder.put(identifier, key_authorization)?,
        };
        Ok(Answer { under })
    }

    /// Takes an answer away.
    ///
    /// # Errors
    /// If the fake DNS does not do it.
    pub async fn withdraw(&self, answer: Answer) -> Result<()> {
        match self {
            Self::Http01(responder) => {
                responder.take(&answer.under);
            }
            Self::Dns01(responder) => responder.clear(&answer.under).await?,
            Self::TlsAlpn01(responder) => responder.take(&answer.under),
        }
        Ok(())
    }
}
