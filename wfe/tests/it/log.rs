//! The one line that the log has of each request.

use std::io;
use std::sync::{Arc, Mutex, Once};

use axum::body::Body;
use axum::http::{Method, Request};
use cairn_core::Error;
use cairn_wfe::ClientAddr;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::World;

/// What was logged on this thread since it was made.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

/// Has somebody listen on every thread, who writes nothing down. Whether an event is heard at all is settled when it first happens, for all
/// threads; if that were on one where nobody listens, just while another begins to, it could stay unheard there.
pub(crate) fn hear_everything() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_writer(io::sink).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
}

impl Log {
    fn listen() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap();
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect()
    }
}

fn parse(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_request_is_one_line_that_says_whose_it_was_and_how_it_ended() {
    let world = World::new();
    let client = world.client().await;
    let jws = world.jws(&client, "/dir", "").await;
    let (log, _listening) = Log::listen();
    world.post_raw("/dir", jws).await;
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = &lines[0];
    assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"request".into()));
    assert_eq!(
        (&line["method"], &line["path"], &line["status"]),
        (&"POST".into(), &"/dir".into(), &200.into())
    );
    assert_eq!(line["account"], client.account().to_string());
    assert!(line["duration_us"].is_u64());
    assert_eq!(line.get("client"), None, "no listener has said who it is");
}

#[tokio::test]
async fn a_refused_request_says_why_and_from_where() {
    let world = World::new();
    let mut request = Request::get("/new-order").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ClientAddr("192.0.2.9:4711".parse().unwrap()));
    request.headers_mut().insert("x-forwarded-for", "10.0.0.1".parse().unwrap());
    let (log, _listening) = Log::listen();
    world.send(request).await;
    let line = &log.lines()[0];
    assert_eq!((&line["level"], &line["problem"]), (&"INFO".into(), &"malformed".into()));
    assert_eq!(line["client"], "192.0.2.9", "no proxy is trusted here");
}

#[tokio::test]
async fn a_fault_of_ours_is_an_error_with_its_source() {
    let world = World::new();
    let client = world.client().await;
    let jws = world.jws(&client, "/dir", "").await;
    world.fake.state().failure = Some(Error::internal("Try later.", "disk on fire"));
    let (log, _listening) = Log::listen();
    world.post_raw("/dir", jws).await;
    let line = &log.lines()[0];
    assert_eq!((&line["level"], &line["status"]), (&"ERROR".into(), &500.into()));
    assert!(line["error"].as_str().unwrap().contains("disk on fire"), "{line}");
}

#[tokio::test]
async fn a_panic_is_an_error_with_its_message() {
    let world = World::new();
    let client = world.client().await;
    let jws = world.jws(&client, "/dir", "").await;
    world.fake.state().panics = true;
    let (log, _listening) = Log::listen();
    world.post_raw("/dir", jws).await;
    assert!(log.lines()[0]["error"].as_str().unwrap().contains("as the test wants"));
    assert_eq!(world.bare(Method::GET, "/dir").await.status, 200, "and the server goes on");
}
