//! The example manifests, which users copy.

use std::fs;

use weft_lattice_config::App;

use crate::golden;

#[test]
fn every_example_loads_without_a_diagnostic() {
    for example in golden::files("examples", "yaml") {
        let text = fs::read_to_string(&example).expect("readable");
        if let Err(errors) = App::from_yaml(&example.display().to_string(), &text) {
            panic!("{errors}");
        }
    }
}

#[test]
fn the_shop_is_among_the_examples() {
    let text = fs::read_to_string(golden::folder("examples/shop.yaml")).expect("readable");
    let shop = App::from_yaml("shop.yaml", &text).expect("correct");
    assert_eq!(shop.metadata.name.as_str(), "shop");
    assert!(!shop.spec.routes.is_empty());
}
