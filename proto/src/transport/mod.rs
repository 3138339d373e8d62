//! What carries calls from one process of Cairn to another: HTTP/2 over TLS 1.3, where both sides prove their role.
//!
//! A process has an [`Identity`] for each role it plays. A role's [`Server`] listens, knows from its peer's certificate who calls, and
//! lets each service be called by the roles on its list alone. A [`Channel`] leads to all endpoints of another role: it finds them
//! by name, spreads the calls, leaves out those that are dead and comes back to them.
//!
//! Built on h2 rather than on tonic's own transport, since certificates must be replaceable while we run, the peer's name must be
//! known for each call, and a call may only be sent again when it surely was not begun.
//!
//! What travels with each call is listed in `refusal`: the time that is left, the caller's clock, the trace.

mod address;
mod answer;
mod channel;
pub mod deadline;
mod handshake;
mod health;
mod http2;
mod identity;
mod local;
pub mod metrics;
mod quiet;
mod refusal;
mod resolve;
mod server;
mod spawn;
#[cfg(test)]
mod tests;
mod trace;

pub use address::{Address, AddressError};
pub use channel::{Channel, ChannelConfig, EndpointChannel};
pub use health::{Health, check};
pub use identity::{Identity, IdentityError};
pub use local::{LocalChannel, LocalPeer, serve_locally};
pub use refusal::is_not_processed;
pub use server::{Peer, Server, ServerConfig};
