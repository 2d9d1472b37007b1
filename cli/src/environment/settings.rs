//! The settings that select a host or a lattice, as one source gives them: the command line, the
//! environment or a context.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use weft_bus::nats::{Login, NatsOptions};

use crate::failure::{Failure, Kind};

/// The settings of one source. Contexts store them without secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The NATS servers of the lattice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nats: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lattice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nats_user: Option<String>,
    #[serde(skip)]
    pub(crate) nats_password: Option<String>,
    #[serde(skip)]
    pub(crate) nats_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nats_nkey: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nats_creds: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nats_ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nats_cert: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nats_key: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nats_domain: Option<String>,
}

/// The names of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    /// The option on the command line.
    pub(crate) option: &'static str,
    /// The variable in the environment.
    pub(crate) variable: &'static str,
}

const fn name(option: &'static str, variable: &'static str) -> Name {
    Name { option, variable }
}

/// The settings, in the order of the fields.
pub(crate) const NAMES: [Name; 13] = [
    name("--admin", "WEFT_ADMIN"),
    name("--data-dir", "WEFT_DATA_DIR"),
    name("--nats", "WEFT_NATS"),
    name("--lattice", "WEFT_LATTICE"),
    name("--nats-user", "WEFT_NATS_USER"),
    name("--nats-password", "WEFT_NATS_PASSWORD"),
    name("--nats-token", "WEFT_NATS_TOKEN"),
    name("--nats-nkey", "WEFT_NATS_NKEY"),
    name("--nats-creds", "WEFT_NATS_CREDS"),
    name("--nats-ca", "WEFT_NATS_CA"),
    name("--nats-cert", "WEFT_NATS_CERT"),
    name("--nats-key", "WEFT_NATS_KEY"),
    name("--nats-domain", "WEFT_NATS_DOMAIN"),
];

/// The number of settings in [`NAMES`] that select a host; the others are about NATS servers.
const HOST_SETTINGS: usize = 2;

impl Settings {
    /// Reads the settings from variables. An empty variable counts as not set.
    pub(crate) fn of_variables(read: impl Fn(&str) -> Option<OsString>) -> Self {
        let value = |variable| read(variable).filter(|value| !value.is_empty());
        let text = |variable| Some(value(variable)?.to_string_lossy().into_owned());
        let path = |variable| value(variable).map(PathBuf::from);
        let servers = text("WEFT_NATS").unwrap_or_default();
        let servers = servers.split(',').filter(|server| !server.is_empty());
        Self {
            admin: text("WEFT_ADMIN"),
            data_dir: path("WEFT_DATA_DIR"),
            nats: servers.map(str::to_owned).collect(),
            lattice: text("WEFT_LATTICE"),
            nats_user: text("WEFT_NATS_USER"),
            nats_password: text("WEFT_NATS_PASSWORD"),
            nats_token: text("WEFT_NATS_TOKEN"),
            nats_nkey: path("WEFT_NATS_NKEY"),
            nats_creds: path("WEFT_NATS_CREDS"),
            nats_ca: path("WEFT_NATS_CA"),
            nats_cert: path("WEFT_NATS_CERT"),
            nats_key: path("WEFT_NATS_KEY"),
            nats_domain: text("WEFT_NATS_DOMAIN"),
        }
    }

    /// The names of the present settings, in the order of [`NAMES`].
    pub(crate) fn names(&self) -> impl Iterator<Item = Name> + use<> {
        let are_present = [
            self.admin.is_some(),
            self.data_dir.is_some(),
            !self.nats.is_empty(),
            self.lattice.is_some(),
            self.nats_user.is_some(),
            self.nats_password.is_some(),
            self.nats_token.is_some(),
            self.nats_nkey.is_some(),
            self.nats_creds.is_some(),
            self.nats_ca.is_some(),
            self.nats_cert.is_some(),
            self.nats_key.is_some(),
            self.nats_domain.is_some(),
        ];
        let names = NAMES.into_iter().zip(are_present);
        names.filter_map(|(name, is_present)| is_present.then_some(name))
    }

