//! Nonces, RFC 8555 §6.5, without a database on their way: of one process (`own`), and of several behind one name (`routed`).
//!
//! A nonce is `prefix ‖ number ‖ tag` in base64url: six octets that name the process that gave it out, eight that count, and 16 that
//! prove it. Whoever gave it out remembers in one bit whether it was used; all others ask.

mod own;
mod routed;
mod window;

pub use own::Nonces;
pub use routed::RoutedNonces;
