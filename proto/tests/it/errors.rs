//! Errors as statuses, and what statuses mean that no service of ours made.

use std::error::Error as _;
use std::time::Duration;

use cairn_core::api::ra::{FinalizeOrderRequest, NewOrderRequest};
use cairn_core::api::{PolicyAuthority, RegistrationAuthority};
use cairn_core::{AccountId, Error, ErrorKind, Identifier, OrderId, ProblemType, Subproblem};
use cairn_proto::{RemotePolicyAuthority, RemoteRegistrationAuthority, status};
use tonic::{Code, ConnectError, Status};

use crate::fake::Fake;
use crate::sample;
use crate::world::World;

/// A refusal of a thousand identifiers.
fn refusal() -> Error {
    let subproblem = |number| Subproblem {
        kind: ProblemType::RejectedIdentifier,
        detail: format!("{} (No. {number})", "The name is on the list of those that nobody gets. ".repeat(4)),
        identifier: Identifier::parse("dns", &format!("{}.{number}.a.test", "long".repeat(15))).unwrap(),
    };
    Error::new(ErrorKind::RejectedIdentifier, "some names are not acceptable; see subproblems")
        .with_subproblems((0..1000).map(subproblem).collect())
}

#[test]
fn an_error_survives_its_status_but_for_what_is_behind_it() {
    for kind in sample::KINDS {
        for error in [Error::new(kind, ""), sample::error(kind)] {
            let status = status::from_error(&error);
            assert_ne!(status.code(), Code::Ok);
            assert!(!format!("{status:?}").contains("what the log is told"));
            let read = status::into_error(status);
            assert_eq!(read, error);
            assert!(read.source.is_none());
        }
    }
}

#[tokio::test]
async fn a_refusal_of_a_thousand_identifiers_arrives_whole() {
    let world = World::new(Fake::fails(refusal())).await;
    let ra = RemoteRegistrationAuthority::new(world.channel.clone());
    let request =
        NewOrderRequest { account: AccountId::from_bytes([1; 16]), identifiers: Vec::new(), replaces: None };
    assert_eq!(ra.new_order(request).await.unwrap_err(), refusal());
    let pa = RemotePolicyAuthority::new(world.channel.clone());
    assert_eq!(pa.willing_to_issue(&[]).await.unwrap_err(), refusal());
}

#[tokio::test]
async fn an_error_that_does_not_fit_into_headers_is_cut_and_says_so() {
    let world = World::new(Fake::fails(refusal())).await;
    let ra = RemoteRegistrationAuthority::new(world.channel.clone());
    let finalize = || FinalizeOrderRequest {
        account: AccountId::from_bytes([1; 16]),
        order: OrderId::from_bytes([1; 16]),
        csr: Vec::new(),
    };
    let cut = ra.finalize_order(finalize()).await.unwrap_err();
    let told = cut.subproblems.len();
    assert!((10..1000).contains(&told), "{told}");
    assert_eq!(cut.subproblems, refusal().subproblems[..told]);
    assert_eq!(cut.detail, format!("{} (Of 1000 subproblems, {told} are listed.)", refusal().detail));

    let wordy = Error { detail: "€".repeat(100_000), ..refusal() };
    let world = World::new(Fake::fails(wordy)).await;
    let ra = RemoteRegistrationAuthority::new(world.channel.clone());
    let cut = ra.finalize_order(finalize()).await.unwrap_err();
    assert!(cut.detail.contains("€… (Of 1000 subproblems, "), "{}", cut.detail);
    assert_eq!(cut.kind, ErrorKind::RejectedIdentifier);
}

#[test]
fn a_status_of_the_transport_is_unavailable_only_when_surely_nothing_was_done() {
    for (code, not_begun) in [
        (Code::Unavailable, true),
        (Code::ResourceExhausted, true),
        (Code::PermissionDenied, true),
        (Code::Unauthenticated, true),
        (Code::Unimplemented, true),
        (Code::Ok, false),
        (Code::Cancelled, false),
        (Code::DeadlineExceeded, false),
        (Code::Unknown, false),
        (Code::InvalidArgument, false),
        (Code::NotFound, false),
        (Code::AlreadyExists, false),
        (Code::FailedPrecondition, false),
        (Code::Aborted, false),
        (Code::OutOfRange, false),
        (Code::Internal, false),
        (Code::DataLoss, false),
    ] {
        let error = status::into_error(Status::new(code, "a word for the log"));
        let kind = if not_begun { ErrorKind::Unavailable } else { ErrorKind::Internal };
        assert_eq!(error.kind, kind, "{code:?}");
        assert!(!error.detail.contains("a word for the log"));
        assert!(error.source.unwrap().to_string().contains("a word for the log"));
    }
}

#[test]
fn a_connection_that_was_not_made_differs_from_one_that_broke() {
    let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let status = Status::from_error(Box::new(ConnectError(Box::new(refused()))));
    assert_eq!(status::into_error(status).kind, ErrorKind::Unavailable);

    let broken = Status::from_error(Box::new(refused()));
    assert_eq!(status::into_error(broken).kind, ErrorKind::Internal);

    // What tonic makes of a keep-alive that stayed without an answer.
    let mut silent = Status::unavailable("keep-alive timed out");
    silent.set_source(std::sync::Arc::new(refused()));
    assert!(silent.source().is_some());
    assert_eq!(status::into_error(silent).kind, ErrorKind::Internal);
}

#[test]
fn a_call_that_the_transport_marks_as_not_begun_is_unavailable_whatever_its_code() {
    let mut status = Status::deadline_exceeded("too little time is left");
    status.metadata_mut().insert("cairn-refused", "late".parse().unwrap());
    assert_eq!(status::into_error(status.clone()).kind, ErrorKind::Unavailable);
    assert_eq!(status::into_error(status.clone()).retry_after, None);
    status.metadata_mut().insert("retry-after", "2".parse().unwrap());
    assert_eq!(status::into_error(status).retry_after, Some(Duration::from_secs(2)));
}
