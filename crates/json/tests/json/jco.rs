//! The values of `jco` as an oracle: a component that returns its arguments is run in JavaScript.
//!
//! Each value of the mapping is passed to a function as JavaScript, with the differences that
//! `docs/json.md` names: 64-bit integers are `bigint`, and `list<u8>` is `Uint8Array`. The result
//! is printed as JSON, and must be the same value.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use weft_json::{Format, Function, Interface, Kind, Settings, camel_case};
use wit_parser::Resolve;

use crate::model::{Random, Value};
use crate::support::read_with;

/// Values of each function.
const VALUES: usize = 40;

/// Prints a value as JSON, in the mapping of the page.
const SCRIPT: &str = r#"
import { values } from './conformance-exporter.js';

function text(value) {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') {
    if (Object.is(value, -0)) return '-0';
    return Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`;
  }
  if (typeof value !== 'object') return JSON.stringify(value);
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'));
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return `[${Array.from(value, text).join(',')}]`;
  }
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${text(member)}`).join(',')}}`;
}

// `jco` returns the payload of `ok`, and throws that of `err`.
function outcome(call) {
  try {
    return { tag: 'ok', val: call() };
  } catch (error) {
    if (!('payload' in error)) throw error;
    return { tag: 'err', val: error.payload };
  }
}
"#;

/// The tools, if they are there: those that `cargo xtask guests --foreign` installs.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let components = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../components/target");
    let jco = components.join("javascript/node_modules/.bin/jco");
    let component = components.join("wasm/conformance-exporter.wasm");
    let node = Command::new("node").arg("--version").output();
    let are_there = node.is_ok() && jco.exists() && component.exists();
    are_there.then_some((jco, component))
}

/// The functions that return their only argument.
fn echoes() -> Vec<Function> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../components/fixtures");
    let mut resolve = Resolve::default();
    let pushed = resolve.push_dir(wit.join("wit/conformance"));
    pushed.expect("the WIT of the guest");
    let mut interfaces = resolve.interfaces.iter();
    let values = interfaces.find(|(_, found)| found.name.as_deref() == Some("values"));
    let (id, _) = values.expect("the interface of the guest");
    let interface = Interface::new(&resolve, id);
    assert!(interface.unsupported.is_empty());
    let functions = interface.functions.iter();
    let echoes = functions.filter(|function| function.name.starts_with("echo-"));
    echoes.cloned().collect()
}

/// Mends code for maps, which the guest also exports: `jco` declares one variable for each map of a
/// function, all with the same name.
fn allow_maps(module: &Path) {
    let code = fs::read_to_string(module).expect("the module of `jco`");
    let lines = code.lines().map(|line| match line.trim() {
        "let i = 0;" => "var i = 0;",
        _ => line,
    });
    let mended: Vec<_> = lines.collect();
    fs::write(module, mended.join("\n")).expect("a writable folder");
}

#[test]
fn values_are_those_of_jco() {
    let Some((jco, component)) = tools() else {
        println!("skipped: node, `jco` or a guest is missing: `cargo xtask guests --foreign`");
        return;
    };
    // Modules are found from the folder of a script.
    let folder = jco.parent().unwrap().join("../../json-oracle");
    let mut transpile = Command::new("node");
    transpile
        .arg(&jco)
        .args(["transpile", "--quiet"])
        .arg(component);
    let done = transpile.arg("-o").arg(&folder).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    allow_maps(&folder.join("conformance-exporter.js"));

    let echoes = echoes();
    assert!(echoes.len() > 60);
    let mut script = SCRIPT.to_owned();
    let mut expected = Vec::new();
    for (seed, function) in (0..).zip(&echoes) {
        let (ty, mut random) = (&function.params[0].ty, Random(seed));
        for _ in 0..VALUES {
            let value = Value::random(ty, &mut random);
            let (name, argument) = (camel_case(&function.name), value.javascript(ty));
            let call = match ty.kind() {
                Kind::Result { .. } => format!("outcome(() => values.{name}({argument}))"),
                _ => format!("values.{name}({argument})"),
            };
            writeln!(script, "console.log(text({call}));").unwrap();
            expected.push((function, argument, value));
        }
    }
    let file = folder.join("oracle.mjs");
    fs::write(&file, script).unwrap();
    let done = Command::new("node").arg(&file).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let printed = String::from_utf8(done.stdout).unwrap();

    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), expected.len());
    for (line, (function, argument, value)) in lines.iter().zip(expected) {
        let ty = &function.params[0].ty;
        let read = read_with(Format::Json, line.as_bytes(), ty, Settings::default());
        assert_eq!(
            read,
            Ok(value.wire(ty)),
            "{}: {argument}: {line}",
            function.name
        );
    }
}
