//! Which addresses may be dialled: networks, the list of refused ones, and the operator's exceptions.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network in CIDR notation: `10.0.0.0/8`, `fd00::/8`. A bare address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpNet {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not an [`IpNet`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IpNetError {
    /// The part before the slash is not an address.
    #[error("{0:?} is not an IP address; write a network such as 10.0.0.0/8 or fd00::/8")]
    Address(String),
    /// The part after the slash is not a length that fits.
    #[error("{0:?} is not a prefix length; write 0 to {1} after the slash")]
    Prefix(String, u8),
    /// Bits after the prefix are set, so that it is unclear what was meant.
    #[error("{0} has bits set after its prefix; did you mean {1}?")]
    HostBits(String, IpNet),
}

impl IpNet {
    const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Self {
        let address = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        Self { address, prefix }
    }

    const fn v6(segments: [u16; 8], prefix: u8) -> Self {
        let mut bits = 0;
        let mut next = 0;
        // A loop by hand: iterators are not const.
        while next < segments.len() {
            bits = bits << 16 | segments[next] as u128;
            next += 1;
        }
        let address = IpAddr::V6(Ipv6Addr::from_bits(bits));
        Self { address, prefix }
    }

    /// The network of one address.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            prefix: bits_of(address),
        }
    }

    /// Whether `address` is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                shifted(u128::from(net.to_bits()), 32, self.prefix)
                    == shifted(u128::from(ip.to_bits()), 32, self.prefix)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                shifted(net.to_bits(), 128, self.prefix) == shifted(ip.to_bits(), 128, self.prefix)
            }
            _ => false,
        }
    }

    /// Whether all of `other` is in it.
    fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The leading `prefix` of `width` bits; a prefix of 0 leaves none.
fn shifted(bits: u128, width: u8, prefix: u8) -> u128 {
    bits.checked_shr(u32::from(width - prefix)).unwrap_or(0)
}

impl FromStr for IpNet {
    type Err = IpNetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let ip: IpAddr = address
            .parse()
            .map_err(|_| IpNetError::Address(address.to_owned()))?;
        let longest = bits_of(ip);
        let Some(prefix) = prefix else {
            return Ok(Self::host(ip));
        };
        let length = prefix
            .parse()
            .ok()
            .filter(|length| *length <= longest)
            .ok_or_else(|| IpNetError::Prefix(prefix.to_owned(), longest))?;
        let meant = Self {
            address: network_address(ip, length),
            prefix: length,
        };
        if meant.address == ip {
            Ok(meant)
        } else {
            Err(IpNetError::HostBits(text.to_owned(), meant))
        }
    }
}

/// `ip` with all bits after `prefix` cleared.
fn network_address(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Networks that are not the public internet, and what to call an address in them. Sources: the IANA
/// special-purpose address registries for IPv4 and IPv6, and the fixed addresses at which clouds
/// answer their own machines. The first match names it.
const REFUSED: &[(IpNet, &str)] = &[
    (IpNet::v4(0, 0, 0, 0, 8), "an address of this machine"),
    (IpNet::v4(127, 0, 0, 0, 8), "a loopback address"),
    (IpNet::v4(10, 0, 0, 0, 8), "a private address"),
    (IpNet::v4(172, 16, 0, 0, 12), "a private address"),
    (IpNet::v4(192, 168, 0, 0, 16), "a private address"),
    (IpNet::v4(169, 254, 0, 0, 16), "a link-local address"),
    (IpNet::v4(168, 63, 129, 16, 32), "a cloud's own address"),
    (IpNet::v4(100, 100, 100, 200, 32), "a cloud's own address"),
    (IpNet::v4(100, 64, 0, 0, 10), "a carrier's shared address"),
    (IpNet::v4(192, 0, 0, 0, 24), "a reserved address"),
    (IpNet::v4(192, 0, 2, 0, 24), "a documentation address"),
    (IpNet::v4(192, 31, 196, 0, 24), "a reserved address"),
    (IpNet::v4(192, 52, 193, 0, 24), "a reserved address"),
    (IpNet::v4(192, 88, 99, 0, 24), "a 6to4 relay address"),
    (IpNet::v4(192, 175, 48, 0, 24), "a reserved address"),
    (IpNet::v4(198, 18, 0, 0, 15), "a benchmarking address"),
    (IpNet::v4(198, 51, 100, 0, 24), "a documentation address"),
    (IpNet::v4(203, 0, 113, 0, 24), "a documentation address"),
    (IpNet::v4(224, 0, 0, 0, 4), "a multicast address"),
    (IpNet::v4(240, 0, 0, 0, 4), "a reserved address"),
    (
        IpNet::v6([0, 0, 0, 0, 0, 0, 0, 0], 128),
        "an address of this machine",
    ),
    (
        IpNet::v6([0, 0, 0, 0, 0, 0, 0, 1], 128),
        "a loopback address",
    ),
    (
        IpNet::v6([0, 0, 0, 0, 0, 0, 0, 0], 96),
        "an IPv4-compatible address",
    ),
    (
        IpNet::v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96),
        "a translated IPv4 address",
    ),
    (
        IpNet::v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),
        "a NAT64 address",
    ),
    (
        IpNet::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),
        "a NAT64 address",
    ),
    (
        IpNet::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
        "a reserved address",
    ),
    (
        IpNet::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
        "a documentation address",
    ),
    (
        IpNet::v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
        "a 6to4 address",
    ),
    (
        IpNet::v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48),
        "a reserved address",
    ),
    (
        IpNet::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
        "a documentation address",
    ),
    (
        IpNet::v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
        "a cloud's own address",
    ),
    (
        IpNet::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),
        "a private address",
    ),
    (
        IpNet::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
        "a link-local address",
    ),
    (
        IpNet::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),
        "a site-local address",
    ),
    (
        IpNet::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8),
        "a multicast address",
    ),
];

