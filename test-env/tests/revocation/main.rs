//! Those who look whether a certificate is revoked, each in its own way, against a real server: by OCSP, as clients ask it and as TLS servers
//! staple it, and by CRLs, fetched from where the certificate says or where they are pushed to. `./test-env/test revocation` installs them.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod world;

mod askers;
mod crls;
mod pushes;
mod recorded;
mod stapling;
