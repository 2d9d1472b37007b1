//! The lines of the shop that exist for HTTP: those of its component that handles HTTP and JSON by
//! hand, against those of the manifest with the same effect.
//!
//! By hand it is all of `storefront`, which has no other purpose: lines of code without comments,
//! blank lines and tests. The typed routes are their items in `shop.yaml`, with the `wit` of their
//! components, without comments, and the lines of code in `orders` and `pricing` that name HTTP.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::bench::row::{Row, Target};
use crate::shop::MANIFEST;
use crate::sources::{self, Kind, Source, scan};
use crate::workspace::root;

const BY_HAND: &str = "components/examples/storefront/";

/// Components that export interfaces only.
const TYPED: [&str; 2] = [
    "components/examples/orders/",
    "components/examples/pricing/",
];

pub(super) fn count() -> Result<Row> {
    let manifest = root()?.join(MANIFEST);
    let manifest = fs::read_to_string(&manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let sources = sources::read()?;
    let by_hand = code(&sources, BY_HAND, |_| true);
    let mut typed = manifest_lines(&manifest);
    ensure!(typed > 0, "{MANIFEST} has no typed route");
    for folder in TYPED {
        typed += code(&sources, folder, names_http);
    }
    let [typed, by_hand] = [typed, by_hand].map(|lines| u32::try_from(lines).unwrap_or(u32::MAX));
    Ok(Row::new(
        "lines for HTTP: typed routes of the shop",
        typed.into(),
        "lines",
    )
    .against("the shop's HTTP by hand", by_hand.into())
    .target(Target::RatioAtMost(0.2)))
}

/// The selected lines of code below a folder.
fn code(sources: &[Source], folder: &str, select: impl Fn(&str) -> bool) -> usize {
    let below = sources
        .iter()
        .filter(|source| source.path.starts_with(folder));
    let lines = below.map(|source| {
        let lines = scan(&source.text).lines;
        let code = lines
            .iter()
            .filter(|line| !line.in_tests && line.kind == Kind::Code);
        code.filter(|line| select(line.text)).count()
    });
    lines.sum()
}

fn names_http(line: &str) -> bool {
    line.to_ascii_lowercase().contains("http")
}

/// The lines of a manifest that belong to typed routes.
fn manifest_lines(manifest: &str) -> usize {
    let lines: Vec<_> = manifest
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .collect();
    let wit = lines
        .iter()
        .filter(|line| line.trim_start().starts_with("wit:"));
    let routes = lines
        .iter()
        .skip_while(|line| line.trim() != "routes:")
        .skip(1);
    let mut items: Vec<Vec<&str>> = Vec::new();
    for line in routes {
        match items.last_mut() {
            Some(item) if !line.starts_with("  - ") => item.push(line),
            _ => items.push(vec![line]),
        }
    }
    let typed = items.iter().filter(|item| {
        item.iter()
            .any(|line| line.trim().starts_with("interface:"))
    });
    wit.count() + typed.map(Vec::len).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_typed_routes_and_their_wit_are_counted() {
        let manifest = "\
spec:
  components:
  - name: orders
    # a comment
    wit: wit
  routes:
  - path: /api
    interface: a:b/c

    operations:
    - {func: get, as: GET /a}
  - path: /
    to: storefront
";
        assert_eq!(manifest_lines(manifest), 5);
    }

    #[test]
    fn the_interfaces_of_the_shop_have_no_line_for_http() {
        // Tests run in the folder of their crate.
        std::env::set_current_dir(root().unwrap()).unwrap();
        let sources = sources::read().unwrap();
        for folder in TYPED {
            assert!(code(&sources, folder, |_| true) > 0, "{folder}");
            assert_eq!(code(&sources, folder, names_http), 0, "{folder}");
        }
    }
}
