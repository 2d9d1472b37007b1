//! Orders and stock over a store whose only atomic operation is to add to a counter.
//!
//! Stock is two counters that only grow: units taken and units given back. The units left are
//! `stocked - taken + returned`. To take units, read `returned`, then add to `taken`; a customer
//! who takes too many gives the units back. So the last unit is never sold twice under any
//! concurrency: units that were given back before the read were taken before it, so `taken`
//! includes them. In the other order, a customer could count units as free that another one took
//! after the read and gave back at once. The price is that two customers who order the last unit at
//! once may both be refused, and that a crash after the step on `taken` leaves units reserved.
//!
//! A counter is read by adding 0 to it, as stores encode counters in their own formats.

use crate::exports::shop::catalog::orders::{Line, Money, Order, OrderError, Shortage};
use crate::shop::catalog::types::{Product, Quote};

/// The key of the newest order's number.
const ORDER_COUNT: &str = "order-count";

/// The maximum number of orders in one `recent`, each of which takes a read.
const RECENT_MAX: u32 = 50;

/// The services that the ledger uses. Every method may wait for another machine.
pub trait Backend {
    fn product(&self, sku: &str) -> Result<Product, OrderError>;
    fn quote(&self, line: &Line) -> Result<Quote, OrderError>;
    /// Adds `delta` to a counter and returns its new value. Counters start at 0.
    fn increment(&self, key: &str, delta: u64) -> Result<u64, OrderError>;
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, OrderError>;
    fn set(&self, key: &str, value: &[u8]) -> Result<(), OrderError>;
}

pub struct Ledger<B> {
    backend: B,
}

impl<B: Backend> Ledger<B> {
    pub fn new(backend: B) -> Self {
        Self { backend }
    }

    pub fn place(&self, lines: &[Line]) -> Result<Order, OrderError> {
        let quotes = lines
            .iter()
            .map(|line| self.backend.quote(line))
            .collect::<Result<Vec<_>, _>>()?;
        let total = total(&quotes)?;
        for (index, line) in lines.iter().enumerate() {
            if let Err(error) = self.take(line) {
                self.give_back(&lines[..index])?;
                return Err(error);
            }
        }
        let stored = self.store(quotes, total);
        if stored.is_err() {
            self.give_back(lines)?;
        }
        stored
    }

    pub fn get(&self, id: u64) -> Result<Order, OrderError> {
        let bytes = self
            .backend
            .get(&order_key(id))?
            .ok_or(OrderError::UnknownOrder(id))?;
        serde_json::from_slice(&bytes)
            .map_err(|error| OrderError::Storage(format!("order {id} does not read back: {error}")))
    }

