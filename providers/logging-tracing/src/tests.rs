use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use weft_provider::logging::MESSAGE_LEN_MAX;
use weft_provider::stores::{ProcessMemory, StoreMemory};

use super::*;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn bind(config: &Value) -> Result<Arc<dyn Logging>, ConfigProblem> {
    let link = LinkContext {
        app: "shop",
        component: "cart",
        provider: "log",
        interface: "wasi:logging",
        link: None,
    };
    match TracingProvider.bind(&link, config.as_object().unwrap())? {
        Capability::Logging(logging) => Ok(logging),
        other => panic!("{other:?}"),
    }
}

/// Returns the events of `records` on a link with this configuration, from the host's JSON log.
fn events(config: &Value, records: &[LogRecord<'_>]) -> Vec<Value> {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let logging = bind(config).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        records.iter().for_each(|record| logging.log(record))
    });
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn an_event_has_the_origin_and_the_text_of_its_record() {
    let events = events(
        &json!({}),
        &[LogRecord::new(Level::Warn, "checkout", "odd {total}")],
    );
    let [event] = events.as_slice() else {
        panic!("{events:?}")
    };
    for (field, expect) in [
        ("target", "weft::guest"),
        ("level", "WARN"),
        ("app", "shop"),
        ("component", "cart"),
        ("context", "checkout"),
        ("message", "odd {total}"),
    ] {
        assert_eq!(event[field], expect, "{event}");
    }
}

#[test]
fn levels_are_mapped_and_critical_is_marked() {
    let levels = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Warn,
        Level::Error,
        Level::Critical,
    ];
    let events = events(
        &json!({}),
        &levels.map(|level| LogRecord::new(level, "", "text")),
    );
    let names: Vec<_> = events
        .iter()
        .map(|event| event["level"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "ERROR"]);
    assert_eq!(events[5]["critical"], true);
    assert_eq!(events[4]["critical"], Value::Null);
}

#[test]
fn records_below_the_level_of_the_link_are_dropped() {
    let records =
        [Level::Debug, Level::Info, Level::Critical].map(|level| LogRecord::new(level, "", "text"));
    assert_eq!(events(&json!({ "level": "info" }), &records).len(), 2);
    assert_eq!(events(&json!({ "level": "critical" }), &records).len(), 1);
}

#[test]
fn a_long_message_arrives_cut() {
    let long = "x".repeat(2 * MESSAGE_LEN_MAX);
    let events = events(&json!({}), &[LogRecord::new(Level::Info, "", &long)]);
    assert!(
        events[0]["message"]
            .as_str()
            .unwrap()
            .ends_with("bytes cut]")
    );
}

#[test]
fn an_unknown_level_is_refused_with_the_known_ones() {
    let problem = bind(&json!({ "level": "loud" })).err().unwrap();
    assert_eq!(problem.key(), Some("level"));
    assert!(
        problem
            .to_string()
            .contains("unknown variant `loud`, expected one of `trace`"),
        "{problem}"
    );
}

#[tokio::test]
async fn a_provider_has_nothing_to_configure() {
    let memory: Arc<dyn StoreMemory> = Arc::<ProcessMemory>::default();
    let context = Context {
        app: "shop",
        provider: "log",
        data_dir: Path::new("unused"),
        stores: &memory,
    };
    let make = async |config: Value| {
        TracingFactory
            .make(&context, config.as_object().unwrap())
            .await
    };
    assert!(make(json!({})).await.is_ok());
    assert!(make(json!({ "level": "info" })).await.is_err());
}
