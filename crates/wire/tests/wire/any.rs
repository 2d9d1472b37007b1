//! Strategies for any type, any value of a type, and any frame.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weft_wire::{
    Abandon, Cancel, CancelledBy, Chunk, ClaimId, Credit, DropHandle, End, Failure, FailureCode,
    Fetch, Finish, Frame, HOST_BYTES, Held, HttpBody, HttpField, HttpHead, HttpReply, HttpRequest,
    HttpTrailers, Importer, KeptSession, MAX_FRAME_BYTES, Part, Renew, Reply, Request, Scalar,
    SessionId, Target,
};

use crate::model::{Type, Value};

/// Nesting depth of random types.
const DEPTH: u32 = 4;

/// Number of parts of a random type, in total.
const PARTS: u32 = 24;

/// Failures are printed with their input instead of stored in files.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

pub(crate) fn any_type() -> impl Strategy<Value = Type> {
    leaf().prop_recursive(DEPTH, PARTS, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        prop_oneof![
            boxed.clone().prop_map(Type::List),
            vec(inner.clone(), 1..5).prop_map(Type::Tuple),
            vec(option::of(inner.clone()), 1..5).prop_map(Type::Variant),
            boxed.clone().prop_map(Type::Option),
            (option::of(boxed.clone()), option::of(boxed))
                .prop_map(|(ok, err)| Type::Result(ok, err)),
        ]
    })
}

fn leaf() -> impl Strategy<Value = Type> {
    prop_oneof![
        prop::sample::select(Scalar::ALL.to_vec()).prop_map(Type::Scalar),
        prop::sample::select(vec![Type::String, Type::Bytes, Type::Handle, Type::Stream,]),
        // Beyond the largest discriminant of one byte.
        (1_u32..300).prop_map(Type::Enum),
        (1_usize..70).prop_map(Type::Flags),
    ]
}

pub(crate) fn any_typed_value() -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(|ty| {
        let value = any_value(&ty);
        (Just(ty), value)
    })
}

pub(crate) fn any_value(ty: &Type) -> BoxedStrategy<Value> {
    match ty {
        Type::Scalar(Scalar::Bool) => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Scalar(Scalar::U8) => any::<u8>().prop_map(Value::U8).boxed(),
        Type::Scalar(Scalar::S8) => any::<i8>().prop_map(Value::S8).boxed(),
        Type::Scalar(Scalar::U16) => any::<u16>().prop_map(Value::U16).boxed(),
        Type::Scalar(Scalar::S16) => any::<i16>().prop_map(Value::S16).boxed(),
        Type::Scalar(Scalar::U32) => any_width(32).prop_map(|v| Value::U32(v as u32)).boxed(),
        Type::Scalar(Scalar::S32) => any_width(32).prop_map(|v| Value::S32(v as i32)).boxed(),
        Type::Scalar(Scalar::U64) => any_width(64).prop_map(Value::U64).boxed(),
        Type::Scalar(Scalar::S64) => any_width(64).prop_map(|v| Value::S64(v as i64)).boxed(),
        Type::Scalar(Scalar::F32) => any::<u32>().prop_map(Value::F32).boxed(),
        Type::Scalar(Scalar::F64) => any::<u64>().prop_map(Value::F64).boxed(),
        Type::Scalar(Scalar::Char) => any::<char>().prop_map(Value::Char).boxed(),
        Type::String => any::<String>().prop_map(Value::String).boxed(),
        Type::Bytes => vec(any::<u8>(), 0..300).prop_map(Value::Bytes).boxed(),
        Type::Enum(cases) => (0..*cases).prop_map(Value::Enum).boxed(),
        Type::Flags(count) => vec(any::<bool>(), *count).prop_map(Value::Flags).boxed(),
        Type::Handle => any::<u32>().prop_map(Value::Handle).boxed(),
        Type::Stream => any::<u32>().prop_map(Value::Stream).boxed(),
        Type::List(ty) => vec(any_value(ty), 0..5).prop_map(Value::List).boxed(),
        Type::Tuple(types) => {
            let fields: Vec<_> = types.iter().map(any_value).collect();
            fields.prop_map(Value::Tuple).boxed()
        }
        Type::Variant(cases) => {
            let cases = (0_u32..).zip(cases).map(|(case, ty)| {
                any_payload(ty.as_ref()).prop_map(move |payload| Value::Variant(case, payload))
            });
            prop::strategy::Union::new(cases).boxed()
        }
        Type::Option(ty) => {
            let payload = option::of(any_value(ty).prop_map(Box::new));
            payload.prop_map(Value::Option).boxed()
        }
        Type::Result(ok, err) => prop_oneof![
            any_payload(ok.as_deref()).prop_map(|payload| Value::Result(Ok(payload))),
            any_payload(err.as_deref()).prop_map(|payload| Value::Result(Err(payload))),
        ]
        .boxed(),
    }
}

fn any_payload(ty: Option<&Type>) -> BoxedStrategy<Option<Box<Value>>> {
    match ty {
        Some(ty) => any_value(ty)
            .prop_map(|value| Some(Box::new(value)))
            .boxed(),
        None => Just(None).boxed(),
    }
}

