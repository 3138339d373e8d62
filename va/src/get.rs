//! One HTTP GET over a connection that somebody else made, with everything that comes back bounded.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::redirect::Target;

/// Most bytes of a body that are read. A key authorization has 87, and whoever writes one by hand may add a line end; the rest of
/// a web page is of no use to us.
const MAX_BODY: usize = 512;
/// Most bytes of an answer's head: hyper reads no less at a time, and servers send no more.
const MAX_HEAD: usize = 16 * 1024;
/// Most headers of an answer.
const MAX_HEADERS: usize = 100;

const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("cairn-va/", env!("CARGO_PKG_VERSION"), " (ACME http-01 validation)"));

/// What a server answered.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A redirect, with its Location if there is exactly one.
    Redirect(Option<HeaderValue>),
    /// Anything else.
    Page(Page),
}

/// An answer that leads nowhere else.
#[derive(Debug)]
pub(crate) enum Page {
    /// 200 with this body.
    Content(Vec<u8>),
    /// 200 with a body of more than [`MAX_BODY`].
    TooLong,
    /// Any other status.
    Status(StatusCode),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GetError {
    /// The URL cannot be written into a request line.
    #[error("the URL cannot be asked for")]
    Target(#[from] http::uri::InvalidUri),
    /// The exchange broke.
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// Asks for `target` over `stream`.
pub(crate) async fn get<S>(stream: S, target: &Target) -> Result<Answer, GetError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(target)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await?;
    let exchange = async { answer(sender.send_request(request).await?).await };
    tokio::select! {
        answer = exchange => Ok(answer?),
        never = drive(connection) => match never {},
    }
}

fn request(target: &Target) -> Result<Request<Empty<Bytes>>, http::uri::InvalidUri> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = target.request_target()?;
    let headers = request.headers_mut();
    // An authority from a parsed URL is visible ASCII, so this cannot fail; without Host the server would answer 400.
    if let Ok(host) = HeaderValue::from_str(target.authority()) {
        headers.insert(header::HOST, host);
    }
    headers.insert(header::USER_AGENT, USER_AGENT);
    // Some web application firewalls refuse requests without it.
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// Moves the connection's bytes for as long as somebody waits for the answer. How the connection ends shows in the answer.
async fn drive<S>(connection: http1::Connection<TokioIo<S>, Empty<Bytes>>) -> Infallible
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let _ = connection.await;
    std::future::pending().await
}

async fn answer(response: Response<Incoming>) -> Result<Answer, hyper::Error> {
    match response.status() {
        StatusCode::OK => Ok(Answer::Page(content(response.into_body()).await?)),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => {
            let mut locations = response.headers().get_all(header::LOCATION).iter();
            let only = locations.next().filter(|_| locations.next().is_none());
            Ok(Answer::Redirect(only.cloned()))
        }
        status => Ok(Answer::Page(Page::Status(status))),
    }
}

async fn content(mut body: Incoming) -> Result<Page, hyper::Error> {
    let mut content = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Some(bytes) = frame?.data_ref() {
            if content.len() + bytes.len() > MAX_BODY {
                return Ok(Page::TooLong);
            }
            content.extend_from_slice(bytes);
        }
    }
    Ok(Page::Content(content))
}