/// Where clouds hand out credentials. A wide exception such as `0.0.0.0/0` or `169.0.0.0/8` does not
/// open these: an exception must lie within them.
const ONLY_IF_NAMED: &[IpNet] = &[
    IpNet::v4(169, 254, 0, 0, 16),
    IpNet::v4(168, 63, 129, 16, 32),
    IpNet::v4(100, 100, 100, 200, 32),
    IpNet::v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
    IpNet::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),
];

/// All of the public IPv6 internet: global unicast (RFC 4291 and IANA's allocation).
const PUBLIC_V6: IpNet = IpNet::v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// An address that may not be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused: {address} is {kind}; allow it with outgoing.allow = [\"{}\"]", IpNet::host(*.address))]
pub(crate) struct Refused {
    /// The address.
    pub(crate) address: IpAddr,
    /// What it is: `a private address`.
    kind: &'static str,
}

/// Says whether `address` may be dialled; `allow` are the operator's exceptions. An IPv4 address in
/// IPv6 clothes (`::ffff:10.0.0.1`) is judged as the IPv4 address that would really be dialled.
pub(crate) fn check_address(address: IpAddr, allow: &[IpNet]) -> Result<(), Refused> {
    let address = address.to_canonical();
    let Some(kind) = refused_kind(address) else {
        return Ok(());
    };
    let special = ONLY_IF_NAMED.iter().find(|net| net.contains(address));
    let allowed = allow.iter().any(|exception| {
        exception.contains(address) && special.is_none_or(|special| special.covers(exception))
    });
    if allowed {
        Ok(())
    } else {
        Err(Refused { address, kind })
    }
}

fn refused_kind(address: IpAddr) -> Option<&'static str> {
    let listed = REFUSED.iter().find(|(net, _)| net.contains(address));
    if let Some((_, kind)) = listed {
        return Some(kind);
    }
    let public = address.is_ipv4() || PUBLIC_V6.contains(address);
    (!public).then_some("not a public address")
}

/// Ports of services that are not HTTP, and of unprotected administration: a request there is an
/// attack on the operator's network, never an alert. Source: the list that browsers refuse too (WHATWG
/// Fetch, "port blocking"), shortened to what servers run, and common data stores.
const REFUSED_PORTS: &[u16] = &[
    21, 22, 23, 25, 53, 110, 111, 135, 139, 143, 389, 445, 465, 514, 587, 636, 873, 993, 995, 2049,
    2375, 2379, 3306, 5432, 6379, 9200, 11211, 27017,
];

/// Refuses a port that belongs to another protocol.
pub(crate) fn check_port(port: u16) -> Result<(), String> {
    if REFUSED_PORTS.contains(&port) {
        return Err(format!(
            "refused: port {port} belongs to a service that does not take alerts"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "net_tests.rs"]
mod tests;
