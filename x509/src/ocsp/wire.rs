//! The ASN.1 shapes of RFC 6960 appendix B, as they are read and written here.

use const_oid::ObjectIdentifier;
use der::{
    Choice, Enumerated, Sequence,
    asn1::{AnyRef, GeneralizedTime, IntRef, Null, OctetStringRef},
};
use spki::AlgorithmIdentifierRef;
use x509_cert::ext::Extension;

use crate::wire::RawSequence;

/// OCSPRequest.
#[derive(Sequence)]
pub(super) struct RequestFields<'a> {
    pub(super) tbs: TbsRequestFields<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) signature: Option<RawSequence<'a>>,
}

/// TBSRequest.
#[derive(Sequence)]
pub(super) struct TbsRequestFields<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", default = "Default::default")]
    pub(super) version: Version,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) requestor: Option<AnyRef<'a>>,
    pub(super) list: RawSequence<'a>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Vec<Extension>>,
}

/// Request.
#[derive(Sequence)]
pub(super) struct SingleRequestFields<'a> {
    pub(super) id: CertIdFields<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Vec<Extension>>,
}

/// CertID.
#[derive(Sequence)]
pub(super) struct CertIdFields<'a> {
    pub(super) hash: AlgorithmIdentifierRef<'a>,
    pub(super) name: &'a OctetStringRef,
    pub(super) key: &'a OctetStringRef,
    pub(super) serial: IntRef<'a>,
}

/// Version: v1 is the only one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enumerated)]
#[asn1(type = "INTEGER")]
#[repr(u8)]
pub(super) enum Version {
    #[default]
    V1 = 0,
}

/// OCSPResponse.
#[derive(Sequence)]
pub(super) struct ResponseFields<'a> {
    pub(super) status: ResponseStatus,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) bytes: Option<ResponseBytes<'a>>,
}

/// OCSPResponseStatus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
pub(super) enum ResponseStatus {
    Successful = 0,
    MalformedRequest = 1,
    InternalError = 2,
    TryLater = 3,
    SigRequired = 5,
    Unauthorized = 6,
}

/// ResponseBytes.
#[derive(Sequence)]
pub(super) struct ResponseBytes<'a> {
    pub(super) kind: ObjectIdentifier,
    pub(super) response: &'a OctetStringRef,
}

/// BasicOCSPResponse.
#[derive(Sequence)]
pub(super) struct BasicFields<'a> {
    pub(super) tbs: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: der::asn1::BitStringRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) certificates: Option<RawSequence<'a>>,
}

/// ResponseData.
#[derive(Sequence)]
pub(super) struct ResponseDataFields<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", default = "Default::default")]
    pub(super) version: Version,
    pub(super) responder: ResponderId<'a>,
    pub(super) produced_at: GeneralizedTime,
    pub(super) responses: Vec<SingleFields<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Vec<Extension>>,
}

/// ResponderID.
#[derive(Clone, Copy, Choice)]
pub(super) enum ResponderId<'a> {
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", constructed = "true")]
    Name(AnyRef<'a>),
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", constructed = "true")]
    Key(&'a OctetStringRef),
}

/// SingleResponse.
#[derive(Sequence)]
pub(super) struct SingleFields<'a> {
    pub(super) id: CertIdFields<'a>,
    pub(super) status: StatusFields,
    pub(super) this_update: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) next_update: Option<GeneralizedTime>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<Vec<Extension>>,
}

/// CertStatus.
#[derive(Clone, Copy, Choice)]
pub(super) enum StatusFields {
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT")]
    Good(Null),
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true")]
    Revoked(RevokedFields),
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT")]
    Unknown(Null),
}

/// RevokedInfo.
#[derive(Clone, Copy, Sequence)]
pub(super) struct RevokedFields {
    pub(super) at: GeneralizedTime,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) reason: Option<ReasonFields>,
}

/// CRLReason (RFC 5280 §5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enumerated)]
#[repr(u8)]
pub(super) enum ReasonFields {
    Unspecified = 0,
    KeyCompromise = 1,
    CaCompromise = 2,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
    CertificateHold = 6,
    RemoveFromCrl = 8,
    PrivilegeWithdrawn = 9,
    AaCompromise = 10,
}
