//! Components without their code.

use weft_compose::{describe, outline};

use crate::support::{component, text};

/// A component with a nested one, code of some size, and data.
const NESTED: &str = r#"
(component
  (component $inner
    (core module $m
      (memory (export "memory") 2)
      (table 3 funcref)
      (func $one (param i32) (result i32)
        (local i64) local.get 0 i32.const 1 i32.add i32.load8_u)
      (func $two (result i32) i32.const 7)
      (elem (i32.const 0) $one $two)
      (data (i32.const 0) "some bytes of data that the outline does not need")
      (export "one" (func $one)))
    (core instance $i (instantiate $m))
    (func (export "one") (param "of" u32) (result u32) (canon lift (core func $i "one"))))
  (instance $i (instantiate $inner))
  (export "one" (func $i "one")))
"#;

#[test]
fn an_outline_has_the_types_of_its_component_and_no_code() {
    let whole = text(NESTED);
    let outline = outline(&whole).unwrap();
    assert_eq!(describe(&outline.bytes).unwrap(), describe(&whole).unwrap());
    let contains = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|found| found == part);
    assert!(contains(&whole, b"some bytes of data"));
    assert!(!contains(&outline.bytes, b"some bytes of data"));
    assert!(outline.bytes.len() < whole.len());
}

#[test]
fn the_modules_of_an_outline_are_those_of_the_component() {
    let whole = text(NESTED);
    let outline = outline(&whole).unwrap();
    let [module] = outline.modules[..] else {
        panic!("{} modules", outline.modules.len())
    };
    let mut validator = wasmparser::Validator::new();
    validator.validate_all(module).unwrap();
}

#[test]
fn the_outline_of_a_component_that_was_made_from_wit_is_valid() {
    let whole = component("import shop:catalog/pricing@0.2.0;\nexport shop:catalog/baskets@0.2.0;");
    let outline = outline(&whole).unwrap();
    assert_eq!(describe(&outline.bytes).unwrap(), describe(&whole).unwrap());
}

#[test]
fn bytes_that_end_in_a_section_have_no_outline() {
    let whole = text(NESTED);
    let cut = &whole[..whole.len() / 2];
    outline(cut).unwrap_err();
}
