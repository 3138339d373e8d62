//! [`OcspResponder`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::Result;
use cairn_core::api::{OcspAnswer, OcspResponder, OcspResponse};
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::{BadMessage, Read, maybe, time};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::ocsp_responder_server as generated;

/// An OCSP responder elsewhere.
#[derive(Clone, Debug)]
pub struct RemoteOcspResponder<T>(Client<T>);

impl<T: Carrier> RemoteOcspResponder<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> OcspResponder for RemoteOcspResponder<T> {
    async fn ocsp_response(&self, request: Vec<u8>) -> Result<OcspAnswer> {
        let request = v1::OcspRequest { der: request };
        let answer: v1::OcspAnswer = self.0.call("/cairn.v1.OcspResponder/OcspResponse", request).await?;
        Ok(answer.try_into()?)
    }
}

/// Lets others ask `responder`.
pub fn ocsp_responder_server(responder: Arc<dyn OcspResponder>) -> impl Servable {
    serve!(generated::OcspResponderServer<_>, responder)
}

#[async_trait]
impl generated::OcspResponder for Served<dyn OcspResponder> {
    async fn ocsp_response(
        &self,
        request: Request<v1::OcspRequest>,
    ) -> Result<Response<v1::OcspAnswer>, Status> {
        answer(async { Ok(self.0.ocsp_response(request.into_inner().der).await?.into()) }).await
    }
}

impl From<OcspAnswer> for v1::OcspAnswer {
    fn from(answer: OcspAnswer) -> Self {
        let signed = match answer {
            OcspAnswer::Unauthorized => None,
            OcspAnswer::Signed(OcspResponse { der, this_update, next_update }) => Some(v1::OcspResponse {
                der,
                this_update: Some(this_update.unix()),
                next_update: Some(next_update.unix()),
            }),
        };
        Self { signed }
    }
}

impl TryFrom<v1::OcspAnswer> for OcspAnswer {
    type Error = BadMessage;

    fn try_from(it: v1::OcspAnswer) -> Read<Self> {
        Ok(maybe(it.signed)?.map_or(Self::Unauthorized, Self::Signed))
    }
}

impl TryFrom<v1::OcspResponse> for OcspResponse {
    type Error = BadMessage;

    fn try_from(it: v1::OcspResponse) -> Read<Self> {
        Ok(Self {
            der: it.der,
            this_update: time("OcspResponse.this_update", it.this_update)?,
            next_update: time("OcspResponse.next_update", it.next_update)?,
        })
    }
}
