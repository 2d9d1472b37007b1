//! Values and frames with their golden bytes, in `tests/golden` and in `docs/wire.md`.

use weft_wire::{
    Abandon, Cancel, CancelledBy, Chunk, ClaimId, Credit, DropHandle, End, Failure, FailureCode,
    Fetch, Finish, Frame, HOST_BYTES, Held, HttpBody, HttpField, HttpHead, HttpReply, HttpRequest,
    HttpTrailers, Importer, KeptSession, Part, Renew, Reply, Request, Scalar, SessionId, Target,
};

use crate::model::{Type, Value};

/// A value of a type, with both in the notations of WIT and WAVE.
pub(crate) struct ValueExample {
    pub(crate) name: &'static str,
    pub(crate) wit: &'static str,
    pub(crate) wave: &'static str,
    pub(crate) ty: Type,
    pub(crate) value: Value,
}

pub(crate) struct FrameExample {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) authenticator: &'static [u8],
    pub(crate) frame: Frame<'static>,
}

pub(crate) fn values() -> Vec<ValueExample> {
    [scalars(), texts_and_lists(), cases(), references()]
        .into_iter()
        .flatten()
        .map(|(name, wit, wave, ty, value)| ValueExample {
            name,
            wit,
            wave,
            ty,
            value,
        })
        .collect()
}

