//! [`StorageAuthority`] over gRPC. Its half that only reads is the service `StorageRead`, what goes beyond single certificates the
//! service `RevocationStore`.

mod client;
mod server;

use crate::client::{Carrier, Client};
use crate::sa::RemoteStorageRead;

pub use server::storage_authority_server;

/// A storage elsewhere, for the registration authority.
#[derive(Clone, Debug)]
pub struct RemoteStorageAuthority<T> {
    authority: Client<T>,
    pub(super) revocations: Client<T>,
    read: RemoteStorageRead<T>,
}

impl<T: Carrier> RemoteStorageAuthority<T> {
    /// The one at the other end of `carrier`, which serves `StorageRead` and `RevocationStore` too.
    pub fn new(carrier: T) -> Self {
        Self {
            authority: Client::new(carrier.clone()),
            revocations: Client::new(carrier.clone()),
            read: RemoteStorageRead::new(carrier),
        }
    }
}
