//! What a certificate says of where to look: its CRL, OCSP, its issuer (RFC 5280 §4.2.1.13, §4.2.2.1).

use std::num::NonZeroU16;

use cairn_core::{CrlShard, IssuerId, PkiUrl, Serial, ShardId};

use crate::config::Config;

/// Where relying parties look, and among how many lists of an issuer new certificates are divided.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    url: PkiUrl,
    shards: NonZeroU16,
}

/// What one certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) shard: CrlShard,
    pub(crate) crl: String,
    pub(crate) ocsp: String,
    pub(crate) issuer: String,
}

impl Publication {
    /// `None` if there is no place where anybody could look.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        Some(Self { url: config.pki_url.clone()?, shards: config.crl.shards })
    }

    /// Where the complete CRL of a shard lies.
    pub(crate) fn crl_url(&self, shard: ShardId) -> String {
        self.url.crl(shard.issuer, shard.shard)
    }

    /// Where its delta CRL lies.
    pub(crate) fn delta_crl_url(&self, shard: ShardId) -> String {
        self.url.delta_crl(shard.issuer, shard.shard)
    }

    /// What the certificate of `issuer` with this serial says.
    pub(crate) fn of(&self, issuer: IssuerId, serial: &Serial) -> Published {
        let shard = shard(serial, self.shards);
        Published {
            shard,
            crl: self.url.crl(issuer, shard),
            ocsp: self.url.ocsp(),
            issuer: self.url.issuer(issuer),
        }
    }
}

/// The last octets of a serial are random, so that lists grow alike.
fn shard(serial: &Serial, shards: NonZeroU16) -> CrlShard {
    let last =
        serial.as_bytes().iter().rev().take(4).fold(0, |number, octet| number << 8 | u32::from(*octet));
    CrlShard::new(u16::try_from(last % u32::from(shards.get())).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial(last: [u8; 4]) -> Serial {
        Serial::from_bytes(&[&[1, 0, 0], last.as_slice()].concat()).unwrap()
    }

    #[test]
    fn certificates_are_divided_among_all_shards_and_no_others() {
        let shards = NonZeroU16::new(7).unwrap();
        let mut counts = [0; 7];
        for number in 0..7000_u32 {
            let shard = shard(&serial(number.wrapping_mul(0x9e37_79b9).to_be_bytes()), shards);
            counts[usize::from(shard.number())] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
        assert_eq!(shard(&serial([0xff; 4]), NonZeroU16::MIN), CrlShard::new(0));
        assert!(shard(&serial([0xff; 4]), NonZeroU16::MAX).number() < u16::MAX);
    }
}