type Row = (&'static str, &'static str, &'static str, Type, Value);

fn scalars() -> Vec<Row> {
    use Scalar::*;
    #[rustfmt::skip]
    let rows = vec![
        ("bool-false", "bool", "false", Bool, Value::Bool(false)),
        ("bool-true", "bool", "true", Bool, Value::Bool(true)),
        ("u8", "u8", "200", U8, Value::U8(200)),
        ("s8", "s8", "-2", S8, Value::S8(-2)),
        ("u16-short", "u16", "127", U16, Value::U16(127)),
        ("u16-long", "u16", "65535", U16, Value::U16(u16::MAX)),
        ("s16", "s16", "-32768", S16, Value::S16(i16::MIN)),
        ("u32", "u32", "300", U32, Value::U32(300)),
        ("u32-long", "u32", "4294967295", U32, Value::U32(u32::MAX)),
        ("s32", "s32", "-1", S32, Value::S32(-1)),
        ("s32-positive", "s32", "64", S32, Value::S32(64)),
        ("s32-long", "s32", "-2147483648", S32, Value::S32(i32::MIN)),
        ("u64-long", "u64", "18446744073709551615", U64, Value::U64(u64::MAX)),
        ("s64-long", "s64", "-9223372036854775808", S64, Value::S64(i64::MIN)),
        ("f32", "f32", "1.5", F32, Value::F32(1.5_f32.to_bits())),
        ("f32-nan", "f32", "nan with payload 1", F32, Value::F32(0x7fc0_0001)),
        ("f64", "f64", "-0.0", F64, Value::F64((-0.0_f64).to_bits())),
        ("f64-nan", "f64", "signalling nan", F64, Value::F64(0x7ff0_0000_0000_0001)),
        ("char-ascii", "char", "'a'", Char, Value::Char('a')),
        ("char-wide", "char", "'€'", Char, Value::Char('€')),
    ];
    let rows = rows.into_iter();
    rows.map(|(name, wit, wave, scalar, value)| (name, wit, wave, Type::Scalar(scalar), value))
        .collect()
}

fn texts_and_lists() -> Vec<Row> {
    let list = |ty| Type::List(Box::new(ty));
    let text = |text: &str| Value::String(text.to_owned());
    let point = Type::Tuple(vec![
        Type::Scalar(Scalar::S32),
        Type::Scalar(Scalar::S32),
        Type::String,
    ]);
    let origin = Value::Tuple(vec![Value::S32(-3), Value::S32(200), text("p")]);
    #[rustfmt::skip]
    let rows = vec![
        ("string-empty", "string", "\"\"", Type::String, text("")),
        ("string", "string", "\"héllo\"", Type::String, text("héllo")),
        ("list-u8", "list<u8>", "[0, 128, 255]", Type::Bytes, Value::Bytes(vec![0, 128, 255])),
        ("list-u16", "list<u16>", "[7, 300]", list(Type::Scalar(Scalar::U16)), Value::List(vec![Value::U16(7), Value::U16(300)])),
        ("list-of-lists", "list<list<bool>>", "[[], [true]]", list(list(Type::Scalar(Scalar::Bool))),
            Value::List(vec![Value::List(Vec::new()), Value::List(vec![Value::Bool(true)])])),
        ("map", "map<string, u16>", "[(\"b\", 300), (\"a\", 2), (\"b\", 7)]",
            list(Type::Tuple(vec![Type::String, Type::Scalar(Scalar::U16)])),
            Value::List([("b", 300), ("a", 2), ("b", 7)].map(|(key, value)| Value::Tuple(vec![text(key), Value::U16(value)])).into())),
        ("tuple", "tuple<u8, string>", "(1, \"a\")", Type::Tuple(vec![Type::Scalar(Scalar::U8), Type::String]),
            Value::Tuple(vec![Value::U8(1), text("a")])),
        ("record", "record { x: s32, y: s32, name: string }", "{x: -3, y: 200, name: \"p\"}", point, origin),
    ];
    rows
}

fn cases() -> Vec<Row> {
    let boxed = |value| Some(Box::new(value));
    let shape = || Type::Variant(vec![None, Some(Type::Scalar(Scalar::F32))]);
    let option = || Type::Option(Box::new(Type::Scalar(Scalar::U32)));
    let result = || {
        Type::Result(
            boxed_type(Type::Scalar(Scalar::U8)),
            boxed_type(Type::String),
        )
    };
    let failed = Value::Result(Err(boxed(Value::String("no".to_owned()))));
    let set = |count: usize, set: &[usize]| {
        Value::Flags((0..count).map(|index| set.contains(&index)).collect())
    };
    #[rustfmt::skip]
    let rows = vec![
        ("variant-empty", "variant { dot, circle(f32) }", "dot", shape(), Value::Variant(0, None)),
        ("variant-payload", "variant { dot, circle(f32) }", "circle(2.0)", shape(),
            Value::Variant(1, boxed(Value::F32(2.0_f32.to_bits())))),
        ("enum", "enum { red, green, blue }", "blue", Type::Enum(3), Value::Enum(2)),
        ("enum-long", "enum of 300 cases", "case 299", Type::Enum(300), Value::Enum(299)),
        ("option-none", "option<u32>", "none", option(), Value::Option(None)),
        ("option-some", "option<u32>", "some(5)", option(), Value::Option(boxed(Value::U32(5)))),
        ("result-ok", "result<u8, string>", "ok(7)", result(), Value::Result(Ok(boxed(Value::U8(7))))),
        ("result-err", "result<u8, string>", "err(\"no\")", result(), failed),
        ("result-empty", "result", "ok", Type::Result(None, None), Value::Result(Ok(None))),
        ("flags-few", "flags { a, b, c }", "{a, c}", Type::Flags(3), set(3, &[0, 2])),
        ("flags-many", "flags of 20", "{0, 7, 8, 19}", Type::Flags(20), set(20, &[0, 7, 8, 19])),
    ];
    rows
}

fn references() -> Vec<Row> {
    #[rustfmt::skip]
    let rows = vec![
        ("handle", "own<cart>, borrow<cart>", "handle 258", Type::Handle, Value::Handle(258)),
        ("stream", "stream<u8>, future<u8>", "number 2", Type::Stream, Value::Stream(2)),
        ("arguments", "func(item: string, count: u32)", "(\"tea\", 2)",
            Type::Tuple(vec![Type::String, Type::Scalar(Scalar::U32)]),
            Value::Tuple(vec![Value::String("tea".to_owned()), Value::U32(2)])),
    ];
    rows
}

fn boxed_type(ty: Type) -> Option<Box<Type>> {
    Some(Box::new(ty))
}

// === frames ===

const SESSION: SessionId = SessionId([
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f,
]);

pub(crate) fn frames() -> Vec<FrameExample> {
    let mut frames = calls();
    frames.extend(sessions());
    frames.extend(streams());
    frames.extend(large());
    frames.extend(http());
    frames
}

fn calls() -> Vec<FrameExample> {
    let reply = |session, outcome| {
        Frame::Reply(Reply {
            call: 300,
            session,
            outcome,
        })
    };
    let kept = KeptSession {
        id: SESSION,
        lease_ms: 10_000,
    };
    let full = Failure::new(FailureCode::Busy, "`pricing` takes no more calls");
    vec![
        plain(
            "request",
            "call 300: `price(\"tea\", 2)`, within 500 ms, the first over a link",
            Frame::Request(request()),
        ),
        plain(
            "request-session",
            "call 300: a method, in a session, with a trace",
            Frame::Request(Request {
                session: Some(SESSION),
                target: Target {
                    function: "[method]cart.total",
                    ..request().target
                },
                depth: 3,
                trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                payload: &[4, 1, 0, 0, 0],
                ..request()
            }),
        ),
        FrameExample {
            authenticator: &[0xa1, 0xa2, 0xa3],
            ..plain(
                "request-authenticated",
                "the first call with an authenticator, here of three bytes",
                Frame::Request(request()),
            )
        },
        plain(
            "reply-ok",
            "call 300 returned a `u32`, 1250",
            reply(None, Ok(&[0xe2, 0x09])),
        ),
        plain(
            "reply-session",
            "call 300 returned handle 1, which a session keeps for 10 s",
            reply(Some(kept), Ok(&[4, 1, 0, 0, 0])),
        ),
        plain("reply-failure", "call 300 failed", reply(None, Err(full))),
        plain(
            "abandon",
            "the importer abandons call 300",
            Frame::Abandon(Abandon { call: 300 }),
        ),
    ]
}

fn request() -> Request<'static> {
    Request {
        call: 300,
        session: None,
        target: Target {
            app: "shop",
            component: "pricing",
            interface: "shop:catalog/pricing@0.1.0",
            function: "price",
        },
        deadline_ms: 500,
        depth: 1,
        trace: None,
        importer: Importer {
            app: "shop",
            component: "checkout",
        },
        payload: &[3, b't', b'e', b'a', 2],
    }
}

