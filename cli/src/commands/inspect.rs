//! `weft inspect`: shows the imports, exports and WIT of a component.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use weft_compose::Description;
use weft_lattice_config::{Digest, InterfaceName};

use crate::all_hosts::OneHost;
use crate::artifact::{Artifact, ArtifactError};
use crate::completion;
use crate::connection;
use crate::deployed;
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::get_columns::size;
use crate::interfaces::{Export, Function, Import, Need};
use crate::openapi::OpenApi;
use crate::output::{self, Format, Report};
use crate::providers;
use crate::styled::{Style, Styled};
use crate::target::ComponentTarget;

const AFTER_HELP: &str = "\
Examples:
  weft inspect target/wasm32-wasip2/release/storefront.wasm
  weft inspect shop/storefront
  weft inspect shop/storefront --all      every interface of WASI, and the WIT of the component
  weft inspect shop/storefront -o json | jq -r .wit
  weft inspect orders.wasm --openapi --wit wit     the OpenAPI document of its interface

A path that exists is read from this machine, without a host; any other argument names a deployed
component.";

/// Show the imports, exports and WIT of a component
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Inspect {
    /// A `.wasm` file or a deployed component
    #[arg(value_name = "FILE|APP/COMPONENT", add = completion::component_or_file())]
    component: String,
    /// Print every interface of WASI, and the WIT of the component
    #[arg(long)]
    all: bool,
    /// Print the OpenAPI document of an exported interface, as a typed route serves it
    #[arg(long, conflicts_with = "all")]
    openapi: bool,
    /// Read the comments of the document from this folder of WIT files
    #[arg(long, value_name = "DIR", requires = "openapi")]
    wit: Option<PathBuf>,
    /// The interface of the document, if the component exports several
    #[arg(long, value_name = "INTERFACE", requires = "openapi")]
    interface: Option<InterfaceName>,
    #[command(flatten)]
    one_host: OneHost,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The description of a component.
#[derive(Debug, Serialize)]
struct Inspection {
    component: String,
    digest: Digest,
    bytes: usize,
    uses_async: bool,
    imports: Vec<Import>,
    exports: Vec<Export>,
    wit: String,
    /// True to print everything as text; JSON always has everything.
    #[serde(skip)]
    is_whole: bool,
}

impl Inspect {
    /// Runs the command.
    ///
    /// # Errors
    /// The argument is neither a component file nor a deployed component.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let path = Path::new(&self.component);
        let artifact = match self.component.parse::<ComponentTarget>() {
            Ok(target) if !path.exists() => {
                let client = connection::client(&self.host).await?;
                deployed::artifact(&client, &self.one_host, target).await?
            }
            Ok(_) | Err(_) => Artifact::read(path).map_err(|error| unusable(&error))?,
        };
        if self.openapi {
            let document = OpenApi::new(&artifact, self.interface, self.wit.as_deref())?;
            return output::report(&document, self.output).map(drop);
        }
        let inspection = Inspection::new(self.component, artifact, self.all);
        output::report(&inspection, self.output).map(drop)
    }
}

fn unusable(error: &ArtifactError) -> Failure {
    let failure = Failure::from_error(Kind::Input, error);
    match error {
        ArtifactError::Read { .. } => failure.or_help(
            "give the path of a `.wasm` file, or `APP/COMPONENT` for a deployed component",
        ),
        ArtifactError::Describe { .. } => failure,
    }
}

impl Inspection {
    fn new(component: String, artifact: Artifact, is_whole: bool) -> Inspection {
        let Artifact {
            digest,
            bytes,
            description,
        } = artifact;
        let Description {
            wit,
            imports,
            exports,
            uses_async,
        } = description;
        let providers = providers::without_host();
        Inspection {
            component,
            digest,
            bytes: bytes.len(),
            uses_async,
            imports: imports
                .iter()
                .map(|import| Import::new(import, &providers))
                .collect(),
            exports: exports.iter().map(Export::new).collect(),
            wit,
            is_whole,
        }
    }

    fn head(&self) -> Styled {
        let bytes = u64::try_from(self.bytes).unwrap_or(u64::MAX);
        let mut lines = vec![
            ("component", self.component.clone()),
            ("size", format!("{} ({} bytes)", size(bytes), self.bytes)),
            ("digest", self.digest.to_string()),
        ];
        if self.uses_async {
            let uses = "yes: uses `async` functions, streams or futures";
            lines.push(("async", uses.to_owned()));
        }
        let mut text = Styled::default();
        for (name, value) in lines {
            text.push(Style::Faint, format!("{name:11}"));
            text.push(Style::Plain, value + "\n");
        }
        text
    }

    /// The imports that need a link, each with its possible servers.
    fn links(&self) -> Styled {
        let is_open = |import: &&Import| {
            matches!(
                import.need,
                Need::Link | Need::OtherVersion | Need::Unlinkable
            )
        };
        let mut text = Styled::default();
        for import in self.imports.iter().filter(is_open) {
            let interface = import.interface.as_ref();
            let interface = interface
                .map(|name| format!(" (`{name}`)"))
                .unwrap_or_default();
            text.push(Style::Name, format!("  {}", import.name));
            let served_by = import.served_by();
            text.push(
                Style::Plain,
                format!("{interface}, served by {served_by}\n"),
            );
            let name = import.interface.as_ref().unwrap_or(&import.name);
            text.append(self.functions(name, &import.functions));
        }
        text
    }

    fn exports(&self) -> Styled {
        let mut text = Styled::default();
        for export in &self.exports {
            text.push(Style::Name, format!("  {}", export.name));
            text.push(Style::Plain, format!(", used by {}\n", export.used_by()));
            text.append(self.functions(&export.name, &export.functions));
        }
        text
    }

