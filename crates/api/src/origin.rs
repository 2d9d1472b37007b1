//! The origins whose pages may send messages: those of the same host, and of this machine.
//!
//! A page of another site can have its own name resolve to an address of this host (DNS
//! rebinding), and then names the same host in `origin` and `host`. So a host that listens on
//! loopback only trusts no name but those of the machine itself.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode, Uri, header};

use crate::faces::Listener;
use crate::problem::Problem;

/// Checks the origin of a request, whose target names `host`. Programs other than browsers send
/// none.
///
/// # Errors
/// A problem for the client if the origin is another host.
pub fn check(headers: &HeaderMap, host: &str, listener: Listener) -> Result<(), Problem> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let is_allowed = origins.all(|origin| {
        let origin = origin.to_str().ok().and_then(host_of);
        origin.is_some_and(|origin| {
            is_loopback(&origin)
                || (listener == Listener::Open && origin.eq_ignore_ascii_case(host))
        })
    });
    if is_allowed {
        return Ok(());
    }
    let title = "Pages of this origin may not call the API";
    Err(
        Problem::of_host(StatusCode::FORBIDDEN, "origin", title).with_detail(
            "expected `origin` to be missing, or to name this machine or the host of the request",
        ),
    )
}

/// The host of an origin; `None` for `null` and malformed ones.
fn host_of(origin: &str) -> Option<String> {
    let uri: Uri = origin.parse().ok()?;
    uri.scheme()?;
    uri.host().map(str::to_owned)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = address.parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|it| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_pages_of_the_host_or_of_the_machine_may_call() {
        for (origin, host, on_loopback, open) in [
            (None, "shop.example", true, true),
            (Some("http://localhost:3000"), "localhost", true, true),
            (Some("http://127.0.0.2"), "127.0.0.1", true, true),
            (Some("http://[::1]:9"), "shop.example", true, true),
            (Some("https://shop.example"), "shop.example", false, true),
            (Some("https://SHOP.example:8"), "shop.example", false, true),
            (Some("https://evil.example"), "shop.example", false, false),
            (
                Some("http://localhost.evil.example"),
                "localhost",
                false,
                false,
            ),
            (
                Some("http://shop.example@evil.example"),
                "shop.example",
                false,
                false,
            ),
            (Some("null"), "null", false, false),
            (Some("localhost"), "localhost", false, false),
            (Some(""), "", false, false),
        ] {
            for (listener, expected) in [(Listener::Loopback, on_loopback), (Listener::Open, open)]
            {
                let mut headers = HeaderMap::new();
                if let Some(origin) = origin {
                    headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
                }
                let checked = check(&headers, host, listener);
                assert_eq!(checked.is_ok(), expected, "{origin:?} on {listener:?}");
            }
        }
    }

    #[test]
    fn a_second_foreign_origin_is_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, HeaderValue::from_static("http://localhost"));
        headers.append(
            header::ORIGIN,
            HeaderValue::from_static("http://evil.example"),
        );
        assert!(check(&headers, "localhost", Listener::Open).is_err());
    }
}
