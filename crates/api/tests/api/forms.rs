//! Requests whose body is a form of parts.

use http::{HeaderMap, HeaderValue, Method, header};
use serde_json::Value;
use weft_api::{
    Api, Body, FormReader, FormStep, FormStream, Operation, Problem, RequestInput, StreamStep,
    breaking_changes,
};

use crate::api;

const ITEMS: &str = "
    record note { title: string, stars: u8 }
    enum size { small, large }
    upload: async func(id: u32, name: string, page-size: option<size>, tags: list<string>, note: option<note>, data: stream<u8>);
    raw: async func(data: stream<u8>);
    store: func(name: string, data: list<u8>, icon: option<list<u8>>);
    bytes: func(data: list<u8>);
    plain: func(name: string);
";

const OPERATIONS: &str = "operations:
- {func: upload, as: 'POST /upload/{id}'}
- {func: raw, as: POST /raw}
- {func: raw, as: 'POST /whole', body: data}
- {func: store, as: POST /store}
- {func: bytes, as: POST /bytes}
- {func: plain, as: POST /plain}
";

/// The most bytes of parts and of arguments.
const BYTES_MAX: usize = 100;

/// The arguments and the stream of a request.
type Read = (Vec<u8>, Option<Vec<u8>>);

fn part(headers: &str, content: &str) -> String {
    format!("--b\r\ncontent-disposition: form-data; {headers}\r\n\r\n{content}\r\n")
}

fn headers(content_type: &str) -> HeaderMap {
    let value = HeaderValue::try_from(content_type).expect("a value");
    HeaderMap::from_iter([(header::CONTENT_TYPE, value)])
}

/// Reads a form that arrives in pieces.
fn read(path: &str, form: &str, pieces: usize) -> Result<Read, Problem> {
    let api = api(ITEMS, OPERATIONS);
    let matched = api.find(&Method::POST, path).expect("an operation");
    let headers = headers("multipart/form-data; boundary=b");
    let mut pieces = form.as_bytes().chunks(pieces);
    let mut reader = reader(matched.operation, &headers)?.expect("a form");
    let mut next = || pieces.next();
    while reader.step()? == FormStep::NeedsBytes {
        match next() {
            Some(piece) => reader.push(piece),
            None => return Err(reader.cut_off()),
        }
    }
    let (parts, stream) = reader.into_parts();
    let input = RequestInput {
        path: &matched.path,
        query: None,
        headers: &headers,
        body: b"",
        encoded_max: BYTES_MAX,
    };
    let arguments = matched.operation.arguments_of_form(&input, &parts)?;
    let stream = stream.map(|stream| read_stream(stream, next)).transpose()?;
    Ok((arguments, stream))
}

fn reader(operation: &Operation, headers: &HeaderMap) -> Result<Option<FormReader>, Problem> {
    operation.form_reader(headers, BYTES_MAX)
}

fn read_stream<'p>(
    mut stream: FormStream,
    mut next: impl FnMut() -> Option<&'p [u8]>,
) -> Result<Vec<u8>, Problem> {
    let mut read = Vec::new();
    loop {
        match stream.step()? {
            StreamStep::Data(data) => read.extend_from_slice(&data),
            StreamStep::End => return Ok(read),
            StreamStep::NeedsBytes => match next() {
                Some(piece) => stream.push(piece),
                None => return Err(stream.cut_off()),
            },
        }
    }
}

