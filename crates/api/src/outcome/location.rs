//! The location of a result.

use weft_json::text::{self, Bindable};
use weft_json::{EncodeError, Kind, Type, encode};
use weft_lattice_config::PathPrefix;
use weft_lattice_config::template::{LocationTemplate, Segment, ValuePath};

use crate::mistakes::MistakesAt;
use crate::percent;
use crate::type_text::described;

/// A path with values of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// The path of the route, without a slash at its end.
    prefix: String,
    /// The type of the result.
    result: Type,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A field of the result, by its path. The empty path is the result itself.
    Field(Vec<String>),
}

impl Location {
    /// Resolves the names of a template in the type of a result.
    pub(super) fn bind(
        template: &LocationTemplate,
        prefix: &PathPrefix,
        result: &Type,
        mistakes: &mut MistakesAt<'_>,
    ) -> Option<Self> {
        let values = template.0.values().count();
        let parts = template.0.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => Some(Part::Literal(text.clone())),
            Segment::Value(value) if values == 1 && is_text(result) && value.fields.is_empty() => {
                // A result that is not a record has no names: the only value is the result.
                Some(Part::Field(Vec::new()))
            }
            Segment::Value(value) => field(value, result, mistakes),
        });
        let parts: Vec<_> = parts.collect();
        let prefix = prefix.as_str().trim_end_matches('/').to_owned();
        Some(Self {
            prefix,
            result: result.clone(),
            parts: parts.into_iter().collect::<Option<_>>()?,
        })
    }

    /// The location of an encoded result. `None` if a value cannot be a segment of a path.
    pub(super) fn of(&self, bytes: &[u8]) -> Result<Option<String>, EncodeError> {
        let mut location = self.prefix.clone();
        for part in &self.parts {
            location.push('/');
            match part {
                Part::Literal(text) => percent::encode_segment(text, &mut location),
                Part::Field(path) => {
                    let path: Vec<_> = path.iter().map(String::as_str).collect();
                    let Some((ty, value)) = encode::field(&self.result, bytes, &path)? else {
                        return Ok(None);
                    };
                    let text = text::encode(ty, value)?;
                    if matches!(text.as_str(), "" | "." | "..") {
                        return Ok(None);
                    }
                    percent::encode_segment(&text, &mut location);
                }
            }
        }
        if self.parts.is_empty() {
            location.push('/');
        }
        Ok(Some(location))
    }
}

fn field(value: &ValuePath, result: &Type, mistakes: &mut MistakesAt<'_>) -> Option<Part> {
    let (mut ty, mut path, mut shown) = (result, Vec::new(), "the result".to_owned());
    for name in std::iter::once(&value.root).chain(&value.fields) {
        let Kind::Record(fields) = ty.kind() else {
            let message = format!("{shown} has no field `{name}`: it is {}", described(ty));
            mistakes.add("location", message);
            return None;
        };
        let Some(index) = fields
            .iter()
            .position(|field| field.name.wit() == name.as_str())
        else {
            let known: Vec<_> = fields.iter().map(|field| field.name.wit()).collect();
            let message = format!("unknown field `{name}` of {shown}");
            mistakes.add_unknown("location", message, name.as_str(), &known);
            return None;
        };
        path.push(name.to_string());
        ty = &fields[index].ty;
        shown = format!("`{name}`");
    }
    if !is_text(ty) {
        let message = format!(
            "{shown} cannot be in a path: expected a boolean, number, character, string or enum, \
             found {}",
            described(ty)
        );
        mistakes.add("location", message);
        return None;
    }
    Some(Part::Field(path))
}

fn is_text(ty: &Type) -> bool {
    text::bindable(ty) == Some(Bindable::One)
}
