//! Memory per deployed component that has nothing to do, at a number of components with bytes of their
//! own in one host.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Effort;
use super::get;
use super::process::{Resident, resident};
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::tools::Tools;
use super::wait::Patience;
use super::weft::Weft;

const TARGET_KIB: f64 = 200.0;

const COMPONENTS_PER_APP: u32 = 50;

/// For a host to start with all components compiled before.
const START_PATIENCE: Patience = Patience::of(Duration::from_secs(300));

const BASELINE: &str = "compiled code on disk";

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let count: u32 = effort.choose(1000, 100);
    let scratch = Scratch::new("idle-memory")?;
    let manifests = write_apps(tools, &scratch, count)?;
    let data = scratch.path().join("data");

    let weft = Weft::start(&tools.weft, &data)?;
    let empty = resident(weft.id())?;
    weft.deploy(&manifests)?;
    let deployed = resident(weft.id())?;
    weft.end()?;

    let mut weft = Weft::spawn(&tools.weft, &data, &[])?;
    weft.wait_for(&path_of(count - 1), START_PATIENCE)?;
    let restarted = resident(weft.id())?;
    call_each(&weft, count)?;
    let called = resident(weft.id())?;
    weft.end()?;

    let on_disk = per_component(kib_of_folder(&data.join("cache"))?, count);
    let rows = [
        ("deployed, just compiled", deployed),
        ("deployed, after a restart", restarted),
        ("called once each", called),
    ];
    Ok(rows
        .into_iter()
        .flat_map(|(state, after)| rows_of(state, count, empty, after, on_disk))
        .collect())
}

/// Both kinds of memory that the components added, per component.
fn rows_of(state: &str, count: u32, empty: Resident, after: Resident, on_disk: f64) -> [Row; 2] {
    let added = |after: u64, before: u64| per_component(after.saturating_sub(before), count);
    let name = format!("component of {count}, {state}");
    [
        Row::new(name.clone(), added(after.all_kib, empty.all_kib), "KiB")
            .against(BASELINE, on_disk)
            .target(Target::ValueAtMost(TARGET_KIB)),
        Row::new(
            format!("{name}: anonymous"),
            added(after.anonymous_kib, empty.anonymous_kib),
            "KiB",
        )
        .against(BASELINE, on_disk),
    ]
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

fn call_each(weft: &Weft, count: u32) -> Result<()> {
    for path in (0..count).map(path_of) {
        let answer = get::try_get(weft.http, &path)?;
        ensure!(
            answer.is_some_and(|answer| answer.status == 200),
            "`{path}` is not answered"
        );
    }
    Ok(())
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
