//! Headers between two hosts, one of which has the client and the other the component.

use http::header::{
    CONNECTION, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use weft_wire::HttpField;

/// Headers that are about one connection (RFC 9110, section 7.6.1), beside those that `connection` names.
const OF_CONNECTIONS: [HeaderName; 6] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The same, without a constant of the crate `http`.
const NAMES_OF_CONNECTIONS: [&str; 2] = ["keep-alive", "proxy-connection"];

/// The headers that are for the other end, not for this connection.
pub fn between_ends(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let named: Vec<_> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let is_for_the_end = |name: &HeaderName| {
        !OF_CONNECTIONS.contains(name)
            && !NAMES_OF_CONNECTIONS.contains(&name.as_str())
            && !named.iter().any(|other| other == name.as_str())
    };
    let headers = headers.iter();
    let headers = headers.filter(|(name, _)| is_for_the_end(name));
    let owned = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    headers.map(owned).collect()
}

/// As they go into a frame.
pub fn borrowed(fields: &[(String, Vec<u8>)]) -> Vec<HttpField<'_>> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| HttpField { name, value })
        .collect()
}

/// As they came in a frame; none if one is no header.
pub fn owned(fields: &[HttpField<'_>]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name: HeaderName = field.name.parse().ok()?;
        let value = HeaderValue::from_bytes(field.value).ok()?;
        headers.append(name, value);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_the_connection_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("accept", "text/plain"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("x-end", "2"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let names: Vec<_> = between_ends(&headers)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["accept", "x-end"]);
    }

    #[test]
    fn headers_come_back_in_their_order_and_number() {
        let fields = [
            ("set-cookie".to_owned(), b"a=1".to_vec()),
            ("set-cookie".to_owned(), b"b=2".to_vec()),
            ("x-bytes".to_owned(), vec![0xff, 0x20]),
        ];
        let headers = owned(&borrowed(&fields)).unwrap();
        assert_eq!(between_ends(&headers), fields);
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for (name, value) in [("", "x"), ("a b", "x"), ("a", "x\r\ny: z"), ("a\n", "x")] {
            let value = value.as_bytes();
            assert!(owned(&[HttpField { name, value }]).is_none(), "{name:?}");
        }
    }
}
