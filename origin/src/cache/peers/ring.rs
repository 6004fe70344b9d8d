//! Which node a stretch of an object belongs to.
//!
//! ```text
//! stretch ─┬─ with node a ─▶ 17…
//!          ├─ with node b ─▶ 91…  ◀── the highest: b's       a node that comes or goes changes nothing
//!          └─ with node c ─▶ 40…                             between the others
//! ```
//!
//! Rendezvous hashing (Thaler and Ravishankar, 1998). Nothing is agreed on: whoever has the same list, in whatever order, comes to
//! the same node.

use sha2::{Digest as _, Sha256};

use super::super::block::RUN as STRETCH;

/// The nodes, each with what is known of it here.
#[derive(Debug)]
pub(super) struct Ring<N> {
    nodes: Vec<(u64, N)>,
}

impl<N> Ring<N> {
    /// A ring of nodes by their names; each name must be there once.
    pub(super) fn new<'n>(nodes: impl IntoIterator<Item = (&'n str, N)>) -> Self {
        let seed = |(name, node): (&'n str, N)| (digest(&[b"node", name.as_bytes()]), node);
        Self { nodes: nodes.into_iter().map(seed).collect() }
    }

    /// Whose the bytes of the object at `path` around byte `at` are; `None` where there are no nodes.
    pub(super) fn owner(&self, path: &str, at: u64) -> Option<&N> {
        let stretch = digest(&[b"stretch", path.as_bytes(), &(at / STRETCH).to_le_bytes()]);
        let (_, owner) = self.nodes.iter().max_by_key(|(seed, _)| (mixed(seed ^ stretch), *seed))?;
        Some(owner)
    }
}

/// The same on every machine and in every release: nodes that do not agree read the store twice.
fn digest(parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
}

/// Each bit of it depends on each bit of `bits` (the finalizer of SplitMix64, Steele et al., 2014).
fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(count: usize) -> Vec<String> {
        (1..=count).map(|number| format!("10.0.0.{number}:8090")).collect()
    }

    fn ring(names: &[String]) -> Ring<String> {
        Ring::new(names.iter().map(|name| (name.as_str(), name.clone())))
    }

    /// A thousand stretches: ten of each of a hundred objects.
    fn stretches() -> impl Iterator<Item = (String, u64)> {
        (0..1_000).map(|n| (format!("vod/film/{}/video-720.mp4", n / 10), n % 10 * STRETCH))
    }

    #[test]
    fn a_stretch_has_one_owner_and_its_neighbour_another() {
        let ring = ring(&names(8));
        let owner = |at| ring.owner("vod/film/1/video-720.mp4", at).unwrap();
        assert_eq!(owner(0), owner(STRETCH - 1));
        let owners: std::collections::HashSet<_> = (0..64).map(|n| owner(n * STRETCH)).collect();
        assert_eq!(owners.len(), 8);
        assert!(Ring::<()>::new([]).owner("vod/a", 0).is_none());
    }

    #[test]
    fn owners_are_those_of_every_release() {
        let ring = ring(&names(3));
        let owners: Vec<_> =
            (0..6).map(|n| ring.owner("vod/film/1/video-720.mp4", n * STRETCH).unwrap().as_str()).collect();
        let expected = [1, 1, 2, 2, 1, 2].map(|number| format!("10.0.0.{number}:8090"));
        assert_eq!(owners, expected);
    }

    #[test]
    fn each_node_has_its_share() {
        for count in 2..=16 {
            let names = names(count);
            let ring = ring(&names);
            let fair = 1_000 / count;
            for name in &names {
                let share = stretches().filter(|(path, at)| ring.owner(path, *at) == Some(name)).count();
                // Five standard deviations of a fair draw.
                let apart = share.abs_diff(fair);
                assert!(apart * apart <= 25 * fair, "{name} of {count}: {share}, fair is {fair}");
            }
        }
    }

    #[test]
    fn a_node_that_comes_or_goes_moves_its_share_and_nothing_else() {
        let all = names(7);
        let with = ring(&all);
        for gone in &all {
            let rest: Vec<_> = all.iter().filter(|name| *name != gone).cloned().collect();
            let without = ring(&rest);
            for (path, at) in stretches() {
                let owner = with.owner(&path, at).unwrap();
                assert!(owner == gone || without.owner(&path, at) == Some(owner), "{path} {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_order_of_the_list_means_nothing(
            order in Just(names(7)).prop_shuffle(),
            path in "vod/[a-z]{1,9}/1/[a-z]{1,9}\\.mp4",
            at in 0u64..1 << 40,
        ) {
            let (one, other) = (ring(&order), ring(&names(7)));
            prop_assert_eq!(one.owner(&path, at), other.owner(&path, at));
        }

    }
}
