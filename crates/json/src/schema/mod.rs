//! Types as JSON Schema (2020-12).

mod pattern;

use serde_json::{Map, Value, json};
use weft_wire::{Scalar, SimpleType};

use crate::number::{SINGLE_MAX, is_wide, range};
use crate::settings::{Int64, Settings};
use crate::types::{Cases, Kind, Param, Type, TypeName};

/// The schema of a type. Named types within it are references, of which the caller gives the URI;
/// the schema of a named type itself is its definition.
///
/// ```
/// use weft_json::{Interface, Settings, schema};
///
/// let text = "package a:b; interface i {
///     /// A place.
///     record point { x: s8, label: option<string> }
///     f: func(p: list<point>); }";
/// let interface = Interface::from_text(text, "a:b/i")?;
/// let points = &interface.functions[0].params[0].ty;
/// let reference = |name: &weft_json::TypeName| format!("#/components/schemas/{}", name.name);
///
/// let schema = schema::of(points, Settings::default(), &reference);
/// assert_eq!(schema["items"]["$ref"], "#/components/schemas/point");
/// let point = interface.named_types()[0];
/// let schema = schema::of(point, Settings::default(), &reference);
/// assert_eq!(schema["description"], "A place.");
/// assert_eq!(schema["properties"]["x"]["minimum"], -128);
/// assert_eq!(schema["required"], serde_json::json!(["x"]));
/// # Ok::<(), weft_json::TextError>(())
/// ```
#[must_use]
pub fn of(ty: &Type, settings: Settings, reference: &dyn Fn(&TypeName) -> String) -> Value {
    let writer = Writer {
        settings,
        reference,
    };
    writer.definition(ty)
}

/// The schema of a type where it is mentioned: a reference if it has a name.
#[must_use]
pub fn mention(ty: &Type, settings: Settings, reference: &dyn Fn(&TypeName) -> String) -> Value {
    let writer = Writer {
        settings,
        reference,
    };
    writer.mention(ty)
}

/// The schema of a body that is an object of parameters.
#[must_use]
pub fn arguments<'p>(
    params: impl IntoIterator<Item = &'p Param>,
    settings: Settings,
    reference: &dyn Fn(&TypeName) -> String,
) -> Value {
    let writer = Writer {
        settings,
        reference,
    };
    let params = params.into_iter();
    writer.object(params.map(|param| (param.name.key(settings.names), &param.ty, None)))
}

struct Writer<'r> {
    settings: Settings,
    reference: &'r dyn Fn(&TypeName) -> String,
}

