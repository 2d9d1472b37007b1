//! Calls over a fused link: the same two components, fused by the host at deploy and composed ahead
//! of time, run in one host process. The loop of calls is inside the guest.

use std::process::Command;

use anyhow::{Result, ensure};

use super::Effort;
use super::row::{Row, Target};
use super::scratch::Scratch;
use super::stats::median;
use super::tools::Tools;
use crate::command::run;
use crate::host::Host;

/// The host adds nothing to a call but the adapter that composition makes.
const TARGET: Target = Target::RatioAtMost(1.1);

const BASELINE: &str = "composed ahead of time";

/// A kind of argument, with enough calls that the start of the instance does not count.
struct Case {
    name: &'static str,
    calls: u32,
    /// The loop in `fixture:links/relay`.
    function: &'static str,
    /// The length of the argument; `None` for a loop without one.
    bytes: Option<u32>,
}

const CASES: [Case; 3] = [
    Case {
        name: "fused call, two u32",
        calls: 20_000_000,
        function: "add-many",
        bytes: None,
    },
    Case {
        name: "fused call, 16-byte string",
        calls: 2_000_000,
        function: "echo-text-many",
        bytes: Some(16),
    },
    Case {
        name: "fused call, 64 KiB list<u8>",
        calls: 2_000,
        function: "echo-bytes-many",
        bytes: Some(64 << 10),
    },
];

pub(super) fn measure(tools: &Tools, effort: Effort) -> Result<Vec<Row>> {
    let scratch = Scratch::new("fused-call")?;
    let composed = scratch.path().join("composed.wasm");
    run(Command::new(&tools.compose)
        .arg(tools.guest("caller"))
        .arg(tools.guest("callee"))
        .arg(&composed))?;
    let callee = tools.guest("callee");
    let manifests = [
        scratch.write(
            "fused.yaml",
            manifest("fused", &tools.guest("caller"), Some(&callee)),
        )?,
        scratch.write("composed.yaml", manifest("composed", &composed, None))?,
    ];
    let weft = Host::start(&tools.weft, &scratch.path().join("data"), &[])?;
    weft.deploy(&manifests)?;
    let rows = CASES.iter().map(|case| row(&weft, case, effort)).collect();
    weft.end()?;
    rows
}

fn row(weft: &Host, case: &Case, effort: Effort) -> Result<Row> {
    let rounds = effort.choose(15, 3);
    let (mut fused, mut composed) = (Vec::new(), Vec::new());
    // The first round warms both up. The measurements alternate, so that both have the same
    // machine.
    for round in 0..=rounds {
        let of_fused = nanoseconds_per_call(weft, "fused/caller", case)?;
        let of_composed = nanoseconds_per_call(weft, "composed/caller", case)?;
        if round > 0 {
            fused.push(of_fused);
            composed.push(of_composed);
        }
    }
    Ok(Row::new(case.name, median(fused), "ns")
        .against(BASELINE, median(composed))
        .target(TARGET))
}

fn nanoseconds_per_call(weft: &Host, component: &str, case: &Case) -> Result<f64> {
    let calls = case.calls;
    let (arguments, expected) = match case.bytes {
        Some(bytes) => (format!("{calls}, {bytes}"), bytes),
        // The last sum is the last index plus one.
        None => (calls.to_string(), calls),
    };
    let expression = format!("fixture:links/relay.{}({arguments})", case.function);
    let called = weft.call(component, &expression)?;
    ensure!(
        called.result.as_deref() == Some(expected.to_string().as_str()),
        "`{expression}` returned {:?}, expected {expected}",
        called.result
    );
    let elapsed_us = u32::try_from(called.elapsed_us)?;
    Ok(f64::from(elapsed_us) * 1000.0 / f64::from(calls))
}

/// The manifest of an app. Both apps have the same providers, though the calls do not use them.
/// Without a callee, the caller is the composition.
fn manifest(app: &str, caller: &std::path::Path, callee: Option<&std::path::Path>) -> String {
    let mut components = vec![component("caller", caller)];
    let mut links = provider_links("caller");
    if let Some(callee) = callee {
        components.push(component("callee", callee));
        links.push("{from: caller, interface: 'fixture:links', to: callee}".to_owned());
        links.extend(provider_links("callee"));
    }
    let providers = [
        "{name: values, type: config-values}",
        "{name: memory, type: keyvalue-memory}",
    ];
    format!(
        "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: {app}}}\nspec:\n  \
         components: [{}]\n  providers: [{}]\n  links: [{}]\n",
        components.join(", "),
        providers.join(", "),
        links.join(", ")
    )
}

fn component(name: &str, file: &std::path::Path) -> String {
    format!("{{name: {name}, source: {{file: '{}'}}}}", file.display())
}

fn provider_links(component: &str) -> Vec<String> {
    ["wasi:config, to: values", "wasi:keyvalue, to: memory"]
        .iter()
        .map(|rest| {
            let (interface, rest) = rest.split_once(',').unwrap_or((rest, ""));
            format!("{{from: {component}, interface: '{interface}',{rest}}}")
        })
        .collect()
}
