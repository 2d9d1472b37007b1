//! The price of a line: whole cents only, and an overflow is an error instead of a wrong price.

use crate::exports::shop::catalog::pricing::PriceError;
use crate::shop::catalog::types::{Discount, Money, Product, Quote};

pub fn quote(product: &Product, quantity: u32) -> Result<Quote, PriceError> {
    let cents = match quantity {
        0 => None,
        _ => total_cents(product, u64::from(quantity)),
    }
    .ok_or(PriceError::InvalidQuantity(quantity))?;
    Ok(Quote {
        sku: product.sku.clone(),
        quantity,
        unit_price: product.price,
        discount: product.discount,
        total: Money {
            cents,
            currency: product.price.currency,
        },
    })
}

fn total_cents(product: &Product, quantity: u64) -> Option<u64> {
    let unit = product.price.cents;
    match product.discount {
        None => unit.checked_mul(quantity),
        Some(Discount::Percentage(percent)) => {
            let kept = 100 - u64::from(percent.min(100));
            Some(unit.checked_mul(quantity)?.checked_mul(kept)?.div_ceil(100))
        }
        Some(Discount::Fixed(off)) => unit.saturating_sub(off.cents).checked_mul(quantity),
        // Of every `bought + 1` units the customer takes, one is free.
        Some(Discount::BuyNGetOne(bought)) => {
            let free = quantity / (u64::from(bought) + 1);
            unit.checked_mul(quantity - free)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::catalog::types::Currency;

    fn check(unit: u64, discount: Option<Discount>, quantity: u32, expected: Option<u64>) {
        let product = Product {
            sku: "thing".to_owned(),
            name: "Thing".to_owned(),
            price: Money {
                cents: unit,
                currency: Currency::Eur,
            },
            discount,
            stocked: 1,
        };
        let total = quote(&product, quantity)
            .ok()
            .map(|quote| quote.total.cents);
        assert_eq!(total, expected, "{quantity} at {unit} with {discount:?}");
    }

    #[test]
    fn each_discount_makes_its_price() {
        let off = Money {
            cents: 200,
            currency: Currency::Eur,
        };
        check(4_900, None, 2, Some(9_800));
        check(1_399, Some(Discount::Percentage(15)), 1, Some(1_190));
        check(1_399, Some(Discount::Percentage(200)), 1, Some(0));
        check(850, Some(Discount::Fixed(off)), 3, Some(1_950));
        check(150, Some(Discount::Fixed(off)), 3, Some(0));
        check(1_250, Some(Discount::BuyNGetOne(3)), 3, Some(3_750));
        check(1_250, Some(Discount::BuyNGetOne(3)), 4, Some(3_750));
        check(1_250, Some(Discount::BuyNGetOne(0)), 4, Some(0));
    }

    #[test]
    fn nothing_and_too_much_have_no_price() {
        check(4_900, None, 0, None);
        check(u64::MAX, None, 2, None);
        check(u64::MAX / 2, Some(Discount::Percentage(10)), 2, None);
    }
}
