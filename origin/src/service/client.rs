//! Who asks, as far as addresses tell.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::HeaderName;
use transcoder::ingest::Host;

use crate::config::Network;

/// Where a request comes from. An embedder puts it into the request's extensions where clients are counted by address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AskedFrom(pub IpAddr);

/// The client behind a request. Where it comes from a proxy, the last address in `X-Forwarded-For` that is none: each proxy
/// appends whom it was asked by, and what stands before that, anybody may have written.
///
/// `None` where the proxies name nobody.
pub(crate) fn client(from: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> Option<Host> {
    if !Network::any_has(proxies, from) {
        return Some(Host::from(from));
    }
    let lines = headers.get_all(FORWARDED).iter().rev();
    let mut names = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    loop {
        let address = address(std::str::from_utf8(names.next()?).ok()?.trim())?;
        if !Network::any_has(proxies, address) {
            return Some(Host::from(address));
        }
    }
}

/// Some proxies write the port too.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(from: &str, lines: &[&str]) -> Option<String> {
        let proxies = ["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client(from.parse().unwrap(), &headers, &proxies).map(|host| host.to_string())
    }

    #[test]
    fn who_asks_through_a_proxy_is_whom_the_proxy_names() {
        for (from, lines, wanted) in [
            ("192.0.2.1", &["198.51.100.7"][..], Some("192.0.2.1")),
            ("10.0.0.1", &["198.51.100.7"], Some("198.51.100.7")),
            ("::ffff:10.0.0.1", &["198.51.100.7"], Some("198.51.100.7")),
            // What the client itself wrote stands before.
            ("10.0.0.1", &["203.0.113.9, 198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["203.0.113.9", "198.51.100.7"], Some("198.51.100.7")),
            ("10.0.0.1", &["nonsense,198.51.100.7 , 10.9.9.9"], Some("198.51.100.7")),
            ("10.0.0.1", &["198.51.100.7", "10.9.9.9"], Some("198.51.100.7")),
            ("2001:db8::1", &["[2001:db9:0:1:2::3]:4711"], Some("2001:db9:0:1::")),
            ("10.0.0.1", &["198.51.100.7:4711"], Some("198.51.100.7")),
            ("10.0.0.1", &["[2001:db9::1]"], Some("2001:db9::")),
            // Nobody is named.
            ("10.0.0.1", &[], None),
            ("10.0.0.1", &[""], None),
            ("10.0.0.1", &["10.0.0.2"], None),
            ("10.0.0.1", &["198.51.100.7, unknown"], None),
            ("10.0.0.1", &["198.51.100.7,"], None),
        ] {
            assert_eq!(found(from, lines).as_deref(), wanted, "{from} {lines:?}");
        }
    }
}
