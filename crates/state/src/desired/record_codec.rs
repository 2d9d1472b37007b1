//! The content of the records of the desired state: the desired revision of each app, the home of
//! each store that stays on one host, and the mark of each store.
//!
//! A value has no version number of its own. A value of a newer release that this one does not
//! decode is [`DecodedRecord::Unknown`]: it is reported, and left unchanged.

use bytes::Bytes;
use weft_lattice_config::AppName;
use weft_lattice_config::placement::{HostId, StoreId};

use super::{Key, StoreMark};
use crate::store::{Record, Store, StoreError};
use weft_bus::SubjectError;

/// The name of the bucket of the desired state.
pub const RECORDS: &str = "desired";
/// The name of the object store of component bytes.
pub const OBJECTS: &str = "components";
/// The first name of the keys of apps.
const APPS: &str = "apps";
/// The first name of the keys of store homes; the store's app and provider follow.
const HOMES: &str = "homes";
/// The first name of the keys of marks; the store's app, provider and place follow.
const MARKS: &str = "marks";

/// The content of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum DecodedRecord {
    /// The desired state of an app, or its removal.
    App(AppName, Record),
    /// The home of a store.
    Home(StoreId, HostId),
    /// The mark of a store, with the key of its record.
    Mark(Key, StoreMark),
    /// A record that this version does not decode, with the reason.
    Unknown(String),
}

/// The key of an app's record.
///
/// # Errors
/// A [`SubjectError`] if the name of the app is not valid in a key; names of apps always are.
pub fn app_key(app: &AppName) -> Result<Key, SubjectError> {
    Key::new(&[APPS, app.as_str()])
}

/// The key of the record of a store's home.
///
/// # Errors
/// A [`SubjectError`] if the names of the store are not valid in a key; they always are.
pub fn home_key(store: &StoreId) -> Result<Key, SubjectError> {
    Key::new(&[HOMES, store.app.as_str(), store.provider.as_str()])
}

/// The key of the record of the mark of a store. `place` distinguishes the stores of a provider,
/// whose settings may name another one later.
///
/// # Errors
/// A [`SubjectError`] if the names do not fit into a key.
pub fn mark_key(app: &str, provider: &str, place: &str) -> Result<Key, SubjectError> {
    Key::new(&[MARKS, app, provider, place])
}

/// True for the key of the mark of a store.
#[must_use]
pub fn is_mark_key(key: &Key) -> bool {
    key.names().next().as_deref() == Some(MARKS)
}

/// The app, provider and place of a store, from the key of its mark; `None` for another key.
#[must_use]
pub fn store_of_mark(key: &Key) -> Option<[String; 3]> {
    let mut names = key.names();
    let is_mark = names.next().as_deref() == Some(MARKS);
    let names: Vec<_> = names.collect();
    is_mark.then_some(())?;
    names.try_into().ok()
}

/// Encodes the mark of a store.
///
/// # Errors
/// A [`serde_json::Error`]; every mark is representable in JSON.
pub fn encode_mark(mark: &StoreMark) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(mark).map(Bytes::from)
}

/// Encodes the record of an app.
///
/// # Errors
/// A [`serde_json::Error`] if the record is not representable in JSON; records read from JSON
/// always are.
pub fn encode_app(record: &Record) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(record).map(Bytes::from)
}

/// Encodes the home of a store.
#[must_use]
pub fn encode_home(host: &HostId) -> Bytes {
    Bytes::copy_from_slice(host.as_str().as_bytes())
}

/// Decodes a record, which may come from a newer host or a foreign client.
#[must_use]
pub fn decode(key: &Key, value: &[u8]) -> DecodedRecord {
    let names: Vec<_> = key.names().collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    match &names[..] {
        [APPS, app] => match (app.parse(), serde_json::from_slice(value)) {
            (Ok(app), Ok(record)) if is_of(&app, &record) => DecodedRecord::App(app, record),
            (_, Err(error)) => DecodedRecord::Unknown(format!("app `{app}`: {error}")),
            _ => DecodedRecord::Unknown(format!("app `{app}`: the record has another app's name")),
        },
        [HOMES, app, provider] => {
            let store = format!("{app}/{provider}").parse();
            let host = std::str::from_utf8(value).unwrap_or_default().parse();
            match (store, host) {
                (Ok(store), Ok(host)) => DecodedRecord::Home(store, host),
                _ => DecodedRecord::Unknown(format!(
                    "the home of `{app}/{provider}` is not a host id"
                )),
            }
        }
        [MARKS, app, provider, _] => match serde_json::from_slice::<StoreMark>(value) {
            Ok(mark) if mark.is_valid() => DecodedRecord::Mark(key.clone(), mark),
            Ok(_) => DecodedRecord::Unknown(format!("the mark of `{app}/{provider}` is too long")),
            Err(error) => DecodedRecord::Unknown(format!("mark of `{app}/{provider}`: {error}")),
        },
        other => DecodedRecord::Unknown(format!("unknown record key `{}`", other.join("."))),
    }
}

