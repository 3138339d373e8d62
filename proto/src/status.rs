//! Core's [`Error`] as a gRPC status and back.
//!
//! An error travels whole, as a message in the metadata [`ERROR_KEY`] of its status: kind, detail, subproblems, pause. What is behind
//! it (`source`) stays where it was met, in the log of that service. The status code beside it is for tools that know no better.
//!
//! Metadata are HTTP/2 headers, of which a receiver takes 16 KiB in all. An error that does not fit into its share of them is cut,
//! and its detail then says so. That never happens to the errors that grow with a request, which have one subproblem for each
//! identifier: the calls that ask about identifiers (`NewOrder`, `WillingToIssue`) have a place for them in their answers.
//!
//! A status without such an error comes from the transport, ours or the other side's. If the call surely was not begun, it becomes
//! `Unavailable`, and whoever asked may do so again; otherwise nobody knows what was done, and it becomes `Internal`.

use std::error::Error as StdError;
use std::fmt::Write;
use std::time::Duration;

use cairn_core::{Error, ErrorKind};
use prost::Message;
use tonic::metadata::{BinaryMetadataValue, MetadataMap};
use tonic::{Code, ConnectError, Status};

use crate::reading::{BadMessage, Read, list, same_names, value, wire};
use crate::transport::is_not_processed;
use crate::v1;

/// Where an error stands in the metadata of its status.
pub const ERROR_KEY: &str = "cairn-error-bin";

/// Longest error in a status, in octets: in base64 it leaves half of the 16 KiB of headers to all others.
const MAX_ERROR: usize = 6 * 1024;

/// Longest detail in an error that is cut, in octets. Details are sentences.
const MAX_DETAIL: usize = 2 * 1024;

/// Room in an error for what is neither detail nor subproblem, and for the sentence about those left out.
const MARGIN: usize = 256;

/// Longest message of a status, in octets: only people with tools read it.
const MAX_STATUS_MESSAGE: usize = 256;

/// Set by the transport on the status of a call that it refused, if it is known: in how many seconds to try again.
const RETRY_AFTER_KEY: &str = "retry-after";

/// What a client is told when nobody knows what became of its request.
const UNKNOWN_OUTCOME: &str =
    "A part of this CA did not answer. Look what became of the request before you repeat it.";

/// What a client is told when its request was not carried out.
const NOT_REACHED: &str = "A part of this CA cannot be reached; try again later.";

/// The status that carries `error`.
#[must_use]
pub fn from_error(error: &Error) -> Status {
    let mut metadata = MetadataMap::new();
    let message = fitting(error.into()).encode_to_vec();
    metadata.insert_bin(ERROR_KEY, BinaryMetadataValue::from_bytes(&message));
    let mut text = error.detail.clone();
    shorten(&mut text, MAX_STATUS_MESSAGE);
    Status::with_metadata(code(error.kind), text, metadata)
}

/// The error that `status` carries, or what a status of the transport's means.
#[must_use]
pub fn into_error(status: Status) -> Error {
    match carried(&status) {
        Some(Ok(error)) => error,
        Some(Err(unreadable)) => unreadable.into(),
        None if was_not_begun(&status) => {
            let pause = retry_after(&status);
            let mut error = not_reached(status);
            error.retry_after = pause;
            error
        }
        None => Error::unanswered(UNKNOWN_OUTCOME, status),
    }
}

/// The error of a call that did not leave this process.
pub(crate) fn not_reached(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unavailable, NOT_REACHED).with_source(cause)
}

fn carried(status: &Status) -> Option<Read<Error>> {
    let value = status.metadata().get_bin(ERROR_KEY)?;
    let unreadable = BadMessage::new(ERROR_KEY, "is no error");
    let octets = value.to_bytes().map_err(|_| unreadable);
    let message = octets.and_then(|octets| v1::Error::decode(octets).map_err(|_| unreadable));
    Some(message.and_then(Error::try_from))
}

