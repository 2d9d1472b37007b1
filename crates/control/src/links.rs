//! The query of `GET /v1/links/why`.

use std::fmt;
use std::str::FromStr;

use weft_lattice_config::{
    AppName, ComponentName, InterfaceError, InterfaceName, InterfaceRef, LinkName, NameError,
};

/// The link to explain.
///
/// Written as a query: `app=shop&from=storefront&interface=shop:catalog/pricing`, and `&name=…` if
/// the link has a name. No value needs escapes in a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkQuery {
    /// The app.
    pub app: AppName,
    /// The importing component.
    pub from: ComponentName,
    /// The import.
    pub import: ImportQuery,
    /// The name of the link, if several links are for one interface.
    pub name: Option<LinkName>,
}

/// A reference to an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportQuery {
    /// An interface, with or without a version, or the package that the link is for.
    Interface(InterfaceRef),
    /// A plain name, from WIT's `import left: …`.
    Plain(String),
}

/// The reasons why a query or the name of an import is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkQueryError {
    /// The key is unknown.
    #[error("unknown query key: expected `app`, `from`, `interface` or `name`, found `{0}`")]
    UnknownKey(String),
    /// A key is missing.
    #[error("query key `{0}` is missing")]
    Missing(&'static str),
    /// A value is not a valid name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A value is not a valid interface.
    #[error(transparent)]
    Interface(#[from] InterfaceError),
    /// The text is neither an interface nor a plain name.
    #[error(
        "`{0}` is not an import: expected an interface (`shop:catalog/pricing`, with or without \
         `@0.1.0`), or a plain name of letters, digits and `-`"
    )]
    Import(String),
}

impl ImportQuery {
    /// Returns whether this refers to the import of that name, over the link for `interface`.
    #[must_use]
    pub fn matches(&self, import: &str, interface: &InterfaceRef) -> bool {
        match self {
            ImportQuery::Plain(requested) => requested == import,
            ImportQuery::Interface(requested) => {
                requested == interface
                    || match import.parse::<InterfaceName>() {
                        Ok(name) => requested.matches(&name),
                        // The import has a plain name, or is a whole package.
                        Err(_) => overlap(requested, interface),
                    }
            }
        }
    }
}

/// Returns whether some interface matches both.
fn overlap(one: &InterfaceRef, other: &InterfaceRef) -> bool {
    let of_interface = match (&one.interface, &other.interface) {
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => true,
    };
    of_interface && one.namespace == other.namespace && one.package == other.package
}

// === text ===

impl FromStr for LinkQuery {
    type Err = LinkQueryError;

    fn from_str(query: &str) -> Result<Self, LinkQueryError> {
        let (mut app, mut from, mut import, mut name) = (None, None, None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match key {
                "app" => app = Some(value.parse()?),
                "from" => from = Some(value.parse()?),
                "interface" => import = Some(value.parse()?),
                "name" => name = Some(value.parse()?),
                _ => return Err(LinkQueryError::UnknownKey(key.to_owned())),
            }
        }
        Ok(Self {
            app: app.ok_or(LinkQueryError::Missing("app"))?,
            from: from.ok_or(LinkQueryError::Missing("from"))?,
            import: import.ok_or(LinkQueryError::Missing("interface"))?,
            name,
        })
    }
}

impl fmt::Display for LinkQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            app,
            from,
            import,
            name,
        } = self;
        write!(formatter, "app={app}&from={from}&interface={import}")?;
        name.as_ref()
            .map_or(Ok(()), |name| write!(formatter, "&name={name}"))
    }
}

impl FromStr for ImportQuery {
    type Err = LinkQueryError;

    fn from_str(text: &str) -> Result<Self, LinkQueryError> {
        if text.contains(':') {
            return Ok(ImportQuery::Interface(text.parse()?));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if text.is_empty() || !text.chars().all(is_plain) {
            return Err(LinkQueryError::Import(text.to_owned()));
        }
        Ok(ImportQuery::Plain(text.to_owned()))
    }
}

impl fmt::Display for ImportQuery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportQuery::Interface(interface) => interface.fmt(formatter),
            ImportQuery::Plain(name) => formatter.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_comes_back_from_its_text() {
        for text in [
            "app=shop&from=storefront&interface=shop:catalog/pricing",
            "app=shop&from=storefront&interface=shop:catalog/pricing@0.1.0-rc.1+b",
            "app=shop&from=orders&interface=wasi:keyvalue&name=stock",
            "app=shop&from=orders&interface=left",
        ] {
            let query: LinkQuery = text.parse().unwrap();
            assert_eq!(query.to_string(), text);
            // The text needs no escapes as the query of a URI.
            let uri: http::Uri = format!("/v1/links/why?{text}").parse().unwrap();
            assert_eq!(uri.query(), Some(text));
        }
    }

    #[test]
    fn an_invalid_query_reports_the_expected_form() {
        for (text, expected) in [
            ("", "`app` is missing"),
            ("app=shop&interface=a:b/c", "`from` is missing"),
            ("app=shop&from=orders", "`interface` is missing"),
            ("app=shop&to=x", "found `to`"),
            ("app=Shop", "`Shop` is not an app name"),
            ("app=shop&from=orders&interface=a:b/", "`a:b/`"),
            ("app=shop&from=orders&interface=a/b", "plain name"),
            ("app=shop&from=orders&interface=a%3Ab", "plain name"),
        ] {
            let error = text.parse::<LinkQuery>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_import_is_found_by_each_way_to_name_it() {
        let cases = [
            // requested, the import, the link's interface
            ("a:b/c", "a:b/c@0.1.3", "a:b/c", true),
            ("a:b/c@0.1.0", "a:b/c@0.1.3", "a:b/c", true),
            ("a:b/c@0.1.3", "a:b/c@0.1.0", "a:b/c", false),
            ("a:b/d", "a:b/c@0.1.0", "a:b", false),
            ("a:b", "a:b/c@0.1.0", "a:b/c", true),
            // The version is matched as the manifest has it, not as the import has it.
            ("a:b@0.1.3", "a:b/c@0.1.0", "a:b@0.1.3", true),
            ("left", "left", "a:b/c", true),
            ("right", "left", "a:b/c", false),
            ("a:b/c", "left", "a:b/c@0.1.0", true),
            ("a:b/d", "left", "a:b/c", false),
            (
                "wasi:keyvalue/store",
                "wasi:keyvalue",
                "wasi:keyvalue",
                true,
            ),
            ("wasi:logging", "wasi:keyvalue", "wasi:keyvalue", false),
        ];
        for (requested, import, interface, expected) in cases {
            let query: ImportQuery = requested.parse().unwrap();
            let found = query.matches(import, &interface.parse().unwrap());
            assert_eq!(found, expected, "{requested} for {import} over {interface}");
        }
    }
}
