//! References to hosts in commands: a name, or the beginning of an id.

use std::fmt;
use std::str::FromStr;

use super::rows::HostRow;
use weft_membership::message::MAX_HOST_NAME_BYTES;

/// The most hosts that an error lists; for more there is `weft get hosts`.
const HOSTS_NAMED_MAX: usize = 10;

/// The length of an id in an error: enough to be distinct in any lattice.
const ID_CHARACTERS_SHOWN: usize = 9;

/// A host as a user writes it: its name, or the beginning of its id.
///
/// The text has the form of a host's name, so it stands in a path as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRef(String);

/// The text is not a valid name of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` cannot be the name of a host: expected 1 to {MAX_HOST_NAME_BYTES} characters of \
     `A-Za-z0-9-_.`, not `.` or `..`",
    .text.escape_debug()
)]
pub struct HostNameError {
    /// The text, truncated to the longest name.
    text: String,
}

/// A reference that matches no host, or several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindHostError {
    /// No host has that name or id.
    #[error("there is no host `{given}`")]
    Missing {
        /// The reference.
        given: String,
        /// The hosts of the lattice, for people.
        hosts: String,
    },
    /// Several hosts match.
    #[error("`{given}` matches more than one host")]
    Ambiguous {
        /// The reference.
        given: String,
        /// The matching hosts, for people.
        hosts: String,
    },
}

impl HostRef {
    /// The text of the reference.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Finds the host: among live hosts by name, then by the beginning of the id, then the same
    /// among hosts that are dead or have left.
    ///
    /// # Errors
    /// A [`FindHostError`] that lists the hosts.
    pub fn find<'a>(&self, hosts: &'a [HostRow]) -> Result<&'a HostRow, FindHostError> {
        let (alive, dead): (Vec<_>, Vec<_>) = hosts.iter().partition(|host| !host.is_gone());
        let is_named: fn(&HostRow, &str) -> bool = |host, text| host.host == text;
        let is_id: fn(&HostRow, &str) -> bool =
            |host, text| host.id.as_ref().is_some_and(|id| id.starts_with(text));
        for pool in [&alive, &dead] {
            for matches in [is_named, is_id] {
                let found = pool.iter().filter(|host| matches(host, &self.0));
                let found: Vec<_> = found.copied().collect();
                match &found[..] {
                    [] => {}
                    [host] => return Ok(host),
                    several => return Err(self.ambiguous(several)),
                }
            }
        }
        Err(FindHostError::Missing {
            given: self.0.clone(),
            hosts: list(&alive),
        })
    }

    fn ambiguous(&self, hosts: &[&HostRow]) -> FindHostError {
        FindHostError::Ambiguous {
            given: self.0.clone(),
            hosts: list(hosts),
        }
    }
}

impl FindHostError {
    /// The next step for the user.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Missing { hosts, .. } => {
                format!(
                    "give the name or the beginning of the id of a host; the lattice has {hosts}"
                )
            }
            Self::Ambiguous { hosts, .. } => {
                format!("give the beginning of an id; the candidates are {hosts}")
            }
        }
    }
}

/// Checks the name of a host.
///
/// # Errors
/// A [`HostNameError`] if the name is not valid.
pub fn check_host_name(text: &str) -> Result<(), HostNameError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let fits = (1..=MAX_HOST_NAME_BYTES).contains(&text.len());
    if fits && text.bytes().all(allowed) && text != "." && text != ".." {
        return Ok(());
    }
    Err(HostNameError {
        text: text.chars().take(MAX_HOST_NAME_BYTES).collect(),
    })
}

fn list(hosts: &[&HostRow]) -> String {
    let named = hosts.iter().take(HOSTS_NAMED_MAX).map(|host| {
        let id = host.id.as_deref().unwrap_or_default();
        match id.get(..ID_CHARACTERS_SHOWN) {
            Some(id) => format!("`{}` ({id})", host.host),
            None => format!("`{}`", host.host),
        }
    });
    let mut text = named.collect::<Vec<_>>().join(", ");
    if hosts.len() > HOSTS_NAMED_MAX {
        text += &format!(" and {} more", hosts.len() - HOSTS_NAMED_MAX);
    }
    text
}

impl FromStr for HostRef {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        check_host_name(text).map(|()| Self(text.to_owned()))
    }
}

impl fmt::Display for HostRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn host(name: &str, id: &str, status: &str) -> HostRow {
        HostRow {
            host: name.to_owned(),
            lattice: None,
            id: Some(id.to_owned()),
            status: status.to_owned(),
            version: String::new(),
            labels: std::collections::BTreeMap::new(),
            http: None,
            admin: None,
            uptime_s: None,
            apps: 0,
            components: 0,
            pool_instances_max: None,
            compilations: None,
            artifacts_bytes: None,
            code_bytes: None,
            running: 0,
            notes: Vec::new(),
        }
    }

    fn hosts() -> Vec<HostRow> {
        vec![
            host("north", "haaaaaaaaaa1", "ready"),
            host("south", "haabbbbbbbb2", "suspected"),
            host("south", "hccccccccccc3", "dead"),
            host("twin", "hdddddddddd4", "ready"),
            host("twin", "heeeeeeeeee5", "draining"),
            host("old", "hffffffffff6", "left"),
        ]
    }

    #[test]
    fn a_host_is_found_by_its_name_or_the_beginning_of_its_id() {
        let hosts = hosts();
        let cases = [
            ("north", "haaaaaaaaaa1"),
            ("haaa", "haaaaaaaaaa1"),
            ("haab", "haabbbbbbbb2"),
            // A live host takes precedence over a dead one.
            ("south", "haabbbbbbbb2"),
            ("hcc", "hccccccccccc3"),
            ("old", "hffffffffff6"),
        ];
        for (text, expected) in cases {
            let given: HostRef = text.parse().unwrap();
            let found = given.find(&hosts).map(|host| host.id.clone());
            assert_eq!(found, Ok(Some(expected.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_reference_to_no_host_or_several_lists_the_candidates() {
        let hosts = hosts();
        let find = |text: &str| {
            let given: HostRef = text.parse().unwrap();
            given.find(&hosts).unwrap_err()
        };
        let missing = find("west");
        assert_eq!(missing.to_string(), "there is no host `west`");
        assert!(
            missing.help().contains("`north` (haaaaaaaa)"),
            "{missing:?}"
        );
        assert!(!missing.help().contains("`old`"), "{missing:?}");
        for text in ["twin", "haa"] {
            let several = find(text);
            assert_eq!(
                several.to_string(),
                format!("`{text}` matches more than one host")
            );
            assert!(several.help().contains("beginning of an id"), "{several:?}");
        }
    }

    #[test]
    fn an_invalid_name_is_rejected_and_quoted_within_bounds() {
        let long = "x".repeat(300);
        for text in ["", "a/b", "..", "a b", "*", ">", "näme", "a\n", &long] {
            let error = text.parse::<HostRef>().unwrap_err().to_string();
            assert!(error.len() < 250 && !error.contains('\n'), "{error}");
        }
        for text in ["a", "north-1.cloud_b", &long[..64]] {
            assert!(text.parse::<HostRef>().is_ok(), "{text}");
        }
    }
}
