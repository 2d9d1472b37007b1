//! Tests of JSON Schema: a body is valid exactly if the decoder reads it.

use proptest::prelude::*;
use serde_json::{Value, json};
use weft_json::{Format, Interface, Settings, Type, TypeName, schema};

use crate::generated::{random_type, settings};
use crate::model::{self, Random};
use crate::support::{param, parse, read_with, write_with};
use crate::validator::{Validator, matches};

fn reference(name: &TypeName) -> String {
    format!("#/$defs/{}", name.name)
}

/// The schema of a type with the definitions of the named types within it.
fn whole(ty: &Type, settings: Settings) -> Value {
    let mut schema = schema::mention(ty, settings, &reference);
    let mut open = vec![ty.clone()];
    while let Some(ty) = open.pop() {
        if let Some(name) = ty.name() {
            schema["$defs"][&name.name] = schema::of(&ty, settings, &reference);
        }
        open.extend(ty.members().cloned());
    }
    schema
}

// === Properties ===

/// Values that are near those of many types.
fn other(random: &mut Random) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(127),
        json!(256),
        json!(-32769),
        json!(4_294_967_296_u64),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1.5),
        json!(1e300),
        json!(3.402_823_5e38),
        json!(3.402_823_6e38),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("€"),
        json!("0"),
        json!("-0"),
        json!("18446744073709551615"),
        json!("18446744073709551616"),
        json!("-9223372036854775808"),
        json!("-9223372036854775809"),
        json!("NaN"),
        json!("AQ=="),
        json!("AR=="),
        json!("AQI="),
        json!("e-0x"),
        json!([]),
        json!([1, 2]),
        json!({}),
        json!({"tag": "none"}),
        json!({"tag": "some", "val": null}),
        json!({"tag": "ok"}),
        json!({"300": 1, "true": 2, "a": 3}),
        json!({"isB0": true}),
    ];
    values[random.below(values.len())].clone()
}

/// Changes one part of a value.
fn change(value: &mut Value, random: &mut Random) {
    if random.below(3) == 0 {
        *value = other(random);
        return;
    }
    match value {
        Value::Array(items) if !items.is_empty() => {
            let index = random.below(items.len());
            match random.below(4) {
                0 => items.push(other(random)),
                1 => drop(items.pop()),
                _ => change(&mut items[index], random),
            }
        }
        Value::Object(members) if !members.is_empty() => {
            let index = random.below(members.len());
            let key = members.keys().nth(index).expect("a key").clone();
            match random.below(4) {
                0 => drop(members.remove(&key)),
                1 => drop(members.insert("other".to_owned(), other(random))),
                _ => change(&mut members[&key], random),
            }
        }
        value => *value = other(random),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_body_is_valid_exactly_if_it_is_read(seed in any::<u64>(), settings in settings()) {
        let (ty, mut random) = random_type(seed);
        let schema = whole(&ty, settings);
        let validator = Validator { root: &schema };
        for _ in 0..8 {
            let bytes = model::Value::random(&ty, &mut random).wire(&ty);
            let body = write_with(Format::Json, &bytes, &ty, settings).unwrap();
            let mut value: Value = serde_json::from_slice(&body).unwrap();
            prop_assert!(validator.is_valid(&value, &schema), "{value} {schema}");
            change(&mut value, &mut random);
            let body = value.to_string();
            let is_read = read_with(Format::Json, body.as_bytes(), &ty, settings).is_ok();
            prop_assert_eq!(validator.is_valid(&value, &schema), is_read, "{} {}", body, schema);
        }
    }
}

#[test]
fn every_integer_type_has_the_bounds_of_its_pattern_and_its_range() {
    let types = [
        ("u8", 0, 255_i128),
        ("s8", -128, 127),
        ("u16", 0, 65_535),
        ("s16", -32_768, 32_767),
        ("u32", 0, u32::MAX.into()),
        ("s32", i32::MIN.into(), i32::MAX.into()),
        ("u64", 0, u64::MAX.into()),
        ("s64", i64::MIN.into(), i64::MAX.into()),
    ];
    for (name, min, max) in types {
        let ty = param("", &format!("map<{name}, {name}>"));
        let schema = schema::of(&ty, Settings::default(), &reference);
        let pattern = schema["propertyNames"]["pattern"].as_str().unwrap();
        for value in [min, min + 1, 0, 1, 9, 10, 99, 100, max - 1, max] {
            assert!(matches(&value.to_string(), pattern), "{value} {pattern}");
        }
        let others = [min - 1, max + 1, max * 10, min * 10 - 1].map(|value| value.to_string());
        for text in others
            .iter()
            .map(String::as_str)
            .chain(["", "-", "-0", "00", "01", "1.0"])
        {
            assert!(!matches(text, pattern), "{text} {pattern}");
        }
    }
}

fn documented() -> Interface {
    parse(
        "/// A line.
         record line {
             /// The article.
             sku: string,
             /// In pieces.
             unit-count: u32,
             of: option<size>,
         }
         /// Sizes.
         enum size {
             /// Up to a gram.
             small,
             large,
         }
         variant error {
             /// Nothing was ordered.
             empty,
             unknown(string),
         }
         f: func(lines: list<line>, note: option<string>) -> result<u64, error>;",
    )
}

#[test]
fn a_schema_has_the_prose_of_its_types() {
    let interface = documented();
    let types = interface.named_types();
    let find = |name: &str| {
        let mut types = types.iter();
        let ty = types.find(|ty| ty.name().unwrap().name == name).unwrap();
        schema::of(ty, Settings::default(), &reference)
    };
    assert_eq!(
        find("line"),
        json!({
            "type": "object",
            "description": "A line.",
            "properties": {
                "sku": { "type": "string", "description": "The article." },
                "unitCount": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 4_294_967_295_u32,
                    "description": "In pieces.",
                },
                "of": { "anyOf": [{ "$ref": "#/$defs/size" }, { "type": "null" }] },
            },
            "required": ["sku", "unitCount"],
            "additionalProperties": false,
        })
    );
    assert_eq!(
        find("size"),
        json!({
            "type": "string",
            "enum": ["small", "large"],
            "description": "Sizes.\n\n- `small`: Up to a gram.",
        })
    );
    assert_eq!(
        find("error")["oneOf"][0]["description"],
        "Nothing was ordered."
    );
    assert_eq!(find("error")["oneOf"][1]["required"], json!(["tag", "val"]));
}

#[test]
fn the_schema_of_arguments_is_that_of_an_object_of_parameters() {
    let interface = documented();
    let params = &interface.function("f").unwrap().params;
    let schema = schema::arguments(params, Settings::default(), &reference);
    assert_eq!(schema["required"], json!(["lines"]));
    assert_eq!(
        schema["properties"]["lines"]["items"]["$ref"],
        "#/$defs/line"
    );
    let only_note = schema::arguments(&params[1..], Settings::default(), &reference);
    assert_eq!(only_note["required"], json!([]));
    assert_eq!(only_note["additionalProperties"], false);
}
