//! `grpc.health.v1`: is this role ready to work? Asked by other services, load balancers and orchestrators.
//!
//! `Check` alone: `Watch` is a stream that never ends, and a server that stops waits for its calls to end.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use tonic_health::pb;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::{Channel, deadline};

/// How long an endpoint may take to say that it is well.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Says of a server whether it is ready. It is not, until it is told so.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<State>);

#[derive(Debug, Default)]
struct State {
    serving: AtomicBool,
    services: Mutex<BTreeSet<String>>,
}

impl Health {
    /// From now on, the server and all its services are ready, or not.
    pub fn set_serving(&self, serving: bool) {
        self.0.serving.store(serving, Ordering::SeqCst);
    }

    /// Whether it was last said to be ready.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.0.serving.load(Ordering::SeqCst)
    }

    pub(super) fn add(&self, service: &str) {
        self.0.services.lock().unwrap_or_else(PoisonError::into_inner).insert(service.to_owned());
    }

    fn knows(&self, service: &str) -> bool {
        // The empty name stands for the server as a whole.
        service.is_empty() || self.0.services.lock().unwrap_or_else(PoisonError::into_inner).contains(service)
    }
}

#[tonic::async_trait]
impl pb::health_server::Health for Health {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<pb::HealthCheckResponse, Status>> + Send>>;

    async fn check(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Result<Response<pb::HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if !self.knows(&service) {
            return Err(Status::not_found(format!("there is no service \"{service}\" here")));
        }
        let status = if self.is_serving() { ServingStatus::Serving } else { ServingStatus::NotServing };
        Ok(Response::new(pb::HealthCheckResponse { status: status.into() }))
    }

    async fn watch(&self, _: Request<pb::HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("ask with Check"))
    }
}

/// Whether at least one endpoint of `channel` is connected and says that it is ready.
///
/// # Errors
/// If none is; the text says why, of all that are known.
pub async fn check(channel: &Channel) -> Result<(), Status> {
    let endpoints = channel.endpoints();
    let mut answers: FuturesUnordered<_> = endpoints
        .into_iter()
        .filter(super::EndpointChannel::is_connected)
        .map(|endpoint| async move {
            let address = endpoint.address();
            let deadline = Instant::now() + CHECK_TIMEOUT;
            let mut client = HealthClient::new(endpoint);
            let answer = deadline::scope(deadline, client.check(pb::HealthCheckRequest::default())).await;
            match answer.map(|answer| answer.into_inner().status()) {
                Ok(ServingStatus::Serving) => Ok(()),
                Ok(_) => Err(format!("{address} is not ready")),
                Err(status) => Err(format!("{address}: {}", status.message())),
            }
        })
        .collect();
    let mut reasons = Vec::new();
    while let Some(answer) = answers.next().await {
        match answer {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(reason),
        }
    }
    if reasons.is_empty() {
        return Err(channel.nobody_answers());
    }
    reasons.sort();
    Err(Status::unavailable(format!("no {} is ready: {}", channel.callee(), reasons.join("; "))))
}
