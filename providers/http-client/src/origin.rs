//! Origins of requests, and patterns of origins.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;

/// The longest name in DNS.
const NAME_LEN_MAX: usize = 253;

/// The origin of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: Scheme,
    host: Host,
    port: u16,
}

/// A pattern of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginPattern {
    scheme: Scheme,
    host: HostPattern,
    port: u16,
}

/// The reason why a pattern is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PatternProblem {
    problem: String,
    /// A similar valid pattern.
    suggestion: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    /// In lower case, without the dot at the end.
    Name(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    Exact(Host),
    /// All names with this suffix, which starts with a dot.
    Subdomains(String),
    AnyName,
}

// === impl Origin ===

impl Origin {
    /// Returns the origin of an absolute URI, or the reason why it is invalid.
    pub(crate) fn of(uri: &Uri) -> Result<Self, String> {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(format!("`{uri}` has no scheme or no host"));
        };
        let scheme =
            Scheme::parse(scheme).ok_or_else(|| format!("`{scheme}` is not `http` or `https`"))?;
        // Not printed: the authority may contain a password.
        if authority.as_str().contains('@') {
            return Err("the URI names a user; send the `authorization` header instead".to_owned());
        }
        let host = Host::parse(authority.host())
            .ok_or_else(|| format!("`{authority}` has no valid host"))?;
        let port = port_of(authority).map_err(|port| format!("`{port}` is not a port"))?;
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or(scheme.port()),
        })
    }

    /// Returns whether the host is the name of the local host.
    pub(crate) fn is_localhost(&self) -> bool {
        matches!(&self.host, Host::Name(name) if name == "localhost")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.name())?;
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
            Host::Name(name) => f.write_str(name),
        }?;
        if self.port == self.scheme.port() {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

// === impl OriginPattern ===

impl OriginPattern {
    pub(crate) fn matches(&self, origin: &Origin) -> bool {
        let host_matches = match (&self.host, &origin.host) {
            (HostPattern::Exact(host), other) => host == other,
            (HostPattern::Subdomains(end), Host::Name(name)) => {
                name.len() > end.len() && name.ends_with(end.as_str())
            }
            (HostPattern::AnyName, Host::Name(_)) => true,
            (HostPattern::Subdomains(_) | HostPattern::AnyName, Host::Address(_)) => false,
        };
        host_matches && self.scheme == origin.scheme && self.port == origin.port
    }

    /// Returns whether the pattern is a single origin, without `*`.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self.host, HostPattern::Exact(_))
    }
}

impl FromStr for OriginPattern {
    type Err = PatternProblem;

    fn from_str(text: &str) -> Result<Self, PatternProblem> {
        let problem = |problem: &str, suggestion: Option<String>| PatternProblem {
            problem: problem.to_owned(),
            suggestion: suggestion.filter(|suggestion| suggestion.parse::<Self>().is_ok()),
        };
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(problem(
                "the scheme is missing",
                Some(format!("https://{text}")),
            ));
        };
        let Some(scheme) = Scheme::parse(scheme) else {
            return Err(problem(
                "the scheme is not `http` or `https`",
                Some(format!("https://{rest}")),
            ));
        };
        if let Some(end) = rest.find(['/', '?', '#']) {
            let suggestion = format!("{}://{}", scheme.name(), &rest[..end]);
            return Err(problem("an origin has no path", Some(suggestion)));
        }
        if rest.contains('@') {
            return Err(problem("an origin has no user", None));
        }
        let authority: Authority = rest
            .parse()
            .map_err(|_| problem("the host is invalid", None))?;
        let port = port_of(&authority).map_err(|_| problem("the port is not 1 to 65535", None))?;
        let host = HostPattern::parse(authority.host())
            .ok_or_else(|| problem("the host is invalid", None))?;
        Ok(Self {
            scheme,
            host,
            port: port.unwrap_or(scheme.port()),
        })
    }
}

/// Returns the port, `None` without one, or the text of an invalid port.
fn port_of(authority: &Authority) -> Result<Option<u16>, &str> {
    let after_user = authority
        .as_str()
        .rsplit_once('@')
        .map_or(authority.as_str(), |(_, rest)| rest);
    let Some(port) = after_user
        .get(authority.host().len()..)
        .filter(|rest| !rest.is_empty())
    else {
        return Ok(None);
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    digits
        .parse()
        .ok()
        .filter(|port| *port != 0)
        .map(Some)
        .ok_or(digits)
}

// === impl PatternProblem ===

impl fmt::Display for PatternProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an origin such as `https://api.example.com`, `http://127.0.0.1:8080` or `https://*.example.org`; {}",
            self.problem,
        )?;
        self.suggestion
            .iter()
            .try_for_each(|suggestion| write!(f, ", try `{suggestion}`"))
    }
}

