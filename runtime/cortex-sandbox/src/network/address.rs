//! What an address is for. The one place that decides which addresses are the public internet.
//!
//! The threat: a name that the tool may reach is made to resolve to a service inside the operator's network, or to the
//! metadata service of a cloud, which hands out credentials to whoever asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Part of the public internet.
    Public,
    /// This machine.
    Loopback,
    /// A network of somebody's own: RFC 1918, RFC 4193, and RFC 6598, which providers use behind their translators.
    Private,
    /// The network that this machine is plugged into.
    LinkLocal,
    /// A cloud's metadata service.
    Metadata,
    Multicast,
    Broadcast,
    /// `0.0.0.0` and its like, which some systems connect to themselves.
    Unspecified,
    Documentation,
    /// An IPv6 address that stands for an IPv4 address elsewhere: NAT64, 6to4, Teredo, IPv4-compatible.
    Translated,
    /// Anything else that is not assigned.
    Reserved,
}

impl Class {
    pub(crate) fn of(address: IpAddr) -> Self {
        match canonical(address) {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            // Amazon, Google, Azure and others; Amazon's containers (two); Azure's agent; Alibaba; Oracle.
            [169, 254, 169, 254]
            | [169, 254, 170, 2 | 23]
            | [168, 63, 129, 16]
            | [100, 100, 100, 200]
            | [192, 0, 0, 192] => Self::Metadata,
            [127, ..] => Self::Loopback,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            [169, 254, ..] => Self::LinkLocal,
            [0, ..] => Self::Unspecified,
            [255, 255, 255, 255] => Self::Broadcast,
            [224..=239, ..] => Self::Multicast,
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Documentation,
            [192, 88, 99, _] => Self::Translated,
            // Protocol assignments, benchmarks, and what was never assigned.
            [192, 0, 0, _] | [198, 18..=19, ..] | [240..=255, ..] => Self::Reserved,
            _ => Self::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        match address.segments() {
            // Amazon's (two) and Google's.
            [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Self::Metadata,
            [0, 0, 0, 0, 0, 0, 0, 0] => Self::Unspecified,
            [0, 0, 0, 0, 0, 0, 0, 1] => Self::Loopback,
            [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, ..] | [0x2002, ..] | [0x2001, 0, ..] => Self::Translated,
            [0xfc00..=0xfdff, ..] => Self::Private,
            [0xfe80..=0xfebf, ..] => Self::LinkLocal,
            [0xff00..=0xffff, ..] => Self::Multicast,
            [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Self::Documentation,
            // The rest of the block for protocols: ORCHID, benchmarks and others.
            [0x2001, 0..=0x1ff, ..] => Self::Reserved,
            [0x2000..=0x3fff, ..] => Self::Public,
            _ => Self::Reserved,
        }
    }

    /// Whether `private://` opens it: what people run services of their own on.
    pub(crate) fn is_private(self) -> bool {
        matches!(self, Self::Loopback | Self::Private)
    }

    /// What it is, after "is".
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the metadata service of a cloud",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Unspecified => "an unspecified address",
            Self::Documentation => "an address for documentation",
            Self::Translated => "an address that is translated to another one",
            Self::Reserved => "a reserved address",
        }
    }
}

/// The IPv4 address that an IPv4-mapped one (`::ffff:127.0.0.1`) is, for the system as well.
pub(crate) fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn every_block_has_its_class() {
        use Class as C;
        #[rustfmt::skip]
        let table: &[(Class, &[&str])] = &[
            (C::Public, &["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
                "128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
                "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:200::1",
                "2001:4860:4860::8888", "2003::1", "3ffe::1", "::ffff:8.8.8.8"]),
            (C::Loopback, &["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"]),
            (C::Private, &["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255",
                "100.64.0.0", "100.127.255.255", "fc00::1", "fd00::1", "fdff:ffff::1", "::ffff:10.0.0.1"]),
            (C::LinkLocal, &["169.254.0.0", "169.254.169.253", "169.254.255.255", "fe80::1", "febf::1"]),
            (C::Metadata, &["169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192",
                "fd00:ec2::254", "fd20:ce::254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe"]),
            (C::Multicast, &["224.0.0.1", "239.255.255.255", "ff02::1", "ff00::"]),
            (C::Broadcast, &["255.255.255.255"]),
            (C::Unspecified, &["0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"]),
            (C::Documentation, &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"]),
            (C::Translated, &["64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::a9fe:a9fe", "2002:7f00:1::", "2001::1",
                "::127.0.0.1", "::7f00:1", "::2", "192.88.99.1"]),
            (C::Reserved, &["192.0.0.1", "198.18.0.1", "198.19.255.255", "240.0.0.1", "255.255.255.254", "fec0::1",
                "4000::1", "100::1", "2001:2::1", "2001:10::1", "5f00::1", "::1:0:0:0:0"]),
        ];
        for (class, addresses) in table {
            for address in *addresses {
                assert_eq!(Class::of(address.parse().unwrap()), *class, "{address}");
            }
        }
    }
}
