//! The fake world in which challenges are validated: a DNS server that is the authority for every name there is, and
//! the HTTP interface by which a test tells it otherwise.
//!
//! [`Zone`] is what the world answers: every name has the default address until told differently. [`DnsServer`]
//! serves a zone over UDP and TCP (RFC 1035), and [`management()`] changes it over HTTP in the shape of
//! pebble-challtestsrv's interface, so that a client's test suite drives it as it drives Pebble's. All three share
//! one zone; a test in the same process may as well call [`Zone`]'s methods.
//!
//! It is made to be lied with, on a loopback address, and knows no other crate of ours. It does not sign its answers
//! (DNSSEC), recurse, or take zone transfers and updates.
//!
//! hickory-server writes two lines at `info` for each answer, those to malformed packets included; whoever sets up
//! logging will want `hickory_server=warn`.

// What the world is;
mod zone;

mod rdata;
mod records;

// how it is asked;
mod server;

mod answer;
mod authority;

// and how it is changed.
mod management;

pub use crate::{
    management::{MAX_BODY_BYTES, management},
    server::DnsServer,
    zone::{CaaPolicy, MAX_RECORDS, MAX_VALUE_BYTES, Zone, ZoneError},
};
