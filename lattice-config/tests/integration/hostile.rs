//! Any text gives an app or a list of mistakes, within bounds.

use proptest::prelude::*;
use weft_lattice_config::App;

const SHOP: &str = include_str!("../../examples/shop.yaml");
const API: &str = include_str!("../../examples/shop-api.yaml");
const MISTAKES: &str = include_str!("../diagnostics/wrong-types.yaml");

/// Reads the text as YAML and as JSON and checks the result.
fn check(text: &str) {
    match App::from_yaml("x.yaml", text) {
        Ok(app) => {
            let stored = app.to_json().expect("an app can be stored");
            assert_eq!(
                App::from_json("x.json", &stored).expect("a stored app can be read"),
                app
            );
        }
        Err(errors) => {
            assert!(!errors.diagnostics().is_empty());
            assert!(errors.diagnostics().len() <= 50);
            assert!(
                errors.diagnostics().iter().all(|it| it.position.is_some()),
                "{errors}"
            );
            assert!(!errors.to_string().is_empty());
        }
    }
    let _ = App::from_json("x.json", text).map_err(|errors| errors.to_string());
}

/// Fragments of text, with a high share of characters that have a meaning in YAML.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            ":", ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", ",", "?", "? ", "&a", "*a", "!t ",
            "|", ">", "'", "\"", "%", "---", "...", "#", "\t", "\r", "\u{feff}", "\0", "~", "<<",
            "@", "`",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(SHOP.split_whitespace().collect::<Vec<_>>()).prop_map(str::to_owned),
        "\\PC{0,3}",
        any::<String>(),
    ]
}

#[derive(Clone, Debug)]
struct Edit {
    at: prop::sample::Index,
    remove: usize,
    insert: String,
}

fn edit() -> impl Strategy<Value = Edit> {
    (any::<prop::sample::Index>(), 0..12_usize, fragment()).prop_map(|(at, remove, insert)| Edit {
        at,
        remove,
        insert,
    })
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for Edit { at, remove, insert } in edits {
        let start = at.index(characters.len() + 1);
        let end = (start + remove).min(characters.len());
        characters.splice(start..end, insert.chars());
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn random_text_is_answered(fragments in prop::collection::vec(fragment(), 0..40)) {
        check(&fragments.concat());
    }

    #[test]
    fn a_manifest_with_random_edits_is_answered(edits in prop::collection::vec(edit(), 1..6)) {
        check(&edited(SHOP, &edits));
        check(&edited(API, &edits));
        check(&edited(MISTAKES, &edits));
    }
}

#[test]
fn large_hostile_texts_are_answered_in_time() {
    let size = 1 << 20;
    let head = "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {name: a}\nspec:\n";
    let filled = |unit: &str| unit.repeat((size - 200) / unit.len());
    let texts = [
        filled("["),
        filled("{"),
        filled("- "),
        filled("? "),
        filled("a: "),
        filled("\"a\": {"),
        filled("&a "),
        filled("!"),
        filled("\n"),
        filled("#"),
        filled("x"),
        filled("'"),
        filled("a\n"),
        format!("[{}]", filled("a,")),
        format!("{{{}}}", filled("a: b,")),
        format!("{head}  links:\n{}", filled("  - {}\n")),
        format!(
            "{head}  links: [{}]",
            "{from: a, interface: 'a:b', to: b},".repeat(4096)
        ),
        format!("{head}  routes: [{}]", "{to: ab},".repeat(1024)),
        // Routes with the most operations, each of which is compared with all others.
        format!(
            "{head}  routes:\n{}",
            format!(
                "  - {{to: ab, interface: 'a:b/c', operations: [{}]}}\n",
                "{func: a, as: 'GET /{a}/{b}'},".repeat(256)
            )
            .repeat(120)
        ),
        format!(
            "{head}  routes: [{{to: ab, interface: 'a:b/c', operations: [{{func: a, as: 'GET {}'}}]}}]",
            filled("/{a}")
        ),
        format!("{head}  {}: 1", filled("k")),
        format!(
            "{head}{}",
            (0..80_000)
                .map(|i| format!("  k{i}: 1\n"))
                .collect::<String>()
        ),
    ];
    for text in texts {
        let start = std::time::Instant::now();
        check(&text);
        let shown: String = text.chars().take(100).collect();
        // A wide margin for a debug build on a busy machine; quadratic code takes minutes.
        assert!(
            start.elapsed().as_secs() < 20,
            "{:?} for {shown:?}",
            start.elapsed()
        );
    }
}
