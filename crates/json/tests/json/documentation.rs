//! Tests that the tables of `docs/json.md` are true.

use std::path::Path;

use weft_json::{DecodeError, Format, Settings};

use crate::support::{param, read_with, write_with};

fn page() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/json.md");
    std::fs::read_to_string(file).expect("the page exists")
}

/// The definitions of the examples.
fn definitions(page: &str) -> String {
    let (_, rest) = page.split_once("```wit\n").expect("definitions");
    rest.split_once("```").expect("their end").0.to_owned()
}

/// The rows of the table with this head, without the backticks around a cell.
fn rows(page: &str, head: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(head).expect("the table");
    let rows = rest
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let rows = rows.map(|row| {
        let cells = row.trim_matches('|').split(" | ").map(str::trim);
        let cells = cells.map(|cell| match cell {
            "``" => String::new(),
            cell if cell.matches('`').count() == 2 => cell.trim_matches('`').to_owned(),
            cell => cell.to_owned(),
        });
        cells.collect()
    });
    rows.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |index: usize| u8::from_str_radix(&text[index..index + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(digit).collect()
}

#[test]
fn every_value_of_the_page_is_read_and_written_as_documented() {
    let page = page();
    let definitions = definitions(&page);
    let rows = rows(&page, "| type | value bytes | JSON | CBOR |");
    assert!(rows.len() > 30);
    let settings = Settings::default();
    for row in rows {
        let [wit, bytes, json, cbor] = &row[..] else {
            panic!("four cells: {row:?}");
        };
        let (ty, bytes) = (param(&definitions, wit), unhex(bytes));
        let body = write_with(Format::Json, &bytes, &ty, settings).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), *json, "{wit}");
        let read = read_with(Format::Json, json.as_bytes(), &ty, settings);
        assert_eq!(
            read.map(|read| hex(&read)),
            Ok(hex(&bytes)),
            "{wit}: {json}"
        );
        let body = write_with(Format::Cbor, &bytes, &ty, settings).unwrap();
        assert_eq!(hex(&body), *cbor, "{wit}: {json}");
        let read = read_with(Format::Cbor, &unhex(cbor), &ty, settings);
        assert_eq!(
            read.map(|read| hex(&read)),
            Ok(hex(&bytes)),
            "{wit}: {cbor}"
        );
    }
}

#[test]
fn every_other_form_of_the_page_is_read_as_documented() {
    let page = page();
    let definitions = definitions(&page);
    for row in rows(&page, "| type | body | value bytes |") {
        let [wit, body, bytes] = &row[..] else {
            panic!("three cells: {row:?}");
        };
        let ty = param(&definitions, wit);
        let read = read_with(Format::Json, body.as_bytes(), &ty, Settings::default());
        assert_eq!(
            read.map(|read| hex(&read)),
            Ok(bytes.clone()),
            "{wit}: {body}"
        );
    }
}

#[test]
fn every_problem_of_the_page_is_reported_as_documented() {
    let page = page();
    let definitions = definitions(&page);
    for row in rows(&page, "| type | body | pointer | expected | found |") {
        let [wit, body, pointer, expected, found] = &row[..] else {
            panic!("five cells: {row:?}");
        };
        let ty = param(&definitions, wit);
        let read = read_with(Format::Json, body.as_bytes(), &ty, Settings::default());
        let Err(DecodeError::Invalid(problems)) = read else {
            panic!("{wit}: {body}: {read:?}");
        };
        let [problem] = &problems[..] else {
            panic!("{wit}: {body}: {problems:?}");
        };
        let written = (&problem.pointer, &problem.expected, &problem.found);
        assert_eq!(written, (pointer, expected, found), "{wit}: {body}");
    }
}
