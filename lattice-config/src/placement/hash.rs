//! The hash by which components rank hosts. It never changes: another hash would move every
//! component.
//!
//! A name becomes a seed: the first eight bytes, little endian, of the SHA-256 of a domain and the
//! parts of the name, each followed by NUL, which names cannot contain. The rank of a host for a
//! component is the finalizer of SplitMix64 over the exclusive or of both seeds; the lowest rank is
//! first.
//!
//! SHA-256 gives unrelated seeds to similar names and is computed once for each name. The finalizer
//! is computed for each pair, in about a nanosecond.

use sha2::{Digest as _, Sha256};

use super::id::HostId;
use crate::name::{AppName, ComponentName};

const HOST_DOMAIN: &str = "weft placement 1 host";
const COMPONENT_DOMAIN: &str = "weft placement 1 component";

pub(super) fn host_seed(id: &HostId) -> u64 {
    seed([HOST_DOMAIN, id.as_str()])
}

pub(super) fn component_seed(app: &AppName, component: &ComponentName) -> u64 {
    seed([COMPONENT_DOMAIN, app.as_str(), component.as_str()])
}

/// Computes the rank of a host for a component: lower is better.
#[inline]
pub(super) fn rank(component_seed: u64, host_seed: u64) -> u64 {
    let mut mixed = component_seed ^ host_seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn seed<const N: usize>(parts: [&str; N]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let hash: [u8; 32] = hasher.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_and_ranks_are_what_they_always_were() {
        let host = host_seed(&"h1".parse().unwrap());
        let component = component_seed(&"shop".parse().unwrap(), &"orders".parse().unwrap());
        // Independent values: `printf 'weft placement 1 host\0h1\0' | sha256sum`, and the published
        // outputs of SplitMix64 for the seed 0, whose first state is its increment.
        assert_eq!(host, 0x8538_7ef2_e349_207b);
        assert_eq!(component, 0xae32_a592_ad36_eecf);
        assert_eq!(rank(0x9e37_79b9_7f4a_7c15, 0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(rank(0, 0x3c6e_f372_fe94_f82a), 0x6e78_9e6a_a1b9_65f4);
        assert_eq!(rank(component, host), 0xa24a_161d_e2a7_7f99);
    }
}
