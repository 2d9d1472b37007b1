//! Parsing of templates.

use std::str::FromStr;

use super::{
    LocationTemplate, Method, PathTemplate, QUERY_KEYS_MAX, QueryParameter, RequestTemplate,
    SEGMENTS_MAX, Segment, TEMPLATE_LENGTH_MAX, TemplateError, VALUE_PATH_MAX, ValuePath,
};
use crate::quote::quoted;

/// Characters of a query key besides letters and digits, none of which has a meaning in a query.
const KEY_CHARACTERS: &str = "-._~[]$@:";

impl FromStr for RequestTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        request(text).map_err(|problem| TemplateError {
            text: text.to_owned(),
            kind: "a request template",
            problem,
            expected: "a method and a path, such as `GET /orders/{id}` or \
                       `GET /orders?limit={limit=20}`",
        })
    }
}

impl FromStr for LocationTemplate {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        location(text).map_err(|problem| TemplateError {
            text: text.to_owned(),
            kind: "a location template",
            problem,
            expected: "a path below the route, with fields of the result, such as `/orders/{id}`",
        })
    }
}

impl FromStr for ValuePath {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        value_path(text).map_err(|problem| TemplateError {
            text: text.to_owned(),
            kind: "the name of a parameter",
            problem,
            expected: "a name such as `limit`, or a field of a record such as `order.id`",
        })
    }
}

fn request(text: &str) -> Result<RequestTemplate, String> {
    check_length(text)?;
    let (method, target) = text.split_once(' ').ok_or("the path is missing")?;
    let method = method_of(method)?;
    let (path, query) = split_query(target);
    let path = path_template(path)?;
    let query = query.map_or(Ok(Vec::new()), query_parameters)?;
    let template = RequestTemplate {
        method,
        path,
        query,
    };
    check_values(&template.values().collect::<Vec<_>>())?;
    Ok(template)
}

fn location(text: &str) -> Result<LocationTemplate, String> {
    check_length(text)?;
    let path = path_template(text)?;
    match path.rest {
        Some(_) => Err("a location has no `{*…}`".to_owned()),
        None => Ok(LocationTemplate(path)),
    }
}

fn check_length(text: &str) -> Result<(), String> {
    match text.len() {
        0 => Err("must not be empty".to_owned()),
        1..=TEMPLATE_LENGTH_MAX => Ok(()),
        _ => Err(format!("must have at most {TEMPLATE_LENGTH_MAX} bytes")),
    }
}

fn method_of(text: &str) -> Result<Method, String> {
    let known = Method::ALL.into_iter().find(|it| it.as_str() == text);
    known.ok_or_else(|| match text {
        "HEAD" | "OPTIONS" => format!("the host itself answers `{text}`"),
        _ => {
            let methods = Method::ALL.map(|method| quoted(method.as_str()));
            let method = quoted(text);
            format!(
                "unknown method {method}, expected one of {}",
                methods.join(", ")
            )
        }
    })
}

/// Splits at the first `?`, which no path and no name contains.
fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

/// No value may stand twice in a request, or beside a part of itself.
fn check_values(values: &[&ValuePath]) -> Result<(), String> {
    for (index, value) in values.iter().enumerate() {
        if let Some(first) = values[..index].iter().find(|first| first.collides(value)) {
            return Err(match first == value {
                true => format!("duplicate parameter `{value}`"),
                false => format!("`{first}` and `{value}` have a part in common"),
            });
        }
    }
    Ok(())
}

// === paths ===

fn path_template(text: &str) -> Result<PathTemplate, String> {
    let path = text
        .strip_prefix('/')
        .ok_or("the path must start with `/`")?;
    let mut template = PathTemplate::default();
    if path.is_empty() {
        return Ok(template);
    }
    for segment in path.split('/') {
        if template.rest.is_some() {
            return Err("`{*…}` must be the last segment".to_owned());
        }
        if template.segments.len() == SEGMENTS_MAX {
            return Err(format!(
                "the path must have at most {SEGMENTS_MAX} segments"
            ));
        }
        match segment.strip_prefix("{*") {
            Some(rest) => template.rest = Some(value_path(closed(segment, rest)?)?),
            None => template.segments.push(path_segment(segment)?),
        }
    }
    Ok(template)
}

