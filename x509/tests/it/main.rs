//! Stories about certificates, told through the public face of the crate and checked by other people's code.

// `cfg(test)` is always true here; it tells clippy that helper functions are test code too.
#[cfg(test)]
mod arbitrary_bytes;
#[cfg(test)]
mod ca_csrs;
#[cfg(test)]
mod ca_lints;
#[cfg(test)]
mod cas;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod crls;
#[cfg(test)]
mod csr;
#[cfg(test)]
mod key_files;
#[cfg(test)]
mod large_crls;
#[cfg(test)]
mod lints;
#[cfg(test)]
mod ocsp;
#[cfg(test)]
mod public_keys;
#[cfg(test)]
mod support;
