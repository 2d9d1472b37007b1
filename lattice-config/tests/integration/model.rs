//! Values of the model: accepted texts, displayed texts and defaults.

use std::fmt::{Debug, Display};
use std::str::FromStr;
use std::time::Duration;

use proptest::prelude::*;
use weft_lattice_config::{
    ByteSize, ComponentName, Digest, DurationText, HostPattern, Instances, InterfaceName,
    InterfaceRef, Label, LabelName, LabelValue, Locality, PathPrefix, Placement, Reuse, Source,
};

use crate::app;

fn check_text<T: FromStr<Err: Debug + Display> + Display + Debug>(
    accepted: &[(&str, &str)],
    refused: &[&str],
) {
    for (text, shown) in accepted {
        match text.parse::<T>() {
            Ok(value) => assert_eq!(value.to_string(), *shown),
            Err(error) => panic!("`{text}` is refused: {error}"),
        }
    }
    for text in refused {
        let parsed = text.parse::<T>();
        assert!(parsed.is_err(), "`{text}` is accepted as {parsed:?}");
    }
}

#[test]
fn names_are_dns_labels() {
    let longest = "a".repeat(63);
    check_text::<ComponentName>(
        &[("a", "a"), ("a-b--c9", "a-b--c9"), (&longest, &longest)],
        &[
            "",
            "A",
            "9a",
            "-a",
            "a-",
            "a_b",
            "a.b",
            "a b",
            "ä",
            "a\0",
            "a\n",
            &"a".repeat(64),
        ],
    );
}

#[test]
fn a_bad_name_is_explained() {
    let error = "Shop".parse::<ComponentName>().unwrap_err().to_string();
    assert_eq!(
        error,
        "`Shop` is not a component name: must start with a lower-case letter"
    );
}

#[test]
fn labels_are_plain_words() {
    let longest = "a".repeat(63);
    let refused = [
        "", "-a", "a-", "a b", "a=b", "ä", "a\0", "*", ">", "..", "a,b", "a\n", "a:b",
    ];
    check_text::<LabelName>(
        &[
            ("zone", "zone"),
            ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone"),
            ("GPU_2", "GPU_2"),
            ("9", "9"),
            (&longest, &longest),
        ],
        &refused,
    );
    check_text::<LabelValue>(&[("eu-west-1a", "eu-west-1a"), ("9.5", "9.5")], &refused);
    check_text::<LabelValue>(&[], &["a/b", &"a".repeat(64)]);
    check_text::<Label>(
        &[("zone=eu-west-1a", "zone=eu-west-1a")],
        &["", "zone", "=", "zone=", "=a", "zone=a=b", "a zone=a"],
    );
}

#[test]
fn placement_defaults_to_one_replica_on_any_host() {
    let app = app(
        "  components: [{name: a, source: {file: a}}, {name: b, source: {file: b}, replicas: 3, \
         placement: {require: {cloud: [aws, gcp], cpu: arm}, one-per-host: true}}]\n",
    );
    let [a, b] = &app.spec.components[..] else {
        panic!("two")
    };
    assert_eq!((a.replicas.get(), &a.placement), (1, &Placement::default()));
    assert_eq!(a.placement.weight.get(), 1);
    assert_eq!((b.replicas.get(), b.placement.one_per_host), (3, true));
    let values = |name: &str| b.placement.require[name].as_slice().len();
    assert_eq!((values("cloud"), values("cpu")), (2, 1));
}

#[test]
fn sizes_have_units_and_are_shown_in_the_largest_exact_one() {
    check_text::<ByteSize>(
        &[
            ("0", "0"),
            ("512", "512"),
            ("512B", "512"),
            ("64KiB", "64KiB"),
            ("10MB", "10MB"),
            ("1024KiB", "1MiB"),
            ("1000KB", "1MB"),
            ("3GiB", "3GiB"),
            ("18446744073709551615", "18446744073709551615"),
        ],
        &[
            "",
            "KiB",
            "-1",
            "+1",
            "1.5MB",
            "64 KiB",
            "64kb",
            "64K",
            "99999999TiB",
            "0x10",
        ],
    );
}

#[test]
fn durations_need_a_unit_and_are_neither_zero_nor_above_a_year() {
    check_text::<DurationText>(
        &[
            ("250ms", "250ms"),
            ("5s", "5s"),
            ("120s", "2m"),
            ("1h", "1h"),
            ("8760h", "8760h"),
        ],
        &[
            "",
            "5",
            "0s",
            "-5s",
            "1.5s",
            "5 s",
            "5d",
            "8761h",
            "18446744073709551615h",
        ],
    );
    assert_eq!(
        "2m".parse::<DurationText>().unwrap().get(),
        Duration::from_secs(120)
    );
}

#[test]
fn a_digest_is_that_of_the_bytes() {
    let digest = Digest::of(b"");
    let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digest.to_string(), format!("sha256:{hex}"));
    assert_eq!((digest.hex(), digest.short()), (hex, "e3b0c44298fc"));
    let upper = format!("sha256:{}", hex.to_uppercase());
    check_text::<Digest>(
        &[(digest.as_str(), digest.as_str())],
        &[
            "",
            "sha256:",
            hex,
            &upper,
            "sha256:é3b0",
            &format!("md5:{hex}"),
            &format!("sha256:{hex}0"),
        ],
    );
}

