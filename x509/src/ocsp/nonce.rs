//! What binds a response to its request (RFC 9654 §2.1).

/// RFC 9654 §2.1: no more is taken or given.
pub const MAX_NONCE_LEN: usize = 128;

/// 1 to 128 octets of the client's choice, which stand in the response as they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(Vec<u8>);

impl Nonce {
    /// `None` if it is empty, or longer than [`MAX_NONCE_LEN`].
    #[must_use]
    pub fn new(octets: &[u8]) -> Option<Self> {
        (1..=MAX_NONCE_LEN).contains(&octets.len()).then(|| Self(octets.to_vec()))
    }

    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
