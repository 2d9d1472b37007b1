//! Tests that `docs/wire.md` lists all golden bytes, limits and numbers.

use std::fs;
use std::path::Path;

use crate::examples::{FrameExample, ValueExample, frames, values};
use crate::golden::{golden, golden_text};

/// The text of the specification.
fn specification() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire.md");
    fs::read_to_string(file).expect("the specification exists")
}

/// Fails with every text that is missing in the specification.
#[track_caller]
pub(crate) fn assert_documented(texts: impl IntoIterator<Item = String>) {
    let specification = specification();
    let texts = texts.into_iter();
    let missing: Vec<_> = texts.filter(|text| !specification.contains(text)).collect();
    assert!(
        missing.is_empty(),
        "`docs/wire.md` is the specification, but does not contain:\n{}",
        missing.join("\n")
    );
}

#[test]
fn every_value_that_is_written_down_is_documented() {
    assert_documented(values().iter().map(|example| {
        let ValueExample {
            name, wit, wave, ..
        } = example;
        let bytes = hex::encode(golden(&format!("values/{name}")));
        format!("| `{wit}` | `{wave}` | `{bytes}` | `{name}` |")
    }));
}

#[test]
fn every_frame_that_is_written_down_is_documented() {
    assert_documented(frames().iter().map(|FrameExample { name, .. }| {
        let text = golden_text(&format!("frames/{name}"));
        format!("`{name}`:\n\n```text\n{text}```\n")
    }));
}

#[test]
fn every_limit_is_documented() {
    let limits = [
        ("MAX_VALUE_BYTES", weft_wire::MAX_VALUE_BYTES),
        ("MAX_VALUE_ELEMENTS", weft_wire::MAX_VALUE_ELEMENTS as usize),
        ("MAX_VALUE_DEPTH", weft_wire::MAX_VALUE_DEPTH as usize),
        ("MAX_FRAME_BYTES", weft_wire::MAX_FRAME_BYTES),
        (
            "MAX_AUTHENTICATOR_BYTES",
            weft_wire::MAX_AUTHENTICATOR_BYTES,
        ),
        (
            "MAX_COMPONENT_NAME_BYTES",
            weft_wire::MAX_COMPONENT_NAME_BYTES,
        ),
        ("MAX_WIT_NAME_BYTES", weft_wire::MAX_WIT_NAME_BYTES),
        ("MAX_TRACE_BYTES", weft_wire::MAX_TRACE_BYTES),
        ("MAX_MESSAGE_BYTES", weft_wire::MAX_MESSAGE_BYTES),
    ];
    let rows = limits.map(|(name, value)| format!("| `{name}` | {value} |"));
    assert_documented(rows);
    assert_documented([format!("version {}", weft_wire::VERSION)]);
}
