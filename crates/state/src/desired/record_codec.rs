//! What the records of the desired state say: what is wanted of each app, and which host has each store that
//! stays on one.
//!
//! A value has no version number of its own. What this release does not read, because a newer one wrote it,
//! is [`Said::Unknown`]: it is told, and left as it is.

use bytes::Bytes;
use weft_lattice_config::AppName;
use weft_lattice_config::placement::{HostId, StoreId};

use super::Key;
use crate::store::Record;
use weft_bus::SubjectError;

/// The name of the bucket of the desired state.
pub const RECORDS: &str = "desired";
/// The name of the store of component bytes.
pub const OBJECTS: &str = "components";
/// What is wanted of an app, by its name.
const APPS: &str = "apps";
/// Where a store is, by its app and provider.
const HOMES: &str = "homes";

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// What is wanted of an app.
    App(AppName, Record),
    /// Which host has a store.
    Home(StoreId, HostId),
    /// Nothing that this version understands, and why.
    Unknown(String),
}

/// The key of what is wanted of an app.
///
/// # Errors
/// None that the name of an app can have.
pub fn app_key(app: &AppName) -> Result<Key, SubjectError> {
    Key::new(&[APPS, app.as_str()])
}

/// The key of where a store is.
///
/// # Errors
/// None that a store can have.
pub fn home_key(store: &StoreId) -> Result<Key, SubjectError> {
    Key::new(&[HOMES, store.app.as_str(), store.provider.as_str()])
}

/// What is wanted of an app, as bytes.
///
/// # Errors
/// If it cannot be JSON, which what was read as JSON can.
pub fn encode_app(record: &Record) -> Result<Bytes, serde_json::Error> {
    serde_json::to_vec(record).map(Bytes::from)
}

/// Which host has a store, as bytes.
#[must_use]
pub fn encode_home(host: &HostId) -> Bytes {
    Bytes::copy_from_slice(host.as_str().as_bytes())
}

/// What a record says. Whoever wrote it may be newer than this host, or no host at all.
#[must_use]
pub fn decode(key: &Key, value: &[u8]) -> Said {
    let names: Vec<_> = key.names().collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    match &names[..] {
        [APPS, app] => match (app.parse(), serde_json::from_slice(value)) {
            (Ok(app), Ok(record)) if is_of(&app, &record) => Said::App(app, record),
            (_, Err(error)) => Said::Unknown(format!("app `{app}`: {error}")),
            _ => Said::Unknown(format!("app `{app}`: the record is of another one")),
        },
        [HOMES, app, provider] => {
            let store = format!("{app}/{provider}").parse();
            let host = std::str::from_utf8(value).unwrap_or_default().parse();
            match (store, host) {
                (Ok(store), Ok(host)) => Said::Home(store, host),
                _ => Said::Unknown(format!("the home of `{app}/{provider}` is no host")),
            }
        }
        other => Said::Unknown(format!("a record under `{}`", other.join("."))),
    }
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
            Said::App(app, removed)
        );
        let store: StoreId = "shop/orders-db".parse().unwrap();
        let host: HostId = "habc".parse().unwrap();
        let bytes = encode_home(&host);
        assert_eq!(
            decode(&home_key(&store).unwrap(), &bytes),
            Said::Home(store, host)
        );
    }

    #[test]
    fn what_is_not_understood_is_told_and_changes_nothing() {
        let key = |names: &[&str]| Key::new(names).unwrap();
        let cases: [(&[&str], &[u8], &str); 6] = [
            (&["apps", "shop"], b"{", "app `shop`"),
            (&["apps", "shop"], br#"{"paused":{}}"#, "app `shop`"),
            (&["apps", "../x"], b"{}", "app `../x`"),
            (&["homes", "shop", "db"], b"a host", "is no host"),
            (&["homes", "shop", "db"], b"\xff", "is no host"),
            (&["future", "x"], b"", "under `future.x`"),
        ];
        for (names, value, expected) in cases {
            match decode(&key(names), value) {
                Said::Unknown(reason) => assert!(reason.contains(expected), "{reason}"),
                other => panic!("{names:?}: {other:?}"),
            }
        }
    }
}