// === impl Scheme ===

impl Scheme {
    fn parse(name: &str) -> Option<Self> {
        [Self::Http, Self::Https]
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

// === impl Host ===

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(address) = text.strip_prefix('[') {
            let address: IpAddr = address.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.to_canonical()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_label = |label: &str| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        (name.len() <= NAME_LEN_MAX && name.split('.').all(is_label)).then_some(Self::Name(name))
    }
}

// === impl HostPattern ===

impl HostPattern {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::AnyName);
        }
        let Some(domain) = text.strip_prefix("*.") else {
            return Host::parse(text).map(Self::Exact);
        };
        match Host::parse(domain)? {
            Host::Name(name) => Some(Self::Subdomains(format!(".{name}"))),
            Host::Address(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, uri: &str, expect: bool) {
        let pattern_parsed: OriginPattern = pattern.parse().unwrap();
        let origin = Origin::of(&uri.parse().unwrap()).unwrap();
        assert_eq!(pattern_parsed.matches(&origin), expect, "{pattern} {uri}");
    }

    #[test]
    fn a_pattern_matches_scheme_host_and_port() {
        check(
            "https://api.example.com",
            "https://api.example.com/v1?q",
            true,
        );
        check(
            "https://api.example.com",
            "https://API.example.com.:443/",
            true,
        );
        check("https://api.example.com", "http://api.example.com/", false);
        check(
            "https://api.example.com",
            "https://api.example.com:8443/",
            false,
        );
        check(
            "https://api.example.com",
            "https://api.example.com.evil.org/",
            false,
        );
        check("http://localhost:8080", "http://localhost:8080/", true);
        check("http://localhost:8080", "http://localhost/", false);
    }

    #[test]
    fn a_star_stands_for_names_below() {
        check("https://*.example.org", "https://a.example.org/", true);
        check("https://*.example.org", "https://a.b.example.org/", true);
        check("https://*.example.org", "https://example.org/", false);
        check("https://*.example.org", "https://evilexample.org/", false);
        check("https://*", "https://example.org/", true);
        check("https://*", "https://127.0.0.1/", false);
        check("https://*", "https://[::1]/", false);
    }

    #[test]
    fn an_address_matches_however_it_is_written() {
        check("http://127.0.0.1:8080", "http://127.0.0.1:8080/", true);
        check("http://127.0.0.1", "http://[::ffff:127.0.0.1]/", true);
        check("http://[::1]:80", "http://[0:0::1]/", true);
        check("http://127.0.0.1", "http://127.0.0.2/", false);
        // libc reads this as 127.0.0.1, the allow list as a name.
        check("http://127.0.0.1", "http://2130706433/", false);
    }

    #[test]
    fn an_invalid_pattern_gets_a_suggestion() {
        for (pattern, problem, suggestion) in [
            (
                "api.example.com",
                "the scheme is missing",
                Some("https://api.example.com"),
            ),
            (
                "ftp://a.example",
                "the scheme is not `http` or `https`",
                Some("https://a.example"),
            ),
            (
                "https://a.example/v1",
                "an origin has no path",
                Some("https://a.example"),
            ),
            ("https://me@a.example", "an origin has no user", None),
            (
                "https://a.example:99999",
                "the port is not 1 to 65535",
                None,
            ),
            ("https://a.*.example", "the host is invalid", None),
            ("https://*.1.2.3.4", "the host is invalid", None),
            ("https://", "the host is invalid", None),
            ("", "the scheme is missing", None),
        ] {
            let found = pattern.parse::<OriginPattern>().unwrap_err();
            let expect = PatternProblem {
                problem: problem.to_owned(),
                suggestion: suggestion.map(str::to_owned),
            };
            assert_eq!(found, expect, "{pattern}");
        }
    }

    #[test]
    fn a_uri_that_cannot_be_sent_is_refused() {
        for uri in [
            "/path",
            "ftp://a.example/",
            "http://me:secret@a.example/",
            "http://a..b/",
            "http://a:0/",
        ] {
            let error = Origin::of(&uri.parse().unwrap()).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
