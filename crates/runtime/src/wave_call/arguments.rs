//! Arguments in WAVE, checked against the parameters of a function: the mistake is named by its
//! place, with the expected type.

use std::collections::BTreeSet;

use wasmtime::component::wasm_wave::ast::Node;
use wasmtime::component::wasm_wave::untyped::UntypedFuncCall;
use wasmtime::component::wasm_wave::wasm::DisplayType;
use wasmtime::component::{Type, Val};
use weft_lattice_config::nearest;

/// The most characters of a type or a value in a message.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// A parameter of a function.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) ty: Type,
}

/// Parses `arguments`, with their parentheses.
///
/// # Errors
/// The first mistake, with its place and the expected type.
pub(super) fn parse(arguments: &str, parameters: &[Parameter]) -> Result<Vec<Val>, String> {
    // The name of the function may be a keyword of WAVE, so the parser gets a fixed one.
    let text = format!("call{arguments}");
    let expected = signature(parameters);
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
    for (parameter, node) in parameters.iter().zip(&given) {
        check(node, &parameter.ty, &text, &parameter.name)?;
    }
    let types: Vec<Type> = parameters.iter().map(|it| it.ty.clone()).collect();
    parsed
        .to_wasm_params(&types)
        .map_err(|error| match parameters.get(given.len()) {
            Some(missing) => format!("missing `{}`; expected {expected}", missing.name),
            None => format!("{error}; expected {expected}"),
        })
}

/// Reports the first mistake in a value. Types are nested at most as deeply as the caller allows.
fn check(node: &Node, ty: &Type, text: &str, place: &str) -> Result<(), String> {
    let mismatch = || {
        let found = text.get(node.span()).unwrap_or_default();
        Err(format!(
            "`{place}`: expected `{}`, found `{}`",
            shown(&DisplayType(ty).to_string()),
            shown(found)
        ))
    };
    match ty {
        Type::Record(record) => {
            let Ok(fields) = node.as_record(text) else {
                return mismatch();
            };
            let known: Vec<_> = record.fields().collect();
            let names: Vec<&str> = known.iter().map(|field| field.name).collect();
            let mut given = BTreeSet::new();
            for (name, value) in fields {
                let Some(field) = known.iter().find(|field| field.name == name) else {
                    return Err(unknown("field", name, &names, place));
                };
                given.insert(name);
                check(value, &field.ty, text, &format!("{place}.{name}"))?;
            }
            let is_missing =
                |name: &str, ty: &Type| !given.contains(name) && !matches!(ty, Type::Option(_));
            match known.iter().find(|field| is_missing(field.name, &field.ty)) {
                Some(field) => Err(format!(
                    "`{place}`: missing field `{}` of type `{}`",
                    field.name,
                    shown(&DisplayType(&field.ty).to_string())
                )),
                None => Ok(()),
            }
        }
        Type::List(list) => {
            let Ok(items) = node.as_list() else {
                return mismatch();
            };
            let ty = list.ty();
            let mut items = items.enumerate();
            items.try_for_each(|(index, item)| check(item, &ty, text, &format!("{place}[{index}]")))
        }
        Type::Tuple(tuple) => {
            let types: Vec<Type> = tuple.types().collect();
            let Ok(items) = node.as_tuple() else {
                return mismatch();
            };
            if items.len() != types.len() {
                return mismatch();
            }
            let mut items = items.zip(&types).enumerate();
            items.try_for_each(|(index, (item, ty))| {
                check(item, ty, text, &format!("{place}.{index}"))
            })
        }
        Type::Option(option) => match node.as_option() {
            Ok(Some(value)) => check(value, &option.ty(), text, place),
            Ok(None) => Ok(()),
            Err(_) => match matches!(option.ty(), Type::Option(_) | Type::Result(_)) {
                true => mismatch(),
                false => check(node, &option.ty(), text, place),
            },
        },
        Type::Variant(variant) => {
            let cases: Vec<_> = variant.cases().collect();
            let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
            let Ok((name, payload)) = node.as_variant(text) else {
                return mismatch();
            };
            let Some(case) = cases.iter().find(|case| case.name == name) else {
                return Err(unknown("case", name, &names, place));
            };
            match (&case.ty, payload) {
                (Some(ty), Some(payload)) => check(payload, ty, text, &format!("{place}.{name}")),
                (None, None) => Ok(()),
                _ => mismatch(),
            }
        }
        Type::Enum(cases) => match node.as_enum(text) {
            Ok(name) if cases.names().any(|known| known == name) => Ok(()),
            Ok(name) => Err(unknown(
                "case",
                name,
                &cases.names().collect::<Vec<_>>(),
                place,
            )),
            Err(_) => mismatch(),
        },
        Type::Flags(flags) => {
            let names: Vec<&str> = flags.names().collect();
            let Ok(mut given) = node.as_flags(text) else {
                return mismatch();
            };
            match given.find(|name| !names.contains(name)) {
                Some(name) => Err(unknown("flag", name, &names, place)),
                None => Ok(()),
            }
        }
        _ => match node.to_wasm_value::<Val>(ty, text) {
            Ok(_) => Ok(()),
            Err(_) => mismatch(),
        },
    }
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

/// The parameters as in WIT: ``2 arguments: `sku: string, quantity: u32` ``.
fn signature(parameters: &[Parameter]) -> String {
    if parameters.is_empty() {
        return count(0);
    }
    let listed = parameters
        .iter()
        .map(|Parameter { name, ty }| format!("{name}: {}", DisplayType(ty)));
    let listed = listed.collect::<Vec<_>>().join(", ");
    format!("{}: `{}`", count(parameters.len()), shown(&listed))
}

fn count(number: usize) -> String {
    match number {
        1 => "1 argument".to_owned(),
        number => format!("{number} arguments"),
    }
}

/// A text in a message: its beginning, if it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
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
        (import "f" (func
            (param "order" $o) (param "sizes" (list $s)) (param "by" $p)
        ))
    )"#;

    fn parameters() -> Vec<Parameter> {
        let engine = Engine::new(&Config::new()).unwrap();
        let component = Component::new(&engine, wat::parse_str(COMPONENT).unwrap()).unwrap();
        let ty = component.component_type();
        let Some(ComponentItem::ComponentFunc(function)) = ty
            .imports(&engine)
            .find_map(|(name, item)| (name == "f").then_some(item.ty))
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
}