    pub fn recent(&self, limit: u32) -> Result<Vec<Order>, OrderError> {
        let newest = self.backend.increment(ORDER_COUNT, 0)?;
        let oldest = newest.saturating_sub(u64::from(limit.min(RECENT_MAX)));
        let mut orders = Vec::new();
        for id in (oldest + 1..=newest).rev() {
            match self.get(id) {
                Ok(order) => orders.push(order),
                // A number without an order: not stored yet, or the write failed.
                Err(OrderError::UnknownOrder(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(orders)
    }

    pub fn left(&self, sku: &str) -> Result<u32, OrderError> {
        self.left_before_taking(sku, 0)
    }

    fn take(&self, line: &Line) -> Result<(), OrderError> {
        let left = self.left_before_taking(&line.sku, line.quantity)?;
        if line.quantity <= left {
            return Ok(());
        }
        self.give_back(std::slice::from_ref(line))?;
        Err(OrderError::OutOfStock(Shortage {
            sku: line.sku.clone(),
            left,
        }))
    }

    fn give_back(&self, lines: &[Line]) -> Result<(), OrderError> {
        for line in lines {
            self.backend
                .increment(&returned_key(&line.sku), u64::from(line.quantity))?;
        }
        Ok(())
    }

    /// Takes units, and returns the units left before: never more than there were.
    fn left_before_taking(&self, sku: &str, quantity: u32) -> Result<u32, OrderError> {
        let stocked = u64::from(self.backend.product(sku)?.stocked);
        let returned = self.backend.increment(&returned_key(sku), 0)?;
        let quantity = u64::from(quantity);
        let taken = self.backend.increment(&taken_key(sku), quantity)?;
        let taken_before = taken.saturating_sub(quantity);
        let left = stocked
            .saturating_add(returned)
            .saturating_sub(taken_before);
        Ok(u32::try_from(left).unwrap_or(u32::MAX))
    }

    fn store(&self, lines: Vec<Quote>, total: Money) -> Result<Order, OrderError> {
        let id = self.backend.increment(ORDER_COUNT, 1)?;
        let order = Order { id, lines, total };
        let bytes =
            serde_json::to_vec(&order).map_err(|error| OrderError::Storage(error.to_string()))?;
        self.backend.set(&order_key(id), &bytes)?;
        Ok(order)
    }
}

fn total(quotes: &[Quote]) -> Result<Money, OrderError> {
    let (first, rest) = quotes.split_first().ok_or(OrderError::Empty)?;
    let mut total = first.total;
    for quote in rest {
        if quote.total.currency != total.currency {
            return Err(OrderError::MixedCurrencies);
        }
        let sum = total.cents.checked_add(quote.total.cents);
        total.cents = sum.ok_or(OrderError::InvalidQuantity(quote.quantity))?;
    }
    Ok(total)
}

fn order_key(id: u64) -> String {
    format!("order-{id}")
}

fn taken_key(sku: &str) -> String {
    format!("stock-{sku}-taken")
}

fn returned_key(sku: &str) -> String {
    format!("stock-{sku}-returned")
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;

    use super::*;
    use crate::shop::catalog::types::Currency;

    /// Sells teapots (five, in euros) and fishcakes (five, in pounds), each for 100.
    #[derive(Default)]
    struct Memory {
        counters: RefCell<HashMap<String, u64>>,
        values: RefCell<HashMap<String, Vec<u8>>>,
        full: bool,
    }

    impl Backend for Memory {
        fn product(&self, sku: &str) -> Result<Product, OrderError> {
            let currency = match sku {
                "teapot" => Currency::Eur,
                "fishcake" => Currency::Gbp,
                _ => return Err(OrderError::UnknownSku(sku.to_owned())),
            };
            let price = Money {
                cents: 100,
                currency,
            };
            Ok(Product {
                sku: sku.to_owned(),
                name: sku.to_owned(),
                price,
                discount: None,
                stocked: 5,
            })
        }

        fn quote(&self, line: &Line) -> Result<Quote, OrderError> {
            let product = self.product(&line.sku)?;
            let cents = 100 * u64::from(line.quantity);
            Ok(Quote {
                sku: line.sku.clone(),
                quantity: line.quantity,
                unit_price: product.price,
                discount: None,
                total: Money {
                    cents,
                    currency: product.price.currency,
                },
            })
        }

        fn increment(&self, key: &str, delta: u64) -> Result<u64, OrderError> {
            let mut counters = self.counters.borrow_mut();
            let counter = counters.entry(key.to_owned()).or_default();
            *counter += delta;
            Ok(*counter)
        }

        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, OrderError> {
            Ok(self.values.borrow().get(key).cloned())
        }

        fn set(&self, key: &str, value: &[u8]) -> Result<(), OrderError> {
            if self.full {
                return Err(OrderError::Storage("the disk is full".to_owned()));
            }
            self.values
                .borrow_mut()
                .insert(key.to_owned(), value.to_owned());
            Ok(())
        }
    }

    /// A customer that is interrupted once: before a certain call, another customer orders a teapot
    /// and receives the result.
    struct Interrupted<'a> {
        shop: &'a Memory,
        calls_before: Cell<Option<u32>>,
        sold_to_other: Cell<bool>,
    }

    impl<'a> Interrupted<'a> {
        fn before(call: Option<u32>, shop: &'a Memory) -> Self {
            Self {
                shop,
                calls_before: Cell::new(call),
                sold_to_other: Cell::new(false),
            }
        }

        fn shop(&self) -> &'a Memory {
            let calls_before = self.calls_before.get();
            self.calls_before
                .set(calls_before.and_then(|calls| calls.checked_sub(1)));
            if calls_before == Some(0) {
                let other = Ledger::new(Self::before(None, self.shop));
                let placed = other.place(&[line("teapot", 1)]);
                self.sold_to_other.set(placed.is_ok());
            }
            self.shop
        }
    }

    impl Backend for Interrupted<'_> {
        fn product(&self, sku: &str) -> Result<Product, OrderError> {
            self.shop().product(sku)
        }

        fn quote(&self, line: &Line) -> Result<Quote, OrderError> {
            self.shop().quote(line)
        }

        fn increment(&self, key: &str, delta: u64) -> Result<u64, OrderError> {
            self.shop().increment(key, delta)
        }

        fn get(&self, key: &str) -> Result<Option<Vec<u8>>, OrderError> {
            self.shop().get(key)
        }

        fn set(&self, key: &str, value: &[u8]) -> Result<(), OrderError> {
            self.shop().set(key, value)
        }
    }

    fn ledger() -> Ledger<Memory> {
        Ledger::new(Memory::default())
    }

    fn line(sku: &str, quantity: u32) -> Line {
        Line {
            sku: sku.to_owned(),
            quantity,
        }
    }

    #[test]
    fn an_order_reads_back_as_it_was_placed() {
        let ledger = ledger();
        let order = ledger
            .place(&[line("teapot", 2)])
            .expect("the order is placed");
        assert_eq!((order.id, order.total.cents), (1, 200));
        assert_eq!(ledger.get(1), Ok(order));
        assert_eq!(ledger.left("teapot"), Ok(3));
    }

    #[test]
    fn an_order_that_was_never_placed_is_unknown() {
        assert_eq!(ledger().get(7), Err(OrderError::UnknownOrder(7)));
    }

    #[test]
    fn orders_are_listed_newest_first_up_to_the_limit() {
        let ledger = ledger();
        for _ in 0..3 {
            ledger
                .place(&[line("teapot", 1)])
                .expect("the order is placed");
        }
        let ids: Vec<u64> = ledger
            .recent(2)
            .expect("a list")
            .iter()
            .map(|order| order.id)
            .collect();
        assert_eq!(ids, [3, 2]);
    }

    #[test]
    fn a_shortage_names_what_is_left_and_takes_nothing() {
        let ledger = ledger();
        ledger
            .place(&[line("teapot", 4)])
            .expect("the order is placed");
        let shortage = Shortage {
            sku: "teapot".to_owned(),
            left: 1,
        };
        assert_eq!(
            ledger.place(&[line("teapot", 2)]),
            Err(OrderError::OutOfStock(shortage))
        );
        assert_eq!(ledger.left("teapot"), Ok(1));
        ledger
            .place(&[line("teapot", 1)])
            .expect("the last one is still there");
    }

    #[test]
    fn lines_of_one_product_count_together() {
        let ledger = ledger();
        let shortage = Shortage {
            sku: "teapot".to_owned(),
            left: 2,
        };
        let placed = ledger.place(&[line("teapot", 3), line("teapot", 3)]);
        assert_eq!(placed, Err(OrderError::OutOfStock(shortage)));
        assert_eq!(ledger.left("teapot"), Ok(5));
    }

    #[test]
    fn nothing_is_sold_twice_at_whatever_moment_another_customer_comes() {
        for sold_before in 0..=5 {
            let mut interrupted = 0;
            for call in 0.. {
                let shop = Memory::default();
                let earlier = Ledger::new(Interrupted::before(None, &shop));
                for _ in 0..sold_before {
                    earlier.place(&[line("teapot", 1)]).expect("one is left");
                }
                let customer = Ledger::new(Interrupted::before(Some(call), &shop));
                let sold = customer.place(&[line("teapot", 1)]).is_ok();
                let backend = &customer.backend;
                if backend.calls_before.get().is_some() {
                    break;
                }
                interrupted += 1;
                let sold = sold_before + u32::from(sold) + u32::from(backend.sold_to_other.get());
                let case = format!("{sold_before} were sold, before call {call}");
                assert!(sold <= 5, "{sold} are sold; {case}");
                assert_eq!(earlier.left("teapot"), Ok(5 - sold), "{case}");
                // Customers in sequence are refused only if the shelf is empty.
                assert!(sold_before == 4 || sold == 5.min(sold_before + 2), "{case}");
            }
            assert!(interrupted >= 4, "{interrupted}");
        }
    }

    #[test]
    fn an_order_that_cannot_be_stored_returns_its_units() {
        let ledger = Ledger::new(Memory {
            full: true,
            ..Memory::default()
        });
        assert!(matches!(
            ledger.place(&[line("teapot", 1)]),
            Err(OrderError::Storage(_))
        ));
        assert_eq!(ledger.left("teapot"), Ok(5));
    }

    #[test]
    fn an_order_that_makes_no_sense_is_refused() {
        let ledger = ledger();
        assert_eq!(ledger.place(&[]), Err(OrderError::Empty));
        assert_eq!(
            ledger.place(&[line("unicorn", 1)]),
            Err(OrderError::UnknownSku("unicorn".to_owned()))
        );
        assert_eq!(
            ledger.place(&[line("teapot", 1), line("fishcake", 1)]),
            Err(OrderError::MixedCurrencies)
        );
    }
}
