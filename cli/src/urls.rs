//! URLs of routes, as reachable from this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Serialize;
use weft_control::rows::RouteRow;

/// A route with its URL.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ServedRoute {
    /// The URL on the host of the command; `None` if that host does not serve HTTP.
    pub(crate) url: Option<String>,
    #[serde(flatten)]
    route: RouteRow,
}

impl ServedRoute {
    /// Creates the route of a host that serves HTTP at `http`.
    pub(crate) fn new(route: RouteRow, http: Option<&str>) -> ServedRoute {
        ServedRoute {
            url: http.map(|http| url(&route, http)),
            route,
        }
    }

    /// Creates the routes of such a host.
    pub(crate) fn all(routes: Vec<RouteRow>, http: Option<&str>) -> Vec<ServedRoute> {
        let served = |route| ServedRoute::new(route, http);
        routes.into_iter().map(served).collect()
    }

    /// A line without the app: `http://127.0.0.1:8080/ → storefront`.
    pub(crate) fn line(&self) -> String {
        format!("{} → {}", self.place(), self.route.to)
    }

    /// A line with the app: `http://127.0.0.1:8080/ → shop/storefront`.
    pub(crate) fn full_line(&self) -> String {
        format!("{} → {}/{}", self.place(), self.route.app, self.route.to)
    }

    fn place(&self) -> String {
        let RouteRow { host, path, .. } = &self.route;
        match &self.url {
            Some(url) => url.clone(),
            None => format!("{host}{path} (this host does not serve HTTP)"),
        }
    }
}

/// The address to connect to for a listener on `address`: an unspecified address, which means all
/// addresses of the machine, cannot be a destination.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn url(route: &RouteRow, http: &str) -> String {
    let address = http.strip_prefix("http://").unwrap_or(http);
    let address = match address.parse() {
        Ok(address) => reachable(address).to_string(),
        Err(_) => address.to_owned(),
    };
    let authority = match (route.host.as_str(), address.rsplit_once(':')) {
        ("*", _) | (_, None) => address,
        (host, Some((_, port))) => format!("{host}:{port}"),
    };
    let authority = authority.strip_suffix(":80").unwrap_or(&authority);
    format!("http://{authority}{}", route.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_reaches_the_route_from_this_machine() {
        let cases = [
            ("*", "/", "127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("*", "/api", "0.0.0.0:8080", "http://127.0.0.1:8080/api"),
            ("*", "/", "[::]:8080", "http://[::1]:8080/"),
            ("*", "/", "127.0.0.1:80", "http://127.0.0.1/"),
            (
                "shop.example.com",
                "/",
                "127.0.0.1:8080",
                "http://shop.example.com:8080/",
            ),
            (
                "shop.example.com",
                "/a",
                "0.0.0.0:80",
                "http://shop.example.com/a",
            ),
            (
                "*.example.com",
                "/",
                "127.0.0.1:8080",
                "http://*.example.com:8080/",
            ),
        ];
        for (host, path, http, expected) in cases {
            let route = RouteRow {
                app: "shop".to_owned(),
                host: host.to_owned(),
                path: path.to_owned(),
                to: "storefront".to_owned(),
                protocol: "wasi:http@0.2".to_owned(),
            };
            assert_eq!(url(&route, http), expected);
        }
    }
}
