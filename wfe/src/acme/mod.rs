//! The handlers, one file per resource. Each turns a proven request into one call and the result into an answer.

pub(crate) mod directory;

pub(crate) mod account;
pub(crate) mod authorization;
pub(crate) mod certificate;
pub(crate) mod challenge;
pub(crate) mod order;
pub(crate) mod renewal_info;
pub(crate) mod revocation;
