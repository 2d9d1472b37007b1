//! Damaged and very large components: a typed error within bounds, and no panic.

use proptest::prelude::*;
use wasm_encoder::{
    Alias, Component, ComponentAliasSection, ComponentExportKind, ComponentImportSection,
    ComponentOuterAliasKind, ComponentTypeRef, ComponentTypeSection, ComponentValType,
    InstanceType, PrimitiveValType, TypeBounds,
};
use weft_stub::plan::ComponentWorld;
use weft_stub::{StubError, skeleton, stub};
use wit_parser::{WorldItem, WorldKey};

use crate::support::{any_signature, component};

/// A component with some item of every kind.
fn sample() -> Vec<u8> {
    let packages = "package a:b@0.1.0 {
        interface types { record item { a: u8, b: option<string> } resource r { m: func(a: item); } }
        interface api { use types.{item, r}; f: func(a: list<item>) -> r; g: func(a: string) -> u32; }
    }";
    component(
        packages,
        "import a:b/types@0.1.0; import a:b/api@0.1.0;
        export serve: interface { f: func(a: tuple<u8, list<string>>) -> result<u8, string>; }",
    )
}

/// Generates a stub and a skeleton for all interfaces of a component.
fn make(bytes: &[u8]) {
    let Ok(component) = ComponentWorld::of(bytes) else {
        return;
    };
    let world = &component.resolve.worlds[component.world];
    let names = |items: &mut dyn Iterator<Item = (&WorldKey, &WorldItem)>| -> Vec<String> {
        items
            .map(|(key, _)| component.resolve.name_world_key(key))
            .collect()
    };
    let imports = names(&mut world.imports.iter());
    let imports: Vec<_> = imports.iter().map(String::as_str).collect();
    let exports = names(&mut world.exports.iter());
    let exports: Vec<_> = exports.iter().map(String::as_str).collect();
    let _ = stub(&component, &imports, &any_signature);
    let _ = skeleton(&component, &exports, &any_signature);
}

/// A component with a chain of interfaces, each with a function that uses the type of the one
/// before.
fn chain_of_interfaces(count: u32) -> Vec<u8> {
    let mut component = Component::new();
    for index in 0..count {
        let mut instance = InstanceType::new();
        if index == 0 {
            let field = [("a", PrimitiveValType::U32)];
            instance.ty().defined_type().record(field);
        } else {
            // Each interface defines two types: its own, and its alias of the used one.
            instance.alias(Alias::Outer {
                kind: ComponentOuterAliasKind::Type,
                count: 1,
                index: index * 2 - 1,
            });
        }
        instance.export("t", ComponentTypeRef::Type(TypeBounds::Eq(0)));
        let mut function = instance.ty().function();
        function
            .params([("a", ComponentValType::Type(1))])
            .result(None);
        instance.export("f", ComponentTypeRef::Func(2));
        let mut types = ComponentTypeSection::new();
        types.instance(&instance);
        let mut imports = ComponentImportSection::new();
        imports.import(
            format!("a:b/i{index}"),
            ComponentTypeRef::Instance(index * 2),
        );
        let mut aliases = ComponentAliasSection::new();
        aliases.alias(Alias::InstanceExport {
            instance: index,
            kind: ComponentExportKind::Type,
            name: "t",
        });
        component
            .section(&types)
            .section(&imports)
            .section(&aliases);
    }
    component.finish()
}

#[test]
fn interfaces_that_use_each_other_without_end_are_refused() {
    let of = |count: u32, linked: u32| {
        let component =
            ComponentWorld::of(&chain_of_interfaces(count)).expect("the component is valid");
        stub(&component, &[&format!("a:b/i{linked}")], &any_signature)
    };
    of(50, 49).expect("50 interfaces are few");
    assert!(matches!(of(900, 899), Err(StubError::Generate(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_component_is_refused_or_harmless(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = sample();
        for (index, byte) in damage {
            *index.get_mut(&mut bytes) = byte;
        }
        make(&bytes);
    }

    #[test]
    fn a_component_that_ends_early_is_refused_or_harmless(end in any::<prop::sample::Index>()) {
        let bytes = sample();
        make(&bytes[..end.index(bytes.len())]);
    }
}
