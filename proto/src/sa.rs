//! The storage's traits over gRPC, each a service of its own: whoever may call one may not call the others by that.

mod authority;
mod certificates;
mod crl;
mod messages;
mod pki;
mod read;
mod revocations;

pub use authority::{RemoteStorageAuthority, storage_authority_server};
pub use certificates::{RemoteCertificateStore, certificate_store_server};
pub use crl::{RemoteCrlStore, crl_store_server};
pub use pki::{RemotePkiRead, pki_read_server};
pub use read::{RemoteStorageRead, storage_read_server, storage_read_servers};
pub use revocations::revocation_store_server;
