//! What stands around Cairn in its tests: clients, the subscriber's side of the challenges, and the programs that load the server and
//! measure it.

pub mod acme;
pub mod challenges;
