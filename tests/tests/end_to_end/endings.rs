//! The ends of guests around their answers: what is complete arrives, what is not never looks
//! complete, and an instance that failed serves nobody again.

use serde_json::Value;
use weft_tests::http::{Connection, Request};
use weft_tests::{Files, PATIENCE, Weft, eventually};

/// The components of the app: both versions of `wasi:http`, fresh and reused.
const COMPONENTS: [&str; 4] = ["p2-fresh", "p2-reused", "p3-fresh", "p3-reused"];

fn serving(files: &Files, settings: &str) -> Weft {
    let component = |name: &&str| {
        let guest = match name.starts_with("p2") {
            true => "http-probe",
            false => "probe-http-p3",
        };
        let reuse = match name.ends_with("reused") {
            true => ", instances: {reuse: {max-idle: 1h}}",
            false => "",
        };
        format!("- {{name: {name}, source: {{file: guest:{guest}}}{settings}{reuse}}}\n")
    };
    let components: String = COMPONENTS.iter().map(component).collect();
    let links = |name: &&str| {
        let link =
            |interface, to| format!("- {{from: {name}, interface: \"{interface}\", to: {to}}}\n");
        link("wasi:keyvalue/store", "kv")
            + &link("wasi:config/store", "config")
            + &link("wasi:http/outgoing-handler", "outside")
    };
    let links: String = COMPONENTS[..2].iter().map(links).collect();
    let route = |name: &&str| format!("- {{host: {name}, path: /, to: {name}}}\n");
    let routes: String = COMPONENTS.iter().map(route).collect();
    let spec = format!(
        "components:\n{components}\
         providers:\n\
         - {{name: kv, type: keyvalue-memory}}\n\
         - {{name: config, type: config-values}}\n\
         - {{name: outside, type: http-client}}\n\
         links:\n{links}\
         routes:\n{routes}"
    );
    Weft::serving(&[files.app("ends", &spec)])
}

/// The answer as a client takes it.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Complete(u16, String),
    /// A 500 of the host, with the id of a line in its log.
    Failed(String),
    /// The head came, and the body ended in an error.
    BrokenOff,
}

fn get(weft: &Weft, component: &str, path: &str) -> Answer {
    let text = format!("GET {path} HTTP/1.1\nhost: {component}\nconnection: close\n\n");
    let mut connection = Connection::with(weft.http(), &text);
    match connection.response() {
        Ok(answer) => match answer.header("weft-error-id") {
            Some(id) => Answer::Failed(id.to_owned()),
            None => Answer::Complete(answer.status, answer.text()),
        },
        Err(_) => Answer::BrokenOff,
    }
}

fn end(weft: &Weft, component: &str, body: &str, then: &str) -> Answer {
    get(weft, component, &format!("/end?body={body}&then={then}"))
}

fn logs(weft: &Weft, component: &str) -> String {
    let component = format!("ends/{component}");
    weft.run(&["logs", &component]).expect_code(0).stdout
}

fn row(weft: &Weft, component: &str) -> Value {
    let rows = weft.get("components");
    let row = rows.iter().find(|row| row["component"] == component);
    row.unwrap().clone()
}

fn nothing_in_flight(weft: &Weft, component: &str) {
    eventually("nothing is in flight", PATIENCE, || {
        let row = row(weft, component);
        (row["in_flight"] == 0).then_some(()).ok_or(row.to_string())
    });
}

#[test]
fn a_complete_answer_arrives_however_its_guest_ends() {
    let files = Files::new();
    let weft = serving(&files, "");
    for component in COMPONENTS {
        for body in ["whole", "sized"] {
            for then in ["exit", "exit-1", "trap", "return"] {
                let case = format!("{component} {body} {then}");
                let answer = end(&weft, component, body, then);
                assert_eq!(answer, Answer::Complete(200, "all".to_owned()), "{case}");
            }
        }
        nothing_in_flight(&weft, component);
        // An exit with code 0 is no failure; the others are two of each.
        let logged = logs(&weft, component);
        let lines = |text: &str| logged.matches(text).count();
        assert_eq!(lines("exited with code 0"), 0, "{component}: {logged}");
        assert_eq!(lines("exited with code 1"), 2, "{component}: {logged}");
        assert_eq!(lines(" host: error "), 4, "{component}: {logged}");
        assert_eq!(row(&weft, component)["traps"], 4, "{component}");
    }
}

