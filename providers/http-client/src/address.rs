//! Restricts the addresses that a name may resolve to, where the connection is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;
use weft_provider::http::HttpClientError;

/// The addresses that a name may resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressScope {
    /// Public addresses only.
    Public,
    /// Private and loopback addresses as well.
    Private,
}

/// A resolver that returns only allowed addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScopedResolver {
    pub(crate) scope: AddressScope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddressClass {
    Public,
    /// A private network or this host.
    Private,
    /// Not a valid target of a name: link-local, multicast, unspecified, reserved, and addresses at
    /// which clouds serve credentials.
    Special,
}

/// The addresses outside the link-local range at which clouds serve credentials or configuration to
/// their machines: Azure's wire server, which is a public address, and the metadata of Alibaba.
const CLOUD_SERVICES_V4: [Ipv4Addr; 2] = [
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
];

/// The same of IPv6, as the first two groups of their unique local networks: AWS (metadata and pod
/// identities), Google, Oracle, Scaleway, Akamai.
const CLOUD_SERVICES_V6: [[u16; 2]; 5] = [
    [0xfd00, 0xec2],
    [0xfd20, 0xce],
    [0xfd00, 0xc1],
    [0xfd00, 0x42],
    [0xfd00, 0xa9fe],
];

// === impl ScopedResolver ===

impl Service<Name> for ScopedResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = HttpClientError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, HttpClientError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpClientError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let scope = self.scope;
        Box::pin(async move {
            let host = name.as_str();
            let dns = |reason: String| HttpClientError::Dns {
                host: host.to_owned(),
                reason,
            };
            // Port 0 is a placeholder; the connector uses the port of the URI.
            let found = tokio::net::lookup_host((host, 0))
                .await
                .map_err(|error| dns(error.to_string()))?;
            let (allowed, prohibited_addresses): (Vec<_>, Vec<_>) =
                found.partition(|found| scope.covers(found.ip()));
            match prohibited_addresses.first() {
                _ if !allowed.is_empty() => Ok(allowed.into_iter()),
                Some(refused) => Err(prohibited(host, refused.ip())),
                None => Err(dns("the name has no address".to_owned())),
            }
        })
    }
}

fn prohibited(host: &str, address: IpAddr) -> HttpClientError {
    let advice = match class(address) {
        AddressClass::Public | AddressClass::Private => {
            "to allow that, list the name in `allow-private` of the link".to_owned()
        }
        AddressClass::Special => {
            "to allow it, list the address itself in `allow` of the link".to_owned()
        }
    };
    HttpClientError::AddressProhibited {
        host: host.to_owned(),
        address,
        advice,
    }
}

// === impl AddressScope ===

impl AddressScope {
    fn covers(self, address: IpAddr) -> bool {
        match class(address) {
            AddressClass::Public => true,
            AddressClass::Private => self == Self::Private,
            AddressClass::Special => false,
        }
    }
}

fn class(address: IpAddr) -> AddressClass {
    match address.to_canonical() {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

fn class_v4(address: Ipv4Addr) -> AddressClass {
    let [first, second, third, _] = address.octets();
    // Shared by the networks of providers (RFC 6598); some clouds have services there.
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_protocol = (first, second, third) == (192, 0, 0);
    let is_benchmark = first == 198 && (18..20).contains(&second);
    if CLOUD_SERVICES_V4.contains(&address) {
        AddressClass::Special
    } else if address.is_loopback() || address.is_private() || is_shared {
        AddressClass::Private
    } else if first == 0
        || first >= 224 // Multicast, reserved and broadcast.
        || address.is_link_local()
        || address.is_documentation()
        || is_protocol
        || is_benchmark
    {
        AddressClass::Special
    } else {
        AddressClass::Public
    }
}

fn class_v6(address: Ipv6Addr) -> AddressClass {
    let segments = address.segments();
    match segments {
        [high, low, ..] if CLOUD_SERVICES_V6.contains(&[high, low]) => AddressClass::Special,
        _ if address.is_loopback() || address.is_unique_local() => AddressClass::Private,
        // NAT64 and 6to4 addresses contain the IPv4 address of the target.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            class_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        // All other global addresses are in 2000::/3; 2001:db8::/32 is for documentation.
        [0x2001, 0xdb8, ..] => AddressClass::Special,
        [0x2000..0x4000, ..] => AddressClass::Public,
        _ => AddressClass::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expect: AddressClass) {
        assert_eq!(class(address.parse().unwrap()), expect, "{address}");
    }

    #[test]
    fn addresses_are_classified() {
        for address in [
            "1.1.1.1",
            "100.63.0.1",
            "172.32.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            check(address, AddressClass::Public);
        }
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.100.100.1",
            "::1",
            "fd12::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:a00:1::",
        ] {
            check(address, AddressClass::Private);
        }
        for address in [
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::",
            "fe80::1",
            "ff02::1",
            "168.63.129.16",
            "100.100.100.200",
            "::ffff:100.100.100.200",
            "64:ff9b::a83f:8110",
            "2002:6464:64c8::",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "fd00:c1::a9fe:a9fe",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2001:db8::1",
        ] {
            check(address, AddressClass::Special);
        }
    }

    #[test]
    fn no_name_reaches_a_special_address() {
        let metadata = "169.254.169.254".parse().unwrap();
        assert!(!AddressScope::Private.covers(metadata));
        let loopback = "127.0.0.1".parse().unwrap();
        assert!(AddressScope::Private.covers(loopback) && !AddressScope::Public.covers(loopback));
    }
}
