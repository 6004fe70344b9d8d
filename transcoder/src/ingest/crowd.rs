//! How many connections there are, and who has to go for a new one.
//!
//! Whoever does not publish yet holds a place that can be taken from it. The oldest goes first: a real publisher is
//! through within a few round trips, so a crowd that only holds places has to come faster than that to be in its way.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Limits;
use super::host::Host;
use crate::Cancel;

/// All connections.
#[derive(Debug)]
pub(super) struct Crowd {
    connections: usize,
    pending: usize,
    per_address: usize,
    places: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    last: u64,
    /// In the order in which they came.
    taken: BTreeMap<u64, Taken>,
    pending: usize,
    of_host: HashMap<Host, usize>,
}

#[derive(Debug)]
struct Taken {
    host: Host,
    is_pending: bool,
    dismissed: Cancel,
}

/// A place among the connections, until it is dropped or taken away.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    dismissed: Cancel,
}

impl Crowd {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            connections: limits.connections,
            pending: limits.pending,
            per_address: limits.per_address,
            places: Mutex::default(),
        })
    }

    /// A place for a new connection; `None` where all places are held by publishers.
    pub(super) fn enter(self: &Arc<Self>, host: Host) -> Option<Place> {
        let mut places = self.places();
        if places.of_host.get(&host).is_some_and(|count| *count >= self.per_address) {
            places.dismiss_oldest(|taken| taken.host == host)?;
        }
        if places.pending >= self.pending || places.taken.len() >= self.connections {
            places.dismiss_oldest(|_| true)?;
        }
        places.last += 1;
        let (number, dismissed) = (places.last, Cancel::new());
        places.taken.insert(number, Taken { host, is_pending: true, dismissed: dismissed.clone() });
        places.pending += 1;
        *places.of_host.entry(host).or_default() += 1;
        Some(Place { crowd: Arc::clone(self), number, dismissed })
    }

    /// Connections in all, and those of them that do not publish.
    pub(super) fn count(&self) -> (usize, usize) {
        let places = self.places();
        (places.taken.len(), places.pending)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn dismiss_oldest(&mut self, which: impl Fn(&Taken) -> bool) -> Option<()> {
        let mut pending = self.taken.iter().filter(|(_, taken)| taken.is_pending && which(taken));
        let number = *pending.next()?.0;
        self.remove(number)?.dismissed.cancel();
        Some(())
    }

    fn remove(&mut self, number: u64) -> Option<Taken> {
        let taken = self.taken.remove(&number)?;
        self.pending -= usize::from(taken.is_pending);
        if let Some(count) = self.of_host.get_mut(&taken.host) {
            *count -= 1;
            if *count == 0 {
                self.of_host.remove(&taken.host);
            }
        }
        Some(taken)
    }
}

impl Place {
    /// It publishes now: its place is its own. Or it does so no more.
    pub(super) fn settle(&self, is_publishing: bool) {
        let mut guard = self.crowd.places();
        let places = &mut *guard;
        if let Some(taken) = places.taken.get_mut(&self.number)
            && taken.is_pending == is_publishing
        {
            taken.is_pending = !is_publishing;
            if is_publishing { places.pending -= 1 } else { places.pending += 1 }
        }
    }

    /// Waits until the place is taken away. Cancel-safe.
    pub(super) async fn dismissed(&self) {
        self.dismissed.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.places().remove(self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn crowd(connections: usize, pending: usize, per_address: usize) -> Arc<Crowd> {
        Crowd::new(&Limits { connections, pending, per_address, ..Limits::default() })
    }

    fn host(last: u8) -> Host {
        IpAddr::from([192, 0, 2, last]).into()
    }

    #[test]
    fn the_oldest_that_does_not_publish_goes_first() {
        let crowd = crowd(10, 3, 10);
        let places: Vec<_> = (0..3).map(|last| crowd.enter(host(last)).unwrap()).collect();
        places[0].settle(true);
        let _fourth = crowd.enter(host(3)).unwrap();
        assert_eq!(crowd.count(), (4, 3));
        let _fifth = crowd.enter(host(4)).unwrap();
        let dismissed: Vec<_> = places.iter().map(|place| place.dismissed.is_cancelled()).collect();
        assert_eq!((dismissed, crowd.count()), (vec![false, true, false], (4, 3)));
        places[0].settle(false);
        places[0].settle(false);
        assert_eq!(crowd.count(), (4, 4));
        drop(places);
        assert_eq!(crowd.count(), (2, 2));
    }

    #[test]
    fn an_address_makes_room_for_itself_first() {
        let crowd = crowd(10, 10, 2);
        let other = crowd.enter(host(9)).unwrap();
        let places: Vec<_> = (0..4).map(|_| crowd.enter(host(1)).unwrap()).collect();
        let dismissed: Vec<_> = places.iter().map(|place| place.dismissed.is_cancelled()).collect();
        assert_eq!(dismissed, [true, true, false, false]);
        assert!(!other.dismissed.is_cancelled());
        places.iter().for_each(|place| place.settle(true));
        assert!(crowd.enter(host(1)).is_none(), "publishers do not go");
        assert!(crowd.enter(host(9)).is_some());
        drop((places, other));
        assert_eq!(crowd.count(), (0, 0));
        assert!(crowd.places().of_host.is_empty());
    }
}
