//! Templates of requests and locations.

use proptest::prelude::*;
use weft_lattice_config::template::{
    LocationTemplate, Method, PathTemplate, RequestTemplate, Segment, ValuePath,
};

fn request(text: &str) -> RequestTemplate {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn value(text: &str) -> ValuePath {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_template_has_a_method_a_path_and_a_query() {
    let template = request("GET /a/{b.c}/{*d}?e={f=x&y = z}&g={h}");
    assert_eq!(template.method, Method::Get);
    let segments = [
        Segment::Literal("a".to_owned()),
        Segment::Value(value("b.c")),
    ];
    assert_eq!(template.path.segments, segments);
    assert_eq!(template.path.rest, Some(value("d")));
    let query: Vec<_> = template
        .query
        .iter()
        .map(|it| (it.key.as_str(), it.value.to_string(), it.default.as_deref()))
        .collect();
    let expected = [
        ("e", "f".to_owned(), Some("x&y = z")),
        ("g", "h".to_owned(), None),
    ];
    assert_eq!(query, expected);
}

#[test]
fn the_root_of_a_route_is_a_path_without_segments() {
    assert_eq!(request("GET /").path, PathTemplate::default());
    assert_eq!(request("GET /?a={b}").path, PathTemplate::default());
}

#[test]
fn an_empty_default_is_the_empty_text() {
    assert_eq!(
        request("GET /?a={b=}").query[0].default.as_deref(),
        Some("")
    );
}

#[test]
fn a_template_is_bounded() {
    let segments = |count| format!("GET {}", "/a".repeat(count));
    let keys = |count: usize| {
        let keys: Vec<_> = (0..count)
            .map(|index| format!("k{index}={{p{index}}}"))
            .collect();
        format!("GET /?{}", keys.join("&"))
    };
    let fields = |count| format!("GET /{{{}}}", vec!["a"; count].join("."));
    for (text, is_fine) in [
        (segments(32), true),
        (segments(33), false),
        (keys(64), true),
        (keys(65), false),
        (fields(8), true),
        (fields(9), false),
        (format!("GET /{}", "a".repeat(1019)), true),
        (format!("GET /{}", "a".repeat(1020)), false),
    ] {
        assert_eq!(text.parse::<RequestTemplate>().is_ok(), is_fine, "{text}");
    }
}

#[test]
fn paths_overlap_if_a_path_matches_both() {
    let cases = [
        ("/", "/", true),
        ("/", "/a", false),
        ("/", "/{a}", false),
        ("/", "/{*a}", false),
        ("/a", "/a", true),
        ("/a", "/b", false),
        ("/a", "/{b}", true),
        ("/{a}", "/{b}", true),
        ("/{a}/x", "/{b}/y", false),
        ("/{a}/x", "/y/{b}", true),
        ("/a/b", "/a/{*r}", true),
        ("/a", "/a/{*r}", false),
        ("/a/b/c/d", "/{x}/{*r}", true),
        ("/a/{*r}", "/b/{*r}", false),
        ("/a/{*r}", "/{b}/c/{*r}", true),
    ];
    for (left, right, expected) in cases {
        let template = |path| request(&format!("GET {path}"));
        let (left, right) = (template(left), template(right));
        assert_eq!(left.overlaps(&right), expected, "{left} {right}");
        assert_eq!(right.overlaps(&left), expected, "{right} {left}");
    }
    assert!(!request("GET /a").overlaps(&request("PUT /a")));
    assert!(request("GET /a?b={b}").overlaps(&request("GET /a?c={c}")));
}

#[test]
fn a_location_has_values_but_no_rest_and_no_query() {
    for (text, is_fine) in [
        ("/orders/{id}", true),
        ("/orders/{order.id}", true),
        ("/", true),
        ("/{*rest}", false),
        ("/orders?id={id}", false),
        ("https://example.com/", false),
        ("//example.com/", false),
    ] {
        assert_eq!(text.parse::<LocationTemplate>().is_ok(), is_fine, "{text}");
    }
}

fn any_name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9]{0,3}(-[a-z]{1,3})?"
}

fn any_segment() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["a", "b", "x.y", "a=b&c", "@:+~"]).prop_map(str::to_owned),
        any_name().prop_map(|name| format!("{{{name}}}")),
    ]
}

proptest! {
    #[test]
    fn a_template_comes_back_from_its_text(
        segments in prop::collection::vec(any_segment(), 0..5),
        key in "[a-zA-Z0-9~._-]{1,4}",
        default in prop::option::of("[ -z|~é]{0,6}"),
    ) {
        let default = default.map_or(String::new(), |text| format!("={text}"));
        let text = format!("POST /{}?{key}={{zzzzz{default}}}", segments.join("/"));
        if let Ok(template) = text.parse::<RequestTemplate>() {
            prop_assert_eq!(template.to_string(), text);
        } else {
            let mut names: Vec<_> = segments.iter().filter(|it| it.starts_with('{')).collect();
            let count = names.len();
            names.sort();
            names.dedup();
            prop_assert!(names.len() < count, "{}", text);
        }
    }

    #[test]
    fn any_text_is_a_template_or_an_error_on_one_line(text in "\\PC{0,40}|(GET|PUT) /[{}=&?*./a%\\\\]{0,12}") {
        match text.parse::<RequestTemplate>() {
            Ok(template) => prop_assert_eq!(template.to_string(), text),
            Err(error) => prop_assert!(!error.to_string().contains(['\n', '\0'])),
        }
    }

    #[test]
    fn templates_overlap_if_and_only_if_some_path_matches_both(
        left in prop::collection::vec(prop::sample::select(vec!["a", "b", "{v}"]), 0..4),
        left_rest in any::<bool>(),
        right in prop::collection::vec(prop::sample::select(vec!["a", "b", "{w}"]), 0..4),
        right_rest in any::<bool>(),
    ) {
        // Every path of up to five segments of a small alphabet is a witness or not.
        let matches = |template: &[&str], has_rest: bool, path: &[&str]| {
            let is_long_enough = match has_rest {
                true => path.len() > template.len(),
                false => path.len() == template.len(),
            };
            is_long_enough
                && template.iter().zip(path).all(|(it, text)| it.starts_with('{') || it == text)
        };
        let paths = |count: usize| (0..3_usize.pow(count as u32)).map(move |mut number| {
            (0..count).map(|_| {
                let text = ["a", "b", "c"][number % 3];
                number /= 3;
                text
            }).collect::<Vec<_>>()
        });
        let has_witness = (0..=5).flat_map(paths).any(|path| {
            matches(&left, left_rest, &path) && matches(&right, right_rest, &path)
        });
        let template = |segments: &[&str], has_rest: bool, rest: &str| {
            // A name stands once in a template.
            let mut number = 0;
            let mut text = String::from("GET ");
            for segment in segments {
                number += 1;
                text += &format!("/{}", segment.replace('}', &format!("{number}}}")));
            }
            if has_rest { text += rest; }
            if !text.contains('/') { text += "/"; }
            request(&text)
        };
        let left = template(&left, left_rest, "/{*rest}");
        let right = template(&right, right_rest, "/{*tail}");
        prop_assert_eq!(left.overlaps(&right), has_witness, "{} {}", left, right);
    }
}
