//! Where a name leads, and whether a notice may go there.
//!
//! Promises: every address that a name leads to is looked at before one is connected to, and the one looked at is the one used;
//! a name that leads into one's own network (a metadata service, a database) is refused unless the operator allowed it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::DeliveryError;

/// Most addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 16;

/// Whether an address can be reached from anywhere, as far as its form tells (the registries of special-purpose addresses: RFC 6890).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(inside) => is_public_v4(inside),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocols = a == 192 && b == 0 && c == 0;
    let benchmark = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || a >= 224
        || shared
        || protocols
        || benchmark
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // only 2000::/3 is given out; of it, what wraps another address (6to4, Teredo) or is for documents is refused
    let given_out = first & 0xe000 == 0x2000;
    let wraps = first == 0x2002 || (first == 0x2001 && second == 0);
    let documents = (first == 0x2001 && second == 0x0db8) || first == 0x3fff;
    given_out && !wraps && !documents
}

/// The addresses of a name, each of which may be connected to.
pub(super) fn resolve(
    host: &str,
    port: u16,
    allow_private: bool,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, DeliveryError> {
    let name = if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    let (tell, told) = mpsc::sync_channel(1);
    let asked = name.clone();
    let lookup = move || {
        let found = asked.to_socket_addrs().map(|found| found.take(ADDRESSES_MAX).collect::<Vec<_>>());
        // nobody waits any more: the answer came too late
        let _late = tell.send(found);
    };
    let failed = |source| DeliveryError::Resolve { host: name.clone(), source };
    std::thread::Builder::new().name("resolve".to_owned()).spawn(lookup).map_err(failed)?;
    let found = told.recv_timeout(timeout).map_err(|_| DeliveryError::Timeout)?.map_err(failed)?;
    if found.is_empty() {
        return Err(failed(std::io::ErrorKind::NotFound.into()));
    }
    match found.iter().find(|address| !is_public(address.ip())) {
        Some(address) if !allow_private => Err(DeliveryError::Internal { address: *address }),
        _ => Ok(found),
    }
}

/// A connection to the first address that takes one, with its times limited.
pub(super) fn connect(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, DeliveryError> {
    let mut last = DeliveryError::Timeout;
    for address in addresses {
        let left = left(until)?;
        match TcpStream::connect_timeout(address, left) {
            Ok(stream) => {
                let limited = stream.set_read_timeout(Some(left)).and_then(|()| stream.set_write_timeout(Some(left)));
                limited.map_err(|error| DeliveryError::Unreachable { reason: error.to_string() })?;
                return Ok(stream);
            }
            Err(error) => last = DeliveryError::Unreachable { reason: error.to_string() },
        }
    }
    Err(last)
}

/// How much time is left.
pub(super) fn left(until: Instant) -> Result<Duration, DeliveryError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(DeliveryError::Timeout) } else { Ok(left) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ones_own_network_are_known() {
        for own in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "64:ff9b::7f00:1",
        ] {
            assert!(!is_public(own.parse().unwrap()), "{own}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_name_that_leads_inside_is_refused_unless_allowed() {
        let time = Duration::from_secs(5);
        assert!(matches!(resolve("localhost", 80, false, time), Err(DeliveryError::Internal { .. })));
        assert!(matches!(resolve("::1", 80, false, time), Err(DeliveryError::Internal { .. })));
        assert!(resolve("localhost", 80, true, time).is_ok());
    }
}
