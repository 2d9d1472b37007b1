//! Well-behaved HTTP: protocols, streams, and many apps behind one listener.

use bytes::Bytes;
use http_body_util::BodyExt;
use weft_tests::http::{Connection, Request};
use weft_tests::http2::Client;
use weft_tests::{Files, Probe, Weft, probes};

/// One app with a probe at `/` and both versions of `hello` beside it.
fn serving(files: &Files) -> Weft {
    let probe = [Probe {
        name: "web",
        settings: "",
        path: "/",
    }];
    let hello = "components:\n\
                 - {name: p2, source: {file: guest:hello-http}}\n\
                 - {name: p3, source: {file: guest:hello-http-p3}}\n\
                 routes:\n\
                 - {path: /p2, to: p2}\n\
                 - {path: /p3, to: p3}\n";
    Weft::serving(&[
        files.app("probe", &probes(&probe)),
        files.app("hello", hello),
    ])
}

#[test]
fn handlers_of_both_versions_answer_over_both_protocols() {
    let files = Files::new();
    let weft = serving(&files);
    for path in ["/p2", "/p3"] {
        let answer = weft.fetch(path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "hello"),
            "{path}"
        );
    }
    let protocols: Vec<_> = weft
        .get("routes")
        .iter()
        .map(|row| row["protocol"].to_string())
        .collect();
    assert!(
        protocols.contains(&"\"wasi:http@0.2\"".to_owned()),
        "{protocols:?}"
    );
    assert!(
        protocols.contains(&"\"wasi:http@0.3\"".to_owned()),
        "{protocols:?}"
    );

    let runtime = runtime();
    runtime.block_on(async {
        let mut client = Client::connect(weft.http()).await;
        for path in ["/p2", "/p3", "/p2/below"] {
            assert_eq!(client.get(path).await, (200, "hello".to_owned()), "{path}");
        }
        let (status, text) = client.get("/headers").await;
        assert_eq!(status, 200);
        assert!(text.contains(":authority: localhost"), "{text}");
        assert_eq!(client.get("/nothing").await.0, 404);
    });

    // Several requests on one connection of HTTP/1.1.
    let mut connection = Connection::open(weft.http()).unwrap();
    for path in ["/p2", "/p3", "/p2"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        connection.send(request.as_bytes()).unwrap();
        assert_eq!(connection.response().unwrap().text(), "hello", "{path}");
    }
}

#[test]
fn a_guest_sees_the_request_as_it_was_sent() {
    let files = Files::new();
    let weft = serving(&files);
    let mut connection = Connection::with(
        weft.http(),
        "PUT /headers?a=1&b=%20 HTTP/1.1\nHost: Example.com:81\nX-One: 1\nx-one: 2\nConnection: close\n\n",
    );
    let text = connection.response().unwrap().text();
    for line in [
        ":method: PUT",
        ":path: /headers?a=1&b=%20",
        ":scheme: http",
        "x-one: 1",
        "x-one: 2",
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no `{line}` in {text}"
        );
    }
}

#[test]
fn an_echo_streams_both_ways_at_once() {
    let files = Files::new();
    let weft = serving(&files);
    // HTTP/1.1: the next chunk is sent only when the one before is back.
    let mut connection = Connection::with(
        weft.http(),
        "POST /echo HTTP/1.1\nhost: localhost\ntransfer-encoding: chunked\n\n",
    );
    connection.send_chunk(b"chunk 0").unwrap();
    assert_eq!(connection.head().unwrap().status, 200);
    for number in 0..20 {
        let chunk = connection.chunk().unwrap();
        assert_eq!(String::from_utf8_lossy(&chunk), format!("chunk {number}"));
        connection
            .send_chunk(format!("chunk {}", number + 1).as_bytes())
            .unwrap();
    }
    assert_eq!(connection.chunk().unwrap(), b"chunk 20");
    connection.send(b"0\r\n\r\n").unwrap();
    assert_eq!(connection.chunk().unwrap(), b"", "the end of the body");

    runtime().block_on(async {
        let mut client = Client::connect(weft.http()).await;
        let (chunks, response) = client.post("/echo").await;
        let mut body = response.into_body();
        for number in 0..20 {
            let chunk = Bytes::from(format!("chunk {number}"));
            chunks.send(chunk.clone()).await.unwrap();
            let back = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(back, chunk);
        }
        drop(chunks);
        assert!(body.collect().await.unwrap().to_bytes().is_empty());
    });
}

