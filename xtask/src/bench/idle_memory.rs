//! Memory per deployed component that has nothing to do, at a number of components with bytes of their
//! own in one host.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::Effort;
use super::get;
use super::process::{Resident, resident};
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::stats::median_ms;
use super::tools::Tools;
use super::wait::{self, Patience};
use super::weft::Weft;

const TARGET_KIB: f64 = 200.0;

const COMPONENTS_PER_APP: u32 = 50;

/// For a host to start with all components compiled before.
const START_PATIENCE: Patience = Patience::of(Duration::from_secs(300));

/// For a host to drop the code of components that nobody calls.
const IDLE_PATIENCE: Patience = Patience {
    bound: Duration::from_secs(180),
    period: Duration::from_secs(1),
};

const BASELINE: &str = "compiled code on disk";

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let count: u32 = effort.choose(1000, 100);
    let scratch = Scratch::new("idle-memory")?;
    let manifests = write_apps(tools, &scratch, count)?;
    let data = scratch.path().join("data");

    let weft = Weft::start(&tools.weft, &data)?;
    let empty = resident(weft.id())?;
    weft.deploy(&manifests)?;
    until_idle(&weft)?;
    let deployed = resident(weft.id())?;
    weft.end()?;

    let mut weft = Weft::spawn(&tools.weft, &data, &[])?;
    weft.wait_for(&path_of(count - 1), START_PATIENCE)?;
    until_idle(&weft)?;
    let restarted = resident(weft.id())?;
    let of_idle = call_each(&weft, count)?;
    let called = resident(weft.id())?;
    let of_loaded = call_each(&weft, count)?;
    weft.end()?;

    let memory = Memory {
        count,
        empty,
        on_disk: per_component(kib_of_folder(&data.join("cache"))?, count),
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

/// What rows of memory have in common.
struct Memory {
    count: u32,
    /// The host without components.
    empty: Resident,
    /// KiB of compiled code per component.
    on_disk: f64,
}

impl Memory {
    /// What the components added, each its share: all of it, and what is no file's.
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

/// Waits until the host has dropped the code of every component.
fn until_idle(weft: &Weft) -> Result<()> {
    wait::until("every component is idle", IDLE_PATIENCE, || {
        let loaded = weft.components()?.iter().any(|component| component.loaded);
        Ok((!loaded).then_some(()))
    })
}

/// Components that differ in a custom section, and apps of some of them, each with a route of its own.
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
    // Section 0 is custom; both lengths are below 128 and so one byte each.
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

/// Calls one after the other; answers the median time of a call in milliseconds.
fn call_each(weft: &Weft, count: u32) -> Result<f64> {
    let mut times = Vec::new();
    for path in (0..count).map(path_of) {
        let start = Instant::now();
        let answer = get::try_get(weft.http, &path)?;
        times.push(start.elapsed());
        ensure!(
            answer.is_some_and(|answer| answer.status == 200),
            "`{path}` is not answered"
        );
    }
    Ok(median_ms(&times))
}

fn per_component(kib: u64, count: u32) -> f64 {
    // Beyond 2^52 KiB a digit would be lost.
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
