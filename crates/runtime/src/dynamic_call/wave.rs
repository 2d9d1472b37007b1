//! Values in WAVE: arguments, checked against the parameters of a function, and results. A mistake
//! is named by its place, with the expected type.

use std::collections::BTreeMap;

use wasmtime::component::types::{ComponentFunc, Map, Record};
use wasmtime::component::wasm_wave::ast::Node;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::{Type, Val};
use weft_lattice_config::nearest;

use super::signature::{self, Parameter, count, shown};
use super::type_text::TypeText;

/// The deepest nesting of a function's types: bounds the recursion over them.
const TYPE_DEPTH_MAX: usize = 64;

/// Parses `arguments`, with their parentheses.
///
/// # Errors
/// The first mistake, with its place and the expected type.
pub(super) fn parse(arguments: &str, parameters: &[Parameter]) -> Result<Vec<Val>, String> {
    // The name of the function may be a keyword of WAVE, so the parser gets a fixed one.
    let text = format!("call{arguments}");
    let expected = signature::of(parameters);
    let parsed = UntypedFuncCall::parse(&text).map_err(|error| {
        match text.get(error.span()).filter(|piece| !piece.is_empty()) {
            Some(piece) => format!(
                "{} at `{}`; expected {expected}",
                error.kind(),
                shown(piece)
            ),
            None => format!("{}; expected {expected}", error.kind()),
        }
    })?;
    let given: Vec<&Node> = match parsed.params_node() {
        Some(node) => node
            .as_tuple()
            .map_or_else(|_| vec![node], Iterator::collect),
        None => Vec::new(),
    };
    if given.len() > parameters.len() {
        return Err(format!("expected {expected}, found {}", count(given.len())));
    }
    let reader = Reader { text: &text };
    let mut values = Vec::with_capacity(parameters.len());
    for (parameter, node) in parameters.iter().zip(&given) {
        values.push(reader.value(node, &parameter.ty, &parameter.name)?);
    }
    for Parameter { name, ty } in &parameters[given.len()..] {
        match ty {
            Type::Option(_) => values.push(Val::Option(None)),
            _ => return Err(format!("missing `{name}`; expected {expected}")),
        }
    }
    Ok(values)
}

/// Writes a value.
///
/// # Errors
/// If the library for WAVE rejects it.
pub(super) fn write(value: Val) -> Result<String, String> {
    let text = with_maps_as_lists(value).to_wave();
    text.map_err(|error| error.to_string())
}

/// Replaces maps by lists of pairs, their form in WAVE. Values are as deep as their checked types.
fn with_maps_as_lists(value: Val) -> Val {
    let all = |values: Vec<Val>| values.into_iter().map(with_maps_as_lists).collect();
    let boxed = |value: Option<Box<Val>>| value.map(|value| Box::new(with_maps_as_lists(*value)));
    match value {
        Val::Map(entries) => {
            let entries = entries.into_iter();
            let pairs = entries.map(|(key, value)| {
                Val::Tuple(vec![with_maps_as_lists(key), with_maps_as_lists(value)])
            });
            Val::List(pairs.collect())
        }
        Val::List(items) => Val::List(all(items)),
        Val::Tuple(items) => Val::Tuple(all(items)),
        Val::Record(fields) => {
            let fields = fields.into_iter();
            let fields = fields.map(|(name, value)| (name, with_maps_as_lists(value)));
            Val::Record(fields.collect())
        }
        Val::Variant(name, payload) => Val::Variant(name, boxed(payload)),
        Val::Option(some) => Val::Option(boxed(some)),
        Val::Result(Ok(value)) => Val::Result(Ok(boxed(value))),
        Val::Result(Err(value)) => Val::Result(Err(boxed(value))),
        other => other,
    }
}

/// Checks that all types of a function have a text form, before the call runs.
///
/// # Errors
/// The kind of a type that has none.
pub(super) fn check_types(function: &ComponentFunc) -> Result<(), &'static str> {
    let parameters = function.params().map(|(_, ty)| ty);
    let mut types = parameters.chain(function.results());
    types.try_for_each(|ty| check_text_form(&ty, 0))
}