/// The revision in the record of an app that [`decode`] does not decode; `None` if a newer release
/// stores it elsewhere.
///
/// # Errors
/// If the record is damaged: records of all releases are JSON.
pub fn revision_of_unknown(value: &[u8]) -> Result<Option<u64>, serde_json::Error> {
    let record: serde_json::Value = serde_json::from_slice(value)?;
    let content = record.as_object().and_then(|record| record.values().next());
    let revision = content.and_then(|content| content.get("revision"));
    Ok(revision.and_then(serde_json::Value::as_u64))
}

/// The records of a database, as a bucket has them. Records that this version cannot decode are
/// among them.
pub(super) fn stored(database: &Store) -> Result<Vec<(Key, Bytes)>, StoreError> {
    let apps = database.records()?.into_iter();
    let apps = apps.filter_map(|(app, bytes)| Some((Key::new(&[APPS, &app]).ok()?, bytes.into())));
    let homes = database.homes()?.into_iter();
    let homes =
        homes.filter_map(|(store, host)| Some((home_key(&store).ok()?, encode_home(&host))));
    let marks = database.marks()?.into_iter();
    let marks = marks.filter_map(|(key, mark)| Some((key, encode_mark(&mark).ok()?)));
    Ok(apps.chain(homes).chain(marks).collect())
}

fn is_of(app: &AppName, record: &Record) -> bool {
    match record {
        Record::Deployed(deployed) => deployed.app.metadata.name == *app,
        Record::Removed { .. } => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_is_written() {
        let app: AppName = "shop".parse().unwrap();
        let removed = Record::Removed {
            revision: 3,
            changed_at_ms: 1,
        };
        let bytes = encode_app(&removed).unwrap();
        assert_eq!(
            decode(&app_key(&app).unwrap(), &bytes),
            DecodedRecord::App(app, removed)
        );
        let store: StoreId = "shop/orders-db".parse().unwrap();
        let host: HostId = "habc".parse().unwrap();
        let bytes = encode_home(&host);
        assert_eq!(
            decode(&home_key(&store).unwrap(), &bytes),
            DecodedRecord::Home(store, host)
        );
        let key = mark_key("shop", "orders-db", "lattice/weft-kv__a").unwrap();
        let mark = StoreMark::after(None, 7, Some("ab12".to_owned()));
        let bytes = encode_mark(&mark).unwrap();
        assert_eq!(decode(&key, &bytes), DecodedRecord::Mark(key.clone(), mark));
        let store = store_of_mark(&key).unwrap();
        assert_eq!(store, ["shop", "orders-db", "lattice/weft-kv__a"]);
        assert_eq!(
            store_of_mark(&app_key(&"shop".parse().unwrap()).unwrap()),
            None
        );
    }

    #[test]
    fn an_unknown_record_is_reported_with_a_reason() {
        let key = |names: &[&str]| Key::new(names).unwrap();
        assert_eq!(
            revision_of_unknown(br#"{"paused":{"revision":7}}"#).unwrap(),
            Some(7)
        );
        assert_eq!(revision_of_unknown(br#"{"paused":[]}"#).unwrap(), None);
        assert!(revision_of_unknown(br#"{"deployed":{"revision":7,"#).is_err());
        let long = format!(
            r#"{{"revision":1,"changed_at_ms":1,"mark":"{}"}}"#,
            "a".repeat(129)
        );
        let cases: [(&[&str], &[u8], &str); 8] = [
            (&["apps", "shop"], b"{", "app `shop`"),
            (&["apps", "shop"], br#"{"paused":{}}"#, "app `shop`"),
            (&["apps", "../x"], b"{}", "app `../x`"),
            (&["homes", "shop", "db"], b"a host", "is not a host id"),
            (&["homes", "shop", "db"], b"\xff", "is not a host id"),
            (&["marks", "shop", "db", "x"], b"{}", "mark of `shop/db`"),
            (&["marks", "shop", "db", "x"], long.as_bytes(), "too long"),
            (&["future", "x"], b"", "record key `future.x`"),
        ];
        for (names, value, expected) in cases {
            match decode(&key(names), value) {
                DecodedRecord::Unknown(reason) => assert!(reason.contains(expected), "{reason}"),
                other => panic!("{names:?}: {other:?}"),
            }
        }
    }
}
