//! http-01, RFC 8555 §8.3: the key authorization stands at a well-known URL of the host.

use std::net::SocketAddr;

use cairn_core::api::va::ValidationRequest;
use cairn_core::{Identifier, KeyAuthorization, ProblemType, ValidationRecord};
use http::StatusCode;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::config::Config;
use crate::dial::{Connection, Dialer};
use crate::failure::Failure;
use crate::get::{Answer, GetError, Page, get};
use crate::redirect::{Ports, Target};
use crate::tls::{handshake_failure, server_name, trusting_connector};

/// Most redirects that are followed (CA/Browser Forum practice); this is also what ends a loop.
const MAX_REDIRECTS: usize = 10;

/// Validates http-01 challenges.
pub(crate) struct Http01 {
    ports: Ports,
    tls: TlsConnector,
}

impl Http01 {
    pub(crate) fn new(config: &Config) -> Self {
        Self { ports: Ports::new(config), tls: trusting_connector() }
    }

    /// Asks for the URL, follows redirects, and compares. Each hop is resolved, checked and dialled anew and leaves a record.
    pub(crate) async fn validate(
        &self,
        dialer: &Dialer,
        request: &ValidationRequest,
        deadline: Instant,
        records: &mut Vec<ValidationRecord>,
    ) -> Result<(), Failure> {
        let mut target = Target::first(&request.identifier, &request.token, self.ports)?;
        for _ in 0..=MAX_REDIRECTS {
            let mut record = ValidationRecord {
                url: Some(target.url().to_string()),
                hostname: target.host().to_string(),
                port: Some(target.port()),
                ..ValidationRecord::default()
            };
            let connected = dialer.connect(target.host(), target.port(), deadline, &mut record).await;
            records.push(record);
            let connection = connected?;
            let peer = connection.peer;
            match self.ask(connection, &target, deadline).await? {
                Answer::Redirect(location) => {
                    target = target.redirected(location.as_ref(), self.ports).map_err(|bad| {
                        let what = format!("the server redirects to {bad}");
                        failure(&target, peer, (ProblemType::IncorrectResponse, what))
                    })?;
                }
                Answer::Page(page) => {
                    return judge(&page, &request.key_authorization)
                        .map_err(|cause| failure(&target, peer, cause));
                }
            }
        }
        let detail = format!(
            "The challenge at {} was not reached after {MAX_REDIRECTS} redirects; the next would lead to {}.",
            request.identifier,
            target.url()
        );
        Err(Failure::challenge(ProblemType::IncorrectResponse, detail))
    }

    /// One GET, over TLS if the URL says so.
    async fn ask(
        &self,
        connection: Connection,
        target: &Target,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let Connection { stream, peer } = connection;
        let failed = |cause| failure(target, peer, cause);
        let late = |_| {
            failed((ProblemType::Connection, "connected, but no complete answer came in time".to_owned()))
        };
        let answer = if target.is_https() {
            let handshake = self.tls.connect(server_name(target.host())?, stream);
            let stream = timeout_at(deadline, handshake).await.map_err(late)?;
            let stream = stream.map_err(|error| failed(handshake_failure(&error)))?;
            timeout_at(deadline, get(stream, target)).await
        } else {
            timeout_at(deadline, get(stream, target)).await
        };
        answer.map_err(late)?.map_err(|error| failed(broken(&error)))
    }
}

/// What a problem is made of: its type, and what happened.
type Cause = (ProblemType, String);

/// Whether the page is the key authorization. Nothing of a wrong body is repeated (RFC 8555 §10.4): it may be a page that only the CA
/// could reach.
fn judge(page: &Page, expected: &KeyAuthorization) -> Result<(), Cause> {
    let expected = expected.as_str();
    let what = match page {
        // RFC 8555 §8.3: trailing whitespace is ignored.
        Page::Content(content) if content.trim_ascii_end() == expected.as_bytes() => return Ok(()),
        Page::Content(content) => format!(
            "expected the key authorization \"{expected}\", got {} other bytes; is the file in place, and written by the account \
             that asks?",
            content.len()
        ),
        Page::TooLong => format!(
            "expected the key authorization \"{expected}\", got a much longer text; does another page answer for the path?"
        ),
        Page::Status(StatusCode::NOT_FOUND) => "status 404: there is no such file".to_owned(),
        Page::Status(status) => format!("expected status 200, got {}", status.as_u16()),
    };
    Err((ProblemType::Unauthorized, what))
}

fn broken(error: &GetError) -> Cause {
    match error {
        GetError::Target(_) => (ProblemType::IncorrectResponse, "the URL cannot be asked for".to_owned()),
        GetError::Http(error) if error.is_parse_too_large() => {
            (ProblemType::IncorrectResponse, "the head of the answer is too long".to_owned())
        }
        GetError::Http(error) if error.is_parse() => (
            ProblemType::IncorrectResponse,
            "the answer is not HTTP/1.1; is this port for plain HTTP?".to_owned(),
        ),
        GetError::Http(_) => (
            ProblemType::Connection,
            "the server closed the connection before the answer was complete".to_owned(),
        ),
    }
}

fn failure(target: &Target, peer: SocketAddr, (kind, what): Cause) -> Failure {
    // An address in the URL need not be said twice.
    let at = match target.host() {
        Identifier::Dns(_) => format!(" at {peer}"),
        Identifier::Ip(_) => format!(" on port {}", peer.port()),
    };
    Failure::challenge(kind, format!("GET {}{at}: {what}.", target.url()))
}