#[test]
fn an_incomplete_answer_never_looks_complete() {
    let files = Files::new();
    let weft = serving(&files, ", limits: {deadline: 400ms}");
    for component in COMPONENTS {
        for then in ["exit", "exit-1", "trap", "return"] {
            for body in ["none", "half", "leaked", "error"] {
                let case = format!("{component} {body} {then}");
                let answer = end(&weft, component, body, then);
                // The head of an answer may be on the wire when its guest ends.
                let may_break = ["half", "leaked"].contains(&body);
                match answer {
                    Answer::Failed(id) => {
                        assert!(logs(&weft, component).contains(&id), "{case}");
                    }
                    Answer::BrokenOff => assert!(may_break, "{case}"),
                    Answer::Complete(..) => panic!("{case}: {answer:?}"),
                }
            }
        }
        nothing_in_flight(&weft, component);
    }
}

#[test]
fn an_instance_that_failed_serves_no_further_request() {
    let files = Files::new();
    let weft = serving(&files, ", limits: {deadline: 400ms}");
    for component in ["p2-reused", "p3-reused"] {
        let counts_to = |expected: &str| {
            nothing_in_flight(&weft, component);
            let answer = get(&weft, component, "/count");
            let expected = Answer::Complete(200, format!("{expected}\n"));
            assert_eq!(answer, expected, "{component}");
            nothing_in_flight(&weft, component);
        };
        counts_to("1");
        counts_to("2");
        end(&weft, component, "whole", "return");
        counts_to("4");
        for body in ["none", "half", "leaked", "error"] {
            end(&weft, component, body, "return");
            counts_to("1");
        }
        for then in ["exit", "exit-1", "trap"] {
            end(&weft, component, "whole", then);
            counts_to("1");
        }
    }
}

#[test]
fn work_after_the_answer_is_finished_within_the_deadline() {
    let files = Files::new();
    let weft = serving(&files, "");
    for component in COMPONENTS {
        for count in 1..=2 {
            let answer = end(&weft, component, "whole", "work");
            assert_eq!(
                answer,
                Answer::Complete(200, "all".to_owned()),
                "{component}"
            );
            eventually("the work after the answer is done", PATIENCE, || {
                let logged = logs(&weft, component);
                let done = logged.matches("work after the response is done").count();
                (done == count).then_some(()).ok_or(logged)
            });
        }
    }
    let weft = serving(&files, ", limits: {deadline: 200ms}");
    for component in COMPONENTS {
        let answer = end(&weft, component, "whole", "work");
        // A guest of 0.2 that sleeps with its body finished has an answer that waits for nothing.
        assert_eq!(
            answer,
            Answer::Complete(200, "all".to_owned()),
            "{component}"
        );
        eventually("the log explains the stop", PATIENCE, || {
            let logged = logs(&weft, component);
            let explained = logged.contains("it still ran after its complete response");
            explained.then_some(()).ok_or(logged)
        });
        let logged = logs(&weft, component);
        assert!(!logged.contains("is done"), "{component}: {logged}");
    }
}

#[test]
fn both_versions_get_scheme_and_authority_over_both_protocols() {
    let files = Files::new();
    let weft = serving(&files, "");
    let targets = [
        (
            "/headers?a=1",
            "HOST:8080",
            ":path: /headers?a=1\n:scheme: http\n:authority: HOST:8080\n",
        ),
        (
            "http://HOST/headers",
            "HOST",
            ":path: /headers\n:scheme: http\n:authority: HOST\n",
        ),
    ];
    for component in COMPONENTS {
        for (target, host, expected) in targets {
            let [target, host, expected] =
                [target, host, expected].map(|text| text.replace("HOST", component));
            let text =
                format!("GET {target} HTTP/1.1\nhost: {host}\nx-one: 1\nconnection: close\n\n");
            let answer = Connection::with(weft.http(), &text).response().unwrap();
            let text = answer.text();
            let expected = format!(":method: GET\n{expected}");
            assert!(text.starts_with(&expected), "{component}: {text}");
            assert!(text.contains("\nx-one: 1\n"), "{component}: {text}");
            assert!(!text.contains("\nhost: "), "{component}: {text}");
        }
        let answer = weft.send(Request::get("/headers").host(component));
        assert!(answer.text().contains(&format!(":authority: {component}")));
    }
}
