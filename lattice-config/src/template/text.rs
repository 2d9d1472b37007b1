//! The text forms of templates, as a manifest has them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{
    LocationTemplate, Method, PathTemplate, QueryParameter, RequestTemplate, Segment,
    TemplateError, ValuePath,
};

impl fmt::Display for RequestTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method, self.path)?;
        for (index, parameter) in self.query.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            write!(formatter, "{separator}{parameter}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(formatter, "/{text}")?,
                Segment::Value(value) => write!(formatter, "/{{{value}}}")?,
            }
        }
        match &self.rest {
            Some(rest) => write!(formatter, "/{{*{rest}}}"),
            None if self.segments.is_empty() => formatter.write_str("/"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for QueryParameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={{{}", self.key, self.value)?;
        if let Some(default) = &self.default {
            write!(formatter, "={default}")?;
        }
        formatter.write_str("}")
    }
}

impl fmt::Display for ValuePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.root)?;
        for field in &self.fields {
            write!(formatter, ".{field}")?;
        }
        Ok(())
    }
}

impl fmt::Display for LocationTemplate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

macro_rules! text_form {
    ($name:ident, $pattern:literal, $description:literal) => {
        impl TryFrom<String> for $name {
            type Error = TemplateError;

            fn try_from(text: String) -> Result<Self, TemplateError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string",
                    "pattern": $pattern,
                    "description": $description,
                })
            }
        }
    };
}

text_form!(
    RequestTemplate,
    "^(GET|POST|PUT|PATCH|DELETE) /[^#\\s\\\\]*",
    "A method and a path below that of the route, such as `GET /orders/{id}`. `{name}` is a \
     parameter of the function and `{name.field}` a field of one that is a record; `{*name}` at the \
     end takes all further segments. `?limit={limit=20}` takes a key of the query, with a default."
);
text_form!(
    LocationTemplate,
    "^/[^?#\\s\\\\]*$",
    "A path below that of the route, such as `/orders/{id}`, with fields of the result."
);
text_form!(
    ValuePath,
    "^[A-Za-z][-A-Za-z0-9]*(\\.[A-Za-z][-A-Za-z0-9]*)*$",
    "A parameter of the function, or a field of one that is a record, such as `order.id`."
);
