//! Compares the bytes of every example with the files in `tests/golden`.
//!
//! A file that differs means that hosts of two releases no longer understand each other. Such a
//! change needs a new version of the frames, and for values also new stubs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use weft_harness::golden::{compare, hex_dump};
use weft_wire::{Decoder, Envelope, Kind, Limits};

use crate::examples::{FrameExample, ValueExample, frames, values};
use crate::model::{decode, encode};

#[test]
fn values_are_encoded_as_they_are_written_down() {
    for ValueExample {
        name,
        wit,
        wave,
        ty,
        value,
    } in values()
    {
        let bytes = encode(&ty, &value);
        let about = format!("{wit}: {wave}");
        assert_golden(&format!("values/{name}"), &about, &bytes);
    }
}

#[test]
fn values_are_read_as_they_are_written_down() {
    for ValueExample {
        name, ty, value, ..
    } in values()
    {
        let bytes = golden(&format!("values/{name}"));
        let decoder = Decoder::new(&bytes, Limits::LINK).expect("short");
        assert_eq!(decode(&ty, decoder), Ok(value), "{name}");
    }
}

#[test]
fn frames_are_encoded_as_they_are_written_down() {
    for FrameExample {
        name,
        about,
        authenticator,
        frame,
    } in frames()
    {
        let mut bytes = Vec::new();
        let written = frame.encode_with(authenticator, &mut bytes);
        written.expect("within the bounds");
        assert_golden(&format!("frames/{name}"), about, &bytes);
    }
}

#[test]
fn frames_are_read_as_they_are_written_down() {
    for FrameExample {
        name,
        authenticator,
        frame,
        ..
    } in frames()
    {
        let bytes = golden(&format!("frames/{name}"));
        let envelope = Envelope::open(&bytes).expect("a frame");
        assert_eq!(envelope.authenticator(), authenticator, "{name}");
        assert_eq!(envelope.frame(), Ok(frame), "{name}");
    }
}

#[test]
fn every_kind_of_frame_is_written_down() {
    let written: Vec<_> = frames()
        .iter()
        .map(|example| example.frame.kind())
        .collect();
    for kind in Kind::ALL {
        assert!(written.contains(&kind), "{kind:?}");
    }
}

#[test]
fn every_file_has_an_example() {
    let values = values().into_iter().map(|example| example.name);
    assert_eq!(files("values"), values.map(str::to_owned).collect());
    let frames = frames().into_iter().map(|example| example.name);
    assert_eq!(files("frames"), frames.map(str::to_owned).collect());
}

fn files(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(path(folder)).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let names = names.map(|name| name.into_string().expect("UTF-8"));
    names
        .map(|name| name.strip_suffix(".hex").expect("only those").to_owned())
        .collect()
}

fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    folder.join(name)
}

/// The text of a file.
pub(crate) fn golden_text(name: &str) -> String {
    let file = path(&format!("{name}.hex"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The bytes of a file.
pub(crate) fn golden(name: &str) -> Vec<u8> {
    let text = golden_text(name);
    let lines = text.lines().map(|line| line.split('#').next());
    let digits: String = lines.flatten().flat_map(str::split_whitespace).collect();
    hex::decode(digits).expect("hexadecimal digits")
}

#[track_caller]
fn assert_golden(name: &str, about: &str, bytes: &[u8]) {
    let compared = compare(
        &path(&format!("{name}.hex")),
        &hex_dump(about, bytes),
        env!("CARGO_PKG_NAME"),
    );
    compared.unwrap_or_else(|difference| {
        panic!(
            "the bytes of `{name}` have changed, so hosts of two releases would not understand each \
             other; if that is intended, change the version too\n{difference}"
        )
    });
}
