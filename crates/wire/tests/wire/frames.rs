//! Frames: round trips within limits, and errors that name other versions.

use std::error::Error;

use proptest::prelude::*;
use weft_wire::{
    EncodeError, Envelope, FieldError, Frame, FrameError, Importer, Kind, MAX_AUTHENTICATOR_BYTES,
    MAX_COMPONENT_NAME_BYTES, MAX_FRAME_BYTES, MAX_TRACE_BYTES, MAX_VALUE_BYTES,
    MAX_WIT_NAME_BYTES, Problem, Request, Target, VERSION,
};

use crate::any::{any_parts, config};

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn an_encoded_frame_decodes_to_itself(parts in any_parts()) {
        for frame in parts.frames() {
            // Earlier content of the buffer stays.
            let mut bytes = b"before".to_vec();
            frame.encode_with(&parts.payload, &mut bytes)?;
            let envelope = Envelope::open(&bytes[6..])?;
            prop_assert_eq!(envelope.authenticator(), &parts.payload[..]);
            prop_assert_eq!(envelope.kind(), frame.kind());
            prop_assert_eq!(envelope.head(), [VERSION, frame.kind() as u8]);
            prop_assert!(bytes.ends_with(envelope.body()));
            prop_assert_eq!(envelope.frame()?, frame);
        }
    }

    #[test]
    fn the_authenticator_is_not_in_what_it_covers(parts in any_parts()) {
        for frame in parts.frames() {
            let (mut plain, mut proved) = (Vec::new(), Vec::new());
            frame.encode(&mut plain)?;
            frame.encode_with(&parts.payload, &mut proved)?;
            let (plain, proved) = (Envelope::open(&plain)?, Envelope::open(&proved)?);
            prop_assert_eq!((plain.head(), plain.body()), (proved.head(), proved.body()));
        }
    }
}

#[test]
fn less_than_a_head_is_no_frame() {
    assert_eq!(Frame::decode(&[]), Err(FrameError::Empty));
    assert_eq!(Frame::decode(&[VERSION]), Err(FrameError::Empty));
}

#[test]
fn a_frame_of_another_version_names_both() {
    for found in [0, VERSION + 1, 0xff] {
        let error = Frame::decode(&[found, 200]).expect_err("another version");
        let supported = VERSION;
        assert_eq!(error, FrameError::Version { found, supported });
        assert_eq!(
            error.to_string(),
            format!(
                "expected a frame of version 1, found version {found}; \
                 run the same release of weft on both hosts"
            )
        );
    }
}

#[test]
fn an_unknown_kind_is_named_with_both_versions() {
    for found in [0, Kind::HttpTrailers as u8 + 1, 0xff] {
        let error = Frame::decode(&[VERSION, found, 0]).expect_err("unknown");
        let supported = VERSION;
        assert_eq!(error, FrameError::Kind { found, supported });
    }
}

#[test]
fn a_malformed_frame_names_its_kind_and_then_the_place() {
    let session_of_three = [VERSION, Kind::Renew as u8, 0, 3, 1, 2, 3];
    let cases: [(&[u8], &str, &str); 4] = [
        (
            &[VERSION, Kind::Finish as u8, 0, 1],
            "malformed `finish` frame",
            "at byte 4: expected 1 more bytes, found 0",
        ),
        (
            &[VERSION, Kind::Abandon as u8, 0, 1, 2],
            "malformed `abandon` frame",
            "at byte 4: expected the end of the value, found 1 more bytes",
        ),
        (
            &[VERSION, Kind::Cancel as u8, 0, 1, 2, 2],
            "malformed `cancel` frame",
            "at byte 5: expected a case below 2, found 2",
        ),
        (
            &session_of_three,
            "malformed `renew` frame",
            "expected 16 bytes of `session`, found 3",
        ),
    ];
    for (bytes, expected, cause) in cases {
        let error = Frame::decode(bytes).expect_err("malformed");
        assert_eq!(error.to_string(), expected);
        assert_eq!(
            error.source().map(ToString::to_string).as_deref(),
            Some(cause)
        );
    }
}

/// A request with the fields that the tests need.
const REQUEST: Request<'static> = Request {
    call: 1,
    session: None,
    target: Target {
        app: "",
        component: "",
        interface: "",
        function: "",
    },
    deadline_ms: 1,
    depth: 1,
    trace: None,
    importer: Importer {
        app: "",
        component: "",
    },
    payload: &[],
};