fn check_text_form(ty: &Type, depth: usize) -> Result<(), &'static str> {
    if depth > TYPE_DEPTH_MAX {
        return Err("type nested too deeply");
    }
    let inner = |ty: &Type| check_text_form(ty, depth + 1);
    match ty {
        Type::Own(_) | Type::Borrow(_) => Err("resource"),
        Type::Stream(_) => Err("stream"),
        Type::Future(_) => Err("future"),
        Type::ErrorContext => Err("error context"),
        Type::FixedLengthList(_) => Err("list of fixed length"),
        Type::List(list) => inner(&list.ty()),
        Type::Map(map) => inner(&map.key()).and_then(|()| inner(&map.value())),
        Type::Option(option) => inner(&option.ty()),
        Type::Tuple(tuple) => tuple.types().try_for_each(|ty| inner(&ty)),
        Type::Record(record) => record.fields().try_for_each(|field| inner(&field.ty)),
        Type::Variant(variant) => variant
            .cases()
            .filter_map(|case| case.ty)
            .try_for_each(|ty| inner(&ty)),
        Type::Result(result) => [result.ok(), result.err()]
            .into_iter()
            .flatten()
            .try_for_each(|ty| inner(&ty)),
        _ => Ok(()),
    }
}

/// Makes values of parsed text, and reports the first mistake. Types are nested at most as deeply
/// as the caller allows.
///
/// The library for WAVE makes values too, but not of maps, and does not name the place of a
/// mistake.
struct Reader<'t> {
    text: &'t str,
}

