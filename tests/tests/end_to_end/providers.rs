//! What the host provides over links: key-value stores, configuration, requests to the outside.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

use weft_tests::http::Request;
use weft_tests::{Files, Weft};

/// An app of probes, each at the host that is its name, with its links and the app's providers.
fn app(components: &[(&str, &str)], providers: &str) -> String {
    let mut spec = format!("providers:\n{providers}components:\n");
    for (name, _) in components {
        spec += &format!("- {{name: {name}, source: {{file: guest:http-probe}}}}\n");
    }
    spec += "links:\n";
    for (name, links) in components {
        let links = links
            .lines()
            .map(|link| format!("- {{from: {name}, {link}}}\n"));
        spec += &links.collect::<String>();
    }
    spec += "routes:\n";
    for (name, _) in components {
        spec += &format!("- {{host: {name}, path: /, to: {name}}}\n");
    }
    spec
}

const KV: &str = "interface: \"wasi:keyvalue/store\"";
const CONFIG: &str = "interface: \"wasi:config/store\"";
const OUTSIDE: &str = "interface: \"wasi:http/outgoing-handler\"";

#[test]
fn each_key_value_store_keeps_what_it_promises() {
    let files = Files::new();
    let links = |kv: &str| format!("{KV}, {kv}\n{CONFIG}, to: config\n{OUTSIDE}, to: outside");
    let components = [
        ("in-memory", links("to: memory")),
        ("on-disk", links("to: disk")),
        (
            "elsewhere",
            links("name: data, to: disk, config: {bucket: other}"),
        ),
        ("limited", links("to: tiny")),
    ];
    let spec = app(
        &components
            .each_ref()
            .map(|(name, links)| (*name, links.as_str())),
        "- {name: memory, type: keyvalue-memory}\n\
         - {name: tiny, type: keyvalue-memory, config: {max-bytes: 1000}}\n\
         - {name: disk, type: keyvalue-redb}\n\
         - {name: config, type: config-values}\n\
         - {name: outside, type: http-client}\n",
    );
    let weft = Weft::serving(&[files.app("stores", &spec)]);
    let put = |weft: &Weft, host: &str, key: &str, value: &[u8]| {
        weft.send(Request::with_body("PUT", &format!("/kv/{key}"), value).host(host))
    };
    let get = |weft: &Weft, host: &str, key: &str| {
        let answer = weft.send(Request::get(&format!("/kv/{key}")).host(host));
        (answer.status == 200).then_some(answer.body)
    };
    let binary = "\u{1}ä".repeat(50_000).into_bytes();
    for host in ["in-memory", "on-disk"] {
        assert_eq!(get(&weft, host, "key"), None, "{host}");
        put(&weft, host, "key", host.as_bytes()).expect(204, &[]);
        put(&weft, host, "big", &binary).expect(204, &[]);
        put(&weft, host, "gone", b"soon").expect(204, &[]);
        weft.send(Request::with_body("DELETE", "/kv/gone", b"").host(host))
            .expect(204, &[]);
        assert_eq!(get(&weft, host, "key").as_deref(), Some(host.as_bytes()));
        assert!(get(&weft, host, "big").as_ref() == Some(&binary), "{host}");
        assert_eq!(get(&weft, host, "gone"), None, "{host}");
    }
    assert_eq!(
        get(&weft, "elsewhere", "key"),
        None,
        "another bucket of the same store"
    );
    put(&weft, "limited", "key", &[0; 2000]).expect(500, &["Error::"]);
    assert_eq!(get(&weft, "limited", "key"), None);

    let weft = weft.restarted();
    assert_eq!(
        get(&weft, "on-disk", "key").as_deref(),
        Some(&b"on-disk"[..])
    );
    assert_eq!(get(&weft, "on-disk", "gone"), None);
    assert_eq!(
        get(&weft, "in-memory", "key"),
        None,
        "memory is gone with the host"
    );

    // What providers stored stays when the app is removed.
    weft.run(&["undeploy", "stores"]).expect_code(0);
    weft.deployed(&files.path().join("stores.yaml"));
    assert_eq!(
        get(&weft, "on-disk", "key").as_deref(),
        Some(&b"on-disk"[..])
    );
}

