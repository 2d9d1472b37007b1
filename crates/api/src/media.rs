//! Media types: the format of a body, and the choice of one for a response.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use weft_json::Format;

use crate::multipart::FORM;
use crate::problem::Problem;

/// The media type of a `list<u8>`.
pub(crate) const OCTETS: &str = "application/octet-stream";

const FORMATS: [Format; 2] = [Format::Json, Format::Cbor];

/// The format of a body by its `content-type`. A missing one is refused, too: browsers send
/// requests without a type to other sites, and no page of another site may call an operation.
pub(crate) fn body_format(content_type: Option<&HeaderValue>) -> Result<Format, Problem> {
    let text = content_type.and_then(|value| value.to_str().ok());
    let format = text.and_then(format_of);
    format.ok_or_else(|| {
        let found = match text {
            Some(text) => format!("found `{}`", crate::quote::excerpt(text)),
            None => "found none".to_owned(),
        };
        let title = "The body has a media type that the operation does not read";
        let accepted = HeaderValue::from_static("application/json, application/cbor");
        Problem::of_host(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", title)
            .with_detail(format!(
                "expected the header `content-type: application/json` or `application/cbor`, {found}"
            ))
            .with_header(header::ACCEPT, accepted)
    })
}

/// True for a body that a page can send to another site without its permission, by its media type:
/// one of the CORS-safelisted types of [Fetch](https://fetch.spec.whatwg.org/), or none.
#[must_use]
pub fn is_sent_by_any_page(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let text = value.to_str().unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim();
    let simple = [FORM, "text/plain", "application/x-www-form-urlencoded"];
    simple
        .iter()
        .any(|simple| simple.eq_ignore_ascii_case(media_type))
}

/// The problem of a body that must be a form.
pub(crate) fn not_a_form(headers: &HeaderMap) -> Problem {
    let text = headers.get(header::CONTENT_TYPE);
    let found = match text.and_then(|value| value.to_str().ok()) {
        Some(text) => format!("`{}`", crate::quote::excerpt(text)),
        None => "none".to_owned(),
    };
    let title = "The body has a media type that the operation does not read";
    Problem::of_host(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", title)
        .with_detail(format!(
            "expected the header `content-type: {FORM}`, found {found}"
        ))
        .with_header(header::ACCEPT, HeaderValue::from_static(FORM))
}

pub(crate) fn format_of(text: &str) -> Option<Format> {
    let mut parts = text.split(';').map(str::trim);
    let media_type = parts.next()?;
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    let mut formats = FORMATS.into_iter();
    let format = formats.find(|format| format.media_type().eq_ignore_ascii_case(media_type));
    format.filter(|_| is_utf8)
}

/// Chooses the format of a response: the one that the client prefers, else JSON.
pub(crate) fn choose_format(headers: &HeaderMap) -> Result<Format, Problem> {
    let offered = FORMATS.map(Format::media_type);
    choose(headers, &offered).map(|index| FORMATS[index])
}

/// Chooses the offered media type that the client prefers, the first of equals.
pub(crate) fn choose(headers: &HeaderMap, offered: &[&str]) -> Result<usize, Problem> {
    let ranges = ranges(headers);
    if ranges.is_empty() {
        return Ok(0);
    }
    let quality = |media_type: &str| {
        let fitting = ranges.iter().filter(|range| range.includes(media_type));
        let most_specific = fitting.max_by_key(|range| range.specificity());
        most_specific.map_or(0, |range| range.quality)
    };
    let qualities = offered.iter().enumerate();
    let qualities = qualities.map(|(index, media_type)| (quality(media_type), index));
    let best = qualities.max_by_key(|(quality, index)| (*quality, std::cmp::Reverse(*index)));
    match best {
        Some((1.., index)) => Ok(index),
        _ => {
            let title = "The client accepts no media type that the operation writes";
            Err(
                Problem::of_host(StatusCode::NOT_ACCEPTABLE, "not-acceptable", title).with_detail(
                    format!("expected `accept` with one of: {}", offered.join(", ")),
                ),
            )
        }
    }
}

/// A range of media types in `accept`.
struct Range<'h> {
    kind: &'h str,
    subtype: &'h str,
    /// In thousandths.
    quality: u16,
}

/// Maximum number of ranges: browsers send fewer than ten.
const RANGES_MAX: usize = 64;

/// The readable ranges of all `accept` headers (RFC 9110, section 12.5.1).
fn ranges(headers: &HeaderMap) -> Vec<Range<'_>> {
    let values = headers.get_all(header::ACCEPT).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let ranges = texts
        .flat_map(|text| text.split(','))
        .filter_map(Range::parse);
    ranges.take(RANGES_MAX).collect()
}

impl<'h> Range<'h> {
    fn parse(text: &'h str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let weight = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        let quality = weight.map_or(Some(1.0), |weight| weight.parse::<f32>().ok())?;
        Some(Self {
            kind,
            subtype,
            quality: (quality.clamp(0.0, 1.0) * 1000.0) as u16,
        })
    }

    fn includes(&self, media_type: &str) -> bool {
        let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    fn specificity(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_send_some_media_types_without_permission() {
        let of = |content_type: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            }
            is_sent_by_any_page(&headers)
        };
        for content_type in [
            None,
            Some("text/plain"),
            Some("Text/Plain; charset=utf-8"),
            Some("multipart/form-data; boundary=a"),
            Some("application/x-www-form-urlencoded"),
        ] {
            assert!(of(content_type), "{content_type:?}");
        }
        for content_type in [
            "application/json",
            "application/octet-stream",
            "text/csv",
            "",
        ] {
            assert!(!of(Some(content_type)), "{content_type}");
        }
    }
}