impl Reader<'_> {
    fn value(&self, node: &Node, ty: &Type, place: &str) -> Result<Val, String> {
        let mismatch = || self.mismatch(node, ty, place);
        Ok(match ty {
            Type::Record(record) => self.record(node, record, ty, place)?,
            Type::List(list) => {
                let ty = list.ty();
                let items = node.as_list().map_err(|_| mismatch())?.enumerate();
                let items =
                    items.map(|(index, item)| self.value(item, &ty, &format!("{place}[{index}]")));
                Val::List(items.collect::<Result<_, _>>()?)
            }
            Type::Map(map) => self.map(node, map, ty, place)?,
            Type::Tuple(tuple) => {
                let types: Vec<Type> = tuple.types().collect();
                let items = node.as_tuple().map_err(|_| mismatch())?;
                if items.len() != types.len() {
                    return Err(mismatch());
                }
                let items = items
                    .zip(&types)
                    .enumerate()
                    .map(|(index, (item, ty))| self.value(item, ty, &format!("{place}.{index}")));
                Val::Tuple(items.collect::<Result<_, _>>()?)
            }
            Type::Option(option) => match node.as_option() {
                Ok(some) => {
                    let value = some.map(|value| self.value(value, &option.ty(), place));
                    Val::Option(value.transpose()?.map(Box::new))
                }
                Err(_) if is_nested(&option.ty()) => return Err(mismatch()),
                // `some` may be left out.
                Err(_) => Val::Option(Some(Box::new(self.value(node, &option.ty(), place)?))),
            },
            Type::Result(result) => match (node.as_result(), result.ok()) {
                (Ok(Ok(value)), ok) => {
                    Val::Result(Ok(self.payload(value, ok.as_ref(), place, &mismatch)?))
                }
                (Ok(Err(value)), _) => {
                    let err = result.err();
                    Val::Result(Err(self.payload(value, err.as_ref(), place, &mismatch)?))
                }
                // `ok` may be left out.
                (Err(_), Some(ok)) if !is_nested(&ok) => {
                    Val::Result(Ok(Some(Box::new(self.value(node, &ok, place)?))))
                }
                (Err(_), _) => return Err(mismatch()),
            },
            Type::Variant(variant) => {
                let cases: Vec<_> = variant.cases().collect();
                let (name, payload) = node.as_variant(self.text).map_err(|_| mismatch())?;
                let Some(case) = cases.iter().find(|case| case.name == name) else {
                    let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
                    return Err(unknown("case", name, &names, place));
                };
                let of_case = format!("{place}.{name}");
                let payload = self.payload(payload, case.ty.as_ref(), &of_case, &mismatch)?;
                Val::Variant(name.to_owned(), payload)
            }
            Type::Enum(cases) => {
                let name = node.as_enum(self.text).map_err(|_| mismatch())?;
                let names: Vec<&str> = cases.names().collect();
                if !names.contains(&name) {
                    return Err(unknown("case", name, &names, place));
                }
                Val::Enum(name.to_owned())
            }
            Type::Flags(flags) => {
                let names: Vec<&str> = flags.names().collect();
                let given: Vec<&str> = match node.as_flags(self.text) {
                    Ok(given) => given.collect(),
                    Err(_) => return Err(mismatch()),
                };
                if let Some(name) = given.iter().find(|name| !names.contains(name)) {
                    return Err(unknown("flag", name, &names, place));
                }
                Val::Flags(given.into_iter().map(str::to_owned).collect())
            }
            _ => node.to_wasm_value(ty, self.text).map_err(|_| mismatch())?,
        })
    }

    fn record(&self, node: &Node, record: &Record, ty: &Type, place: &str) -> Result<Val, String> {
        let fields = node.as_record(self.text);
        let fields = fields.map_err(|_| self.mismatch(node, ty, place))?;
        let known: Vec<_> = record.fields().collect();
        let mut given = BTreeMap::new();
        for (name, node) in fields {
            let Some(field) = known.iter().find(|field| field.name == name) else {
                let names: Vec<&str> = known.iter().map(|field| field.name).collect();
                return Err(unknown("field", name, &names, place));
            };
            let value = self.value(node, &field.ty, &format!("{place}.{name}"))?;
            given.insert(name, value);
        }
        let values = known.iter().map(|field| {
            let value = match (given.remove(field.name), &field.ty) {
                (Some(value), _) => value,
                (None, Type::Option(_)) => Val::Option(None),
                (None, ty) => {
                    return Err(format!(
                        "`{place}`: missing field `{}` of type `{}`",
                        field.name,
                        shown(&TypeText(ty).to_string())
                    ));
                }
            };
            Ok((field.name.to_owned(), value))
        });
        Ok(Val::Record(values.collect::<Result<_, _>>()?))
    }

    /// Reads a map from a list of pairs. WAVE has no form of its own for maps.
    fn map(&self, node: &Node, map: &Map, ty: &Type, place: &str) -> Result<Val, String> {
        let mismatch = || {
            let mismatch = self.mismatch(node, ty, place);
            format!("{mismatch}; write a map as a list of pairs: `[(key, value), …]`")
        };
        let (key, value) = (map.key(), map.value());
        let entries = node.as_list().map_err(|_| mismatch())?.enumerate();
        let entries = entries.map(|(index, entry)| {
            let pair: Vec<&Node> = match entry.as_tuple() {
                Ok(pair) => pair.collect(),
                Err(_) => return Err(mismatch()),
            };
            let [of_key, of_value] = pair[..] else {
                return Err(mismatch());
            };
            let place = |side: usize| format!("{place}[{index}].{side}");
            Ok((
                self.value(of_key, &key, &place(0))?,
                self.value(of_value, &value, &place(1))?,
            ))
        });
        Ok(Val::Map(entries.collect::<Result<_, _>>()?))
    }

    fn payload(
        &self,
        node: Option<&Node>,
        ty: Option<&Type>,
        place: &str,
        mismatch: &dyn Fn() -> String,
    ) -> Result<Option<Box<Val>>, String> {
        match (node, ty) {
            (Some(node), Some(ty)) => Ok(Some(Box::new(self.value(node, ty, place)?))),
            (None, None) => Ok(None),
            _ => Err(mismatch()),
        }
    }

    fn mismatch(&self, node: &Node, ty: &Type, place: &str) -> String {
        let found = self.text.get(node.span()).unwrap_or_default();
        format!(
            "`{place}`: expected `{}`, found `{}`",
            shown(&TypeText(ty).to_string()),
            shown(found)
        )
    }
}

