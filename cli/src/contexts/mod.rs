//! Contexts: names for the settings that select a host or a lattice, so that each command need not
//! repeat them. They are stored in a file of the user, without secrets.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use weft_bus::Scope;

use crate::contexts::file::ContextFile;
use crate::did_you_mean::suggest;
use crate::environment::precedence::NamedContext;
use crate::environment::settings::Settings;
use crate::failure::{Failure, Kind};

/// The maximum number of contexts: a user has some lattices, and each name is in messages.
const CONTEXTS_MAX: usize = 256;

/// The maximum length of a name.
const NAME_BYTES_MAX: usize = 64;

/// The contexts of a user, and the one in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contexts {
    /// The name of the context in use.
    in_use: Option<String>,
    contexts: BTreeMap<String, Settings>,
}

/// The treatment of a context of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    Keep,
    Replace,
}

impl Contexts {
    /// Reads the contexts of the user; none if the file is missing.
    ///
    /// # Errors
    /// The file cannot be read, or is invalid.
    pub(crate) fn load() -> Result<Self, Failure> {
        match ContextFile::of_user() {
            Some(file) => file.read(),
            None => Ok(Self::default()),
        }
    }

    /// Changes the contexts of the user, and stores them.
    ///
    /// # Errors
    /// The file is invalid, cannot be written or is being changed by another process, or `change`
    /// fails.
    pub(crate) fn change<T>(
        change: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let file = ContextFile::of_user().ok_or_else(|| {
            Failure::new(Kind::Input, "no directory for contexts: `HOME` is not set")
                .or_help("set `HOME` or `XDG_CONFIG_HOME`")
        })?;
        file.change(change)
    }

    /// The context of this name, or the one in use; `None` if no context is in use.
    ///
    /// # Errors
    /// The context is missing or invalid.
    pub(crate) fn into_selected(self, name: Option<&str>) -> Result<Option<NamedContext>, Failure> {
        let Some(name) = name.or(self.in_use.as_deref()) else {
            return Ok(None);
        };
        let (name, settings) = self.get(name)?;
        check(name, settings)?;
        Ok(Some((name.to_owned(), settings.clone())))
    }

    /// The context of this name.
    ///
    /// # Errors
    /// The context is missing.
    pub(crate) fn get(&self, name: &str) -> Result<(&str, &Settings), Failure> {
        let (name, settings) = self
            .contexts
            .get_key_value(name)
            .ok_or_else(|| self.missing(name))?;
        Ok((name, settings))
    }

    /// The name of the context in use.
    pub(crate) fn in_use(&self) -> Option<&str> {
        self.in_use.as_deref()
    }

    /// The contexts, ordered by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Settings)> {
        self.contexts
            .iter()
            .map(|(name, settings)| (name.as_str(), settings))
    }

    /// Adds a context. Relative paths become absolute, because commands run in any directory.
    ///
    /// # Errors
    /// The context exists, there are too many, or the settings are no context.
    pub(crate) fn add(
        &mut self,
        name: &str,
        settings: Settings,
        existing: Existing,
    ) -> Result<(), Failure> {
        check(name, &settings)?;
        let exists = self.contexts.contains_key(name);
        if exists && existing == Existing::Keep {
            let message = format!("context `{name}` exists");
            return Err(Failure::new(Kind::Input, message)
                .or_help("give another name, or replace it with `--replace`"));
        }
        if !exists && self.contexts.len() >= CONTEXTS_MAX {
            let message = format!("too many contexts: expected at most {CONTEXTS_MAX}");
            return Err(Failure::new(Kind::Input, message)
                .or_help("remove some with `weft context remove NAME`"));
        }
        let settings = with_absolute_paths(settings)?;
        self.contexts.insert(name.to_owned(), settings);
        Ok(())
    }

    /// Selects the context of all commands; `None` for the host of the data directory.
    ///
    /// # Errors
    /// The context is missing.
    pub(crate) fn select(&mut self, name: Option<&str>) -> Result<(), Failure> {
        match name {
            Some(name) if !self.contexts.contains_key(name) => Err(self.missing(name)),
            name => {
                self.in_use = name.map(str::to_owned);
                Ok(())
            }
        }
    }

    /// Removes a context.
    ///
    /// # Errors
    /// The context is missing.
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), Failure> {
        if self.contexts.remove(name).is_none() {
            return Err(self.missing(name));
        }
        self.in_use.take_if(|in_use| in_use == name);
        Ok(())
    }

    fn missing(&self, name: &str) -> Failure {
        let names = || self.contexts.keys().map(String::as_str);
        let help = match suggest(name, names()) {
            Some(similar) => {
                format!("did you mean `{similar}`? `weft context list` lists all contexts")
            }
            None if self.contexts.is_empty() => {
                "no context exists; add one with `weft context add NAME --nats URL`".to_owned()
            }
            None => "`weft context list` lists all contexts; `weft context use NAME` selects one"
                .to_owned(),
        };
        Failure::new(Kind::Input, format!("there is no context `{name}`")).or_help(help)
    }
}

