//! Memory per idle component, with a number of distinct components on one host.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use weft_harness::http::Request;
use weft_harness::{Polling, until};

use super::Effort;
use super::resident::{Resident, resident};
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::stats::median_ms;
use super::tools::Tools;
use crate::host::Host;

const TARGET_KIB: f64 = 200.0;

const COMPONENTS_PER_APP: u32 = 50;

/// For the start of a host with all code in its cache.
const START_POLLING: Polling = Polling::of(Duration::from_secs(300));

/// For a host to drop the code of idle components.
const IDLE_POLLING: Polling = Polling {
    timeout: Duration::from_secs(180),
    period: Duration::from_secs(1),
};

const BASELINE: &str = "compiled code on disk";

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let count: u32 = effort.choose(1000, 100);
    let scratch = Scratch::new("idle-memory")?;
    let manifests = write_apps(tools, &scratch, count)?;
    let data = scratch.path().join("data");

    let weft = Host::start(&tools.weft, &data, &[])?;
    let empty = resident(weft.process.id())?;
    weft.deploy(&manifests)?;
    until_idle(&weft)?;
    let deployed = resident(weft.process.id())?;
    weft.end()?;

    let mut weft = Host::spawn::<&str>(&tools.weft, &data, &[])?;
    weft.wait_for(&path_of(count - 1), START_POLLING)?;
    until_idle(&weft)?;
    let restarted = resident(weft.process.id())?;
    let of_idle = call_each(&weft, count)?;
    let called = resident(weft.process.id())?;
    let of_loaded = call_each(&weft, count)?;
    weft.end()?;

    let memory = Memory {
        count,
        empty,
        on_disk: per_component(kib_of_folder(&data.join("private/cache"))?, count),
    };
    let [deployed, deployed_anonymous] = memory.rows("idle after its deploy", deployed);
    let [restarted, restarted_anonymous] = memory.rows("idle after a restart", restarted);
    let [called, called_anonymous] = memory.rows("just called", called);
    let first_call = Row::new("first call of an idle component", of_idle, "ms")
        .against("second call", of_loaded);
    Ok(vec![
        deployed.target(Target::ValueAtMost(TARGET_KIB)),
        deployed_anonymous,
        restarted.target(Target::ValueAtMost(TARGET_KIB)),
        restarted_anonymous,
        called,
        called_anonymous,
        first_call,
    ])
}

/// The common values of the memory rows.
struct Memory {
    count: u32,
    /// The host without components.
    empty: Resident,
    /// KiB of compiled code per component.
    on_disk: f64,
}

impl Memory {
    /// The memory that each component added: all of it, and anonymous memory.
    fn rows(&self, state: &str, after: Resident) -> [Row; 2] {
        let Self {
            count,
            empty,
            on_disk,
        } = self;
        let row = |kind, after: u64, before| {
            let added = per_component(after.saturating_sub(before), *count);
            let name = format!("component of {count}, {state}{kind}");
            Row::new(name, added, "KiB").against(BASELINE, *on_disk)
        };
        [
            row("", after.all_kib, empty.all_kib),
            row(": anonymous", after.anonymous_kib, empty.anonymous_kib),
        ]
    }
}

/// Waits until the host has dropped the code of all components.
fn until_idle(weft: &Host) -> Result<()> {
    until("all components are idle", IDLE_POLLING, || {
        let loaded = weft.components()?.iter().any(|component| component.loaded);
        anyhow::Ok((!loaded).then_some(()))
    })
}

/// Writes components that differ in a custom section, and apps with a route for each component.
fn write_apps(tools: &Tools, scratch: &Scratch, count: u32) -> Result<Vec<PathBuf>> {
    let file = tools.guest("hello-http");
    let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let numbers: Vec<u32> = (0..count).collect();
    let apps = numbers.chunks(COMPONENTS_PER_APP as usize).enumerate();
    apps.map(|(app, numbers)| {
        for number in numbers {
            scratch.write(&format!("c{number}.wasm"), distinct(&bytes, *number))?;
        }
        scratch.write(&format!("app{app}.yaml"), manifest(app, numbers))
    })
    .collect()
}

/// The same component with a custom section `bench` that holds four bytes of its own.
fn distinct(component: &[u8], number: u32) -> Vec<u8> {
    const NAME: &[u8] = b"bench";
    let mut bytes = component.to_vec();
    let length = 1 + NAME.len() + size_of_val(&number);
    // Section 0 is custom. Both lengths are below 128, so each takes one byte.
    bytes.extend([0, length as u8, NAME.len() as u8]);
    bytes.extend(NAME);
    bytes.extend(number.to_le_bytes());
    bytes
}

fn manifest(app: usize, numbers: &[u32]) -> String {
    let component =
        |number: &u32| format!("  - {{name: c{number}, source: {{file: c{number}.wasm}}}}\n");
    let route = |number: &u32| format!("  - {{path: {}, to: c{number}}}\n", path_of(*number));
    let components: String = numbers.iter().map(component).collect();
    let routes: String = numbers.iter().map(route).collect();
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: app{app}}}\nspec:\n  \
         components:\n{components}  routes:\n{routes}"
    )
}

fn path_of(number: u32) -> String {
    format!("/c{number}")
}

/// Calls all components in turn; returns the median time of a call in milliseconds.
fn call_each(weft: &Host, count: u32) -> Result<f64> {
    let mut times = Vec::new();
    for path in (0..count).map(path_of) {
        let start = Instant::now();
        let response = Request::get(&path).try_send(weft.http)?;
        times.push(start.elapsed());
        ensure!(
            response.status == 200,
            "status {} of `{path}`",
            response.status
        );
    }
    Ok(median_ms(&times))
}

fn per_component(kib: u64, count: u32) -> f64 {
    // Exact up to 2^52 KiB.
    kib as f64 / f64::from(count)
}

fn kib_of_folder(folder: &Path) -> Result<u64> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut kib = 0;
    for entry in entries {
        let entry = entry?;
        kib += if entry.file_type()?.is_dir() {
            kib_of_folder(&entry.path())?
        } else {
            entry.metadata()?.len() / 1024
        };
    }
    Ok(kib)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distinct_component_ends_in_a_custom_section() {
        let bytes = distinct(b"\0asm\x0d\0\x01\0", 7);
        assert_eq!(&bytes[8..], b"\0\x0a\x05bench\x07\0\0\0");
    }
}
