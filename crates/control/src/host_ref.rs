//! How commands name a host: by its name, or by the beginning of its id.

use std::fmt;
use std::str::FromStr;

use super::rows::HostRow;
use weft_membership::message::MAX_HOST_NAME_BYTES;

/// How many hosts an error names: more are a table's job.
const HOSTS_NAMED_MAX: usize = 10;

/// How much of an id an error shows: told apart in any lattice.
const ID_CHARACTERS_SHOWN: usize = 9;

/// A host, as somebody writes it: its name, or the beginning of its id.
///
/// The text has the form of a host's name, so it stands in a path as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRef(String);

/// The text is no name of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` cannot be the name of a host: expected 1 to {MAX_HOST_NAME_BYTES} characters of \
     `A-Za-z0-9-_.`, not `.` or `..`",
    .text.escape_debug()
)]
pub struct HostNameError {
    /// The text, cut if it is long.
    text: String,
}

/// No host, or more than one, is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindHostError {
    /// There is none of that name or id.
    #[error("there is no host `{given}`")]
    Missing {
        /// What was asked for.
        given: String,
        /// Those that there are, for people.
        hosts: String,
    },
    /// There are several.
    #[error("`{given}` means more than one host")]
    Ambiguous {
        /// What was asked for.
        given: String,
        /// Those that it may mean, for people.
        hosts: String,
    },
}

impl HostRef {
    /// What was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host that is meant: of those that live, the one of that name, else the one whose id begins so;
    /// if none of them is, one that is gone.
    ///
    /// # Errors
    /// A [`FindHostError`], which names the hosts that there are.
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
    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Missing { hosts, .. } => {
                format!("give a name or the beginning of an id; there is {hosts}")
            }
            Self::Ambiguous { hosts, .. } => {
                format!("give the beginning of an id: there is {hosts}")
            }
        }
    }
}

/// Checks what a host is to be called.
///
/// # Errors
/// If it cannot be a name.
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
mod tests {
    use super::*;

    fn host(name: &str, id: &str, status: &str) -> HostRow {
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
            // A host that lives goes before one that is gone.
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
    fn what_means_no_host_or_several_says_which_there_are() {
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
                format!("`{text}` means more than one host")
            );
            assert!(several.help().contains("beginning of an id"), "{several:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_name_is_refused_and_repeated_within_bounds() {
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