/// True for the types whose case cannot be left out within an `option` or a `result`.
fn is_nested(ty: &Type) -> bool {
    matches!(ty, Type::Option(_) | Type::Result(_))
}

fn unknown(what: &str, name: &str, known: &[&str], place: &str) -> String {
    let quoted: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    let expected = shown(&quoted.join(", "));
    let similar = nearest(name, known.iter().copied());
    let similar = similar.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
    format!(
        "`{place}`: unknown {what} `{}`, expected {expected}{similar}",
        shown(name)
    )
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;
    use wasmtime::component::types::ComponentItem;
    use wasmtime::{Config, Engine};

    use super::*;

    const COMPONENT: &str = r#"(component
        (type $order (record (field "sku" string) (field "quantity" u32) (field "note" (option string))))
        (type $size (enum "small" "large"))
        (type $pay (variant (case "cash") (case "card" string)))
        (import "order" (type $o (eq $order)))
        (import "size" (type $s (eq $size)))
        (import "pay" (type $p (eq $pay)))
        (import "g" (func
            (param "prices" (map string (option u32))) (param "orders" (option (map u8 $o)))
            (param "last" (option (result (map bool $s) (error string))))
        ))
        (import "f" (func
            (param "order" $o) (param "sizes" (list $s)) (param "by" $p)
        ))
    )"#;

    fn parameters() -> Vec<Parameter> {
        parameters_of("f")
    }

    fn parameters_of(name: &str) -> Vec<Parameter> {
        let mut config = Config::new();
        config.wasm_component_model_map(true);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, wat::parse_str(COMPONENT).unwrap()).unwrap();
        let ty = component.component_type();
        let Some(ComponentItem::ComponentFunc(function)) = ty
            .imports(&engine)
            .find_map(|(import, item)| (import == name).then_some(item.ty))
        else {
            panic!("no function");
        };
        let parameters = function.params();
        let parameters = parameters.map(|(name, ty)| (name.to_owned(), ty));
        parameters
            .map(|(name, ty)| Parameter { name, ty })
            .collect()
    }

    fn problem(arguments: &str) -> String {
        parse(arguments, &parameters()).unwrap_err()
    }

    #[test]
    fn right_arguments_are_accepted_also_without_an_optional_field() {
        let arguments = r#"({sku: "a", quantity: 1}, [small], card("x"))"#;
        assert_eq!(parse(arguments, &parameters()).unwrap().len(), 3);
        let arguments = r#"({sku: "a", quantity: 1, note: some("n")}, [], cash)"#;
        assert_eq!(parse(arguments, &parameters()).unwrap().len(), 3);
    }

    #[test]
    fn a_mistake_is_named_by_its_place_and_the_expected_type() {
        let cases = [
            (
                r#"({sku: "a", quantity: "1"}, [], cash)"#,
                r#"`order.quantity`: expected `u32`, found `"1"`"#,
            ),
            (
                r#"({sku: "a"}, [], cash)"#,
                "`order`: missing field `quantity` of type `u32`",
            ),
            (
                r#"({sku: "a", quantity: 1, notes: "n"}, [], cash)"#,
                "`order`: unknown field `notes`, expected `sku`, `quantity`, `note`; did you mean \
                 `note`?",
            ),
            (
                r#"({sku: "a", quantity: 1}, [small, medium], cash)"#,
                "`sizes[1]`: unknown case `medium`, expected `small`, `large`",
            ),
            (
                r#"({sku: "a", quantity: 1}, [], card)"#,
                "`by`: expected `variant { cash, card(string) }`, found `card`",
            ),
            (
                r#"("a", [], cash)"#,
                r#"`order`: expected `record { sku: string, quantity: u32, note: option<string> }`, found `"a"`"#,
            ),
        ];
        for (arguments, expected) in cases {
            assert_eq!(problem(arguments), expected, "{arguments}");
        }
    }

    #[test]
    fn a_map_is_a_list_of_pairs() {
        let text = |text: &str| Val::String(text.to_owned());
        let some = |value| Val::Option(Some(Box::new(value)));
        let arguments =
            r#"([("b", 2), ("a", none), ("b", some(3))], [(7, {sku: "x", quantity: 1})])"#;
        let values = parse(arguments, &parameters_of("g")).unwrap();
        let prices = [
            (text("b"), some(Val::U32(2))),
            (text("a"), Val::Option(None)),
            (text("b"), some(Val::U32(3))),
        ];
        assert_eq!(values[0], Val::Map(prices.into()));
        let field = |name: &str, value| (name.to_owned(), value);
        let order = Val::Record(vec![
            field("sku", text("x")),
            field("quantity", Val::U32(1)),
            field("note", Val::Option(None)),
        ]);
        assert_eq!(values[1], some(Val::Map(vec![(Val::U8(7), order)])));
        assert_eq!(values[2], Val::Option(None));

        let sizes = parse("([], none, some(ok([(true, small)])))", &parameters_of("g")).unwrap();
        let sizes = sizes[2].clone();
        let ok = Val::Map(vec![(Val::Bool(true), Val::Enum("small".to_owned()))]);
        assert_eq!(sizes, some(Val::Result(Ok(Some(Box::new(ok))))));
    }

    #[test]
    fn a_mistake_in_a_map_is_named_by_its_place_and_the_form_of_a_map() {
        let form = "write a map as a list of pairs: `[(key, value), …]`";
        let cases = [
            (
                "({a: 1})",
                format!("`prices`: expected `map<string, option<u32>>`, found `{{a: 1}}`; {form}"),
            ),
            (
                r#"(["a"])"#,
                format!(r#"`prices`: expected `map<string, option<u32>>`, found `["a"]`; {form}"#),
            ),
            (
                r#"([("a", 1), ("b", 2, 3)])"#,
                format!(
                    "`prices`: expected `map<string, option<u32>>`, found `[(\"a\", 1), (\"b\", 2, \
                     3)]`; {form}"
                ),
            ),
            (
                "([(1, 2)])",
                "`prices[0].0`: expected `string`, found `1`".to_owned(),
            ),
            (
                r#"([("a", 1), ("b", x)])"#,
                "`prices[1].1`: expected `u32`, found `x`".to_owned(),
            ),
            (
                "()",
                "missing `prices`; expected 3 arguments: `prices: map<string, option<u32>>, orders: \
                 option<map<u8, record { sku: string, quantity: u32, note: option<string> }>>, …`"
                    .to_owned(),
            ),
        ];
        for (arguments, expected) in cases {
            let found = parse(arguments, &parameters_of("g")).unwrap_err();
            assert_eq!(found, expected, "{arguments}");
        }
    }

    #[test]
    fn a_missing_and_a_superfluous_argument_are_reported_with_the_parameters() {
        let missing = problem(r#"({sku: "a", quantity: 1})"#);
        assert!(
            missing.starts_with("missing `sizes`; expected 3 arguments: `order: "),
            "{missing}"
        );
        let many = problem(r#"({sku: "a", quantity: 1}, [], cash, 4)"#);
        assert!(many.ends_with(", found 4 arguments"), "{many}");
        assert_eq!(
            parse("(1)", &[]).unwrap_err(),
            "expected 0 arguments, found 1 argument"
        );
    }

    #[test]
    fn long_values_are_shortened() {
        let long = format!("(\"{}\", [], cash)", "x".repeat(1000));
        assert!(problem(&long).len() < 400);
    }

    #[test]
    fn the_maps_of_a_result_are_lists_of_pairs() {
        let map = |value| Val::Map(vec![(Val::String("a".to_owned()), value)]);
        let cases = [
            (map(Val::U8(1)), r#"[("a", 1)]"#),
            (Val::Map(Vec::new()), "[]"),
            (
                Val::Option(Some(Box::new(map(Val::List(vec![map(Val::U8(2))]))))),
                r#"some([("a", [[("a", 2)]])])"#,
            ),
            (
                Val::Result(Err(Some(Box::new(Val::Record(vec![(
                    "of".to_owned(),
                    Val::Variant("c".to_owned(), Some(Box::new(map(Val::Bool(true))))),
                )]))))),
                r#"err({of: c([("a", true)])})"#,
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(write(value).unwrap(), expected);
        }
    }
}
