//! Hostile bytes: no panic, no unbounded time or memory.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use weft_compose::{DescribeError, Linkable, Part, describe, fuse, fuse_exporting};

use crate::support::{OPTIONS, chain, component, edge, text};

const BUCKETS: &str = "shop:catalog/buckets@0.2.0";

static IMPORTER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    component(
        "import shop:catalog/buckets@0.2.0; import wasi:cli/stdout@0.2.3; export run: func();",
    )
});

static EXPORTER: LazyLock<Vec<u8>> =
    LazyLock::new(|| component("export shop:catalog/buckets@0.2.0;"));

/// The seeds of mutations: the two above, and shapes that tools do not produce.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let importing = using("wasi:keyvalue/store@0.2.0", BUCKETS, "");
    let implementing = component(
        "import primary: shop:catalog/buckets@0.2.0; import shop:catalog/buckets@0.2.0;
         export backup: shop:catalog/buckets@0.2.0; export shop:catalog/buckets@0.2.0;",
    );
    let exporting = text(
        r#"(component
            (import "wasi:keyvalue/store@0.2.0" (instance $store
                (export "bucket" (type (sub resource)))))
            (alias export $store "bucket" (type $bucket))
            (type $fill (func (param "bucket" (borrow $bucket))))
            (import "fill" (func $f (type $fill)))
            (instance $out (export "bucket" (type $bucket)) (export "fill" (func $f)))
            (export "shop:catalog/buckets@0.2.0" (instance $out)))"#,
    );
    vec![
        IMPORTER.clone(),
        EXPORTER.clone(),
        importing,
        implementing,
        exporting,
    ]
});

/// Passes bytes to every function; results do not matter.
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
        let edges = [edge(0, BUCKETS, 1, BUCKETS)];
        let _ = fuse(&parts, &edges, &OPTIONS);
        let _ = fuse_exporting(&parts, &edges, &[1, 0], &OPTIONS);
        if let [Ok(importer), Ok(exporter)] = parts.map(|part| Linkable::read(&part)) {
            let _ = importer.check_link(BUCKETS, &exporter, BUCKETS);
        }
    }
}

proptest! {
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
        seed in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), 0..8_u8), 1..4),
    ) {
        let mut bytes = seed.get(&SEEDS[..]).clone();
        for (index, bit) in flips {
            let place = index.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        feed(&bytes);
    }

    #[test]
    fn changed_bytes_are_survived(
        seed in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
    ) {
        let mut bytes = seed.get(&SEEDS[..]).clone();
        for (index, byte) in changes {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        feed(&bytes);
    }
}

#[test]
fn interfaces_that_use_each_other_are_refused() {
    let entry = using("a:a/a", "b:b/b", r#"(import "c" (instance))"#);
    let other = using(
        "b:b/b",
        "a:a/a",
        r#"(instance $i) (export "c" (instance $i))"#,
    );
    let parts = [
        Part {
            name: "a",
            bytes: &entry,
        },
        Part {
            name: "b",
            bytes: &other,
        },
    ];
    let error = fuse(&parts, &[edge(0, "c", 1, "c")], &OPTIONS).unwrap_err();
    let chain = chain(&error);
    assert!(
        chain.ends_with("a cycle of interfaces that use each other's types"),
        "{chain}"
    );

    // The same through a plain name that implements the interface.
    let entry = using_text("primary", "b:b/b", r#"(import "c" (instance))"#);
    let entry = text(&entry.replace("\"primary\"", "\"primary\" (implements \"a:a/a\")"));
    let parts = [
        Part {
            name: "a",
            bytes: &entry,
        },
        Part {
            name: "b",
            bytes: &other,
        },
    ];
    fuse(&parts, &[edge(0, "c", 1, "c")], &OPTIONS).unwrap_err();
}

/// A component that imports an interface and another that uses its resource.
fn using(first: &str, second: &str, rest: &str) -> Vec<u8> {
    text(&using_text(first, second, rest))
}

fn using_text(first: &str, second: &str, rest: &str) -> String {
    format!(
        r#"(component
            (import "{first}" (instance $first (export "r" (type (sub resource)))))
            (alias export $first "r" (type $r))
            (import "{second}" (instance
                (alias outer 1 $r (type $outer))
                (export "s" (type $s (eq $outer)))
                (export "f" (func (param "s" (borrow $s))))))
            {rest})"#
    )
}

#[test]
fn every_truncation_is_survived() {
    for end in 0..IMPORTER.len() {
        feed(&IMPORTER[..end]);
    }
}

#[test]
fn a_component_cut_inside_a_section_is_called_truncated() {
    // Cut between two sections, the rest may be a valid component with fewer exports.
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