/// Checks the name of a context.
///
/// # Errors
/// The name is empty, too long, or has other characters than those of host names.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && name.len() <= NAME_BYTES_MAX && name.chars().all(is_allowed) {
        return Ok(());
    }
    Err(format!(
        "expected a letter or digit, and then letters, digits, `-`, `_` and `.`, {NAME_BYTES_MAX} \
         characters at most"
    ))
}

/// Checks the settings of a context, whether they are new or from a file.
fn check(name: &str, settings: &Settings) -> Result<(), Failure> {
    let mistake = |message: String, help: &str| {
        let failure = Failure::new(Kind::Input, format!("context `{name}` {message}"));
        Err(failure.or_help(help))
    };
    if settings.nats_password.is_some() || settings.nats_token.is_some() {
        return mistake("cannot store a password or token".to_owned(), SECRETS_HELP);
    }
    if settings.has_login_in_address() {
        return mistake(
            "cannot store a login that is part of an address".to_owned(),
            SECRETS_HELP,
        );
    }
    if settings.target_name().is_none() {
        return mistake(
            "selects no host and no lattice".to_owned(),
            "give `--nats URL` for a lattice, or `--admin HOST:PORT` or `--data-dir DIR` for a host",
        );
    }
    let is_host = settings.admin.is_some() || settings.data_dir.is_some();
    let of_lattice = settings.lattice_names().next();
    if let Some(found) = of_lattice.filter(|_| is_host) {
        return mistake(
            format!("selects one host, and has `{}`", found.option),
            "a context is for one host (`--admin`, `--data-dir`), or for a lattice (`--nats`)",
        );
    }
    if let Some(Err(error)) = settings.lattice.as_deref().map(Scope::new) {
        let failure = Failure::new(
            Kind::Input,
            format!("context `{name}` has an invalid lattice"),
        );
        return Err(failure.caused_by(&error));
    }
    settings.login().map(drop)
}

const SECRETS_HELP: &str = "log in with a file (`--nats-creds`, `--nats-nkey`, `--nats-cert` and \
                            `--nats-key`), or with `--nats-user` and the variable \
                            `WEFT_NATS_PASSWORD`; a token is in `WEFT_NATS_TOKEN`";