    /// The names of the present settings about NATS servers.
    pub(crate) fn lattice_names(&self) -> impl Iterator<Item = Name> + use<> {
        self.names()
            .filter(|name| !NAMES[..HOST_SETTINGS].contains(name))
    }

    /// The name of the setting that selects a host or a lattice; `None` if there are only details.
    /// Servers go before a host.
    pub(crate) fn target_name(&self) -> Option<Name> {
        let [admin, data_dir, nats, ..] = NAMES;
        if !self.nats.is_empty() {
            return Some(nats);
        }
        let admin = self.admin.as_ref().map(|_| admin);
        admin.or_else(|| self.data_dir.as_ref().map(|_| data_dir))
    }

    /// The settings without those that select a host.
    pub(crate) fn without_host(self) -> Self {
        Self {
            admin: None,
            data_dir: None,
            ..self
        }
    }

    /// The settings without those that select a host or a lattice.
    pub(crate) fn without_target(self) -> Self {
        Self {
            nats: Vec::new(),
            ..self.without_host()
        }
    }

    /// The login of these settings alone, without the password of a user.
    ///
    /// # Errors
    /// The settings have two logins.
    pub(crate) fn login(&self) -> Result<Option<Login>, Failure> {
        let user = self.nats_user.clone().map(|user| Login::Password {
            user,
            password: String::new(),
        });
        let token = self.nats_token.clone().map(Login::Token);
        let nkey = self.nats_nkey.clone().map(Login::NkeyFile);
        let creds = self.nats_creds.clone().map(Login::Credentials);
        let mut logins = [user, token, nkey, creds].into_iter().flatten();
        match (logins.next(), logins.next()) {
            (Some(one), Some(other)) => {
                let (one, other) = (one.form(), other.form());
                let message = format!("two logins to NATS are given: {one} and {other}");
                Err(Failure::new(Kind::Input, message).or_help(
                    "keep one of the user, the token, the nkey and the credentials file, in the \
                     environment (`WEFT_NATS_…`) or in the context",
                ))
            }
            (login, _) => Ok(login),
        }
    }

    /// True if the address of a server contains a login.
    pub(crate) fn has_login_in_address(&self) -> bool {
        let options = NatsOptions {
            servers: self.nats.clone(),
            ..NatsOptions::default()
        };
        options.has_login_in_address()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_variable_and_an_empty_variable_is_not_set() {
        for Name { variable, .. } in NAMES {
            let only = |name: &str| (name == variable).then(|| OsString::from("a"));
            let names: Vec<_> = Settings::of_variables(only).names().collect();
            assert_eq!(names.len(), 1, "{variable}");
            assert_eq!(names[0].variable, variable);
            let empty = |name: &str| (name == variable).then(OsString::new);
            assert_eq!(Settings::of_variables(empty), Settings::default());
        }
        let servers = Settings::of_variables(|name| (name == "WEFT_NATS").then(|| ",a,,b".into()));
        assert_eq!(servers.nats, ["a", "b"]);
    }

    #[test]
    fn the_variables_are_those_that_tests_remove_from_their_environment() {
        for Name { variable, .. } in NAMES {
            assert!(
                weft_harness::weft::SETTINGS.contains(&variable),
                "{variable}"
            );
        }
    }

    #[test]
    fn only_one_login_is_valid() {
        let user = Settings {
            nats_user: Some("north".to_owned()),
            nats_password: Some("secret".to_owned()),
            ..Settings::default()
        };
        assert!(matches!(user.login(), Ok(Some(Login::Password { .. }))));
        let two = Settings {
            nats_creds: Some("north.creds".into()),
            ..user
        };
        let failure = two.login().unwrap_err();
        let text = format!("{failure:?}");
        assert!(text.contains("a user and a credentials file"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn secrets_are_not_stored() {
        let settings = Settings {
            nats_user: Some("north".to_owned()),
            nats_password: Some("secret".to_owned()),
            nats_token: Some("secret".to_owned()),
            ..Settings::default()
        };
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(text, r#"{"nats_user":"north"}"#);
        let parsed = serde_json::from_str::<Settings>(r#"{"nats_password":"secret"}"#);
        assert!(parsed.is_err());
    }
}