#[test]
fn a_link_overrides_values_of_the_configuration() {
    let files = Files::new();
    let links = |config: &str| {
        format!("{KV}, to: kv\n{CONFIG}, to: config{config}\n{OUTSIDE}, to: outside")
    };
    let (plain, changed) = (
        links(""),
        links(", config: {values: {colour: blue, size: '9'}}"),
    );
    let spec = app(
        &[("plain", &plain), ("changed", &changed)],
        "- {name: kv, type: keyvalue-memory}\n\
         - {name: config, type: config-values, config: {values: {colour: red, shape: round}}}\n\
         - {name: outside, type: http-client}\n",
    );
    let manifest = files.app("config", &spec);
    let weft = Weft::serving(std::slice::from_ref(&manifest));
    let config = |host| weft.send(Request::get("/env").host(host)).text();
    assert_eq!(config("plain"), "config colour=red\nconfig shape=round\n");
    assert_eq!(
        config("changed"),
        "config colour=blue\nconfig shape=round\nconfig size=9\n"
    );

    for (wrong, named) in [
        (spec.replace("'9'", "9"), "`size`"),
        (spec.replace("size:", "colour:"), "colour"),
        (
            spec.replace("{values: {colour: red", "{value: {colour: red"),
            "value",
        ),
        (
            spec.replace(
                "type: http-client",
                "type: http-client, config: {allow: ['*']}",
            ),
            "allow",
        ),
    ] {
        let refused = weft.deploy(&files.app("config", &wrong));
        assert!(matches!(refused.code, Some(1 | 2)), "{refused}");
        refused.expect_stderr(&[named]);
    }
    assert_eq!(config("plain"), "config colour=red\nconfig shape=round\n");
}

#[test]
fn requests_go_out_only_where_a_link_allows() {
    let (address, server) = answering(2);
    let files = Files::new();
    let links = |config: &str| {
        format!("{KV}, to: kv\n{CONFIG}, to: config\n{OUTSIDE}, to: outside{config}")
    };
    let elsewhere = SocketAddr::from(([127, 0, 0, 1], address.port() ^ 1));
    let (nothing, this, other, star) = (
        links(""),
        links(&format!(", config: {{allow: ['http://{address}']}}")),
        links(&format!(", config: {{allow: ['http://{elsewhere}']}}")),
        links(", config: {allow: ['http://*']}"),
    );
    let spec = app(
        &[
            ("nothing", &nothing),
            ("this", &this),
            ("other", &other),
            ("star", &star),
        ],
        "- {name: kv, type: keyvalue-memory}\n\
         - {name: config, type: config-values}\n\
         - {name: outside, type: http-client}\n",
    );
    let weft = Weft::serving(&[files.app("fetch", &spec)]);
    let fetch =
        |host: &str, url: &str| weft.send(Request::get(&format!("/fetch?url={url}")).host(host));
    let url = format!("http://{address}/page?x=1");
    for host in ["nothing", "other", "star"] {
        fetch(host, &url).expect(502, &["HttpRequestDenied"]);
    }
    for _ in 0..2 {
        fetch("this", &url).expect(200, &["you asked for GET /page?x=1"]);
    }
    assert_eq!(
        server.join().unwrap(),
        2,
        "only what is allowed has arrived"
    );
    // Allowed, and nobody is there.
    fetch("this", &url).expect(502, &["Connection"]);
    for wrong in ["gopher://127.0.0.1/", "http://", "nonsense"] {
        assert_eq!(fetch("this", wrong).status, 502, "{wrong}");
    }
}

/// A server on this machine that answers so many requests and then is gone.
fn answering(requests: usize) -> (SocketAddr, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        for stream in listener.incoming().take(requests) {
            let mut stream = stream.unwrap();
            let mut read = Vec::new();
            let mut chunk = [0; 1024];
            while !read.windows(4).any(|four| four == b"\r\n\r\n") {
                let length = stream.read(&mut chunk).unwrap();
                read.extend_from_slice(&chunk[..length]);
            }
            let read = String::from_utf8_lossy(&read).into_owned();
            let asked = read.split(" HTTP/").next().unwrap();
            let body = format!("you asked for {asked}");
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
        requests
    });
    (address, server)
}