fn retry_after(status: &Status) -> Option<Duration> {
    let seconds = status.metadata().get(RETRY_AFTER_KEY)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// Whether it is certain that the call was not begun.
fn was_not_begun(status: &Status) -> bool {
    if is_not_processed(status) {
        return true;
    }
    match status.code() {
        // Refused by the other side before any service saw the call, or by the transport here before it was sent. When there is a
        // source, a connection failed: that was before the call only if it was never made.
        Code::Unavailable | Code::ResourceExhausted | Code::PermissionDenied | Code::Unauthenticated => {
            status.source().is_none_or(is_failed_connect)
        }
        // There is no such service or method over there.
        Code::Unimplemented => true,
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::InvalidArgument
        | Code::DeadlineExceeded
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Internal
        | Code::DataLoss => false,
    }
}

fn is_failed_connect(source: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(source);
    while let Some(error) = next {
        if error.is::<ConnectError>() {
            return true;
        }
        next = error.source();
    }
    false
}

const fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::AccountDoesNotExist | ErrorKind::NotFound => Code::NotFound,
        ErrorKind::AccountNotValid | ErrorKind::Unauthorized => Code::PermissionDenied,
        ErrorKind::AlreadyReplaced
        | ErrorKind::AlreadyRevoked
        | ErrorKind::BadNonce
        | ErrorKind::OrderNotReady => Code::FailedPrecondition,
        ErrorKind::BadCsr
        | ErrorKind::BadPublicKey
        | ErrorKind::BadRevocationReason
        | ErrorKind::InvalidContact
        | ErrorKind::Malformed
        | ErrorKind::RejectedIdentifier
        | ErrorKind::UnsupportedContact
        | ErrorKind::UnsupportedIdentifier => Code::InvalidArgument,
        ErrorKind::Conflict => Code::Aborted,
        ErrorKind::Internal => Code::Internal,
        ErrorKind::Unavailable => Code::Unavailable,
    }
}

/// The error, cut so that it fits into [`MAX_ERROR`] if it does not: first its detail, then its last subproblems.
fn fitting(mut error: v1::Error) -> v1::Error {
    if error.encoded_len() <= MAX_ERROR {
        return error;
    }
    shorten(&mut error.detail, MAX_DETAIL);
    let all = error.subproblems.len();
    let mut room = MAX_ERROR.saturating_sub(error.detail.len() + MARGIN);
    let fit = error.subproblems.iter().take_while(|subproblem| {
        let length = prost::encoding::message::encoded_len(3, *subproblem);
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    });
    let told = fit.count();
    error.subproblems.truncate(told);
    if told < all {
        // Writing to a String cannot fail.
        let _ = write!(error.detail, " (Of {all} subproblems, {told} are listed.)");
    }
    error
}

/// At most `length` octets of `text`, with an ellipsis in place of what is gone.
fn shorten(text: &mut String, length: usize) {
    const ELLIPSIS: char = '…';
    if text.len() > length {
        text.truncate(text.floor_char_boundary(length.saturating_sub(ELLIPSIS.len_utf8())));
        text.push(ELLIPSIS);
    }
}

same_names!(ErrorKind {
    AlreadyReplaced,
    AccountDoesNotExist,
    AccountNotValid,
    AlreadyRevoked,
    BadCsr,
    BadNonce,
    BadPublicKey,
    BadRevocationReason,
    Conflict,
    Internal,
    InvalidContact,
    Malformed,
    NotFound,
    OrderNotReady,
    RejectedIdentifier,
    Unauthorized,
    Unavailable,
    UnsupportedContact,
    UnsupportedIdentifier,
});

/// All but the source.
impl From<&Error> for v1::Error {
    fn from(error: &Error) -> Self {
        Self {
            kind: v1::ErrorKind::from(error.kind).into(),
            detail: error.detail.clone(),
            subproblems: wire(error.subproblems.iter().cloned()),
            retry_after: error
                .retry_after
                .map(|pause| v1::Pause { seconds: pause.as_secs(), nanoseconds: pause.subsec_nanos() }),
        }
    }
}

impl TryFrom<v1::Error> for Error {
    type Error = BadMessage;

    fn try_from(it: v1::Error) -> Read<Self> {
        let v1::Error { kind, detail, subproblems, retry_after } = it;
        let kind = value::<v1::ErrorKind, _>("Error.kind", kind)?;
        let mut error = Self::new(kind, detail).with_subproblems(list(subproblems)?);
        error.retry_after = retry_after.map(pause).transpose()?;
        Ok(error)
    }
}

fn pause(it: v1::Pause) -> Read<Duration> {
    if it.nanoseconds < 1_000_000_000 {
        Ok(Duration::new(it.seconds, it.nanoseconds))
    } else {
        Err(BadMessage::new("Pause.nanoseconds", "is a second or more"))
    }
}
