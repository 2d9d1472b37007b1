//! The allow list of a link.

use weft_provider::http::HttpClientError;
use weft_provider::{ConfigProblem, LinkContext};

use crate::address::AddressScope;
use crate::origin::{Origin, OriginPattern};

/// The allowed origins of a link, with the addresses that each may resolve to.
#[derive(Clone, Debug)]
pub(crate) struct AllowList {
    public: Vec<OriginPattern>,
    private: Vec<OriginPattern>,
    /// The link, for error messages.
    link: String,
}

// === impl AllowList ===

impl AllowList {
    pub(crate) fn parse(
        link: &LinkContext<'_>,
        allow: &[String],
        allow_private: &[String],
    ) -> Result<Self, ConfigProblem> {
        let parse = |key: &str, patterns: &[String]| -> Result<Vec<OriginPattern>, ConfigProblem> {
            let parse_one = |pattern: &String| {
                pattern
                    .parse()
                    .map_err(|problem| ConfigProblem::invalid(link, key, pattern, &problem))
            };
            patterns.iter().map(parse_one).collect()
        };
        Ok(Self {
            public: parse("allow", allow)?,
            private: parse("allow-private", allow_private)?,
            link: link.to_string(),
        })
    }

    /// Returns the addresses that a request to `origin` may use, or an error if `origin` is not
    /// allowed.
    pub(crate) fn scope(&self, origin: &Origin) -> Result<AddressScope, HttpClientError> {
        if self.private.iter().any(|pattern| pattern.matches(origin)) {
            return Ok(AddressScope::Private);
        }
        let matching: Vec<_> = self
            .public
            .iter()
            .filter(|pattern| pattern.matches(origin))
            .collect();
        // An entry with the name `localhost` means this host; `*` does not.
        if origin.is_localhost() && matching.iter().any(|pattern| pattern.is_exact()) {
            return Ok(AddressScope::Private);
        }
        if !matching.is_empty() {
            return Ok(AddressScope::Public);
        }
        Err(HttpClientError::Denied(format!(
            "`{origin}` is not allowed; add it to `allow` in the config of {}",
            self.link,
        )))
    }
}
