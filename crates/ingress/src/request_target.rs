//! The target of a request in one form, for components of this host and of others: an absolute URI
//! with the authority that the client named, and the same authority as its only `Host`.
//!
//! The authority of the target goes before `Host` (RFC 9112, section 3.2.2; RFC 9113, section
//! 8.3.1), so that no component decides by a name that the routes did not see.

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri, Version, header};

/// The reason for a rejected target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("missing host: expected one `Host` header with a host name or address")]
    HostMissing,
    #[error("repeated host: expected one `Host` header")]
    HostRepeated,
    #[error("invalid host: expected a host name or address, and an optional port")]
    HostInvalid,
    #[error("invalid scheme: expected `http` or `https`")]
    SchemeInvalid,
    #[error("invalid path: expected one that begins with `/`")]
    PathInvalid,
}

/// Puts the target of a client's request into its form. `own` is the authority of a request by
/// HTTP/1.0, which may have none.
///
/// # Errors
/// If the target or `Host` is missing, invalid or ambiguous.
pub(crate) fn normalise<B>(
    request: &mut Request<B>,
    own: impl FnOnce() -> String,
) -> Result<(), TargetError> {
    if let Some(scheme) = request.uri().scheme()
        && *scheme != Scheme::HTTP
        && *scheme != Scheme::HTTPS
    {
        return Err(TargetError::SchemeInvalid);
    }
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, other) = (hosts.next(), hosts.next());
    if other.is_some() {
        return Err(TargetError::HostRepeated);
    }
    let authority = match (request.uri().authority(), host) {
        (Some(authority), _) => parse(authority.as_str().as_bytes())?,
        (None, Some(host)) => parse(host.as_bytes())?,
        (None, None) if request.version() < Version::HTTP_11 => parse(own().as_bytes())?,
        (None, None) => return Err(TargetError::HostMissing),
    };
    set(request, authority)
}

/// Puts the target of a request that another host forwards into its form.
///
/// # Errors
/// If the authority or the path is invalid.
pub(crate) fn set_authority<B>(
    request: &mut Request<B>,
    authority: &str,
) -> Result<(), TargetError> {
    set(request, parse(authority.as_bytes())?)
}

/// The host of a target in its form, as routes have it: without the port, and without the dot at
/// the end of a fully qualified name.
pub(crate) fn route_host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host)
}

fn set<B>(request: &mut Request<B>, authority: Authority) -> Result<(), TargetError> {
    let is_same = |host: &HeaderValue| host.as_bytes() == authority.as_str().as_bytes();
    if !request.headers().get(header::HOST).is_some_and(is_same) {
        let host = HeaderValue::from_str(authority.as_str());
        let host = host.map_err(|_| TargetError::HostInvalid)?;
        request.headers_mut().insert(header::HOST, host);
    }
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    let path = parts.path_and_query.as_ref().map(PathAndQuery::as_str);
    if !path.is_some_and(|path| path.starts_with('/')) {
        return Err(TargetError::PathInvalid);
    }
    // Connections of clients are not encrypted, and frames have no scheme.
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| TargetError::PathInvalid)?;
    Ok(())
}

/// Parses a host name or address with an optional port, and without user information.
fn parse(text: &[u8]) -> Result<Authority, TargetError> {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte);
    if !text.iter().all(is_allowed) {
        return Err(TargetError::HostInvalid);
    }
    let authority = Authority::try_from(text).map_err(|_| TargetError::HostInvalid)?;
    let after_host = authority.as_str().strip_prefix(authority.host());
    let is_port = match after_host.and_then(|rest| rest.strip_prefix(':')) {
        Some("") | None => after_host.is_some_and(|rest| rest.len() <= 1),
        Some(port) => port.parse::<u16>().is_ok(),
    };
    match !authority.host().is_empty() && is_port {
        true => Ok(authority),
        false => Err(TargetError::HostInvalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).unwrap()
    }

    /// The URI and `Host` of a request in its form.
    fn form(mut request: Request<()>) -> Result<(String, String), TargetError> {
        normalise(&mut request, || "10.0.0.1:8080".to_owned())?;
        let hosts: Vec<_> = request.headers().get_all(header::HOST).iter().collect();
        let [host] = hosts[..] else {
            panic!("{hosts:?}");
        };
        let host = host.to_str().unwrap().to_owned();
        Ok((request.uri().to_string(), host))
    }

    #[test]
    fn every_target_has_one_form() {
        for (target, hosts, uri, host) in [
            (
                "/a?b",
                &["shop.test"][..],
                "http://shop.test/a?b",
                "shop.test",
            ),
            (
                "/",
                &["shop.test:81"],
                "http://shop.test:81/",
                "shop.test:81",
            ),
            ("/", &["[::1]:80"], "http://[::1]:80/", "[::1]:80"),
            ("/", &["shop.test."], "http://shop.test./", "shop.test."),
            (
                "http://shop.test/a",
                &["evil.test"],
                "http://shop.test/a",
                "shop.test",
            ),
            ("http://shop.test/a", &[], "http://shop.test/a", "shop.test"),
            (
                "http://shop.test",
                &["shop.test"],
                "http://shop.test/",
                "shop.test",
            ),
            (
                "https://shop.test/a",
                &[],
                "http://shop.test/a",
                "shop.test",
            ),
        ] {
            let expected = Ok((uri.to_owned(), host.to_owned()));
            assert_eq!(form(request(target, hosts)), expected, "{target} {hosts:?}");
        }
    }

    #[test]
    fn ambiguous_and_invalid_targets_are_rejected() {
        use TargetError::{HostInvalid, HostMissing, HostRepeated, PathInvalid, SchemeInvalid};
        for (target, hosts, error) in [
            ("/", &[][..], HostMissing),
            ("/", &["a", "b"], HostRepeated),
            ("/", &["a", "a"], HostRepeated),
            ("http://a/", &["a", "a"], HostRepeated),
            ("/", &[""], HostInvalid),
            ("/", &["a b"], HostInvalid),
            ("/", &["a/b"], HostInvalid),
            ("/", &["user@a"], HostInvalid),
            ("/", &["a:b"], HostInvalid),
            ("/", &["a:65536"], HostInvalid),
            ("/", &[":80"], HostInvalid),
            ("/", &["a,b"], HostInvalid),
            ("http://user@a/", &["a"], HostInvalid),
            ("http://user:secret@a/", &["a"], HostInvalid),
            ("ftp://a/", &["a"], SchemeInvalid),
            ("*", &["a"], PathInvalid),
        ] {
            let found = form(request(target, hosts));
            assert_eq!(found, Err(error), "{target} {hosts:?}");
        }
    }

    #[test]
    fn a_request_by_http_1_0_needs_no_host() {
        let mut without = request("/", &[]);
        *without.version_mut() = Version::HTTP_10;
        let expected = (
            "http://10.0.0.1:8080/".to_owned(),
            "10.0.0.1:8080".to_owned(),
        );
        assert_eq!(form(without), Ok(expected));
    }

    #[test]
    fn routes_see_hosts_without_port_and_without_the_last_dot() {
        for (uri, host) in [
            ("http://shop.test:81/", "shop.test"),
            ("http://shop.test./", "shop.test"),
            ("http://[::1]:80/", "[::1]"),
            ("http://10.0.0.1/", "10.0.0.1"),
        ] {
            assert_eq!(route_host(&uri.parse().unwrap()), host);
        }
    }
}
