//! The front end as clients meet it: its router, driven without a network, over a registration authority and a storage that are
//! fakes in memory.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, and clippy knows only functions marked #[test] as tests"
)]

mod fakes;
mod world;

mod hosts;
mod log;
mod signatures;
mod transport;

mod accounts;
mod authorizations;
mod busy;
mod certificates;
mod orders;

mod properties;
mod renewal_info;