/// The errors of a form, as `POINTER: expected EXPECTED, found FOUND`.
fn errors(path: &str, form: &str) -> Vec<String> {
    let problem = read(path, form, 16).expect_err(form);
    let Body::Bytes(body) = problem.response().body else {
        panic!("a problem has a body");
    };
    let document: Value = serde_json::from_slice(&body).expect("JSON");
    let errors = document["errors"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let errors = errors.map(|error| {
        assert_eq!(
            (&document["status"], &error["in"]),
            (&400.into(), &"body".into())
        );
        let (expected, found) = (text(&error["expected"]), text(&error["found"]));
        format!(
            "{}: expected {expected}, found {found}",
            text(&error["pointer"])
        )
    });
    errors.collect()
}

#[test]
fn parts_are_parameters_and_the_last_one_is_the_stream() {
    let whole = [
        part("name=\"tags\"", "a"),
        part(
            "name=note\r\ncontent-type: application/json",
            r#"{"stars": 3, "title": "t"}"#,
        ),
        part(
            "name=pageSize\r\ncontent-type: text/plain; charset=utf-8",
            "large",
        ),
        part("name=name", "caf\u{e9}"),
        part("name=tags\r\nx-other: 1", ""),
        part(
            "name=data; filename=\"a; name=name\"\r\ncontent-type: image/png",
            "\r\n--c\r\n",
        ),
        "--b--\r\nepilogue".to_owned(),
    ];
    let form = format!("preamble\r\n{}", whole.concat());
    let arguments = b"\x07\x05caf\xc3\xa9\x01\x01\x02\x01a\x00\x01\x01t\x03\x00";
    for pieces in [1, 5, 64, form.len()] {
        let (found, stream) = read("/upload/7", &form, pieces).unwrap();
        assert_eq!(
            (&found[..], &stream.unwrap()[..]),
            (&arguments[..], &b"\r\n--c\r\n"[..])
        );
    }
    let short = part("name=name", "x") + &part("name=data", "") + "--b--";
    let read = read("/upload/7", &short, 9).unwrap();
    assert_eq!(
        read,
        (b"\x07\x01x\x00\x00\x00\x00".to_vec(), Some(Vec::new()))
    );
}

#[test]
fn a_whole_body_of_bytes_can_be_the_part_of_its_name() {
    let form = part("name=data", "abc") + "--b--";
    assert_eq!(read("/raw", &form, 8), Ok((vec![0], Some(b"abc".to_vec()))));
    assert_eq!(read("/bytes", &form, 8), Ok((b"\x03abc".to_vec(), None)));
    let store = part("name=data\r\ncontent-type: application/json", "{}")
        + &part("name=name\r\ncontent-type: application/json", "\"n\"")
        + "--b--";
    assert_eq!(
        read("/store", &store, 8),
        Ok((b"\x01n\x02{}\x00".to_vec(), None))
    );
    let icon = part("name=icon", "i") + &store;
    assert_eq!(
        read("/store", &icon, 8),
        Ok((b"\x01n\x02{}\x01\x01i".to_vec(), None))
    );
}

#[test]
fn other_bodies_are_read_as_before() {
    let api = api(ITEMS, OPERATIONS);
    let (form, other) = (
        headers("multipart/form-data; boundary=b"),
        headers("text/plain"),
    );
    for (path, headers, expected) in [
        ("/raw", &other, Ok(false)),
        ("/raw", &HeaderMap::new(), Ok(false)),
        ("/whole", &form, Ok(false)),
        ("/plain", &form, Ok(false)),
        ("/store", &headers("application/json"), Ok(false)),
        ("/bytes", &form, Ok(true)),
        ("/upload/1", &form, Ok(true)),
        ("/upload/1", &other, Err(415)),
        ("/upload/1", &HeaderMap::new(), Err(415)),
        ("/upload/1", &headers("multipart/form-data"), Err(400)),
        (
            "/raw",
            &headers("multipart/form-data; boundary=\"\""),
            Err(400),
        ),
    ] {
        let matched = api.find(&Method::POST, path).unwrap();
        let found = reader(matched.operation, headers);
        let found = found
            .map(|it| it.is_some())
            .map_err(|it| it.status().as_u16());
        assert_eq!(found, expected, "{path} with {headers:?}");
    }
}

#[test]
fn parts_that_do_not_fit_are_reported_together() {
    let parts = [
        part("name=other", &"x".repeat(2 * BYTES_MAX)),
        part("name=\"a/b~\"", ""),
        part("name=pageSize", "huge"),
        part("name=note", "{}"),
        part("name=tags\r\ncontent-type: image/png", "x"),
        part("name=data", "abc"),
    ];
    let names = "one of `name`, `pageSize`, `tags`, `note`, `data`";
    let unknown = |name: &str| format!("/{name}: expected {names}, found an unknown part");
    assert_eq!(
        errors("/upload/7", &parts.concat()),
        [
            unknown("other"),
            unknown("a~1b~0"),
            "/name: expected a text, found nothing".to_owned(),
            "/pageSize: expected one of `small`, `large`, found \"huge\"".to_owned(),
            "/tags: expected a text in UTF-8, found `image/png`".to_owned(),
            "/note: expected a part with `content-type: application/json`, found a text".to_owned(),
        ]
    );
    let json = "name=note\r\ncontent-type: application/json";
    let twice = [
        part("name=name", "a"),
        part("name=name", "a"),
        part(json, r#"{"title": 1, "more": 2}"#),
    ];
    assert_eq!(
        errors("/upload/7", &(twice.concat() + "--b--")),
        [
            "/name: expected one part, found 2 parts",
            "/note/title: expected a string, found 1",
            "/note/more: expected one of `title`, `stars`, found an unknown key",
            "/note/stars: expected an integer from 0 to 255, found nothing",
            "/data: expected a part with bytes, after all others, found nothing",
        ]
    );
    let malformed = part(json, "{") + &part("name=name", "") + &part("name=data", "");
    let found = errors("/upload/7", &malformed);
    assert!(
        found[0].starts_with("/note: expected JSON, found malformed body"),
        "{found:?}"
    );
    let missing = part("name=icon", "") + "--b--";
    assert_eq!(
        errors("/store", &missing),
        [
            "/name: expected a text, found nothing",
            "/data: expected a part with bytes, found nothing",
        ]
    );
}

#[test]
fn a_stream_is_complete_with_its_form() {
    let start = part("name=data", "abc");
    for (rest, expected) in [
        (
            "",
            ": expected the last boundary, found the end of the body after the start of part 1",
        ),
        (
            "--b",
            ": expected the last boundary, found the end of the body after the start of part 1",
        ),
        (
            "--bb--",
            ": expected a line end or `--` after a boundary, found other bytes",
        ),
        (
            &(part("name=data", "") + "--b--"),
            "/data: expected no part after `data`, which is a stream, found a part",
        ),
        (
            &(part("name=x", "") + "--b--"),
            "/x: expected no part after `data`, which is a stream, found a part",
        ),
    ] {
        assert_eq!(
            errors("/raw", &format!("{start}{rest}")),
            [expected],
            "{rest:?}"
        );
    }
}

#[test]
fn parts_before_the_stream_have_a_bound_together() {
    let tag = part("name=tags", &"x".repeat(BYTES_MAX / 2));
    let rest = part("name=name", "") + &part("name=data", &"x".repeat(10 * BYTES_MAX)) + "--b--";
    let read = |tags| read("/upload/7", &(tag.repeat(tags) + &rest), 16);
    assert!(read(1).is_ok());
    for tags in [3, 4] {
        assert_eq!(read(tags).unwrap_err().status(), 413, "{tags}");
    }
}

#[test]
fn a_change_of_a_form_can_break_clients() {
    let api_of = |items: &str, lines: &str| api(items, lines);
    let old = api_of(
        "f: func(a: option<string>, d: stream<u8>); g: func(d: stream<u8>);",
        "",
    );
    for (items, lines, expected) in [
        (
            "f: func(a: string, d: stream<u8>, e: u8); g: func(d: stream<u8>);",
            "",
            &[
                "made `a` of the body of `f` required",
                "added required field `e` to the body of `f`",
            ][..],
        ),
        (
            "f: func(a: option<string>, d: list<u8>); g: func(d: list<u8>, e: option<u8>);",
            "",
            &[
                "changed the body of `f` from a form to an object of parameters",
                "changed the body of `g` from a stream to an object of parameters",
            ],
        ),
        (
            "f: func(a: option<string>, d: stream<u8>, e: option<u8>); g: func(d: stream<u8>);",
            "operations: [{func: f, as: POST /f}, {func: g, as: POST /g, body: d}]",
            &["removed the form of the body of `g`"],
        ),
    ] {
        let new: Api = api_of(items, lines);
        let changes = breaking_changes(&old, &new);
        let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(changes, expected, "{items}");
    }
}
