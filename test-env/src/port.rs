//! Ports that must be known before anybody listens on them.
//!
//! Where a program can say which port it took, it is given port 0. Three kinds of port cannot be: the two where Cairn
//! looks for challenges' answers (the CA is told first, the client listens later), and one that a restarted server must
//! find again. They are taken below the range from which the system picks ports for outgoing connections: from inside
//! that range, a client knocking at a server that is just down can be given that very port as its own.

use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

use anyhow::{Context, Result};

/// Below 32768, where Linux begins to pick (`net.ipv4.ip_local_port_range`), above what services commonly use.
const FIRST: u16 = 16_400;
const COUNT: u16 = 16_000;

/// How many ports the processes of one machine are apart in the range, so that two test runs seldom meet.
const STRIDE: u32 = 97;

/// A port on which nobody listens, and which no other caller in this process gets.
///
/// # Errors
/// If every port of the range is taken.
pub fn free() -> Result<u16> {
    static STEPS: AtomicU16 = AtomicU16::new(0);
    first_free(&STEPS)
}

fn first_free(steps: &AtomicU16) -> Result<u16> {
    let start = process::id().wrapping_mul(STRIDE) % u32::from(COUNT);
    (0..COUNT)
        .filter_map(|_| {
            let step = u32::from(steps.fetch_add(1, Ordering::Relaxed));
            u16::try_from((start + step) % u32::from(COUNT)).ok()
        })
        .map(|offset| FIRST + offset)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .context("no port is free between 16400 and 32400")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, not two: looking whether a port is free takes it for a moment, and two tests of one process look at the same ports.
    #[test]
    fn no_port_is_given_twice_nor_while_somebody_listens_on_it() {
        assert_ne!(free().unwrap(), free().unwrap());
        let steps = AtomicU16::new(0);
        let port = first_free(&steps).unwrap();
        let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        steps.store(0, Ordering::Relaxed);
        assert_ne!(first_free(&steps).unwrap(), port);
    }
}
