//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use transcoder::ingest::Host;

use crate::config::{Limits, Network};

/// Those who are connected, by their addresses. Takes memory only where addresses are counted.
#[derive(Debug)]
pub(super) struct Crowd {
    /// The most of one address; none where nobody counts.
    limit: Option<u64>,
    /// Whose connections are those of many.
    proxies: Vec<Network>,
    of_host: Mutex<HashMap<Host, u64>>,
}

/// A place among the connections of an address, until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Option<(Arc<Crowd>, Host)>);

impl Crowd {
    pub(super) fn of(limits: &Limits) -> Arc<Self> {
        let limit = Some(limits.connections_per_address).filter(|limit| *limit > 0);
        Arc::new(Self { limit, proxies: limits.proxies.clone(), of_host: Mutex::default() })
    }

    /// Where nobody counts.
    pub(super) fn boundless() -> Arc<Self> {
        Arc::new(Self { limit: None, proxies: Vec::new(), of_host: Mutex::default() })
    }

    /// A place for a new connection; `None` where the address has enough of them.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        let Some(limit) = self.limit.filter(|_| !Network::any_has(&self.proxies, from)) else {
            return Some(Place(None));
        };
        let host = Host::from(from);
        let mut of_host = self.of_host();
        let count = of_host.entry(host).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Place(Some((Arc::clone(self), host))))
    }

    fn of_host(&self) -> MutexGuard<'_, HashMap<Host, u64>> {
        self.of_host.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((crowd, host)) = self.0.take() else { return };
        let mut of_host = crowd.of_host();
        match of_host.get_mut(&host) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                of_host.remove(&host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_and_a_proxy_as_many_as_it_likes() {
        let crowd = Crowd::of(&Limits {
            connections_per_address: 2,
            proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..Limits::default()
        });
        let enter = |text| crowd.enter(address(text));
        let (_first, second) = (enter("192.0.2.1").unwrap(), enter("::ffff:192.0.2.1").unwrap());
        assert!(enter("192.0.2.1").is_none(), "IPv4 is IPv4 in either form");
        assert!(enter("192.0.2.2").is_some());
        let six = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2"].map(|text| enter(text).unwrap());
        assert!(enter("2001:db8:0:1::3").is_none(), "a /64 is one");
        assert!(enter("2001:db8:0:2::3").is_some());
        let proxy: Vec<_> = (0..10).map(|_| enter("10.1.2.3").unwrap()).collect();
        drop(second);
        let again = enter("192.0.2.1").unwrap();
        drop((_first, again, six, proxy));
        assert!(crowd.of_host().is_empty(), "who is gone takes no room");
    }

    #[test]
    fn nobody_is_counted_where_there_is_no_limit() {
        let crowd = Crowd::of(&Limits::default());
        let places: Vec<_> = (0..1000).map(|_| crowd.enter(address("192.0.2.1")).unwrap()).collect();
        assert!(crowd.of_host().is_empty());
        drop(places);
    }
}