fn path_segment(segment: &str) -> Result<Segment, String> {
    if let Some(name) = segment.strip_prefix('{') {
        let name = closed(segment, name)?;
        if name.contains('=') {
            return Err(format!(
                "{}: a default is for the query only",
                quoted(segment)
            ));
        }
        return value_path(name).map(Segment::Value);
    }
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\\%#".contains(&byte);
    match segment {
        "" => Err("the path must not contain `//` or end with `/`".to_owned()),
        "." | ".." => Err("the path must not contain `.` or `..` segments".to_owned()),
        _ if segment.contains(['{', '}']) => Err(format!(
            "{}: a name in braces must be a whole segment",
            quoted(segment)
        )),
        _ if !segment.bytes().all(is_plain) => Err(format!(
            "{} must be printable ASCII without spaces, `%`, `#` or `\\`",
            quoted(segment)
        )),
        _ => Ok(Segment::Literal(segment.to_owned())),
    }
}

/// The text before the `}` that ends it; `whole` is for the message.
fn closed<'t>(whole: &str, text: &'t str) -> Result<&'t str, String> {
    let inner = text.strip_suffix('}');
    inner
        .filter(|inner| !inner.contains(['{', '}']))
        .ok_or_else(|| format!("{} must be a single name in braces", quoted(whole)))
}

fn value_path(text: &str) -> Result<ValuePath, String> {
    let mut names = text.split('.').map(|name| name.parse());
    let mut next = || {
        names
            .next()
            .transpose()
            .map_err(|error: crate::NameError| error.to_string())
    };
    let root = next()?.ok_or("the name is missing")?;
    let mut fields = Vec::new();
    while let Some(field) = next()? {
        if fields.len() + 1 == VALUE_PATH_MAX {
            return Err(format!("must have at most {VALUE_PATH_MAX} names"));
        }
        fields.push(field);
    }
    Ok(ValuePath { root, fields })
}

// === queries ===

fn query_parameters(text: &str) -> Result<Vec<QueryParameter>, String> {
    let mut parameters: Vec<QueryParameter> = Vec::new();
    for text in split_outside_braces(text) {
        let parameter = query_parameter(text)?;
        if parameters.iter().any(|other| other.key == parameter.key) {
            return Err(format!("duplicate key `{}` in the query", parameter.key));
        }
        if parameters.len() == QUERY_KEYS_MAX {
            return Err(format!("the query must have at most {QUERY_KEYS_MAX} keys"));
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

/// The parts between `&`, except for one in a default.
fn split_outside_braces(text: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    text.split(move |character| {
        match character {
            '{' => is_inside = true,
            '}' => is_inside = false,
            _ => {}
        }
        character == '&' && !is_inside
    })
}

fn query_parameter(text: &str) -> Result<QueryParameter, String> {
    let expected = || format!("{} must be `key={{name}}` in the query", quoted(text));
    let (key, value) = text.split_once('=').ok_or_else(expected)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || KEY_CHARACTERS.contains(c);
    if key.is_empty() || !key.chars().all(is_plain) {
        return Err(format!(
            "the query key {} must be letters, digits and `{KEY_CHARACTERS}`",
            quoted(key)
        ));
    }
    let inner = closed(text, value.strip_prefix('{').ok_or_else(expected)?)?;
    let (name, default) = match inner.split_once('=') {
        Some((name, default)) => (name, Some(default)),
        None => (inner, None),
    };
    if default.is_some_and(|default| default.contains(char::is_control)) {
        return Err(format!(
            "{} must not contain control characters",
            quoted(text)
        ));
    }
    Ok(QueryParameter {
        key: key.to_owned(),
        value: value_path(name)?,
        default: default.map(str::to_owned),
    })
}
