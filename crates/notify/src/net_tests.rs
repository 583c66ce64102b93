//! Networks, and which addresses are refused.

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn everything_that_is_not_the_public_internet_is_refused() {
    for address in [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.5",
        "100.64.0.1",
        "100.127.255.255",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
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
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::10.0.0.1",
        "::ffff:0:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "100:0:0:1::1",
        "2001::1",
        "2001:1ff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2620:4f:8000::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff::1",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
    ] {
        assert!(check_address(ip(address), &[]).is_err(), "{address}");
    }
}

#[test]
fn the_public_internet_is_allowed_up_to_its_edges() {
    for address in [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "168.63.129.15",
        "169.253.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:4700::1111",
        "3ffe::1",
    ] {
        assert_eq!(check_address(ip(address), &[]), Ok(()), "{address}");
    }
}

#[test]
fn the_refusal_names_the_address_and_the_setting() {
    let refused = check_address(ip("10.0.0.5"), &[]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "refused: 10.0.0.5 is a private address; allow it with outgoing.allow = [\"10.0.0.5/32\"]"
    );
    let refused = check_address(ip("fd12::7"), &[]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "refused: fd12::7 is a private address; allow it with outgoing.allow = [\"fd12::7/128\"]"
    );
}

#[test]
fn an_exception_opens_its_network_and_nothing_else() {
    let allow = nets(&["10.0.0.0/8", "fd12::/16"]);
    assert_eq!(check_address(ip("10.200.0.1"), &allow), Ok(()));
    assert_eq!(check_address(ip("::ffff:10.200.0.1"), &allow), Ok(()));
    assert_eq!(check_address(ip("fd12::1"), &allow), Ok(()));
    for still in [
        "127.0.0.1",
        "192.168.0.1",
        "fd13::1",
        "64:ff9b::a00:1",
        "::10.0.0.1",
    ] {
        assert!(check_address(ip(still), &allow).is_err(), "{still}");
    }
}

#[test]
fn a_wide_exception_does_not_open_where_clouds_keep_credentials() {
    let allow = nets(&["0.0.0.0/0", "::/0"]);
    assert_eq!(check_address(ip("192.168.0.1"), &allow), Ok(()));
    for address in [
        "169.254.169.254",
        "168.63.129.16",
        "100.100.100.200",
        "fd00:ec2::254",
        "fe80::1",
    ] {
        assert!(check_address(ip(address), &allow).is_err(), "{address}");
    }
    for (exception, address) in [
        ("169.254.169.254/32", "169.254.169.254"),
        ("169.254.0.0/16", "169.254.170.2"),
        ("fe80::/64", "fe80::1"),
    ] {
        assert_eq!(check_address(ip(address), &nets(&[exception])), Ok(()));
    }
}

#[test]
fn a_network_reads_and_writes_cidr() {
    for text in [
        "10.0.0.0/8",
        "0.0.0.0/0",
        "192.168.1.7/32",
        "fd00::/8",
        "::/0",
        "::1/128",
    ] {
        assert_eq!(text.parse::<IpNet>().unwrap().to_string(), text);
    }
    assert_eq!(
        "127.0.0.1".parse::<IpNet>().unwrap().to_string(),
        "127.0.0.1/32"
    );
    assert_eq!("::1".parse::<IpNet>().unwrap().to_string(), "::1/128");
}

#[test]
fn a_network_that_is_unclear_is_refused_with_a_hint() {
    for (text, hint) in [
        ("10.0.0.5/8", "did you mean 10.0.0.0/8?"),
        ("fd00::1/8", "did you mean fd00::/8?"),
        ("10.0.0.0/33", "write 0 to 32"),
        ("fd00::/129", "write 0 to 128"),
        ("10.0.0.0/", "write 0 to 32"),
        ("10.0.0.0/-1", "write 0 to 32"),
        ("localhost", "write a network such as"),
        ("10.0/8", "write a network such as"),
        ("", "write a network such as"),
    ] {
        let problem = text.parse::<IpNet>().unwrap_err().to_string();
        assert!(problem.contains(hint), "{text}: {problem}");
    }
}

#[test]
fn ports_of_other_protocols_are_refused() {
    assert!(check_port(25).is_err());
    assert!(check_port(6379).is_err());
    for port in [80, 443, 2586, 8080, 8443] {
        assert_eq!(check_port(port), Ok(()));
    }
}