fn with_absolute_paths(settings: Settings) -> Result<Settings, Failure> {
    let absolute = |path: Option<PathBuf>| path.as_deref().map(absolute).transpose();
    Ok(Settings {
        data_dir: absolute(settings.data_dir)?,
        nats_nkey: absolute(settings.nats_nkey)?,
        nats_creds: absolute(settings.nats_creds)?,
        nats_ca: absolute(settings.nats_ca)?,
        nats_cert: absolute(settings.nats_cert)?,
        nats_key: absolute(settings.nats_key)?,
        ..settings
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(path).map_err(|error| {
        let message = format!("cannot make `{}` an absolute path", path.display());
        Failure::new(Kind::Input, message).caused_by(&error)
    })?;
    // JSON has no other paths.
    match absolute.to_str() {
        Some(_) => Ok(absolute),
        None => {
            let message = format!("the path `{}` is not UTF-8", absolute.display());
            Err(Failure::new(Kind::Input, message).or_help("rename the file or its directory"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattice(name: &str) -> Settings {
        Settings {
            nats: vec!["nats://10.0.0.1:4222".to_owned()],
            lattice: Some(name.to_owned()),
            ..Settings::default()
        }
    }

    fn contexts(names: &[&str]) -> Contexts {
        let mut contexts = Contexts::default();
        for name in names {
            let added = contexts.add(name, lattice(name), Existing::Keep);
            added.unwrap();
        }
        contexts
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(outcome: Result<T, Failure>, part: &str) {
        let text = format!("{:?}", outcome.unwrap_err());
        assert!(text.contains(part), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn the_context_in_use_is_selected_until_it_is_removed() {
        let mut contexts = contexts(&["prod", "staging"]);
        assert_eq!(contexts.clone().into_selected(None).unwrap(), None);
        contexts.select(Some("prod")).unwrap();
        let (name, settings) = contexts.clone().into_selected(None).unwrap().unwrap();
        assert_eq!((name.as_str(), settings), ("prod", lattice("prod")));
        let (name, _) = contexts
            .clone()
            .into_selected(Some("staging"))
            .unwrap()
            .unwrap();
        assert_eq!(name, "staging");
        contexts.remove("prod").unwrap();
        assert_eq!(contexts.in_use(), None);
        contexts.select(Some("staging")).unwrap();
        contexts.select(None).unwrap();
        assert_eq!(contexts.in_use(), None);
    }

    #[test]
    fn a_missing_context_suggests_the_existing_ones() {
        let mut contexts = contexts(&["prod", "staging"]);
        refused(contexts.select(Some("prd")), "did you mean `prod`?");
        refused(contexts.remove("other"), "weft context list");
        refused(contexts.into_selected(Some("prod2")), "`prod`");
        refused(Contexts::default().remove("prod"), "weft context add");
    }

    #[test]
    fn a_context_is_replaced_only_on_request() {
        let mut contexts = contexts(&["prod"]);
        let again = contexts.add("prod", lattice("other"), Existing::Keep);
        refused(again, "--replace");
        let replaced = contexts.add("prod", lattice("other"), Existing::Replace);
        replaced.unwrap();
        let found = contexts.into_selected(Some("prod")).unwrap().unwrap();
        assert_eq!(found.1, lattice("other"));
    }

    #[test]
    fn contexts_have_a_bound() {
        let names: Vec<_> = (0..CONTEXTS_MAX).map(|at| format!("c{at}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut contexts = contexts(&names);
        let added = contexts.add("more", lattice("more"), Existing::Keep);
        refused(added, "256");
        let replaced = contexts.add("c1", lattice("more"), Existing::Replace);
        replaced.unwrap();
    }

    #[test]
    fn a_context_is_one_host_or_one_lattice_without_secrets() {
        let text = |text: &str| Some(text.to_owned());
        let cases = [
            (Settings::default(), "selects no host and no lattice"),
            (
                Settings {
                    nats_password: text("secret"),
                    ..lattice("prod")
                },
                "WEFT_NATS_PASSWORD",
            ),
            (
                Settings {
                    nats_token: text("secret"),
                    ..lattice("prod")
                },
                "WEFT_NATS_TOKEN",
            ),
            (
                Settings {
                    nats: vec!["nats://user:secret@a".to_owned()],
                    ..Settings::default()
                },
                "a login that is part of an address",
            ),
            (
                Settings {
                    admin: text("10.0.0.1:7411"),
                    ..lattice("prod")
                },
                "selects one host, and has `--nats`",
            ),
            (lattice(&"n".repeat(64)), "invalid lattice"),
            (
                Settings {
                    nats_user: text("north"),
                    nats_creds: Some("a.creds".into()),
                    ..lattice("prod")
                },
                "two logins",
            ),
        ];
        for (settings, part) in cases {
            let added = Contexts::default().add("prod", settings, Existing::Keep);
            refused(added, part);
        }
    }

    #[test]
    fn paths_are_stored_absolute() {
        let mut contexts = Contexts::default();
        let settings = Settings {
            nats_creds: Some("prod.creds".into()),
            ..lattice("prod")
        };
        contexts.add("prod", settings, Existing::Keep).unwrap();
        let (_, settings) = contexts.into_selected(Some("prod")).unwrap().unwrap();
        assert!(settings.nats_creds.unwrap().is_absolute());
    }

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["prod", "eu-1.prod_a", "7"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "-", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
