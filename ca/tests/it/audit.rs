//! What an auditor finds in the log.

use std::io;
use std::sync::{Arc, Mutex};

use cairn_core::Error;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{World, request};

/// The log as one text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
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

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Runs an issuance and gives the audit events, in order.
async fn audit_events(world: &World) -> (Result<(), Error>, Vec<String>) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_env_filter("audit=info")
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let result = world.issue(request(&[("dns", "a.test"), ("ip", "192.0.2.1")])).await;
    drop(guard);
    (result.map(drop), log.lines())
}

#[tokio::test]
async fn intent_and_signature_are_audited_with_serial_order_and_names() {
    let world = World::new();
    let (result, events) = audit_events(&world).await;
    result.unwrap();
    let [intent, signed] = events.as_slice() else { panic!("{events:?}") };
    let recorded = world.journal.intents().remove(0);
    assert!(intent.contains("event=\"certificate.intent\""), "{intent}");
    assert!(intent.contains("not_after=2027-04-15T06:59:59Z"), "{intent}");
    assert!(signed.contains("event=\"certificate.signed\"") && signed.contains("sha256="), "{signed}");
    for event in [intent, signed] {
        assert!(event.contains(&format!("serial={}", recorded.serial)), "{event}");
        assert!(event.contains(&format!("order.id={}", recorded.order.unwrap())), "{event}");
        assert!(event.contains(&format!("account.id={}", recorded.account.unwrap())), "{event}");
        assert!(event.contains("names=\"a.test,192.0.2.1\""), "{event}");
    }
}

#[tokio::test]
async fn a_certificate_that_could_not_be_stored_is_kept_whole_in_the_log() {
    let world = World::new();
    let broken = Error::internal("Try again later.", io::Error::other("disk full"));
    *world.store.certificate_fails.lock().unwrap() = Some(broken);
    let (result, events) = audit_events(&world).await;
    result.unwrap_err();
    let lost = events.last().unwrap();
    assert!(lost.contains("event=\"certificate.not_stored\"") && lost.contains("disk full"), "{lost}");
    assert!(lost.contains("certificate=\"3082"), "{lost}");
}
