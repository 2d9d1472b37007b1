//! A resource of one component that two others pass to each other: both need the same one.

use weft_tests::{Files, Finished, Weft};

/// The interfaces of `t:t`, as imports of a component: `make` returns a basket, and `pay` takes one.
const BASKETS: &str = r#"
(import "t:t/baskets@1.0.0" (instance $baskets
  (export "basket" (type $basket (sub resource)))
  (export "make" (func (result (own $basket))))))
(alias export $baskets "basket" (type $basket))
"#;

/// A component that makes a basket with one component, and pays with it at another.
const CUSTOMER: &str = r#"
(alias export $baskets "make" (func $make))
(import "t:t/checkout@1.0.0" (instance $checkout
  (alias outer 1 $basket (type $outer))
  (export "basket" (type $used (eq $outer)))
  (export "pay" (func (param "basket" (own $used)) (result u32)))))
(alias export $checkout "pay" (func $pay))
(core func $make (canon lower (func $make)))
(core func $pay (canon lower (func $pay)))
(core module $m
  (import "" "make" (func $make (result i32)))
  (import "" "pay" (func $pay (param i32) (result i32)))
  (func (export "shop") (result i32) (call $pay (call $make))))
(core instance $i (instantiate $m
  (with "" (instance (export "make" (func $make)) (export "pay" (func $pay))))))
(func (export "shop") (result u32) (canon lift (core func $i "shop")))
"#;

const CHECKOUT: &str = r#"
(core module $m (func (export "pay") (param i32) (result i32) i32.const 7))
(core instance $i (instantiate $m))
(func $pay (param "basket" (own $basket)) (result u32) (canon lift (core func $i "pay")))
(component $interface
  (import "basket" (type $basket (sub resource)))
  (import "pay" (func $pay (param "basket" (own $basket)) (result u32)))
  (export $exported "basket" (type $basket))
  (export "pay" (func $pay) (func (param "basket" (own $exported)) (result u32))))
(instance $checkout (instantiate $interface
  (with "basket" (type $basket)) (with "pay" (func $pay))))
(export "t:t/checkout@1.0.0" (instance $checkout))
"#;

const BASKET_MAKER: &str = r#"
(component
  (type $basket (resource (rep i32)))
  (core func $new (canon resource.new $basket))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 1))))
  (core instance $i (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func $make (result (own $basket)) (canon lift (core func $i "make")))
  (component $interface
    (import "basket" (type $basket (sub resource)))
    (import "make" (func $make (result (own $basket))))
    (export $exported "basket" (type $basket))
    (export "make" (func $make) (func (result (own $exported)))))
  (instance $baskets (instantiate $interface
    (with "basket" (type $basket)) (with "make" (func $make))))
  (export "t:t/baskets@1.0.0" (instance $baskets)))
"#;

/// Deploys a customer and a checkout with baskets of `first` and of this component.
fn deploy(weft: &Weft, files: &Files, checkout_baskets: &str, isolate: bool) -> Finished {
    files.wat("customer.wasm", &format!("(component {BASKETS}{CUSTOMER})"));
    files.wat("checkout.wasm", &format!("(component {BASKETS}{CHECKOUT})"));
    files.wat("baskets.wasm", BASKET_MAKER);
    let manifest = files.app(
        "baskets",
        &format!(
            r#"
            components:
            - {{name: customer, source: {{file: customer.wasm}}}}
            - {{name: checkout, source: {{file: checkout.wasm}}}}
            - {{name: first, source: {{file: baskets.wasm}}, isolate: {isolate}}}
            - {{name: second, source: {{file: baskets.wasm}}}}
            links:
            - {{from: customer, interface: "t:t/checkout", to: checkout}}
            - {{from: customer, interface: "t:t/baskets", to: first}}
            - {{from: checkout, interface: "t:t/baskets", to: {checkout_baskets}}}
            "#
        ),
    );
    weft.deploy(&manifest)
}

#[test]
fn a_resource_that_two_components_pass_on_is_the_same_at_both_ends_or_refused() {
    let (files, weft) = (Files::new(), Weft::empty());
    deploy(&weft, &files, "first", false).expect_code(0);
    assert_eq!(weft.called("baskets/customer", "shop()"), "7");

    let refused = deploy(&weft, &files, "second", false).expect_code(1);
    refused.expect_stderr(&[
        "link `customer` → `checkout` (`t:t/checkout@1.0.0`): resource `basket` must be the same at \
         both ends: expected the one defined by `first`, found the one defined by `second`",
    ]);

    // The customer and the checkout share a store, and each reaches `first` by a link of its own.
    let refused = deploy(&weft, &files, "first", true).expect_code(1);
    refused.expect_stderr(&[
        "link `customer` → `checkout` (`t:t/checkout@1.0.0`): resource `basket` must be the same at \
         both ends, and both have a copy of their own",
        "run `first` in the same store",
    ]);
}
