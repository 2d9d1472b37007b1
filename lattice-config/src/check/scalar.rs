//! Checks of single values: text of a fixed form, numbers with bounds, and values of the wrong
//! type.

use std::str::FromStr;

use serde_json::{Number, Value};

use super::Checker;
use super::schema_view::{Schema, type_names};
use crate::spanned_yaml::{Data, Node, Path};
use crate::template::{LocationTemplate, RequestTemplate, ValuePath};
use crate::{
    AppName, Build, ByteSize, ComponentName, Digest, DurationText, HeaderName, HostPattern,
    InterfaceName, InterfaceRef, LabelName, LabelValue, LabelValues, Language, LinkName, Name,
    PathPrefix, ProviderName, WitName, WitSource,
};

/// Returns the check of a type with a text form, by the name of its schema.
pub(super) fn text_check(name: &str) -> Option<fn(&str) -> Option<String>> {
    fn parses<T: FromStr<Err: ToString>>(text: &str) -> Option<String> {
        text.parse::<T>().err().map(|error| error.to_string())
    }
    Some(match name {
        "AppName" => parses::<AppName>,
        "Build" => parses::<Build>,
        "ByteSize" => parses::<ByteSize>,
        "ComponentName" => parses::<ComponentName>,
        "Digest" => parses::<Digest>,
        "DurationText" => parses::<DurationText>,
        "HeaderName" => parses::<HeaderName>,
        "HostPattern" => parses::<HostPattern>,
        "InterfaceName" => parses::<InterfaceName>,
        "InterfaceRef" => parses::<InterfaceRef>,
        "LabelName" => parses::<LabelName>,
        "LabelValue" => parses::<LabelValue>,
        "LabelValues" => parses::<LabelValues>,
        "Language" => parses::<Language>,
        "LinkName" => parses::<LinkName>,
        "LocationTemplate" => parses::<LocationTemplate>,
        "Name" => parses::<Name>,
        "PathPrefix" => parses::<PathPrefix>,
        "ProviderName" => parses::<ProviderName>,
        "RequestTemplate" => parses::<RequestTemplate>,
        "ValuePath" => parses::<ValuePath>,
        "WitName" => parses::<WitName>,
        "WitSource" => parses::<WitSource>,
        _ => return None,
    })
}

impl Checker<'_, '_, '_> {
    pub(super) fn check_text(
        &mut self,
        node: &Node,
        text: &str,
        (schema, name): (&Schema, Option<&str>),
        path: &Path<'_>,
    ) {
        let invalid = name.and_then(text_check).and_then(|check| check(text));
        if let Some(message) = invalid {
            self.report.add(node.position, path, message, None);
        } else if text.is_empty() && schema.contains_key("minLength") {
            self.report.add(
                node.position,
                path,
                format!("{} must not be empty", path.in_words()),
                None,
            );
        }
    }

    pub(super) fn check_integer(
        &mut self,
        node: &Node,
        number: &Number,
        schema: &Schema,
        path: &Path<'_>,
    ) {
        let signed = number.as_i64().map(i128::from);
        let number = signed
            .or(number.as_u64().map(i128::from))
            .unwrap_or_default();
        let bound = |key| schema.get(key).and_then(Value::as_i64).map(i128::from);
        let expected = match (bound("minimum"), bound("maximum")) {
            (Some(min), _) if number < min => format!("at least {min}"),
            (_, Some(max)) if number > max => format!("at most {max}"),
            _ => return,
        };
        let message = format!("{} must be {expected}, found {number}", path.in_words());
        self.report.add(node.position, path, message, None);
    }

    pub(super) fn mismatch(
        &mut self,
        node: &Node,
        types: &[&str],
        name: Option<&str>,
        path: &Path<'_>,
    ) {
        let expected = match name {
            Some("DurationText") => "a duration such as `5s`".to_owned(),
            Some("ByteSize") => "a size such as `64KiB`".to_owned(),
            _ => type_names(types),
        };
        let found = node.description();
        let message = format!("{} must be {expected}, found {found}", path.in_words());
        let help = match &node.data {
            Data::Number(_) if name == Some("DurationText") => {
                Some("add a unit: `ms`, `s`, `m` or `h`")
            }
            Data::Number(_) | Data::Bool(_) if types == ["string"] => {
                Some("quote the value to make it text")
            }
            Data::Null => Some("set a value, or remove the key"),
            Data::Map(entries) if types == ["array"] && !entries.is_empty() => {
                Some("start each entry of the list with `- `")
            }
            Data::Text(_) if types.contains(&"integer") => Some("write a number, without quotes"),
            Data::Text(text) if types == ["boolean"] && ["true", "false"].contains(&&**text) => {
                Some("remove the quotes")
            }
            _ => None,
        };
        self.report
            .add(node.position, path, message, help.map(str::to_owned));
    }
}
