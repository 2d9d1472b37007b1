//! The products of the shop. A real shop would read them from storage; these show every discount.

use crate::shop::catalog::types::{Currency, Discount, Money, Product};

pub fn products() -> Vec<Product> {
    vec![
        product("teapot", "Teapot, cast iron", 4_900, None, 5),
        product(
            "cup",
            "Cup, stoneware",
            1_250,
            Some(Discount::BuyNGetOne(3)),
            48,
        ),
        product(
            "sencha",
            "Sencha, 100 g",
            1_399,
            Some(Discount::Percentage(15)),
            120,
        ),
        product(
            "strainer",
            "Strainer, steel",
            850,
            Some(Discount::Fixed(euros(200))),
            30,
        ),
        product("kettle", "Kettle, swan neck", 11_900, None, 1),
    ]
}

pub fn find(sku: &str) -> Option<Product> {
    products().into_iter().find(|product| product.sku == sku)
}

fn product(sku: &str, name: &str, cents: u64, discount: Option<Discount>, stocked: u32) -> Product {
    Product {
        sku: sku.to_owned(),
        name: name.to_owned(),
        price: euros(cents),
        discount,
        stocked,
    }
}

fn euros(cents: u64) -> Money {
    Money {
        cents,
        currency: Currency::Eur,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_products_share_a_sku() {
        let mut skus: Vec<String> = products().into_iter().map(|product| product.sku).collect();
        skus.sort();
        let count = skus.len();
        skus.dedup();
        assert_eq!(skus.len(), count);
    }

    #[test]
    fn an_unknown_sku_finds_nothing() {
        assert!(find("unicorn").is_none());
    }
}
