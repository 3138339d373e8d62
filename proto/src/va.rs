//! [`ValidationAuthority`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::{ValidationAuthority, ValidationRequest, ValidationResult};
use cairn_core::{KeyAuthorization, Result, Token};
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::{BadMessage, Read, list, maybe, read, value, wire};
use crate::server::{Servable, Served, answer, serve};
use crate::v1;
use crate::v1::validation_authority_server as generated;
use crate::vocabulary::{authorization_id, token};

/// A validation authority elsewhere.
#[derive(Clone, Debug)]
pub struct RemoteValidationAuthority<T>(Client<T>);

impl<T: Carrier> RemoteValidationAuthority<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> ValidationAuthority for RemoteValidationAuthority<T> {
    async fn validate(&self, request: ValidationRequest) -> Result<ValidationResult> {
        let request = v1::ValidationRequest::from(request);
        let result: v1::ValidationResult =
            self.0.call("/cairn.v1.ValidationAuthority/Validate", request).await?;
        Ok(result.try_into()?)
    }
}

/// Lets others call `authority`.
pub fn validation_authority_server(authority: Arc<dyn ValidationAuthority>) -> impl Servable {
    serve!(generated::ValidationAuthorityServer<_>, authority)
}

#[async_trait]
impl generated::ValidationAuthority for Served<dyn ValidationAuthority> {
    async fn validate(
        &self,
        request: Request<v1::ValidationRequest>,
    ) -> Result<Response<v1::ValidationResult>, Status> {
        answer(async { Ok(self.0.validate(request.into_inner().try_into()?).await?.into()) }).await
    }
}

impl From<ValidationRequest> for v1::ValidationRequest {
    fn from(request: ValidationRequest) -> Self {
        let ValidationRequest { authorization, identifier, challenge, token, key_authorization } = request;
        Self {
            authorization: authorization.as_bytes().to_vec(),
            identifier: Some(identifier.into()),
            challenge: v1::ChallengeType::from(challenge).into(),
            token: token.as_bytes().to_vec(),
            key_authorization: key_authorization.as_str().to_owned(),
        }
    }
}

impl TryFrom<v1::ValidationRequest> for ValidationRequest {
    type Error = BadMessage;

    fn try_from(it: v1::ValidationRequest) -> Read<Self> {
        let token = token("ValidationRequest.token", &it.token)?;
        Ok(Self {
            authorization: authorization_id("ValidationRequest.authorization", &it.authorization)?,
            identifier: read("ValidationRequest.identifier", it.identifier)?,
            challenge: value::<v1::ChallengeType, _>("ValidationRequest.challenge", it.challenge)?,
            token,
            key_authorization: key_authorization(token, &it.key_authorization)?,
        })
    }
}

/// A key authorization is made of a token and a thumbprint alone, so it is taken apart and made again.
fn key_authorization(token: Token, text: &str) -> Read<KeyAuthorization> {
    let thumbprint = text.split_once('.').and_then(|(_, thumbprint)| thumbprint.parse().ok());
    thumbprint
        .map(|thumbprint| token.key_authorization(thumbprint))
        .filter(|made| made.as_str() == text)
        .ok_or(BadMessage::new("ValidationRequest.key_authorization", "is none of the token"))
}

impl From<ValidationResult> for v1::ValidationResult {
    fn from(result: ValidationResult) -> Self {
        let ValidationResult { records, problem } = result;
        Self { records: wire(records), problem: problem.map(Into::into) }
    }
}

impl TryFrom<v1::ValidationResult> for ValidationResult {
    type Error = BadMessage;

    fn try_from(it: v1::ValidationResult) -> Read<Self> {
        Ok(Self { records: list(it.records)?, problem: maybe(it.problem)? })
    }
}