impl Writer<'_> {
    fn mention(&self, ty: &Type) -> Value {
        match ty.name() {
            Some(name) => json!({ "$ref": (self.reference)(name) }),
            None => self.definition(ty),
        }
    }

    /// The recursion is as deep as unnamed types are nested.
    fn definition(&self, ty: &Type) -> Value {
        let schema = match ty.kind() {
            Kind::Scalar(scalar) => self.scalar(*scalar),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({
                "type": "string",
                "contentEncoding": "base64",
                "pattern": pattern::BASE64,
            }),
            Kind::List(element) => json!({ "type": "array", "items": self.mention(element) }),
            // Not `items: false` as well: for validators of draft 7, which know no `prefixItems`,
            // all tuples would have to be empty. The client of the MCP's own SDK is one of these.
            Kind::Tuple(members) => json!({
                "type": "array",
                "prefixItems": members.iter().map(|ty| self.mention(ty)).collect::<Vec<_>>(),
                "minItems": members.len(),
                "maxItems": members.len(),
            }),
            Kind::Map { key, value } => json!({
                "type": "object",
                "propertyNames": key_schema(key),
                "additionalProperties": self.mention(value),
            }),
            Kind::Record(fields) => self.object(fields.iter().map(|field| {
                let key = field.name.key(self.settings.names);
                (key, &field.ty, field.docs.as_deref())
            })),
            Kind::Flags(flags) => {
                let keys = flags.iter().map(|flag| {
                    let key = flag.name.key(self.settings.names).to_owned();
                    (
                        key,
                        describe(json!({ "type": "boolean" }), flag.docs.as_deref()),
                    )
                });
                json!({
                    "type": "object",
                    "properties": keys.collect::<Map<_, _>>(),
                    "additionalProperties": false,
                })
            }
            Kind::Enum(cases) => {
                let names: Vec<_> = cases.iter().map(|case| &case.name).collect();
                let docs = cases
                    .iter()
                    .filter_map(|case| Some((&case.name, case.docs.as_ref()?)));
                let docs: Vec<_> = docs
                    .map(|(name, docs)| format!("- `{name}`: {docs}"))
                    .collect();
                let schema = json!({ "type": "string", "enum": names });
                describe(
                    schema,
                    (!docs.is_empty()).then(|| docs.join("\n")).as_deref(),
                )
            }
            Kind::Option(some) if ty.is_nullable() => {
                json!({ "anyOf": [self.mention(some), { "type": "null" }] })
            }
            Kind::Variant(_) | Kind::Option(_) | Kind::Result { .. } => self.tagged(ty),
            Kind::Stream(element) => self.stream(*element),
            Kind::Future(value) => value.as_ref().map_or(json!({}), |ty| self.mention(ty)),
        };
        match (ty.docs(), schema.get("description")) {
            (Some(docs), Some(Value::String(cases))) => {
                let both = format!("{docs}\n\n{cases}");
                describe(schema, Some(&both))
            }
            (docs, _) => describe(schema, docs),
        }
    }

    fn scalar(&self, scalar: Scalar) -> Value {
        match (scalar, range(scalar)) {
            (Scalar::Bool, _) => json!({ "type": "boolean" }),
            (Scalar::Char, _) => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
            (wide, Some((min, max))) if is_wide(wide) => {
                let number = integer(scalar, min, max);
                let text = json!({ "type": "string", "pattern": pattern::integers(min, max) });
                // The first is the form that the host writes.
                let forms = match self.settings.int64 {
                    Int64::Number => [number, text],
                    Int64::String => [text, number],
                };
                json!({ "anyOf": forms })
            }
            (_, Some((min, max))) => integer(scalar, min, max),
            (float, None) => {
                let number = match float {
                    Scalar::F32 => json!({
                        "type": "number",
                        "format": "float",
                        "minimum": -SINGLE_MAX,
                        "maximum": SINGLE_MAX,
                    }),
                    _ => json!({ "type": "number", "format": "double" }),
                };
                let words = json!({ "type": "string", "enum": ["NaN", "Infinity", "-Infinity"] });
                json!({ "anyOf": [number, words] })
            }
        }
    }

    /// An object of keys with their types and their prose.
    fn object<'t>(
        &self,
        fields: impl Iterator<Item = (&'t str, &'t Type, Option<&'t str>)>,
    ) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for (key, ty, docs) in fields {
            properties.insert(key.to_owned(), describe(self.mention(ty), docs));
            if ty.optional().is_none() {
                required.push(key);
            }
        }
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    fn tagged(&self, ty: &Type) -> Value {
        let Some(cases) = ty.tagged() else {
            return json!({});
        };
        let forms = cases.all().enumerate().map(|(index, (name, payload))| {
            let mut properties = Map::new();
            let mut required = vec!["tag"];
            properties.insert("tag".to_owned(), json!({ "const": name }));
            if let Some(payload) = payload {
                properties.insert("val".to_owned(), self.mention(payload));
                if payload.optional().is_none() {
                    required.push("val");
                }
            }
            let schema = json!({
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            });
            describe(schema, case_docs(cases, index))
        });
        json!({ "oneOf": forms.collect::<Vec<_>>() })
    }

    fn stream(&self, element: SimpleType) -> Value {
        match element {
            SimpleType::Scalar(Scalar::U8) | SimpleType::Bytes => {
                json!({ "type": "string", "contentMediaType": "application/octet-stream" })
            }
            SimpleType::Scalar(scalar) => self.scalar(scalar),
            SimpleType::String => json!({ "type": "string" }),
        }
    }
}

fn case_docs(cases: Cases<'_>, index: usize) -> Option<&str> {
    match cases {
        Cases::Variant(cases) => cases[index].docs.as_deref(),
        Cases::Result(..) | Cases::Option(_) => None,
    }
}

fn integer(scalar: Scalar, min: i128, max: i128) -> Value {
    let mut schema = json!({ "type": "integer" });
    // Every bound is one of an integer of at most 64 bits.
    schema["minimum"] = i64::try_from(min).map_or(Value::Null, Value::from);
    schema["maximum"] = u64::try_from(max).map_or(Value::Null, Value::from);
    match scalar {
        Scalar::S32 => schema["format"] = "int32".into(),
        Scalar::S64 => schema["format"] = "int64".into(),
        Scalar::U64 => schema["format"] = "uint64".into(),
        _ => {}
    }
    schema
}

/// The schema of keys, which are strings in JSON.
fn key_schema(ty: &Type) -> Value {
    match ty.kind() {
        Kind::Scalar(Scalar::Bool) => json!({ "enum": ["true", "false"] }),
        Kind::Scalar(Scalar::Char) => json!({ "minLength": 1, "maxLength": 1 }),
        Kind::Scalar(scalar) => match range(*scalar) {
            Some((min, max)) => json!({ "pattern": pattern::integers(min, max) }),
            None => json!({}),
        },
        _ => json!({ "type": "string" }),
    }
}

fn describe(mut schema: Value, docs: Option<&str>) -> Value {
    if let Some(docs) = docs {
        schema["description"] = docs.into();
    }
    schema
}
