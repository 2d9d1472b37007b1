//! Random apps: their components, links and placement rules.

use serde_json::{Value, json};
use weft_lattice_config::{App, AppName};

use crate::rng::Rng;

/// The digest of empty bytes: nothing is fetched or compiled.
const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Generates an app of this name from a manifest; `None` if the manifest is invalid.
pub(super) fn generate(rng: &mut Rng, name: &AppName) -> Option<App> {
    let count = rng.in_range(1..=4);
    let components: Vec<_> = (0..count).map(|index| component(rng, index)).collect();
    let mut links = Vec::new();
    for to in 1..count {
        if rng.percent(50) {
            links.push(link(rng.below(to), to));
        }
    }
    let app = json!({
        "apiVersion": "weft.dev/v1alpha1",
        "kind": "App",
        "metadata": { "name": name.as_str() },
        "spec": { "components": components, "links": links },
    });
    serde_json::from_value(app).ok()
}

fn component(rng: &mut Rng, index: usize) -> Value {
    json!({
        "name": format!("c{index}"),
        "source": { "digest": DIGEST },
        "replicas": rng.in_range(1..=4),
        "placement": placement(rng, index),
    })
}

fn placement(rng: &mut Rng, index: usize) -> Value {
    let mut placement = serde_json::Map::new();
    if rng.percent(30) {
        let require = match rng.below(3) {
            0 => json!({ "disk": "ssd" }),
            1 => json!({ "cloud": ["east", "west"] }),
            _ => json!({ "cloud": "north" }),
        };
        placement.insert("require".to_owned(), require);
    }
    if rng.percent(30) {
        let prefer = json!({ "zone": "z0" });
        placement.insert("prefer".to_owned(), prefer);
    }
    if rng.percent(40) {
        let spread = ["cloud", "zone"][rng.below(2)];
        placement.insert("spread".to_owned(), spread.into());
    }
    if rng.percent(40) {
        placement.insert("one-per-host".to_owned(), true.into());
    }
    if index > 0 && rng.percent(25) {
        let other = format!("c{}", rng.below(index));
        placement.insert("anti-affinity".to_owned(), json!([other]));
    }
    placement.insert("weight".to_owned(), rng.in_range(1..=3).into());
    placement.into()
}

fn link(from: usize, to: usize) -> Value {
    json!({
        "from": format!("c{from}"),
        "interface": format!("test:app/c{to}"),
        "to": format!("c{to}"),
    })
}
