//! Headers of messages between the host of the client and the host of the component.

use http::header::{
    CONNECTION, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use weft_wire::HttpField;

/// Headers of a single connection (RFC 9110, section 7.6.1), besides those that `connection` lists.
const HOP_BY_HOP: [HeaderName; 6] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// More such headers, without a constant in the crate `http`.
const HOP_BY_HOP_NAMES: [&str; 2] = ["keep-alive", "proxy-connection"];

/// The headers without those of this connection.
pub(crate) fn end_to_end(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let listed: Vec<_> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let is_end_to_end = |name: &HeaderName| {
        !HOP_BY_HOP.contains(name)
            && !HOP_BY_HOP_NAMES.contains(&name.as_str())
            && !listed.iter().any(|other| other == name.as_str())
    };
    let headers = headers.iter();
    let headers = headers.filter(|(name, _)| is_end_to_end(name));
    let owned = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    headers.map(owned).collect()
}

/// Converts headers to the fields of a frame.
pub(crate) fn borrowed(fields: &[(String, Vec<u8>)]) -> Vec<HttpField<'_>> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| HttpField { name, value })
        .collect()
}

/// Converts the fields of a frame to headers; `None` if a name or value is invalid.
pub(crate) fn owned(fields: &[HttpField<'_>]) -> Option<HeaderMap> {
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
    fn headers_of_the_connection_are_removed() {
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
        let names: Vec<_> = end_to_end(&headers)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["accept", "x-end"]);
    }

    #[test]
    fn headers_survive_a_frame_in_order_and_number() {
        let fields = [
            ("set-cookie".to_owned(), b"a=1".to_vec()),
            ("set-cookie".to_owned(), b"b=2".to_vec()),
            ("x-bytes".to_owned(), vec![0xff, 0x20]),
        ];
        let headers = owned(&borrowed(&fields)).unwrap();
        assert_eq!(end_to_end(&headers), fields);
    }

    #[test]
    fn invalid_headers_are_rejected() {
        for (name, value) in [("", "x"), ("a b", "x"), ("a", "x\r\ny: z"), ("a\n", "x")] {
            let value = value.as_bytes();
            assert!(owned(&[HttpField { name, value }]).is_none(), "{name:?}");
        }
    }
}
