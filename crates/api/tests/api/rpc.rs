//! Messages of JSON-RPC, their arguments, and results as JSON.

use serde_json::{Value, json};
use weft_api::rpc::{BATCH_MAX, Messages, RpcError};
use weft_api::{Api, Problem};
use weft_wire::FailureCode;

use crate::{ORDERS, api};

const ROUTE: &str = "operations:
- {func: get, as: 'GET /orders/{id}'}
- {func: recent, as: POST /recent}
- {func: find, as: 'GET /maybe/{id}'}
- {func: remove, as: 'DELETE /orders/{id}'}
- {func: download, as: 'GET /files/{*name}'}
- {func: watch, as: POST /watch}
errors:
  order-error:
    400: [empty]
    404: [unknown-order]
    409: [out-of-stock]
    500: {cases: [storage], hide: true}
";

/// An encoded limit that no test reaches.
const ENCODED_MAX: usize = 1 << 20;

fn shop() -> Api {
    api(ORDERS, ROUTE)
}

/// The code of the error in place of a message; `None` for a message.
fn code_of(body: &str) -> Option<i64> {
    let error = match Messages::read(body.as_bytes()) {
        Err(error) => weft_api::rpc::Id::default().error(&error),
        Ok(Messages::One(Err(invalid))) => invalid.id.error(&invalid.error),
        Ok(_) => return None,
    };
    let error: Value = serde_json::from_str(&error).expect("JSON");
    error["error"]["code"].as_i64()
}

