//! Maps identifiers to buckets, by one rule for all key-value backends.

use serde::Deserialize;

use super::KeyValueError;
use super::limits::BUCKET_NAME_LEN_MAX;
use crate::provider::LinkContext;
use crate::settings::{ConfigProblem, Settings, parse};

/// The bucket for an empty identifier.
pub const DEFAULT_BUCKET: &str = "default";

/// The identifiers that a link serves, with their buckets.
///
/// | link | serves | bucket |
/// | --- | --- | --- |
/// | without a name | every identifier | of the same name |
/// | `name: orders` | `orders` | `orders` |
/// | `name: orders`, `config.bucket: shared` | `orders` | `shared` |
/// | without a name, `config.bucket: shared` | `default` | `shared` |
///
/// An empty identifier means `default`. All other identifiers fail with
/// [`KeyValueError::NoSuchStore`].
///
/// # Examples
///
/// ```
/// use serde_json::json;
/// use weft_provider::LinkContext;
/// use weft_provider::keyvalue::{BucketNames, KeyValueError};
///
/// let link = LinkContext {
///     app: "shop",
///     component: "cart",
///     provider: "store",
///     interface: "wasi:keyvalue",
///     link: Some("orders"),
/// };
/// let settings = json!({ "bucket": "shared" }).as_object().cloned().unwrap_or_default();
/// let names = BucketNames::of_link(&link, &settings)?;
/// assert_eq!(names.resolve("orders"), Ok("shared"));
/// assert_eq!(names.resolve("default"), Err(KeyValueError::NoSuchStore));
/// # Ok::<(), weft_provider::ConfigProblem>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketNames {
    rule: Rule,
}

/// The configuration of a link to a key-value provider.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LinkConfig {
    /// The bucket in the provider, if its name differs from the guest's identifier.
    pub bucket: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Every,
    One { identifier: String, bucket: String },
}

// === impl BucketNames ===

impl BucketNames {
    /// Reads the rule from the configuration of a link, a [`LinkConfig`].
    ///
    /// # Errors
    ///
    /// If the configuration has other keys, or a `bucket` that is not a valid name.
    pub fn of_link(link: &LinkContext<'_>, settings: &Settings) -> Result<Self, ConfigProblem> {
        let LinkConfig { bucket } = parse(link, settings)?;
        if let Some(bucket) = bucket.as_deref().filter(|bucket| !is_bucket_name(bucket)) {
            let expected = format!("1 to {BUCKET_NAME_LEN_MAX} bytes without control characters");
            return Err(ConfigProblem::invalid(
                link,
                "bucket",
                &bucket.escape_debug(),
                &expected,
            ));
        }
        let rule = match (link.link, bucket) {
            (None, None) => Rule::Every,
            (name, bucket) => {
                let identifier = name.unwrap_or(DEFAULT_BUCKET).to_owned();
                let bucket = bucket.unwrap_or_else(|| identifier.clone());
                Rule::One { identifier, bucket }
            }
        };
        Ok(Self { rule })
    }

    /// Returns the bucket for `identifier`.
    ///
    /// # Errors
    ///
    /// [`KeyValueError::NoSuchStore`] if the link does not serve `identifier`.
    pub fn resolve<'a>(&'a self, identifier: &'a str) -> Result<&'a str, KeyValueError> {
        let identifier = if identifier.is_empty() {
            DEFAULT_BUCKET
        } else {
            identifier
        };
        match &self.rule {
            Rule::Every if is_bucket_name(identifier) => Ok(identifier),
            Rule::One {
                identifier: name,
                bucket,
            } if name == identifier => Ok(bucket),
            Rule::Every | Rule::One { .. } => Err(KeyValueError::NoSuchStore),
        }
    }
}

fn is_bucket_name(name: &str) -> bool {
    (1..=BUCKET_NAME_LEN_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(link: Option<&str>, bucket: Option<&str>) -> Result<BucketNames, ConfigProblem> {
        let link = LinkContext {
            app: "a",
            component: "c",
            provider: "p",
            interface: "wasi:keyvalue",
            link,
        };
        let settings = bucket.map(|bucket| ("bucket".to_owned(), json!(bucket)));
        BucketNames::of_link(&link, &settings.into_iter().collect())
    }

    fn check(link: Option<&str>, bucket: Option<&str>, identifier: &str, expect: Option<&str>) {
        let names = names(link, bucket).unwrap();
        assert_eq!(
            names.resolve(identifier).ok(),
            expect,
            "{link:?} {bucket:?} {identifier}"
        );
    }

    #[test]
    fn a_link_without_a_name_serves_every_identifier() {
        check(None, None, "orders", Some("orders"));
        check(None, None, "default", Some("default"));
        check(None, None, "", Some("default"));
        check(None, None, "a\nb", None);
        check(None, None, &"x".repeat(BUCKET_NAME_LEN_MAX + 1), None);
    }

    #[test]
    fn a_link_with_a_name_serves_that_identifier_only() {
        check(Some("orders"), None, "orders", Some("orders"));
        check(Some("orders"), None, "carts", None);
        check(Some("orders"), None, "", None);
        check(Some("orders"), Some("shared"), "orders", Some("shared"));
        check(Some("orders"), Some("shared"), "shared", None);
    }

    #[test]
    fn a_bucket_without_a_name_stands_behind_default() {
        check(None, Some("shared"), "default", Some("shared"));
        check(None, Some("shared"), "", Some("shared"));
        check(None, Some("shared"), "shared", None);
    }

    #[test]
    fn a_bucket_that_cannot_be_named_so_is_refused() {
        let problem = names(None, Some("")).unwrap_err();
        assert_eq!(problem.key(), Some("bucket"));
    }
}
