//! A host that is killed, and files that are damaged: what was acknowledged is there, what was not is
//! there whole or not at all.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weft_tests::http::Request;
use weft_tests::{Files, Options, Probe, Weft, finish, guest, pause, probes};

use crate::shop;

/// Kills during a deploy. Each costs a start of the host.
const KILLS: u32 = 10;

/// In per mille of a deploy's time: kills fall before, during and after the change.
const KILL_AT_MAX: u64 = 1200;

/// A component like `bytes` with another digest: a section of no meaning is added.
fn variant(bytes: &[u8], number: u32) -> Vec<u8> {
    let mut variant = bytes.to_vec();
    let mut section = vec![4];
    section.extend(b"test");
    section.extend(number.to_le_bytes());
    variant.push(0);
    variant.push(u8::try_from(section.len()).unwrap());
    variant.extend(section);
    variant
}

/// Marsaglia's xorshift: the moments are the same in every run.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[test]
fn a_host_killed_during_a_deploy_has_the_old_revision_or_the_new_and_loses_nothing() {
    let files = Files::new();
    let shop = shop::manifest_under(&files, "/");
    let probe = std::fs::read(guest("http-probe")).unwrap();
    let spec = |revision: u32| {
        files.write("probe.wasm", variant(&probe, revision));
        let settings = format!("env: {{REVISION: '{revision}'}}");
        let web = Probe {
            name: "web",
            settings: &settings,
            path: "/env",
        };
        let spec = probes(&[web]).replace("guest:http-probe", "probe.wasm");
        files.app("probe", &spec)
    };
    let mut weft = Weft::serving(&[shop]);
    let started = Instant::now();
    weft.deployed(&spec(0));
    let deploy_time = started.elapsed();
    let mut running = 0;
    let mut seed = 0x5eed;
    for revision in 1..=KILLS {
        let order = br#"{"lines":[{"sku":"sencha","quantity":1}]}"#;
        let placed = weft.send(Request::with_body("POST", "/orders", order));
        placed.expect(201, &[]);

        let manifest = spec(revision);
        let mut deploy = weft.spawn(&["deploy", &manifest.to_string_lossy()]);
        let per_mille = u32::try_from(next(&mut seed) % KILL_AT_MAX).unwrap();
        pause(deploy_time * per_mille / 1000);
        weft.kill();
        let acknowledged = deploy.status().unwrap().is_some()
            && finish(deploy, Duration::from_secs(1)).code == Some(0);
        weft = weft.restarted();

        let env = weft.fetch("/env").text();
        let is = |revision: u32| env.contains(&format!("REVISION={revision}\n"));
        assert!(
            is(revision) || (is(running) && !acknowledged),
            "{running} → {revision}: {env}"
        );
        if is(revision) {
            running = revision;
        }
        for app in weft.get("apps") {
            assert_eq!(app["status"], "ready", "{app}");
        }
        for id in 1..=revision {
            weft.fetch(&format!("/orders/{id}"))
                .expect(200, &["sencha"]);
        }
        assert_eq!(
            weft.fetch("/products/sencha").json()["left"],
            120 - revision
        );
    }
    // After all that a deploy works as ever.
    weft.deployed(&spec(KILLS + 1));
    weft.fetch("/env")
        .expect(200, &[&format!("REVISION={}", KILLS + 1)]);
}

#[test]
fn orders_that_were_acknowledged_outlive_a_kill_in_the_middle_of_others() {
    let files = Files::new();
    let mut weft = Weft::serving(&[shop::manifest_under(&files, "/")]);
    let address = weft.http();
    let order = br#"{"lines":[{"sku":"sencha","quantity":1}]}"#;
    let acknowledged: Vec<u64> = std::thread::scope(|scope| {
        let customers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(move || {
                    let place = || {
                        Request::with_body("POST", "/orders", order)
                            .try_send(address)
                            .ok()
                    };
                    let placed =
                        std::iter::from_fn(|| place().filter(|answer| answer.status == 201));
                    placed
                        .take(30)
                        .map(|answer| answer.json()["id"].as_u64().unwrap())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        pause(Duration::from_millis(300));
        weft.kill();
        customers
            .into_iter()
            .flat_map(|customer| customer.join().unwrap())
            .collect()
    });
    assert!(!acknowledged.is_empty());
    let weft = weft.restarted();
    for id in &acknowledged {
        weft.fetch(&format!("/orders/{id}"))
            .expect(200, &["sencha"]);
    }
    let left = weft.fetch("/products/sencha").json()["left"]
        .as_u64()
        .unwrap();
    assert!(
        left <= 120 - acknowledged.len() as u64,
        "{left} left after {}",
        acknowledged.len()
    );
}

/// Changes the file at the path, which has these bytes.
type Damage = fn(&Path, Vec<u8>);

fn each_file(directory: &Path, extension: &str, change: Damage) {
    let mut changed = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|found| found == extension) {
            change(&path, std::fs::read(&path).unwrap());
            changed += 1;
        }
    }
    assert!(changed > 0, "no `.{extension}` in {}", directory.display());
}

