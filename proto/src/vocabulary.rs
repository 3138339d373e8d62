//! Core's vocabulary to and from the messages of `core.proto`. Writing cannot fail; reading is strict (`reading`).

mod account;
mod authorization;
mod certificate;
mod challenge;
mod id;
mod identifier;
mod incident;
mod order;
mod problem;
mod selection;

#[cfg(test)]
mod tests;

pub(crate) use incident::{reason, reason_code};

pub(crate) use id::{
    account_id, authorization_id, crl_shard, incident_id, issuer_id, jwk, order_id, serial, sha256,
    thumbprint, token, worker_id,
};
