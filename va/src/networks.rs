//! Which addresses are public, and which have a special purpose: the IANA special-purpose address registries (RFC 6890 and its
//! updates, state of 2025), multicast, and what else must never be reached from outside.
//!
//! Globally reachable exceptions inside the registries' blocks (anycast services such as 192.0.0.9) count as special too: no
//! subscriber's host is there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 blocks that are not for public hosts.
const SPECIAL_V4: [Ipv4Net; 19] = [
    v4(0, 0, 0, 0, 8),          // "this network", RFC 791; Linux takes 0.0.0.0 for itself
    v4(10, 0, 0, 0, 8),         // private, RFC 1918
    v4(100, 64, 0, 0, 10),      // shared by carrier-grade NAT, RFC 6598
    v4(127, 0, 0, 0, 8),        // loopback, RFC 1122
    v4(169, 254, 0, 0, 16),     // link-local, RFC 3927; cloud metadata services
    v4(172, 16, 0, 0, 12),      // private, RFC 1918
    v4(192, 0, 0, 0, 24),       // IETF protocol assignments, RFC 6890
    v4(192, 0, 2, 0, 24),       // documentation, RFC 5737
    v4(192, 31, 196, 0, 24),    // AS112, RFC 7535
    v4(192, 52, 193, 0, 24),    // AMT, RFC 7450
    v4(192, 88, 99, 0, 24),     // 6to4 relays, RFC 7526
    v4(192, 168, 0, 0, 16),     // private, RFC 1918
    v4(192, 175, 48, 0, 24),    // AS112, RFC 7534
    v4(198, 18, 0, 0, 15),      // benchmarking, RFC 2544
    v4(198, 51, 100, 0, 24),    // documentation, RFC 5737
    v4(203, 0, 113, 0, 24),     // documentation, RFC 5737
    v4(224, 0, 0, 0, 4),        // multicast, RFC 5771
    v4(240, 0, 0, 0, 4),        // reserved, RFC 1112
    v4(255, 255, 255, 255, 32), // limited broadcast, RFC 8190
];

/// All that IANA gives out for public IPv6 hosts (RFC 4291 §2.4). Loopback, unspecified, IPv4-mapped and -translated, NAT64
/// (RFC 6052, RFC 8215), discard-only (RFC 6666), segment routing (RFC 9602), unique local (RFC 4193), link-local, site-local and
/// multicast addresses all lie outside.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// The special blocks inside [`GLOBAL_UNICAST`].
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6(0x2001, 0, 0, 23), // IETF protocol assignments with Teredo, benchmarking, ORCHID, RFC 2928
    v6(0x2001, 0xdb8, 0, 32), // documentation, RFC 3849
    v6(0x2002, 0, 0, 16), // 6to4, RFC 3056: an IPv4 address in disguise
    v6(0x2620, 0x4f, 0x8000, 48), // AS112, RFC 7534
    v6(0x3fff, 0, 0, 20), // documentation, RFC 9637
];

/// Whether `address` may belong to a host on the public Internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_UNICAST.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_public() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "2001:200::1",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn special_addresses_are_not() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.9",
            "192.0.2.1",
            "192.31.196.1",
            "192.52.193.1",
            "192.88.99.1",
            "192.168.1.1",
            "192.175.48.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::7f00:1",
            "::ffff:0:7f00:1",
            "64:ff9b::808:808",
            "64:ff9b:1::1",
            "100::1",
            "100:0:0:1::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2620:4f:8000::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
