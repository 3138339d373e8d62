//! What names and identifies, each sent as its octets: ids, serials, digests, tokens, keys.

use cairn_core::{
    AccountId, AuthorizationId, CrlShard, IncidentId, IssuerId, Jwk, OrderId, Serial, Thumbprint, Token,
    WorkerId,
};

use crate::reading::{BadMessage, Read, octets};

pub(crate) fn account_id(field: &'static str, value: &[u8]) -> Read<AccountId> {
    octets(field, value).map(AccountId::from_bytes)
}

pub(crate) fn order_id(field: &'static str, value: &[u8]) -> Read<OrderId> {
    octets(field, value).map(OrderId::from_bytes)
}

pub(crate) fn authorization_id(field: &'static str, value: &[u8]) -> Read<AuthorizationId> {
    octets(field, value).map(AuthorizationId::from_bytes)
}

pub(crate) fn incident_id(field: &'static str, value: &[u8]) -> Read<IncidentId> {
    octets(field, value).map(IncidentId::from_bytes)
}

pub(crate) fn worker_id(field: &'static str, value: &[u8]) -> Read<WorkerId> {
    octets(field, value).map(WorkerId::from_bytes)
}

pub(crate) fn issuer_id(field: &'static str, value: &[u8]) -> Read<IssuerId> {
    octets(field, value).map(IssuerId::from_bytes)
}

pub(crate) fn crl_shard(field: &'static str, value: u32) -> Read<CrlShard> {
    let number = u16::try_from(value).map_err(|_| BadMessage::new(field, "is no shard"))?;
    Ok(CrlShard::new(number))
}

pub(crate) fn thumbprint(field: &'static str, value: &[u8]) -> Read<Thumbprint> {
    octets(field, value).map(Thumbprint::from_bytes)
}

pub(crate) fn token(field: &'static str, value: &[u8]) -> Read<Token> {
    octets(field, value).map(Token::from_bytes)
}

pub(crate) fn sha256(field: &'static str, value: &[u8]) -> Read<[u8; 32]> {
    octets(field, value)
}

pub(crate) fn serial(field: &'static str, value: &[u8]) -> Read<Serial> {
    Serial::from_bytes(value).ok_or(BadMessage::new(field, "is no serial number"))
}

/// A key from its SubjectPublicKeyInfo.
pub(crate) fn jwk(field: &'static str, value: &[u8]) -> Read<Jwk> {
    Jwk::from_spki_der(value).map_err(|_| BadMessage::new(field, "is no public key"))
}