/// A request with this text in the field of this name.
fn with_field<'a>(field: &str, text: &'a str) -> Request<'a> {
    let mut request = Request { ..REQUEST };
    match field {
        "app" => request.target.app = text,
        "component" => request.importer.component = text,
        "interface" => request.target.interface = text,
        "function" => request.target.function = text,
        _ => request.trace = Some(text),
    }
    request
}

const FIELDS: [(&str, usize); 5] = [
    ("app", MAX_COMPONENT_NAME_BYTES),
    ("component", MAX_COMPONENT_NAME_BYTES),
    ("interface", MAX_WIT_NAME_BYTES),
    ("function", MAX_WIT_NAME_BYTES),
    ("trace", MAX_TRACE_BYTES),
];

#[test]
fn a_field_is_written_and_read_up_to_its_bound() {
    for (field, limit) in FIELDS {
        let text = "a".repeat(limit);
        let frame = Frame::Request(with_field(field, &text));
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).expect("within the bound");
        assert_eq!(Frame::decode(&bytes), Ok(frame));
    }
}

#[test]
fn a_field_beyond_its_bound_is_not_written() {
    for (field, limit) in FIELDS {
        let text = "a".repeat(limit + 1);
        let mut bytes = b"before".to_vec();
        let written = Frame::Request(with_field(field, &text)).encode(&mut bytes);
        let found = limit + 1;
        let expected = EncodeError::Field {
            field,
            limit,
            found,
        };
        assert_eq!(written, Err(expected));
        assert_eq!(bytes, b"before");
    }
    let long = [0; MAX_AUTHENTICATOR_BYTES + 1];
    let written = Frame::Request(REQUEST).encode_with(&long, &mut Vec::new());
    assert!(matches!(
        written,
        Err(EncodeError::Field {
            field: "authenticator",
            ..
        })
    ));
}

#[test]
fn a_field_beyond_its_bound_is_not_read() {
    for (field, limit) in FIELDS {
        // Written with a short text, which a longer one then replaces.
        let mut bytes = Vec::new();
        let frame = Frame::Request(with_field(field, "@"));
        frame.encode(&mut bytes).expect("within the bound");
        let at = bytes.iter().rposition(|byte| *byte == b'@');
        let at = at.expect("the field contains the text");
        let found = limit + 1;
        let mut text = vec![found as u8 | 0x80, (found >> 7) as u8];
        text.extend(vec![b'a'; found]);
        // A length below 128 is one byte; its longer form is accepted too.
        bytes.splice(at - 1..=at, text);
        let kind = Kind::Request.name();
        let source = FieldError::TooLong {
            field,
            limit,
            found,
        };
        let expected = FrameError::Malformed { kind, source };
        assert_eq!(Frame::decode(&bytes), Err(expected));
    }
}

#[test]
fn a_payload_of_the_largest_value_fits() {
    let payload = vec![0; MAX_VALUE_BYTES];
    let payload = &payload[..];
    let frame = Frame::Request(Request { payload, ..REQUEST });
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).expect("within the bounds");
    assert_eq!(Frame::decode(&bytes), Ok(frame));
}

#[test]
fn a_frame_beyond_the_bound_is_neither_written_nor_read() {
    let payload = vec![0; MAX_FRAME_BYTES];
    let payload = &payload[..];
    let limit = MAX_FRAME_BYTES;
    let mut bytes = Vec::new();
    let written = Frame::Request(Request { payload, ..REQUEST }).encode(&mut bytes);
    assert_eq!(written, Err(EncodeError::Bytes { limit }));
    assert!(bytes.is_empty());

    let found = limit + 1;
    let read = Frame::decode(&vec![VERSION; found]).map(drop);
    assert_eq!(
        read,
        Err(FrameError::TooLong {
            kind: Kind::Request.name(),
            limit,
            found
        })
    );
}

#[test]
fn text_that_is_not_unicode_is_refused_where_it_is() {
    let mut bytes = Vec::new();
    let frame = Frame::Request(with_field("trace", "@"));
    frame.encode(&mut bytes).expect("within the bounds");
    let at = bytes.iter().position(|byte| *byte == b'@');
    let offset = at.expect("the field contains the text");
    bytes[offset] = 0xff;
    let Err(FrameError::Malformed { source, .. }) = Frame::decode(&bytes) else {
        panic!("the frame was accepted");
    };
    let FieldError::Value(error) = source else {
        panic!("{source}");
    };
    assert_eq!((error.offset, error.problem), (offset, Problem::Utf8));
}

#[test]
fn a_session_in_a_log_does_not_give_its_name_away() {
    let id = weft_wire::SessionId(*b"0123456789abcdef");
    assert_eq!(format!("{id:?}"), "SessionId(30313233…)");
}
