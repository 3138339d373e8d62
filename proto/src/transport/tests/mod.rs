//! Stories of two or more processes, all in this one, over loopback.

mod channel;
mod deadlines;
mod health;
mod identity;
mod refusals;
mod stop;
mod telemetry;
mod world;

pub(super) use world::Pki;