#[test]
fn a_damaged_cache_entry_is_compiled_anew_with_a_warning() {
    let files = Files::new();
    let probe = Probe {
        name: "web",
        settings: "",
        path: "/",
    };
    let mut weft = Weft::serving(&[files.app("probe", &probes(&[probe]))]);
    let flip: Damage = |path: &Path, mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0xff;
        std::fs::write(path, bytes).unwrap();
    };
    let cut: Damage =
        |path: &Path, bytes: Vec<u8>| std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    let empty: Damage = |path, _| std::fs::write(path, b"").unwrap();
    let damages: [(&str, Damage); 4] = [
        ("cwasm", flip),
        ("cwasm", cut),
        ("cwasm", empty),
        ("mac", flip),
    ];
    for (extension, damage) in damages {
        weft.kill();
        each_file(&weft.folder().join("cache"), extension, damage);
        weft = weft.restarted();
        assert!(weft.log().contains("damaged"), "{}", weft.log());
        weft.fetch("/count").expect(200, &["1"]);
    }
    // What was compiled anew is used by the next host.
    let weft = weft.restarted();
    assert!(!weft.log().contains("WARN"), "{}", weft.log());
    weft.fetch("/count").expect(200, &["1"]);
}

/// An app `hello` with damaged bytes, its manifest, and an app `probe` beside it.
fn with_damaged_bytes(files: &Files) -> (Weft, PathBuf) {
    let probe = Probe {
        name: "web",
        settings: "",
        path: "/probe",
    };
    let hello = "components:\n\
                 - {name: web, source: {file: guest:hello-http}}\n\
                 routes:\n\
                 - {path: /hello, to: web}\n";
    let manifest = files.app("hello", hello);
    let mut weft = Weft::serving(&[files.app("probe", &probes(&[probe])), manifest.clone()]);
    let rows = weft.get("components");
    let row = rows.iter().find(|row| row["app"] == "hello").unwrap();
    let digest = row["digest"].as_str().unwrap();
    let digest = digest.trim_start_matches("sha256:").to_owned();
    weft.kill();
    let artifacts = weft.folder().join("artifacts");
    let mut paths = std::fs::read_dir(artifacts)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let damaged = paths
        .find(|path| path.to_string_lossy().contains(&digest))
        .expect("artifacts are named by their digest");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[100] ^= 0xff;
    std::fs::write(&damaged, bytes).unwrap();
    (weft.restarted(), manifest)
}

#[test]
fn an_app_whose_bytes_are_damaged_fails_by_itself() {
    let files = Files::new();
    let (weft, _) = with_damaged_bytes(&files);
    weft.fetch("/probe").expect(404, &["no such behaviour"]);
    weft.fetch("/hello")
        .expect(503, &["component `hello/web` does not start on this host"]);
    let apps = weft.get("apps");
    let failed = apps.iter().find(|app| app["app"] == "hello").unwrap();
    assert_eq!(failed["status"], "failed", "{failed}");
    let reason = failed["reason"].as_str().unwrap();
    assert!(reason.contains("`web`"), "{reason}");
    weft.run(&["undeploy", "hello"]).expect_code(0);
}

#[test]
fn an_app_whose_bytes_are_damaged_can_be_deployed_again() {
    let files = Files::new();
    let (weft, manifest) = with_damaged_bytes(&files);
    weft.deployed(&manifest);
    weft.fetch("/hello").expect(200, &["hello"]);
}

#[test]
fn a_damaged_state_is_named_and_left_as_it_is() {
    let mut weft = Weft::empty();
    weft.kill();
    let state = weft.folder().join("state.redb");
    let damaged = vec![0x5a; std::fs::read(&state).unwrap().len()];
    std::fs::write(&state, &damaged).unwrap();
    let refused = Weft::start_refused(&Options {
        data: Some(weft.data()),
        ..Options::default()
    });
    refused
        .expect_code(1)
        .expect_stderr(&["desired-state database", &state.to_string_lossy()]);
    assert!(
        std::fs::read(&state).unwrap() == damaged,
        "for whoever repairs it"
    );
}