#[test]
fn interfaces_are_named_as_in_wit() {
    check_text::<InterfaceName>(
        &[
            ("wasi:keyvalue/store", "wasi:keyvalue/store"),
            (
                "wasi:http/types@0.2.0-rc.1+b",
                "wasi:http/types@0.2.0-rc.1+b",
            ),
            ("a:b-c1/parse-URL", "a:b-c1/parse-URL"),
        ],
        &[
            "",
            "run",
            "a:b",
            "a/b",
            "a:b/",
            ":b/c",
            "a:/c",
            "a:b/c@1",
            "a:b/c@",
            "a:b/c/d",
            "a:b/9c",
            "A:b/c",
            "a:b/cD",
            "a:b/-c",
            "a:b/c--d",
            "a:b:c/d",
            "a:b/c@1.0.0@1.0.0",
            "a:b/ c",
        ],
    );
    check_text::<InterfaceRef>(
        &[
            ("wasi:keyvalue", "wasi:keyvalue"),
            ("a:b@1.2.3", "a:b@1.2.3"),
            ("a:b/c", "a:b/c"),
        ],
        &["a:b@1.2", "a:b@v1.2.3", "a:b/", "a"],
    );
}

#[test]
fn hosts_are_names_or_wildcards() {
    check_text::<HostPattern>(
        &[
            ("Shop.Example.com", "shop.example.com"),
            ("*.example.com", "*.example.com"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
        ],
        &[
            "",
            "*",
            "*.",
            "a.*.b",
            "*a.b",
            "a..b",
            ".a",
            "a.",
            "-a.b",
            "a-.b",
            "a:80",
            "a/b",
            "http://a",
            "ä.de",
            "[::1]",
            &"a.".repeat(127),
        ],
    );
}

#[test]
fn paths_are_plain_and_lose_a_slash_at_the_end() {
    check_text::<PathPrefix>(
        &[
            ("/", "/"),
            ("/api", "/api"),
            ("/api/", "/api"),
            ("/a/b-c_d~e.f", "/a/b-c_d~e.f"),
        ],
        &[
            "",
            "api",
            "//",
            "/a//b",
            "/..",
            "/a/../b",
            "/./a",
            "/a/.",
            "/a?b",
            "/a#b",
            "/%61",
            "/a b",
            "/a\\b",
            "/ä",
            "/a\0",
            &format!("/{}", "a".repeat(1024)),
        ],
    );
}

#[test]
fn an_absent_key_has_its_default() {
    let app = app(
        "  components: [{name: a, source: {file: a.wasm}, instances: {reuse: {}}}, \
         {name: b, source: {file: b.wasm}}]\n\x20 links: [{from: a, interface: 'x:y', to: b}]\n\
         \x20 routes: [{to: a}]\n",
    );
    let link = &app.spec.links[0];
    assert_eq!((link.locality, link.deadline), (Locality::Auto, None));
    assert!(!app.spec.components[0].isolate);
    let Instances::Reuse(reuse) = app.spec.components[0].instances else {
        panic!("not reused")
    };
    assert_eq!(reuse, Reuse::default());
    assert_eq!(
        (
            reuse.max_requests.get(),
            reuse.max_idle.to_string().as_str()
        ),
        (1000, "30s")
    );
    assert_eq!(app.spec.components[1].instances, Instances::PerRequest);
    assert_eq!(
        app.spec.components[1].source,
        Source::File("b.wasm".to_owned())
    );
    assert_eq!(
        (&app.spec.routes[0].host, app.spec.routes[0].path.as_str()),
        (&None, "/")
    );
}

#[test]
fn localities_are_written_as_they_are_shown() {
    let link = |fields: &str| {
        let app = app(&format!(
            "  components: [{{name: a, source: {{file: a}}, isolate: false}}, {{name: b, source: {{file: b}}}}]\n\
             \x20 links: [{{from: a, interface: 'x:y', to: b, {fields}}}]\n"
        ));
        app.spec.links[0].clone()
    };
    for locality in [Locality::Auto, Locality::Fused, Locality::Local] {
        let read = link(&format!("locality: {}", locality.as_str()));
        assert_eq!(read.locality, locality);
    }
    let deadline = link("deadline: 250ms").deadline;
    let deadline = deadline.map(|deadline| deadline.get());
    assert_eq!(deadline, Some(Duration::from_millis(250)));
}

#[test]
fn a_size_may_be_a_plain_number() {
    let app =
        app("  components: [{name: a, source: {file: a}, limits: {body: 512, memory: '1KiB'}}]\n");
    let limits = app.spec.components[0].limits;
    assert_eq!(limits.body.map(ByteSize::bytes), Some(512));
    assert_eq!(limits.memory, Some(ByteSize::new(1024)));
}

proptest! {
    #[test]
    fn quantities_come_back_from_their_text(bytes: u64, ms in 1..=365 * 24 * 3_600_000_u64) {
        let size = ByteSize::new(bytes);
        prop_assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
        let duration: DurationText = format!("{ms}ms").parse().unwrap();
        prop_assert_eq!(duration.to_string().parse::<DurationText>().unwrap(), duration);
    }
}
