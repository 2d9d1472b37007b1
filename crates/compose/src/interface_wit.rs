//! Prints the exported interfaces of a component as WIT text, with the types that they use.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use wit_component::{DecodedWasm, WitPrinter};
use wit_parser::{InterfaceId, PackageId, Resolve, Type, TypeDefKind, TypeOwner, WorldItem};

use crate::describe::DescribeError;
use crate::scan::Bodies;

/// Prints interfaces that a component exports, and the interfaces whose types they use, as WIT text
/// with one main package. `None` if the component does not export one of them.
///
/// ```no_run
/// # fn example(bytes: &[u8]) -> Result<(), weft_compose::DescribeError> {
/// let wit = weft_compose::interface_wit(bytes, &["shop:catalog/orders@1.0.0"])?;
/// assert!(wit.unwrap().starts_with("package shop:catalog@1.0.0;"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The bytes are not a valid component whose types can be written as WIT, or a bound of this crate
/// is exceeded.
pub fn interface_wit(bytes: &[u8], names: &[&str]) -> Result<Option<String>, DescribeError> {
    crate::binary::Component::read(bytes, Bodies::Skipped)?;
    // As in `wit::print`: the decoder asserts guarantees of its own encoder.
    catch_unwind(AssertUnwindSafe(|| decode_and_print(bytes, names)))
        .unwrap_or_else(|_| Err("the component cannot be expressed in WIT".to_owned()))
        .map_err(|message| DescribeError::NotWit { message })
}

/// Prints interfaces of parsed WIT, and the interfaces whose types they use, as text with one main
/// package. `None` if an interface is missing.
///
/// # Errors
/// The message of the printer.
pub fn print_interfaces(mut resolve: Resolve, names: &[&str]) -> Result<Option<String>, String> {
    let by_name: HashMap<String, InterfaceId> = resolve
        .interfaces
        .iter()
        .filter_map(|(id, _)| Some((resolve.id_of(id)?, id)))
        .collect();
    let ids: Option<Vec<_>> = names.iter().map(|name| by_name.get(*name)).collect();
    let Some(ids) = ids else {
        return Ok(None);
    };
    let used = used_interfaces(&resolve, ids.iter().map(|id| **id));
    let main = names.first().and_then(|name| by_name.get(*name));
    let Some(main) = main.and_then(|id| resolve.interfaces[*id].package) else {
        return Ok(None);
    };
    for (_, package) in resolve.packages.iter_mut() {
        package.interfaces.retain(|_, id| used.contains(id));
        package.worlds.clear();
    }
    let others = resolve.packages.iter();
    let others: Vec<PackageId> = others
        .filter(|(id, package)| *id != main && !package.interfaces.is_empty())
        .map(|(id, _)| id)
        .collect();
    let mut printer = WitPrinter::default();
    let printed = printer.print(&resolve, main, &others);
    printed.map_err(|error| format!("{error:#}"))?;
    Ok(Some(String::from(printer.output)))
}

fn decode_and_print(bytes: &[u8], names: &[&str]) -> Result<Option<String>, String> {
    let decoded = wit_component::decode(bytes).map_err(|error| format!("{error:#}"))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err("the component is a WIT package without code".to_owned());
    };
    let exports = resolve.worlds[world].exports.values();
    let exports: BTreeSet<String> = exports
        .filter_map(|export| match export {
            WorldItem::Interface { id, .. } => resolve.id_of(*id),
            WorldItem::Function(_) | WorldItem::Type { .. } => None,
        })
        .collect();
    if !names.iter().all(|name| exports.contains(*name)) {
        return Ok(None);
    }
    print_interfaces(resolve, names)
}

/// The interfaces, and all whose types they use.
fn used_interfaces(
    resolve: &Resolve,
    interfaces: impl Iterator<Item = InterfaceId>,
) -> BTreeSet<InterfaceId> {
    let mut used = BTreeSet::new();
    let mut pending: Vec<_> = interfaces.collect();
    while let Some(id) = pending.pop() {
        if !used.insert(id) {
            continue;
        }
        // A type of another interface has an alias here, by `use`.
        for alias in resolve.interfaces[id].types.values() {
            if let TypeDefKind::Type(Type::Id(target)) = resolve.types[*alias].kind
                && let TypeOwner::Interface(owner) = resolve.types[target].owner
            {
                pending.push(owner);
            }
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
    use wit_parser::ManglingAndAbi;

    use super::*;

    const WIT: &str = "
        package shop:catalog@1.0.0;

        interface money {
            /// An amount.
            record price { cents: u64 }
        }

        interface unused { stop: func(); }

        interface orders {
            use money.{price};
            /// Places an order.
            place: func(sku: string) -> result<price, string>;
        }

        world service {
            import unused;
            export orders;
        }
    ";

    fn component() -> Vec<u8> {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("shop.wit", WIT).unwrap();
        let world = resolve.select_world(&[package], Some("service")).unwrap();
        let mangling = ManglingAndAbi::Standard32;
        let mut module = dummy_module(&resolve, world, mangling);
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        let mut encoder = ComponentEncoder::default();
        encoder.module(&module).unwrap().encode().unwrap()
    }

    #[test]
    fn an_interface_is_printed_with_the_types_that_it_uses_and_nothing_else() {
        let name = "shop:catalog/orders@1.0.0";
        let wit = interface_wit(&component(), &[name]).unwrap().unwrap();
        assert!(wit.starts_with("package shop:catalog@1.0.0;"), "{wit}");
        for expected in ["interface orders", "record price", "place: func"] {
            assert!(wit.contains(expected), "{wit}");
        }
        for unexpected in ["unused", "world"] {
            assert!(!wit.contains(unexpected), "{wit}");
        }
        let mut resolve = Resolve::default();
        resolve.push_str("again.wit", &wit).unwrap();
    }

    #[test]
    fn parsed_source_keeps_its_comments() {
        let mut resolve = Resolve::default();
        resolve.push_str("shop.wit", WIT).unwrap();
        let wit = print_interfaces(resolve, &["shop:catalog/orders@1.0.0"]);
        let wit = wit.unwrap().unwrap();
        assert!(wit.contains("/// Places an order."), "{wit}");
        assert!(wit.contains("/// An amount."), "{wit}");
    }

    #[test]
    fn an_interface_that_is_not_exported_is_missing() {
        for name in ["shop:catalog/unused@1.0.0", "shop:catalog/orders", "x"] {
            assert_eq!(
                interface_wit(&component(), &[name]).unwrap(),
                None,
                "{name}"
            );
        }
    }
}
