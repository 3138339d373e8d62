//! Traces as a collector gets them: a fake one, which keeps what it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use cairn_test_env::acme::{CertificateRequest, Client, Connection, Endpoint, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::port;
use cairn_test_env::site::{Serve, Site};
use challtestsrv::{DnsServer, Zone};
use http::Request;
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::world::{dns, es256};

/// Keeps spans, each with the name of the service that made it.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, Span)>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let mut kept = self.0.lock().unwrap();
        for resource_spans in request.into_inner().resource_spans {
            let resource = format!("{:?}", resource_spans.resource);
            let spans = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            kept.extend(spans.map(|span| (resource.clone(), span)));
        }
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Spans that one server made while it issued one certificate, for a client that sent a `traceparent` along.
async fn spans_of_an_issuance(trace: impl Fn(u16) -> String) -> Vec<(String, Span)> {
    let (zone, stop, mut tasks) = (Zone::new(), CancellationToken::new(), JoinSet::new());
    zone.set_default_ipv4(Some([127, 0, 0, 1].into()));
    let fake_dns = DnsServer::bind(([127, 0, 0, 1], 0).into(), zone).await.unwrap();
    let collector = Collector::default();
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let collector_port = incoming.local_addr().unwrap().port();
    let serving = Server::builder().add_service(TraceServiceServer::new(collector.clone()));
    tasks.spawn(async move { drop(serving.serve_with_incoming(incoming).await) });

    let (site, http_port) = (Site::new().unwrap(), port::free().unwrap());
    site.validate_here(fake_dns.local_addr(), http_port).unwrap();
    site.settle(&trace(collector_port)).unwrap();
    let until = stop.clone();
    tasks.spawn(async move { drop(fake_dns.run(until).await) });
    let http01 = Responder::Http01(Arc::new(Http01::start(http_port).await.unwrap()));
    let (serve, _) = Serve::start(&site).unwrap();

    let endpoint = Arc::new(Endpoint::new(&site.directory(), &site.root().unwrap()).unwrap());
    let mut client = Client::connect(Arc::clone(&endpoint), &site.directory()).await.unwrap();
    let account = client.new_account(es256()).await.unwrap();
    let identifiers = dns(["www.example.com"]);
    let csr = CertificateRequest::new(&identifiers).unwrap().der;
    certify(&mut client, &account, &http01, &identifiers, &csr).await.unwrap();

    let foreign = Request::builder().uri("/dir").header("traceparent", TRACEPARENT);
    let mut connection = Connection::new(endpoint);
    assert_eq!(connection.send(foreign.body(Full::default()).unwrap()).await.unwrap().status, 200);

    // Its end, at which it sends what still waits.
    spawn_blocking(|| serve.stop().unwrap()).await.unwrap();
    stop.cancel();
    let kept = collector.0.lock().unwrap();
    kept.clone()
}

const FOREIGN_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_issuance_is_one_trace_from_the_request_to_the_signature_and_the_storage() {
    let spans =
        spans_of_an_issuance(|port| format!("[trace]\nendpoint = \"http://127.0.0.1:{port}\"\n")).await;
    assert!(spans.iter().all(|(resource, _)| resource.contains("\"cairn\"")), "{:?}", spans.first());

    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|(_, span)| (&*span.span_id, span)).collect();
    let finalize = "POST /order/{id}/finalize";
    let (_, root) = spans.iter().find(|(_, span)| span.name == finalize).unwrap();
    assert!(root.parent_span_id.is_empty());
    let trace: Vec<&Span> =
        spans.iter().map(|(_, span)| span).filter(|span| span.trace_id == root.trace_id).collect();
    let names: BTreeSet<&str> = trace.iter().map(|span| span.name.as_str()).collect();
    for name in ["finalize_order", "run", "issue_certificate", "sa.record_intent", "sa.add_certificate"] {
        assert!(names.contains(name), "{name} is not in {names:?}");
    }
    for span in &trace {
        // From parent to parent, everyone comes to the request.
        let mut at = *span;
        while !at.parent_span_id.is_empty() {
            at = by_id[&*at.parent_span_id];
        }
        assert_eq!(at.span_id, root.span_id, "{}", span.name);
    }
    // A validation too, although it runs in a task of its own.
    let (_, validate) = spans.iter().find(|(_, span)| span.name == "validate").unwrap();
    let challenge = "POST /challenge/{id}/{type}";
    assert!(spans.iter().any(|(_, span)| span.name == challenge && span.trace_id == validate.trace_id));
    // A client does not choose its trace.
    assert!(spans.iter().any(|(_, span)| span.name == "GET /dir"));
    assert!(spans.iter().all(|(_, span)| hex(&span.trace_id) != FOREIGN_TRACE));
}

#[tokio::test]
async fn nothing_is_sent_without_an_endpoint_or_a_sample() {
    assert!(spans_of_an_issuance(|_| String::new()).await.is_empty());
    let none = |port| format!("[trace]\nendpoint = \"http://127.0.0.1:{port}\"\nsample_ratio = 0.0\n");
    assert!(spans_of_an_issuance(none).await.is_empty());
}

#[tokio::test]
async fn a_collector_that_is_not_there_harms_nothing_but_its_traces() {
    let nobody = port::free().unwrap();
    let elsewhere = |_| format!("[trace]\nendpoint = \"http://127.0.0.1:{nobody}\"\n");
    assert!(spans_of_an_issuance(elsewhere).await.is_empty());
}
