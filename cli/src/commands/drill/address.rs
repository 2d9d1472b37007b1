//! Addresses that a drill sends requests to.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;

/// The port of an address without one.
const PORT_DEFAULT: u16 = 80;

/// A name or an IP address, and a port, for plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(Arc<str>);

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self(address.to_string().into())
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            "expected `http://ADDRESS:PORT`, as in `http://10.0.0.7:8080`; the path of the requests \
             is given with `--path`"
                .to_owned()
        };
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let authority = uri.authority().ok_or_else(refused)?;
        let is_plain = uri.scheme() == Some(&Scheme::HTTP)
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && !authority.as_str().contains('@')
            && !authority.host().is_empty();
        if !is_plain {
            return Err(refused());
        }
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host).unwrap_or_default() {
            "" => PORT_DEFAULT,
            // `None` for a port that is not a number.
            _ => authority.port_u16().ok_or_else(refused)?,
        };
        Ok(Self(format!("{host}:{port}").into()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_plain_http_without_a_path() {
        let read = |text: &str| text.parse::<Address>().map(|address| address.to_string());
        for (text, expected) in [
            ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
            ("http://10.0.0.7:8080/", "http://10.0.0.7:8080"),
            ("http://shop.example.com", "http://shop.example.com:80"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(read(text), Ok(expected.to_owned()));
        }
        for text in [
            "",
            "10.0.0.7:8080",
            "https://10.0.0.7",
            "http://10.0.0.7/products",
            "http://10.0.0.7/?a=b",
            "http://me@10.0.0.7",
            "http://10.0.0.7:80800",
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains("`--path`"), "{text}");
        }
    }
}