    /// The functions of an interface, a line each. Those of WASI are known.
    fn functions(&self, interface: &str, functions: &[Function]) -> Styled {
        let mut text = Styled::default();
        if is_wasi(interface) && !self.is_whole {
            return text;
        }
        for Function { name, signature } in functions {
            text.push(Style::Plain, format!("    {name}: {signature}\n"));
        }
        text
    }

    /// The names of imports with this need: packages of WASI in one line for each version, unless
    /// everything is printed.
    fn names(&self, need: Need) -> Styled {
        let imports = self.imports.iter().filter(|import| import.need == need);
        let names = imports.map(|import| import.name.as_str());
        let (wasi, own): (Vec<_>, Vec<_>) = names.partition(|name| is_wasi(name) && !self.is_whole);
        let lines = wasi_packages(&wasi).into_iter();
        let lines = lines.chain(own.into_iter().map(str::to_owned));
        Styled::plain(lines.map(|line| format!("  {line}\n")).collect::<String>())
    }
}

fn is_wasi(interface: &str) -> bool {
    interface.starts_with("wasi:")
}

/// The packages of interfaces of WASI, a line for each version: `wasi 0.2: cli, clocks, io`.
fn wasi_packages(interfaces: &[&str]) -> Vec<String> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for interface in interfaces {
        let Ok(name) = interface.parse::<InterfaceName>() else {
            continue;
        };
        let version = name.version.as_ref();
        let version = version.map(|version| format!(" {}.{}", version.major, version.minor));
        let packages = versions.entry(version.unwrap_or_default());
        packages.or_default().insert(name.package);
    }
    let lines = versions.into_iter().map(|(version, packages)| {
        let packages: Vec<_> = packages.into_iter().collect();
        format!("wasi{version}: {}", packages.join(", "))
    });
    lines.collect()
}

impl Report for Inspection {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, _: Option<usize>) -> Styled {
        let sections = [
            ("imports to link in the manifest", self.links()),
            ("imports provided by every host", self.names(Need::Baseline)),
            ("imports of types only", self.names(Need::Types)),
            ("exports", self.exports()),
        ];
        let mut text = self.head();
        for (title, lines) in sections {
            if !lines.is_empty() {
                text.push(Style::Heading, format!("\n{title}\n"));
                text.append(lines);
            }
        }
        if self.is_whole {
            text.push(Style::Plain, format!("\n{}", self.wit));
        } else {
            text.push(
                Style::Faint,
                "\n`--all` prints the interfaces of WASI and the WIT\n",
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use weft_compose::{Extern, ExternKind, FunctionInfo};

    use bytes::Bytes;

    use super::*;

    /// A storefront that imports most of WASI.
    fn storefront(is_whole: bool) -> Inspection {
        let item = |name: &str, functions: &[(&str, &str)]| Extern {
            name: name.to_owned(),
            implements: None,
            kind: ExternKind::Instance,
            functions: functions
                .iter()
                .map(|&(name, signature)| FunctionInfo {
                    name: name.to_owned(),
                    signature: signature.to_owned(),
                })
                .collect(),
            resources: Vec::new(),
        };
        let quote = ("quote", "func(sku: string) -> option<u32>");
        let now = ("now", "func() -> u64");
        let imports = [
            item("wasi:cli/stdout@0.2.12", &[now]),
            item("wasi:clocks/monotonic-clock@0.2.12", &[now]),
            item("wasi:clocks/wall-clock@0.2.12", &[now]),
            item("wasi:clocks/system-clock@0.3.0", &[now]),
            item("wasi:logging/logging@0.1.0-draft", &[now]),
            item("shop:catalog/types@0.1.0", &[]),
            item("shop:catalog/pricing@0.1.0", &[quote]),
        ];
        let exports = [item("wasi:http/incoming-handler@0.2.12", &[now])];
        let description = Description {
            wit: "package root:component;\n".to_owned(),
            imports: imports.to_vec(),
            exports: exports.to_vec(),
            uses_async: false,
        };
        let artifact = Artifact {
            digest: Digest::of(b"storefront"),
            bytes: Bytes::from_static(&[0; 2048]),
            description,
        };
        Inspection::new("shop/storefront".to_owned(), artifact, is_whole)
    }

    #[test]
    fn wasi_is_one_line_and_own_interfaces_have_their_functions() {
        let text = storefront(false).text();
        let (head, text) = text.split_once("\n\n").unwrap();
        assert!(head.contains("size       2.0 KiB (2048 bytes)"), "{head}");
        let expected = "\
imports to link in the manifest
  wasi:logging/logging@0.1.0-draft, served by a provider of type `logging-tracing`, or a component \
that exports it
  shop:catalog/pricing@0.1.0, served by a component that exports it
    quote: func(sku: string) -> option<u32>

imports provided by every host
  wasi 0.2: cli, clocks
  wasi 0.3: clocks

imports of types only
  shop:catalog/types@0.1.0

exports
  wasi:http/incoming-handler@0.2.12, used by HTTP requests, through a route

`--all` prints the interfaces of WASI and the WIT
";
        assert_eq!(text, expected);
    }

    #[test]
    fn everything_is_printed_on_request_and_as_json() {
        let whole = storefront(true);
        let text = whole.text();
        for part in [
            "  wasi:clocks/wall-clock@0.2.12\n",
            "    now: func() -> u64\n",
            "\npackage root:component;\n",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let json = serde_json::to_value(storefront(false)).unwrap();
        assert_eq!(json, serde_json::to_value(&whole).unwrap());
        assert_eq!(json["imports"].as_array().map(Vec::len), Some(7));
    }
}
