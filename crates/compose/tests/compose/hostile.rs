//! Bytes that mean harm: nothing panics, nothing runs away.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use weft_compose::{DescribeError, Part, describe, fuse};

use crate::support::{OPTIONS, component, edge};

const BUCKETS: &str = "shop:catalog/buckets@0.2.0";

static IMPORTER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    component(
        "import shop:catalog/buckets@0.2.0; import wasi:cli/stdout@0.2.3; export run: func();",
    )
});

static EXPORTER: LazyLock<Vec<u8>> =
    LazyLock::new(|| component("export shop:catalog/buckets@0.2.0;"));

/// Uses bytes in every place; what comes out does not matter.
fn feed(bytes: &[u8]) {
    let _ = describe(bytes);
    for (importer, exporter) in [
        (bytes, &EXPORTER[..]),
        (&IMPORTER[..], bytes),
        (bytes, bytes),
    ] {
        let parts = [
            Part {
                name: "a",
                bytes: importer,
            },
            Part {
                name: "b",
                bytes: exporter,
            },
        ];
        let _ = fuse(&parts, &[edge(0, BUCKETS, 1, BUCKETS)], &OPTIONS);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_survived(bytes in vec(any::<u8>(), 0..512)) {
        feed(&bytes);
    }

    #[test]
    fn random_bytes_after_the_header_are_survived(bytes in vec(any::<u8>(), 0..512)) {
        feed(&[b"\0asm\x0d\0\x01\0", &bytes[..]].concat());
    }

    #[test]
    fn flipped_bits_are_survived(
        flips in vec((any::<prop::sample::Index>(), 0..8_u8), 1..4),
        is_importer in any::<bool>(),
    ) {
        let mut bytes = if is_importer { IMPORTER.clone() } else { EXPORTER.clone() };
        for (index, bit) in flips {
            let place = index.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        feed(&bytes);
    }

    #[test]
    fn changed_bytes_are_survived(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let mut bytes = IMPORTER.clone();
        for (index, byte) in changes {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        feed(&bytes);
    }
}

#[test]
fn every_truncation_is_survived() {
    for end in 0..IMPORTER.len() {
        feed(&IMPORTER[..end]);
    }
}

#[test]
fn a_component_cut_inside_a_section_is_called_truncated() {
    // Cut between two sections it may be a component still, with fewer exports.
    let is_truncated = |end| {
        matches!(
            describe(&IMPORTER[..end]),
            Err(DescribeError::Truncated { .. })
        )
    };
    let truncated = (8..IMPORTER.len()).filter(|end| is_truncated(*end)).count();
    assert!(
        truncated > IMPORTER.len() * 9 / 10,
        "{truncated} of {}",
        IMPORTER.len()
    );
}

#[test]
fn a_thousand_components_inside_each_other_are_refused() {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    for _ in 0..1_000 {
        let mut section = vec![4];
        let mut size = bytes.len();
        while size >= 0x80 {
            section.push(u8::try_from(size & 0x7f).unwrap() | 0x80);
            size >>= 7;
        }
        section.push(u8::try_from(size).unwrap());
        let header = b"\0asm\x0d\0\x01\0";
        bytes = [&header[..], &section, &bytes].concat();
    }
    let error = describe(&bytes).unwrap_err();
    assert!(
        matches!(error, DescribeError::NestedTooDeeply { .. }),
        "{error}"
    );
    feed(&bytes);
}
