use proptest::prelude::*;

use super::*;

/// The parts of a form that arrives in pieces: each with its name and its content.
fn read(form: &[u8], pieces: usize) -> Result<Vec<(String, Vec<u8>)>, FormError> {
    let mut reader = Multipart::new("b");
    let mut parts = Vec::new();
    for piece in form.chunks(pieces) {
        reader.push(piece);
        while let Some(event) = reader.next()? {
            match event {
                Event::Part(head) => parts.push((head.name, Vec::new())),
                Event::Data(data) => parts.last_mut().unwrap().1.extend_from_slice(&data),
                Event::PartEnd => {}
            }
            assert!(reader.buffer.len() <= form.len());
        }
    }
    match reader.is_complete() {
        true => Ok(parts),
        false => Err(reader.cut_off()),
    }
}

fn part(name: &str, content: &str) -> String {
    format!("--b\r\ncontent-disposition: form-data; name={name}\r\n\r\n{content}\r\n")
}

#[test]
fn parts_are_read_from_pieces_of_any_length() {
    let contents = [
        "",
        "text",
        "\r\n",
        "\r\n--",
        "\r\n--a",
        "--b",
        "a\r\n-\r\n--",
        "\n--b\n",
        "\r\r\n",
    ];
    let parts: String = contents.iter().map(|content| part("a", content)).collect();
    let expected: Vec<_> = contents
        .iter()
        .map(|it| ("a".to_owned(), it.as_bytes().to_vec()))
        .collect();
    for form in [
        format!("{parts}--b--"),
        format!("{parts}--b--\r\nafter it\r\n--b\r\n"),
        format!("before it\r\n --b\r\n-b--\r\n{parts}--b--\r\n"),
        format!("\r\n{parts}--b--  \r\n"),
        format!("{parts}--b--").replace("--b\r\nc", "--b \t\r\nc"),
    ] {
        for pieces in [1, 2, 3, 7, form.len()] {
            let read = read(form.as_bytes(), pieces);
            assert_eq!(
                read.as_ref(),
                Ok(&expected),
                "{form:?} in pieces of {pieces}"
            );
        }
    }
    assert_eq!(read(b"--b--", 1), Ok(Vec::new()));
}

#[test]
fn malformed_forms_are_refused() {
    let long_head = format!("--b\r\na: {}", "x".repeat(HEAD_BYTES_MAX));
    let long_line = format!("--b{}", " ".repeat(PADDING_BYTES_MAX + 2));
    let many = part("a", "").repeat(PARTS_MAX + 1);
    for (form, expected) in [
        ("", "the last boundary"),
        ("text", "the last boundary"),
        ("--c\r\n\r\n--c--", "the last boundary"),
        ("--b", "the last boundary"),
        ("--b-", "the last boundary"),
        (&part("a", "text"), "the last boundary"),
        (&(part("a", "text") + "--b"), "the last boundary"),
        (&(part("a", "text") + "--bb--"), "a line end or `--`"),
        (&(part("a", "text") + "--b -- "), "a line end or `--`"),
        ("--b\n\r\n", "a line end or `--`"),
        (
            "--b\r\n\r\ntext\r\n--b--",
            "parts with `content-disposition",
        ),
        (&long_head, "at most 8192 bytes in the head"),
        (&long_line, "a line end or `--`"),
        (&many, "at most 1024 parts"),
    ] {
        for pieces in [1, 4096] {
            let error = read(form.as_bytes(), pieces).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[test]
fn content_is_not_kept() {
    let mut reader = Multipart::new("b");
    reader.push(part("a", "").trim_end().as_bytes());
    reader.push(b"\r\n\r\n");
    assert!(matches!(reader.next(), Ok(Some(Event::Part(_)))));
    for _ in 0..100 {
        reader.push(&[b'\r'; 1000]);
        while let Ok(Some(event)) = reader.next() {
            assert!(matches!(event, Event::Data(_)), "{event:?}");
        }
        assert!(reader.buffer.len() < "\r\n--b".len());
    }
}

proptest! {
    #[test]
    fn any_content_without_the_boundary_is_read_as_it_is(
        content in "[a\r\n-]{0,60}", pieces in 1..20_usize
    ) {
        prop_assume!(!format!("\r\n{content}\r\n").contains("\r\n--b"));
        let form = part("a", &content) + "--b--";
        let read = read(form.as_bytes(), pieces).unwrap();
        prop_assert_eq!(read, [("a".to_owned(), content.into_bytes())]);
    }
}
