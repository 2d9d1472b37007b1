//! Orders as JSON.

use serde_json::{Value, json};

/// The path of orders on every route.
pub(super) const PATH: &str = "/orders";

/// Lines of an order of 1 KiB, whose receipt has 1 KiB as well.
const LINES: usize = 10;

/// An order of 1 KiB.
pub(super) fn small() -> String {
    let lines: Vec<_> = (0..LINES).map(line).collect();
    order(&lines).to_string()
}

/// An order of about `bytes` bytes whose last line has a text in place of its quantity, and the
/// bytes of its other lines in the encoding of calls.
pub(super) fn wrong_at_its_end(bytes: usize) -> (String, usize) {
    let count = bytes / line(0).to_string().len();
    let mut lines: Vec<_> = (0..count).map(line).collect();
    if let Some(last) = lines.last_mut() {
        last["quantity"] = "two".into();
    }
    // A text has its length before it, a small number one byte and the price two.
    let encoded = |line: &Value| {
        let text = |key: &str| 1 + line[key].as_str().map_or(0, str::len);
        text("sku") + text("name") + 1 + 2
    };
    let encoded = lines.iter().map(encoded).sum();
    (order(&lines).to_string(), encoded)
}

fn order(lines: &[Value]) -> Value {
    json!({
        "customer": "Ada Lovelace, 12 St James's Square",
        "reference": "2026-000417",
        "currency": "gbp",
        "note": "Please ring twice.",
        "lines": lines,
    })
}

fn line(number: usize) -> Value {
    json!({
        "sku": format!("teapot-{:02}", number % 100),
        "name": "Teapot, cast iron, black, 0.8 litres",
        "quantity": number % 7 + 1,
        "unitCents": 4_900,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_order_has_about_a_kibibyte_and_a_large_one_its_size() {
        let small = small();
        assert!((900..1_200).contains(&small.len()), "{}", small.len());
        assert!(!small.contains("]]"), "the end of a text in a script");
        let (large, encoded) = wrong_at_its_end(1 << 20);
        assert!(
            (1_020_000..1_080_000).contains(&large.len()),
            "{}",
            large.len()
        );
        assert!(encoded < large.len(), "{encoded}");
        assert!(large.contains(r#""quantity":"two""#));
    }
}
