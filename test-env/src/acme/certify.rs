//! The way from an order to its certificate, RFC 8555 §7.1.6: look where the order stands, do what that asks for, look again.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep_until};

use super::account::Account;
use super::client::{Client, Placed, Polled};
use super::objects::{Authorization, Challenge, Identifier, Status};
use super::problem::{Error, Problem, Result};
use crate::challenges::Responder;

/// How long a client waits for an order to come to its end. A server must not need a tenth of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// When to ask again if the server did not say.
const POLL: Duration = Duration::from_millis(50);

/// What a client has in the end.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The order's URL.
    pub order: String,
    /// The certificate's URL.
    pub url: String,
    /// The chain, PEM.
    pub chain: Bytes,
}

/// Places an order and brings it to its certificate.
///
/// # Errors
/// What the server said, or that it said nothing in time.
pub async fn certify(
    client: &mut Client,
    account: &Account,
    responder: &Responder,
    identifiers: &[Identifier],
    csr: &[u8],
) -> Result<Certified> {
    let placed = client.new_order(account, identifiers).await?;
    resume(client, account, responder, placed, csr).await
}

/// Brings an order from where it stands to its certificate.
///
/// # Errors
/// As [`certify`].
pub async fn resume(
    client: &mut Client,
    account: &Account,
    responder: &Responder,
    placed: Placed,
    csr: &[u8],
) -> Result<Certified> {
    let deadline = Instant::now() + PATIENCE;
    let Placed { url: order_url, mut order } = placed;
    loop {
        match order.status {
            Status::Pending => {
                for url in &order.authorizations {
                    authorize(client, account, responder, url, deadline).await?;
                }
                // All its authorizations are valid, so it is ready; the server would say so if it were asked.
                order.status = Status::Ready;
            }
            Status::Ready => {
                let finalized = client.finalize(account, &order.finalize, csr).await?;
                order = pause(finalized, |order| order.status == Status::Processing, deadline).await?;
            }
            Status::Processing => {
                let polled = client.order(account, &order_url).await?;
                order = pause(polled, |order| order.status == Status::Processing, deadline).await?;
            }
            Status::Valid => {
                let url = order.certificate.ok_or_else(|| Error::nonsense("valid without a certificate"))?;
                let chain = client.certificate(account, &url).await?;
                return Ok(Certified { order: order_url, url, chain });
            }
            _ => return Err(failed(order.error.as_ref())),
        }
    }
}

/// Brings an authorization from where it stands to being valid.
async fn authorize(
    client: &mut Client,
    account: &Account,
    responder: &Responder,
    url: &str,
    deadline: Instant,
) -> Result<()> {
    let authz = client.authorization(account, url).await?.object;
    if authz.status == Status::Valid {
        return Ok(());
    }
    let challenge = offered(&authz, responder)?;
    let key_authorization = account.key_authorization(&challenge.token);
    let answer = responder.provide(&authz.identifier, &challenge.token, &key_authorization).await?;
    let outcome = validate(client, account, responder, url, &challenge, deadline).await;
    // Until it has come to its end, a server that went away or asked to come back later may look again, and must find the answer.
    if matches!(outcome, Ok(()) | Err(Error::Failed(_))) {
        responder.withdraw(answer).await?;
    }
    outcome
}

/// Answers a challenge and waits for what becomes of it.
async fn validate(
    client: &mut Client,
    account: &Account,
    responder: &Responder,
    authorization: &str,
    challenge: &Challenge,
    deadline: Instant,
) -> Result<()> {
    let mut polled = client.answer(account, &challenge.url).await?;
    loop {
        match polled.object.status {
            Status::Valid => return Ok(()),
            Status::Invalid => return Err(failed(polled.object.error.as_ref())),
            _ => {}
        }
        pause(polled, |_| true, deadline).await?;
        let authz = client.authorization(account, authorization).await?;
        polled = Polled { object: offered(&authz.object, responder)?, retry_after: authz.retry_after };
    }
}

/// The challenge that the responder can answer.
fn offered(authz: &Authorization, responder: &Responder) -> Result<Challenge> {
    let challenge = authz.challenge(responder.kind());
    challenge.cloned().ok_or_else(|| Error::nonsense(format!("{} is not offered", responder.kind())))
}

/// Waits as long as the server wants, if the object is to be asked for again.
async fn pause<T>(polled: Polled<T>, again: impl Fn(&T) -> bool, deadline: Instant) -> Result<T> {
    if again(&polled.object) {
        let next = Instant::now() + polled.retry_after.unwrap_or(POLL);
        if next > deadline {
            return Err(Error::Late("processing".to_owned()));
        }
        sleep_until(next).await;
    }
    Ok(polled.object)
}

fn failed(problem: Option<&Problem>) -> Error {
    match problem {
        Some(problem) => Error::Failed(Box::new(problem.clone())),
        None => Error::nonsense("it failed and does not say why"),
    }
}
