//! A validator of JSON Schema, with the keywords and the regular expressions that our schemas use.

use serde_json::Value;

/// Validates values against a schema and the definitions in its root.
pub(crate) struct Validator<'s> {
    pub(crate) root: &'s Value,
}

impl Validator<'_> {
    pub(crate) fn is_valid(&self, value: &Value, schema: &Value) -> bool {
        let Value::Object(keywords) = schema else {
            panic!("{schema} is no schema");
        };
        keywords.iter().all(|(keyword, of)| match keyword.as_str() {
            "$defs" | "description" | "format" | "contentEncoding" => true,
            "$ref" => {
                let name = of
                    .as_str()
                    .expect("a valid schema")
                    .strip_prefix("#/$defs/")
                    .expect("a valid schema");
                self.is_valid(value, &self.root["$defs"][name])
            }
            "anyOf" => count(of, |schema| self.is_valid(value, schema)) > 0,
            "oneOf" => count(of, |schema| self.is_valid(value, schema)) == 1,
            "enum" => of.as_array().expect("a valid schema").contains(value),
            "const" => of == value,
            "type" => has_type(value, of.as_str().expect("a valid schema")),
            "minimum" => value.as_f64().is_none_or(|_| compare(value, of) >= 0),
            "maximum" => value.as_f64().is_none_or(|_| compare(value, of) <= 0),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(text, of.as_str().expect("a valid schema"))),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() >= number(of)),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.chars().count() <= number(of)),
            "minItems" => value
                .as_array()
                .is_none_or(|items| items.len() >= number(of)),
            "maxItems" => value
                .as_array()
                .is_none_or(|items| items.len() <= number(of)),
            "prefixItems" => value.as_array().is_none_or(|items| {
                let mut pairs = items.iter().zip(of.as_array().expect("a valid schema"));
                pairs.all(|(item, schema)| self.is_valid(item, schema))
            }),
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| self.is_valid(item, of))),
            "properties" => value.as_object().is_none_or(|object| {
                let mut members = object.iter();
                members.all(|(key, value)| {
                    of.get(key)
                        .is_none_or(|schema| self.is_valid(value, schema))
                })
            }),
            "required" => value.as_object().is_none_or(|object| {
                let mut keys = of.as_array().expect("a valid schema").iter();
                keys.all(|key| object.contains_key(key.as_str().expect("a valid schema")))
            }),
            "additionalProperties" => value.as_object().is_none_or(|object| {
                let known = |key: &String| schema["properties"].get(key).is_some();
                let mut others = object.iter().filter(|(key, _)| !known(key));
                match of {
                    Value::Bool(false) => others.next().is_none(),
                    of => others.all(|(_, value)| self.is_valid(value, of)),
                }
            }),
            "propertyNames" => value.as_object().is_none_or(|object| {
                let mut keys = object.keys();
                keys.all(|key| self.is_valid(&Value::from(key.as_str()), of))
            }),
            other => panic!("the keyword `{other}` is not known"),
        })
    }
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a valid schema")).expect("a valid schema")
}

fn count(schemas: &Value, is_valid: impl Fn(&Value) -> bool) -> usize {
    let schemas = schemas.as_array().expect("a valid schema").iter();
    schemas.filter(|schema| is_valid(schema)).count()
}

fn has_type(value: &Value, ty: &str) -> bool {
    match ty {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => {
            value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0)
        }
        other => panic!("the type `{other}` is not known"),
    }
}

/// Compares two numbers; integers exactly.
fn compare(a: &Value, b: &Value) -> i32 {
    let integer = |value: &Value| {
        let unsigned = value.as_u64().map(i128::from);
        unsigned.or(value.as_i64().map(i128::from))
    };
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => a.cmp(&b) as i32,
        _ => a
            .as_f64()
            .expect("a valid schema")
            .total_cmp(&b.as_f64().expect("a valid schema")) as i32,
    }
}

