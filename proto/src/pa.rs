//! [`PolicyAuthority`] over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::{KeyUse, PolicyAuthority};
use cairn_core::{ChallengeType, Error, Identifier, Result};
use tonic::{Request, Response, Status};

use crate::client::{Carrier, Client};
use crate::reading::{Read, list, one_for_each, present, read, same_names, value, wire};
use crate::server::{Servable, Served, answer, log, serve};
use crate::v1;
use crate::v1::policy_authority_server as generated;
use crate::v1::willing_to_issue_response::{Challenges, Outcome, Willing};

/// A policy authority elsewhere.
#[derive(Clone, Debug)]
pub struct RemotePolicyAuthority<T>(Client<T>);

impl<T: Carrier> RemotePolicyAuthority<T> {
    /// The one at the other end of `carrier`.
    pub const fn new(carrier: T) -> Self {
        Self(Client::new(carrier))
    }
}

#[async_trait]
impl<T: Carrier> PolicyAuthority for RemotePolicyAuthority<T> {
    async fn willing_to_issue(&self, identifiers: &[Identifier]) -> Result<Vec<Vec<ChallengeType>>> {
        let request = v1::WillingToIssueRequest { identifiers: wire(identifiers.iter().cloned()) };
        let answer: v1::WillingToIssueResponse =
            self.0.call("/cairn.v1.PolicyAuthority/WillingToIssue", request).await?;
        match present("WillingToIssueResponse.outcome", answer.outcome)? {
            Outcome::Willing(willing) => {
                let willing =
                    one_for_each("WillingToIssueResponse.challenges", identifiers, willing.challenges)?;
                Ok(willing.into_iter().map(challenges).collect::<Read<_>>()?)
            }
            Outcome::Refusal(error) => Err(Error::try_from(error)?),
        }
    }

    async fn challenge_enabled(
        &self,
        challenge: ChallengeType,
        identifier: &Identifier,
        wildcard: bool,
    ) -> Result<bool> {
        let request = v1::ChallengeEnabledRequest {
            challenge: v1::ChallengeType::from(challenge).into(),
            identifier: Some(identifier.clone().into()),
            wildcard: Some(wildcard),
        };
        let answer: v1::ChallengeEnabledResponse =
            self.0.call("/cairn.v1.PolicyAuthority/ChallengeEnabled", request).await?;
        Ok(present("ChallengeEnabledResponse.enabled", answer.enabled)?)
    }

    async fn good_key(&self, spki: &[u8], key_use: KeyUse) -> Result<()> {
        let request = v1::GoodKeyRequest { key: spki.to_vec(), key_use: v1::KeyUse::from(key_use).into() };
        let v1::Nothing {} = self.0.call("/cairn.v1.PolicyAuthority/GoodKey", request).await?;
        Ok(())
    }
}

/// Lets others call `authority`.
pub fn policy_authority_server(authority: Arc<dyn PolicyAuthority>) -> impl Servable {
    serve!(generated::PolicyAuthorityServer<_>, authority)
}

#[async_trait]
impl generated::PolicyAuthority for Served<dyn PolicyAuthority> {
    async fn willing_to_issue(
        &self,
        request: Request<v1::WillingToIssueRequest>,
    ) -> Result<Response<v1::WillingToIssueResponse>, Status> {
        answer(async {
            let identifiers: Vec<Identifier> = list(request.into_inner().identifiers)?;
            let outcome = match self.0.willing_to_issue(&identifiers).await {
                Ok(willing) => Outcome::Willing(Willing { challenges: wire(willing) }),
                Err(error) if !error.subproblems.is_empty() => {
                    log(&error);
                    Outcome::Refusal((&error).into())
                }
                Err(error) => return Err(error),
            };
            Ok(v1::WillingToIssueResponse { outcome: Some(outcome) })
        })
        .await
    }

    async fn challenge_enabled(
        &self,
        request: Request<v1::ChallengeEnabledRequest>,
    ) -> Result<Response<v1::ChallengeEnabledResponse>, Status> {
        answer(async {
            let it = request.into_inner();
            let challenge = value::<v1::ChallengeType, _>("ChallengeEnabledRequest.challenge", it.challenge)?;
            let identifier = read("ChallengeEnabledRequest.identifier", it.identifier)?;
            let wildcard = present("ChallengeEnabledRequest.wildcard", it.wildcard)?;
            let enabled = self.0.challenge_enabled(challenge, &identifier, wildcard).await?;
            Ok(v1::ChallengeEnabledResponse { enabled: Some(enabled) })
        })
        .await
    }

    async fn good_key(&self, request: Request<v1::GoodKeyRequest>) -> Result<Response<v1::Nothing>, Status> {
        answer(async {
            let it = request.into_inner();
            let key_use = value::<v1::KeyUse, _>("GoodKeyRequest.key_use", it.key_use)?;
            self.0.good_key(&it.key, key_use).await?;
            Ok(v1::Nothing {})
        })
        .await
    }
}

same_names!(KeyUse { Account, Certificate });

impl From<Vec<ChallengeType>> for Challenges {
    fn from(challenges: Vec<ChallengeType>) -> Self {
        let numbers = challenges.into_iter().map(|it| v1::ChallengeType::from(it).into());
        Self { challenges: numbers.collect() }
    }
}

fn challenges(it: Challenges) -> Read<Vec<ChallengeType>> {
    let numbers = it.challenges.into_iter();
    numbers.map(|it| value::<v1::ChallengeType, _>("WillingToIssueResponse.challenges", it)).collect()
}