/// Integers of all lengths, both signs: uniform ones nearly always have the greatest length.
fn any_width(bits: u32) -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..bits, any::<bool>()).prop_map(|(value, shift, is_negative)| {
        let value = value >> shift;
        if is_negative {
            value.wrapping_neg()
        } else {
            value
        }
    })
}

// === frames ===

/// The data that a frame borrows.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) number: u64,
    pub(crate) small: u32,
    pub(crate) session: Option<[u8; 16]>,
    pub(crate) texts: [String; 5],
    pub(crate) code: FailureCode,
    pub(crate) payload: Vec<u8>,
}

pub(crate) fn any_parts() -> impl Strategy<Value = Parts> {
    let text = "[a-z\\PC]{0,12}";
    (
        any_width(64),
        any::<u32>(),
        option::of(any::<[u8; 16]>()),
        [text, text, text, text, text],
        prop::sample::select(FailureCode::ALL.to_vec()),
        vec(any::<u8>(), 0..300),
    )
        .prop_map(|(number, small, session, texts, code, payload)| Parts {
            number,
            small,
            session,
            texts,
            code,
            payload,
        })
}

impl Parts {
    /// A frame of each kind.
    pub(crate) fn frames(&self) -> Vec<Frame<'_>> {
        let (call, stream) = (self.number, self.small);
        let session = SessionId(self.session.unwrap_or_default());
        let mut frames = vec![
            Frame::Request(self.request()),
            Frame::Reply(self.reply(Ok(&self.payload))),
            Frame::Reply(self.reply(Err(Failure::new(self.code, self.texts[0].as_str())))),
            Frame::Renew(Renew { session }),
            Frame::End(End { session }),
            Frame::Drop(DropHandle {
                session,
                handle: self.small,
            }),
            Frame::Chunk(Chunk {
                call,
                stream,
                payload: &self.payload,
            }),
            Frame::Credit(Credit {
                call,
                stream,
                bytes: self.small,
            }),
            Frame::Finish(Finish { call, stream }),
            Frame::Abandon(Abandon { call }),
        ];
        frames.extend(self.large());
        frames.extend(self.http_frames());
        let ends = [CancelledBy::Reader, CancelledBy::Writer];
        frames.extend(ends.map(|by| Frame::Cancel(Cancel { call, stream, by })));
        frames
    }

    fn large(&self) -> [Frame<'_>; 4] {
        let claim = ClaimId(self.session.unwrap_or_default());
        let first = self.payload.len() as u32;
        let rest = self.small % (MAX_FRAME_BYTES as u32 - first);
        let part = |bytes| Part {
            claim,
            offset: self.small,
            bytes,
        };
        [
            Frame::Held(Held {
                host: [self.number as u8; HOST_BYTES],
                claim,
                total: first + 1 + rest,
                bytes: &self.payload,
            }),
            Frame::Fetch(Fetch {
                claim,
                offset: self.small,
                at_most: self.small >> 8,
            }),
            Frame::Part(part(Some(&self.payload))),
            Frame::Part(part(None)),
        ]
    }

    fn http_frames(&self) -> Vec<Frame<'_>> {
        let (call, stream) = (self.number, self.small);
        let [app, component, method, path, authority] = &self.texts;
        let fields: Vec<_> = self
            .texts
            .iter()
            .map(|name| HttpField {
                name,
                value: &self.payload,
            })
            .collect();
        let request = |body| HttpRequest {
            call,
            app,
            component,
            deadline_ms: self.small,
            trace: self.session.map(|_| method.as_str()),
            method,
            authority,
            path,
            headers: fields.clone(),
            body,
        };
        let head = HttpHead {
            status: self.small as u16,
            headers: fields.clone(),
            body: HttpBody::Whole(&self.payload),
        };
        let failure = Failure::new(self.code, path.as_str());
        vec![
            Frame::HttpRequest(request(HttpBody::Whole(&self.payload))),
            Frame::HttpRequest(request(HttpBody::Stream(stream))),
            Frame::HttpReply(HttpReply {
                call,
                outcome: Ok(head),
            }),
            Frame::HttpReply(HttpReply {
                call,
                outcome: Err(failure),
            }),
            Frame::HttpTrailers(HttpTrailers {
                call,
                stream,
                fields,
            }),
        ]
    }

    fn request(&self) -> Request<'_> {
        let [app, component, interface, function, trace] = &self.texts;
        Request {
            call: self.number,
            session: self.session.map(SessionId),
            target: Target {
                app,
                component,
                interface,
                function,
            },
            deadline_ms: self.small,
            depth: self.small >> 16,
            trace: self.session.map(|_| trace.as_str()),
            importer: Importer {
                app: component,
                component: app,
            },
            payload: &self.payload,
        }
    }

    fn reply<'a>(&self, outcome: Result<&'a [u8], Failure>) -> Reply<'a> {
        Reply {
            call: self.number,
            session: self.session.map(|id| KeptSession {
                id: SessionId(id),
                lease_ms: self.small,
            }),
            outcome,
        }
    }
}