#[test]
fn big_bodies_pass_whole_in_both_directions() {
    let files = Files::new();
    let weft = serving(&files);
    let answer = weft.fetch("/big?bytes=50000000");
    assert_eq!((answer.status, answer.body.len()), (200, 50_000_000));
    assert!(answer.body.iter().all(|byte| *byte == b'x'));
    let body: Vec<u8> = (0..10_000_000_u32)
        .map(|i| i.to_le_bytes()[(i % 3) as usize])
        .collect();
    let mut connection = Connection::open(weft.http()).unwrap();
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.send(head.as_bytes()).unwrap();
    let mut sender = connection.try_clone().unwrap();
    let echoed = std::thread::scope(|scope| {
        scope.spawn(|| sender.send(&body).unwrap());
        connection.response().unwrap()
    });
    assert!(echoed.body == body, "{} bytes came back", echoed.body.len());
}

#[test]
fn many_apps_share_a_listener_by_host_and_path() {
    let files = Files::new();
    let manifests: Vec<_> = [
        ("any", "- {path: /, to: web}"),
        ("any-api", "- {path: /api, to: web}"),
        ("any-api-v2", "- {path: /api/v2, to: web}"),
        ("shop", "- {host: shop.example.com, path: /, to: web}"),
        (
            "shop-admin",
            "- {host: shop.example.com, path: /admin, to: web}",
        ),
        ("wild", "- {host: '*.example.com', path: /, to: web}"),
    ]
    .iter()
    .map(|(name, routes)| {
        let probe = Probe {
            name: "web",
            settings: &format!("env: {{APP: {name}}}"),
            path: "/",
        };
        let spec = probes(&[probe]);
        let (before, _) = spec.split_once("routes:").unwrap();
        files.app(name, &format!("{before}routes:\n{routes}\n"))
    })
    .collect();
    let weft = Weft::serving(&manifests);

    // The app is told by the log: a path of a probe means something only at its start.
    let cases = [
        ("localhost", "/", "any"),
        ("localhost", "/apis", "any"),
        ("localhost", "/api", "any-api"),
        ("localhost", "/api/", "any-api"),
        ("localhost", "/api/v1", "any-api"),
        ("localhost", "/api/v2", "any-api-v2"),
        ("localhost", "/api/v2/x", "any-api-v2"),
        ("localhost", "/api/v20", "any-api"),
        ("shop.example.com", "/", "shop"),
        ("SHOP.example.com:8080", "/", "shop"),
        ("shop.example.com", "/admin", "shop-admin"),
        ("shop.example.com", "/administrator", "shop"),
        ("shop.example.com", "/api", "shop"),
        ("blog.example.com", "/api", "wild"),
        ("example.com", "/", "any"),
    ];
    let requests = |app: &str| -> u64 {
        let rows = weft.get("components");
        let row = rows.iter().find(|row| row["app"] == app).unwrap();
        row["requests"].as_u64().unwrap()
    };
    for (host, path, app) in cases {
        let before = requests(app);
        weft.send(Request::get(path).host(host))
            .expect(404, &["there is no such behaviour"]);
        assert_eq!(requests(app), before + 1, "{host}{path} goes to `{app}`");
    }
    weft.run(&["undeploy", "any"]).expect_code(0);
    weft.fetch("/else")
        .expect(404, &["`localhost`", "`/else`", "weft get routes"]);
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}