/// Matches the regular expressions of schemas: alternatives, groups, classes, and counts.
pub(crate) fn matches(text: &str, pattern: &str) -> bool {
    let pattern = pattern
        .strip_prefix('^')
        .and_then(|rest| rest.strip_suffix('$'));
    let ends = ends(text, pattern.expect("a whole pattern"), 0);
    ends.contains(&text.len())
}

/// The ends of all matches of alternatives from a start.
fn ends(text: &str, pattern: &str, start: usize) -> Vec<usize> {
    let mut found = Vec::new();
    for alternative in split(pattern) {
        let mut starts = vec![start];
        let mut rest = alternative;
        while !rest.is_empty() {
            let (atom, after) = rest.split_at(atom_length(rest));
            let (least, most, after) = quantifier(after);
            let mut next = Vec::new();
            let mut reached = starts.clone();
            for count in 0..=most {
                if count >= least {
                    next.extend(&reached);
                }
                reached = reached
                    .iter()
                    .flat_map(|at| atom_ends(text, atom, *at))
                    .collect();
                reached.sort_unstable();
                reached.dedup();
                if reached.is_empty() {
                    break;
                }
            }
            next.sort_unstable();
            next.dedup();
            (starts, rest) = (next, after);
        }
        found.extend(starts);
    }
    found
}

fn atom_ends(text: &str, atom: &str, at: usize) -> Vec<usize> {
    if let Some(group) = atom.strip_prefix('(') {
        return ends(text, group.strip_suffix(')').expect("a valid schema"), at);
    }
    let Some(letter) = text.as_bytes().get(at).copied() else {
        return Vec::new();
    };
    let is_match = match atom.strip_prefix('[') {
        None => atom.as_bytes() == [letter],
        Some(class) => {
            let class = class.strip_suffix(']').expect("a valid schema").as_bytes();
            let mut ranges = class.windows(3).filter(|range| range[1] == b'-');
            class.contains(&letter) && letter != b'-'
                || ranges.any(|range| (range[0]..=range[2]).contains(&letter))
        }
    };
    if is_match { vec![at + 1] } else { Vec::new() }
}

fn atom_length(pattern: &str) -> usize {
    match pattern.as_bytes()[0] {
        b'[' => pattern.find(']').expect("a valid schema") + 1,
        b'(' => {
            let mut depth = 0;
            let close = pattern.char_indices().find(|(_, letter)| {
                depth += i32::from(*letter == '(') - i32::from(*letter == ')');
                depth == 0
            });
            close.expect("a valid schema").0 + 1
        }
        _ => 1,
    }
}

fn quantifier(pattern: &str) -> (usize, usize, &str) {
    match pattern.as_bytes().first() {
        Some(b'*') => (0, usize::MAX, &pattern[1..]),
        Some(b'?') => (0, 1, &pattern[1..]),
        Some(b'{') => {
            let (counts, rest) = pattern[1..].split_once('}').expect("a valid schema");
            let (least, most) = counts.split_once(',').unwrap_or((counts, counts));
            (
                least.parse().expect("a valid schema"),
                most.parse().expect("a valid schema"),
                rest,
            )
        }
        _ => (1, 1, pattern),
    }
}

/// The alternatives of a pattern.
fn split(pattern: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (index, letter) in pattern.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => {
                found.push(&pattern[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    found.push(&pattern[start..]);
    found
}

#[test]
fn the_matcher_of_these_tests_matches() {
    for (text, pattern, expected) in [
        ("", "^a*$", true),
        ("aab", "^(a|b)*$", true),
        ("abc", "^(a|b)*$", false),
        ("12", "^[1-9][0-9]{0,1}$", true),
        ("123", "^[1-9][0-9]{0,1}$", false),
        ("-5", "^(0|-([1-4]|5))$", true),
        ("ab=", "^([a-z]{2}=)?$", true),
    ] {
        assert_eq!(matches(text, pattern), expected, "{text} {pattern}");
    }
}