#[test]
fn a_message_that_is_no_call_has_the_code_of_the_specification() {
    for (body, code) in [
        ("", Some(-32700)),
        ("{", Some(-32700)),
        ("[1", Some(-32700)),
        (r#"{"jsonrpc":"2.0","method":"get"} x"#, Some(-32700)),
        ("[]", Some(-32600)),
        ("1", Some(-32600)),
        ("null", Some(-32600)),
        ("{}", Some(-32600)),
        (r#"{"jsonrpc":"1.0","method":"get","id":1}"#, Some(-32600)),
        (r#"{"jsonrpc":"2.0","method":1,"id":1}"#, Some(-32600)),
        (r#"{"jsonrpc":"2.0","method":"get","id":{}}"#, Some(-32600)),
        (
            r#"{"jsonrpc":"2.0","method":"get","id":true}"#,
            Some(-32600),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"get","params":1}"#,
            Some(-32600),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"get","params":null}"#,
            Some(-32600),
        ),
        (
            r#"{"jsonrpc":"2.0","method":"a","method":"b"}"#,
            Some(-32600),
        ),
        (r#"{"jsonrpc":"2.0","method":"get","id":1}"#, None),
        (r#"{"jsonrpc":"2.0","method":"get"}"#, None),
        (
            r#" {"jsonrpc":"2.0","method":"\u0067et","id":null,"params":[]}"#,
            None,
        ),
    ] {
        assert_eq!(code_of(body), code, "{body}");
    }
}

#[test]
fn the_response_to_a_wrong_message_has_its_id_if_it_can_be_read() {
    for (body, id) in [
        (r#"{"jsonrpc":"1.0","id":"seven"}"#, json!("seven")),
        (
            r#"{"id":18446744073709551615}"#,
            json!(18446744073709551615_u64),
        ),
        (r#"{"jsonrpc":"2.0"}"#, Value::Null),
        (r#"{"id":[]}"#, Value::Null),
    ] {
        let Ok(Messages::One(Err(invalid))) = Messages::read(body.as_bytes()) else {
            panic!("{body} is a message");
        };
        let response: Value =
            serde_json::from_str(&invalid.id.error(&invalid.error)).expect("JSON");
        assert_eq!(response["id"], id, "{body}");
    }
    let long = format!(
        r#"{{"jsonrpc":"2.0","method":"get","id":"{}"}}"#,
        "x".repeat(5000)
    );
    assert_eq!(code_of(&long), Some(-32600));
}

#[test]
fn a_batch_has_at_most_its_number_of_calls() {
    let call = r#"{"jsonrpc":"2.0","method":"get","id":1}"#;
    let batch = |count| format!("[{}]", vec![call; count].join(","));
    let largest = batch(BATCH_MAX);
    let Ok(Messages::Batch(calls)) = Messages::read(largest.as_bytes()) else {
        panic!("a batch");
    };
    assert_eq!(calls.len(), BATCH_MAX);
    assert_eq!(code_of(&batch(BATCH_MAX + 1)), Some(-32600));
}

#[test]
fn deep_nesting_is_read_without_recursion() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let body = format!(r#"{{"jsonrpc":"2.0","method":"get","id":1,"params":{deep}}}"#);
    let Ok(Messages::One(Ok(message))) = Messages::read(body.as_bytes()) else {
        panic!("a message");
    };
    let shop = shop();
    let get = shop.method("get").expect("a method");
    assert!(get.arguments_of(message.params, ENCODED_MAX).is_err());
}

#[test]
fn parameters_by_name_and_by_position_are_the_same_arguments() {
    let shop = shop();
    let recent = shop.method("recent").expect("a method");
    let of = |params: &str| recent.arguments_of(params.as_bytes(), ENCODED_MAX);
    let named = of(r#"{"limit":3,"after":9,"tags":["a"]}"#).expect("arguments");
    assert_eq!(of(r#"[3,9,["a"]]"#).expect("arguments"), named);
    let named = of(r#"{"limit":3,"tags":[]}"#).expect("arguments");
    assert_eq!(of("[3, null, []]").expect("arguments"), named);
}

#[test]
fn wrong_parameters_are_all_named() {
    let shop = shop();
    let recent = shop.method("recent").expect("a method");
    for (params, pointers) in [
        ("{}", &["/limit", "/tags"][..]),
        ("[]", &["/limit", "/tags"]),
        (r#"["x",1,[7]]"#, &["/limit", "/tags/0"]),
        ("[1,2,[],4]", &[""]),
        (r#"{"limit":1,"tags":[],"more":1}"#, &["/more"]),
    ] {
        let problem = recent.arguments_of(params.as_bytes(), ENCODED_MAX);
        let problem = problem.expect_err("a problem");
        let found = problem.errors().iter().map(|error| match &error.place {
            weft_api::InputPlace::Body(pointer) => pointer.as_str(),
            other => panic!("{other:?}"),
        });
        assert_eq!(found.collect::<Vec<_>>(), pointers, "{params}");
    }
    let large = format!(r#"{{"limit":1,"tags":["{}"]}}"#, "x".repeat(1000));
    let problem = recent
        .arguments_of(large.as_bytes(), 100)
        .expect_err("a problem");
    assert_eq!(problem.status(), 413);
}

#[test]
fn only_functions_of_operations_are_methods() {
    let shop = shop();
    for (name, is_method) in [
        ("get", true),
        ("recent", true),
        ("place", false),
        ("Get", false),
        ("watch", false),
        ("", false),
    ] {
        assert_eq!(shop.method(name).is_some(), is_method, "{name}");
    }
}

/// The result of a function as JSON, or the object of its error.
fn returned(name: &str, result: &[u8]) -> (Result<String, Value>, Option<String>) {
    let shop = shop();
    let returned = shop.method(name).expect("a method").returned(result);
    let value = returned.value.map(|json| json.unwrap_or_default());
    let value = value.map_err(|problem: Problem| {
        let response = weft_api::rpc::Id::default().error(&RpcError::of_result(&problem));
        let mut response: Value = serde_json::from_str(&response).expect("JSON");
        response["error"].take()
    });
    (value, returned.log)
}

#[test]
fn results_are_values_without_statuses() {
    for (name, result, json) in [
        ("find", &[0][..], "null"),
        ("remove", &[], ""),
        ("download", b"\x02hi", "\"aGk=\""),
        ("recent", &[0, 0], "[]"),
    ] {
        assert_eq!(returned(name, result).0, Ok(json.to_owned()), "{name}");
    }
}

#[test]
fn an_error_of_the_function_has_its_status_and_its_value() {
    let (error, log) = returned("get", &[1, 1, 7]);
    let error = error.expect_err("an error");
    assert_eq!((&error["code"], log), (&json!(404), None));
    assert_eq!(error["data"]["case"], "unknown-order");
    assert_eq!(error["data"]["value"], 7);
    assert_eq!(error["message"], "Unknown order");
}

#[test]
fn a_hidden_value_goes_to_the_log_alone() {
    let (error, log) = returned("get", b"\x01\x03\x06secret");
    let error = error.expect_err("an error");
    assert_eq!(error["code"], 500);
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(log.expect("a line").contains("secret"));
}

#[test]
fn a_result_of_another_type_is_an_error_of_the_host() {
    let (error, log) = returned("get", &[9, 9, 9]);
    assert_eq!(error.expect_err("an error")["code"], 500);
    assert!(log.is_some());
}

#[test]
fn each_failure_has_a_code_and_its_name() {
    for (failure, code) in [
        (FailureCode::Unreachable, -32000),
        (FailureCode::Busy, -32001),
        (FailureCode::Deadline, -32002),
        (FailureCode::Refused, -32003),
        (FailureCode::Trapped, -32004),
        (FailureCode::MaybeExecuted, -32005),
    ] {
        let problem = Problem::of_failure(failure, None);
        let error = RpcError::of_failure(failure, &problem);
        let response = weft_api::rpc::Id::default().error(&error);
        let response: Value = serde_json::from_str(&response).expect("JSON");
        assert_eq!(response["error"]["code"], code);
        assert_eq!(response["error"]["data"]["case"], failure.to_string());
    }
}