fn sessions() -> Vec<FrameExample> {
    let session = SESSION;
    let drop = DropHandle {
        session,
        handle: 258,
    };
    vec![
        plain(
            "renew",
            "the lease of the session is renewed",
            Frame::Renew(Renew { session }),
        ),
        plain("end", "the session ends", Frame::End(End { session })),
        plain("drop", "handle 258 is dropped", Frame::Drop(drop)),
    ]
}

fn streams() -> Vec<FrameExample> {
    let (call, stream) = (300, 2);
    let chunk = Chunk {
        call,
        stream,
        payload: &[3, 7, 8, 9],
    };
    let credit = Credit {
        call,
        stream,
        bytes: 65_536,
    };
    let cancel = |by| Frame::Cancel(Cancel { call, stream, by });
    vec![
        plain(
            "chunk",
            "three elements of a `stream<u8>`: 7, 8, 9",
            Frame::Chunk(chunk),
        ),
        plain(
            "credit",
            "the reader takes 64 KiB more of the stream",
            Frame::Credit(credit),
        ),
        plain(
            "finish",
            "the stream is complete",
            Frame::Finish(Finish { call, stream }),
        ),
        plain(
            "cancel-reader",
            "the reader of the stream was dropped",
            cancel(CancelledBy::Reader),
        ),
        plain(
            "cancel-writer",
            "the stream ends before it is complete",
            cancel(CancelledBy::Writer),
        ),
    ]
}

fn large() -> Vec<FrameExample> {
    const FIRST: [u8; 32] = *b"\x01\x01\0\xac\x02\0\x04shop\x07pricing\x1ashop:catalog";
    let claim = ClaimId([
        0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d, 0x2e,
        0x2f,
    ]);
    let held = Held {
        host: [0xaa; HOST_BYTES],
        claim,
        total: 3_000_000,
        bytes: &FIRST,
    };
    let fetch = Fetch {
        claim,
        offset: 32,
        at_most: 1_048_000,
    };
    let part = |bytes| Part {
        claim,
        offset: 32,
        bytes,
    };
    vec![
        plain(
            "held",
            "the first 32 bytes of a request of 3,000,000",
            Frame::Held(held),
        ),
        plain(
            "fetch",
            "requests up to 1,048,000 more bytes of the frame",
            Frame::Fetch(fetch),
        ),
        plain(
            "part",
            "four more bytes of the frame",
            Frame::Part(part(Some(b"/pri"))),
        ),
        plain(
            "part-gone",
            "the frame is no longer stored",
            Frame::Part(part(None)),
        ),
    ]
}

fn plain(name: &'static str, about: &'static str, frame: Frame<'static>) -> FrameExample {
    FrameExample {
        name,
        about,
        authenticator: &[],
        frame,
    }
}

fn http() -> Vec<FrameExample> {
    let call = 300;
    let field = |name, value| HttpField { name, value };
    let request = |method, headers, body| {
        Frame::HttpRequest(HttpRequest {
            call,
            app: "shop",
            component: "storefront",
            deadline_ms: 500,
            trace: None,
            method,
            authority: "shop.example.com",
            path: "/orders?page=2",
            headers,
            body,
        })
    };
    let reply = |outcome| Frame::HttpReply(HttpReply { call, outcome });
    let head = |body| HttpHead {
        status: 200,
        headers: vec![field("content-type", b"text/plain")],
        body,
    };
    vec![
        plain(
            "http-request",
            "`GET /orders?page=2`, without a body",
            request(
                "GET",
                vec![field("accept", b"text/plain")],
                HttpBody::Whole(&[]),
            ),
        ),
        plain(
            "http-request-stream",
            "a `POST` with a body in stream 0",
            request("POST", vec![], HttpBody::Stream(0)),
        ),
        plain(
            "http-reply",
            "`200`, with a body of two bytes",
            reply(Ok(head(HttpBody::Whole(b"ok")))),
        ),
        plain(
            "http-reply-stream",
            "`200`, with a body in stream 1",
            reply(Ok(head(HttpBody::Stream(1)))),
        ),
        plain(
            "http-reply-failure",
            "no response: the component takes no more",
            reply(Err(Failure::new(FailureCode::Busy, "`storefront` is full"))),
        ),
        plain(
            "http-trailers",
            "one trailer of the body of stream 1",
            Frame::HttpTrailers(HttpTrailers {
                call,
                stream: 1,
                fields: vec![field("grpc-status", b"0")],
            }),
        ),
    ]
}
