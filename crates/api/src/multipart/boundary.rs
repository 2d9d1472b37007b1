//! The boundary of a form, from the `content-type` of a request.

use http::{HeaderMap, header};

use super::parameters::Parameterised;
use crate::problem::{InputError, InputPlace, Problem};

/// The media type of forms of parts.
pub(crate) const FORM: &str = "multipart/form-data";

/// The most bytes of a boundary (RFC 2046, section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;

/// True if the body of a request is a form of parts.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE);
    let bytes = value.map_or(&b""[..], |value| value.as_bytes());
    let media_type = bytes.split(|byte| *byte == b';').next();
    media_type.is_some_and(|it| it.trim_ascii().eq_ignore_ascii_case(FORM.as_bytes()))
}

/// The boundary of a form.
pub(crate) fn boundary_of(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let value = values.next().and_then(|value| value.to_str().ok());
    let value = value.filter(|_| values.next().is_none());
    let value = value.and_then(Parameterised::parse);
    let boundary = value.and_then(|mut value| value.take("boundary"));
    boundary.filter(|it| is_boundary(it)).ok_or_else(|| {
        let place = InputPlace::Header("content-type".to_owned());
        let expected = format!(
            "`{FORM}` with a `boundary` of 1 to {BOUNDARY_BYTES_MAX} characters for boundaries"
        );
        Problem::validation(vec![InputError::new(place, expected, "another form")])
    })
}

fn is_boundary(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    (1..=BOUNDARY_BYTES_MAX).contains(&text.len())
        && text.bytes().all(is_allowed)
        && !text.ends_with(' ')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let value = HeaderValue::try_from(value).unwrap();
        HeaderMap::from_iter([(header::CONTENT_TYPE, value)])
    }

    #[test]
    fn a_boundary_can_be_quoted() {
        let long = "b".repeat(BOUNDARY_BYTES_MAX);
        for (value, expected) in [
            ("multipart/form-data; boundary=abc", "abc"),
            (
                "Multipart/Form-Data ;charset=utf-8; Boundary=\"a b:c\"",
                "a b:c",
            ),
            ("multipart/form-data; boundary=\"a\\bc\";", "abc"),
            (&format!("multipart/form-data; boundary={long}"), &long),
        ] {
            assert!(is_form(&headers(value)), "{value}");
            assert_eq!(boundary_of(&headers(value)).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn a_form_without_a_correct_boundary_is_refused() {
        let long = "b".repeat(BOUNDARY_BYTES_MAX + 1);
        for value in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"abc",
            "multipart/form-data; boundary=\"abc \"",
            "multipart/form-data; boundary=\"a\\\"c\"",
            "multipart/form-data; boundary=abc; boundary=def",
            "multipart/form-data; boundary=a@b",
            "multipart/form-data; boundary=a b",
            "multipart/form-data; boundary*=utf-8''abc",
            &format!("multipart/form-data; boundary={long}"),
        ] {
            assert!(is_form(&headers(value)), "{value}");
            let problem = boundary_of(&headers(value)).unwrap_err();
            assert_eq!(problem.status(), 400, "{value}");
        }
        let mut twice = headers("multipart/form-data; boundary=abc");
        let other = HeaderValue::from_static("multipart/form-data; boundary=def");
        twice.append(header::CONTENT_TYPE, other);
        assert!(boundary_of(&twice).is_err());
        for other in ["multipart/mixed; boundary=a", "multipart/form-datas", ""] {
            assert!(!is_form(&headers(other)), "{other}");
        }
    }
}
