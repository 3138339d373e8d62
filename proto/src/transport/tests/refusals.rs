//! Who may not connect, who may not call, and that both sides' logs say why.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use cairn_core::Clock;
use cairn_core::time::FakeClock;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::{Code, Request, Status};

use super::super::handshake::Refused;
use super::super::*;
use super::world::*;
use crate::Role;

/// What the channel says of its peers, once it has tried to connect.
async fn nobody(channel: &Channel) -> String {
    until(channel, |channel| !channel.nobody_answers().message().contains("no connection yet")).await;
    let status = check(channel).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(is_not_processed(&status));
    status.message().to_owned()
}

/// What a client reads that does not check itself first: the names of its certificate, if it has one, are `names`.
async fn stranger(pki: &Pki, names: Option<&[&str]>) -> (Serving, String) {
    let serving = Serving::start(&pki.server(Role::Sa, &Script::echo(""))).await;
    let mut roots = RootCertStore::empty();
    let pem = |name: &str| fs::read(pki.path(name)).unwrap();
    roots.add(CertificateDer::from_pem_slice(&pem("root.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match names {
        None => config.with_no_client_auth(),
        Some(names) => {
            pki.issue(Role::Wfe, names, 2028);
            let chain = vec![CertificateDer::from_pem_slice(&pem("wfe.pem")).unwrap()];
            config
                .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(&pem("wfe-key.pem")).unwrap())
                .unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(serving.address).await.unwrap();
    let name = ServerName::try_from("sa.cairn.internal").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    (serving, Refused::by(&error).text)
}

#[tokio::test]
async fn a_peer_without_a_certificate_is_refused() {
    let (pki, log) = (Pki::new(), Log::new());
    let (_serving, text) = stranger(&pki, None).await;
    assert!(text.contains("wants us to show a certificate"), "{text}");
    log.has(&["WARN", "refused a connection", "showed no certificate", "peer.address=127.0.0.1:", "role=sa"]);
}

#[tokio::test]
async fn a_peer_with_an_older_tls_is_refused() {
    let (pki, log) = (Pki::new(), Log::new());
    let serving = Serving::start(&pki.server(Role::Sa, &Script::echo(""))).await;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let stream = TcpStream::connect(serving.address).await.unwrap();
    let name = ServerName::try_from("sa.cairn.internal").unwrap();
    tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap_err();
    log.has(&["WARN", "refused a connection", "does not speak TLS 1.3", "role=sa"]);
}

#[tokio::test]
async fn a_peer_that_only_looks_is_not_complained_of() {
    let (pki, log) = (Pki::new(), Log::new());
    let serving = Serving::start(&pki.server(Role::Sa, &Script::echo(""))).await;
    drop(TcpStream::connect(serving.address).await.unwrap());
    let mut other = TcpStream::connect(serving.address).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = other.read_to_end(&mut Vec::new()).await;
    log.has(&["WARN", "refused a connection", "is not TLS"]);
    assert_eq!(log.count(&["WARN"]), 1);
}

#[tokio::test]
async fn a_peer_whose_certificate_names_no_role_is_refused() {
    for names in [
        &["laptop.cairn.internal"][..],
        &["wfe.cairn.internal", "ra.cairn.internal"],
        &["xra.cairn.internal"],
    ] {
        let (pki, log) = (Pki::new(), Log::new());
        let (_serving, text) = stranger(&pki, Some(names)).await;
        assert!(text.contains("does not take our certificate for that of a role"), "{text}");
        log.has(&["WARN", "refused a connection", "no role", &names.join(", "), "peer.address=127.0.0.1:"]);
    }
}

#[tokio::test]
async fn a_server_in_another_role_than_expected_is_refused() {
    let (pki, log) = (Pki::new(), Log::new());
    let serving = Serving::start(&pki.server(Role::Sa, &Script::echo(""))).await;
    let channel = pki.channel(Role::Ra, Role::Ca, &[serving.address]);
    let text = nobody(&channel).await;
    assert!(text.starts_with(&format!("no ca answers at {}: ", serving.address)), "{text}");
    assert!(text.contains("another role") && text.contains("sa.cairn.internal"), "{text}");
    log.has(&["WARN", "ca cannot be reached", "another role", &format!("peer.address={}", serving.address)]);
    serving.stop().await;
    log.has(&["WARN", "refused a connection", "the peer expected another role than ours"]);
}

#[tokio::test]
async fn a_server_of_another_root_is_refused() {
    let (ours, theirs, log) = (Pki::new(), Pki::new(), Log::new());
    let serving = Serving::start(&theirs.server(Role::Sa, &Script::echo(""))).await;
    let text = nobody(&ours.channel(Role::Ra, Role::Sa, &[serving.address])).await;
    assert!(text.contains("was not issued by our root"), "{text}");
    log.has(&["WARN", "sa cannot be reached", "was not issued by our root"]);
    serving.stop().await;
    log.has(&["WARN", "refused a connection", "the peer does not know the root of our certificate"]);
}

#[tokio::test]
async fn a_client_of_another_root_is_refused() {
    let (ours, theirs, log) = (Pki::new(), Pki::new(), Log::new());
    let serving = Serving::start(&theirs.server(Role::Sa, &Script::echo(""))).await;
    // It trusts both roots, and is trusted by one.
    let roots = [ours.path("root.pem"), theirs.path("root.pem")]
        .map(|path| fs::read_to_string(path).unwrap())
        .concat();
    fs::write(ours.path("root.pem"), roots).unwrap();
    let text = nobody(&ours.channel(Role::Ra, Role::Sa, &[serving.address])).await;
    assert!(text.contains("the peer does not know the root of our certificate"), "{text}");
    log.has(&["WARN", "sa cannot be reached", "the peer does not know the root"]);
    log.has(&[
        "WARN",
        "refused a connection",
        "the peer's certificate was not issued by our root",
        "role=sa",
    ]);
}

#[tokio::test]
async fn an_expired_client_is_refused() {
    let (pki, log) = (Pki::new(), Log::new());
    pki.issue(Role::Sa, &["sa.cairn.internal"], 2030);
    let sa = Identity::load(pki.dir(), Role::Sa, Arc::new(FakeClock::new(START.plus(400 * DAY)))).unwrap();
    let serving = Serving::start(&Server::new(sa, ServerConfig::default())).await;
    let text = nobody(&pki.channel(Role::Ra, Role::Sa, &[serving.address])).await;
    assert!(text.contains("our certificate has expired") && text.contains("internal-pki renew"), "{text}");
    log.has(&["WARN", "sa cannot be reached", "our certificate has expired"]);
    log.has(&["WARN", "refused a connection", "the peer's certificate has expired", "role=sa"]);
}

#[tokio::test]
async fn an_expired_server_is_refused() {
    let (pki, log) = (Pki::new(), Log::new());
    let serving = Serving::start(&pki.server(Role::Sa, &Script::echo(""))).await;
    pki.issue(Role::Ra, &["ra.cairn.internal"], 2030);
    let ra = Identity::load(pki.dir(), Role::Ra, Arc::new(FakeClock::new(START.plus(400 * DAY)))).unwrap();
    let text = nobody(&pki.channel_of(ra, Role::Sa, &[serving.address])).await;
    assert!(text.contains("the peer's certificate has expired"), "{text}");
    serving.stop().await;
    log.has(&["WARN", "refused a connection", "our certificate has expired"]);
}

/// Makes a call that is refused, with a status that says that it was not begun.
async fn refused_call(channel: &Channel, path: &str) -> Status {
    let status = say_to(channel, path, Request::new(text(""))).await.unwrap_err();
    assert!(is_not_processed(&status), "{status:?}");
    status
}

#[tokio::test]
async fn a_role_that_is_not_on_the_services_list_is_refused() {
    let (pki, log) = (Pki::new(), Log::new());
    let script = Script::new(|_| async { panic!("it was called") });
    let serving = Serving::start(&pki.server(Role::Sa, &script)).await;
    let channel = pki.channel(Role::Wfe, Role::Sa, &[serving.address]);
    let status = refused_call(&channel, "/test.Script/Write").await;
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("sa offers wfe no service test.Script"), "{status}");
    log.has(&[
        "WARN",
        "refused a call",
        "peer.address=127.0.0.1:",
        "peer.role=wfe",
        "test.Script",
        "not-allowed",
    ]);
    log.has(&[
        "WARN",
        "the call was refused",
        "callee=sa",
        &serving.address.to_string(),
        "sa offers wfe no service",
    ]);
}

#[tokio::test]
async fn a_service_that_nobody_listed_is_refused_to_all() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (_serving, channel) = pki.pair(&Script::echo("")).await;
    for path in ["/test.Other/Write", "/", "/test.Script", "/test.Scripts/Write"] {
        assert_eq!(refused_call(&channel, path).await.code(), Code::PermissionDenied, "{path}");
    }
    assert_eq!(say(&channel, "Write", "good").await.unwrap(), "good");
}

#[tokio::test]
async fn the_service_knows_who_calls() {
    let (pki, _log) = (Pki::new(), Log::new());
    let script = Script::new(|request| async move {
        let peer: &Peer = request.extensions().get().unwrap();
        Ok(format!("{} {}", peer.role, peer.address.ip()))
    });
    let (_serving, channel) = pki.pair(&script).await;
    assert_eq!(say(&channel, "Write", "").await.unwrap(), "ra 127.0.0.1");
}

#[tokio::test]
async fn a_certificate_that_expires_while_its_connection_is_open_calls_no_more() {
    let (pki, log) = (Pki::new(), Log::new());
    let (_serving, channel) = pki.pair(&Script::echo("")).await;
    say(&channel, "Write", "in time").await.unwrap();
    pki.clock.advance(400 * DAY);
    let status = refused_call(&channel, "/test.Script/Write").await;
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(
        status.message().contains("ended at 2028-01-01") && status.message().contains("renew"),
        "{status}"
    );
    log.has(&["WARN", "refused a call", "reason=\"expired\"", "peer.role=ra"]);
    log.has(&["WARN", "the call was refused", "reason=\"expired\""]);
}

#[tokio::test]
async fn a_clock_that_differs_too_much_is_refused() {
    let (pki, log) = (Pki::new(), Log::new());
    let serving = Serving::start(&pki.server(Role::Sa, &Script::echo(""))).await;
    for (differs, fits) in [(0, true), (5, true), (-5, true), (6, false), (-3600, false)] {
        let clock = Arc::new(FakeClock::new(START.plus(differs)));
        let ra = Identity::load(pki.dir(), Role::Ra, clock as Arc<dyn Clock>).unwrap();
        let channel = pki.channel_of(ra, Role::Sa, &[serving.address]);
        if fits {
            say(&channel, "Write", "").await.unwrap();
            continue;
        }
        let status = refused_call(&channel, "/test.Script/Write").await;
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert!(
            status.message().contains(&format!("the clocks differ by {} s", i64::abs(differs))),
            "{status}"
        );
        assert!(
            status.message().contains(&format!("ra has {}, sa has {START}", START.plus(differs))),
            "{status}"
        );
    }
    log.has(&["WARN", "refused a call", "the clocks differ by 6 s", "peer.role=ra"]);
    log.has(&["WARN", "the call was refused", "the clocks differ by 6 s", "callee=sa"]);
}

#[tokio::test]
async fn more_calls_than_the_bound_are_refused_at_once_and_health_is_not() {
    let (pki, log) = (Pki::new(), Log::new());
    let (begun, go_on) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let script = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        Script::new(move |_| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok("done".to_owned())
            }
        })
    };
    let config = ServerConfig { max_calls: 1, max_clock_skew: Duration::from_secs(5) };
    let server = Server::new(pki.identity(Role::Sa), config).add(script, &[Role::Ra]);
    let serving = Serving::start(&server).await;
    let channel = pki.channel(Role::Ra, Role::Sa, &[serving.address]);
    let first = say(&channel, "Write", "");
    let second = async {
        begun.notified().await;
        let status = refused_call(&channel, "/test.Script/Write").await;
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(status.metadata().get("retry-after").unwrap(), "1");
        check(&channel).await.unwrap();
        go_on.notify_one();
    };
    assert_eq!(tokio::join!(first, second).0.unwrap(), "done");
    log.has(&["WARN", "refused a call", "at work on 1 calls"]);
    go_on.notify_one();
    say(&channel, "Write", "").await.unwrap();
}
