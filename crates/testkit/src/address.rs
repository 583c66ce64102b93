//! A port that nobody else has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// A free address that stays free for this process while nobody listens on it, so that a server can come
/// back to it. On Linux all of 127.0.0.0/8 is this machine: each process of tests has a host of its own.
pub(crate) fn free() -> SocketAddr {
    let process = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 1 + process[1] % 250, process[2], process[3]);
    let hosts = [own, Ipv4Addr::LOCALHOST];
    let listener = hosts
        .iter()
        .find_map(|host| TcpListener::bind((IpAddr::V4(*host), 0)).ok())
        .unwrap();
    listener.local_addr().unwrap()
}
