//! Lists the imports and exports of a component, with every signature.

use thiserror::Error;
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};

use crate::binary::{Component, Item};
use crate::scan::Bodies;
use crate::{print, wit};

/// A component seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The component's world and the interfaces it mentions, as WIT text.
    pub wit: String,
    /// The imports, in the order of the binary.
    pub imports: Vec<Extern>,
    /// The exports, in the order of the binary.
    pub exports: Vec<Extern>,
    /// True if the component uses `async` functions, streams or futures anywhere, so that it runs
    /// only on an engine with concurrency support.
    pub uses_async: bool,
}

/// One import or export of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extern {
    /// The exact name in the binary, such as `wasi:cli/environment@0.2.3` or `primary`.
    pub name: String,
    /// The interface behind a plain name, from the `(implements "…")` annotation.
    pub implements: Option<String>,
    /// The kind of the item.
    pub kind: ExternKind,
    /// The functions of an instance, or the function itself.
    pub functions: Vec<FunctionInfo>,
    /// The names of the resources that an instance exports, including used ones.
    pub resources: Vec<String>,
}

/// The kind of an import or export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExternKind {
    /// An interface: functions and types under one name.
    Instance,
    /// A single function.
    Func,
    /// A type without an implementation, such as a record or an enum.
    Type,
    /// A resource, a core module or a component.
    Other,
}

/// A function of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionInfo {
    /// The name in the binary: `quote`, or `[method]basket.add` for a method.
    pub name: String,
    /// The signature as WIT text: `func(sku: string) -> result<u32, string>`.
    pub signature: String,
}

/// The reason why bytes could not be described as a component.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DescribeError {
    /// The bytes are not WebAssembly.
    #[error(
        "the artifact is not WebAssembly: expected the first bytes `00 61 73 6d`, found `{found}`; \
         give the path of a component, a `.wasm` file"
    )]
    NotWasm {
        /// The first bytes, in hexadecimal.
        found: String,
    },
    /// The bytes are a core module.
    #[error(
        "the artifact is a core WebAssembly module, expected a component; build for `wasm32-wasip2`, \
         or wrap it with `wasm-tools component new`"
    )]
    CoreModule,
    /// The bytes are WIT in binary form.
    #[error(
        "the artifact is an encoded WIT package without code, expected a component; \
         give the component that implements the package"
    )]
    WitPackage,
    /// The bytes end too early.
    #[error("the component is cut off at byte {offset}: {message}; copy or build it again")]
    Truncated {
        /// The position of the end.
        offset: usize,
        /// The parser's message.
        message: String,
    },
    /// The bytes are not a valid component.
    #[error(
        "the component is invalid at byte {offset}: {message}; build it again with current tools"
    )]
    Invalid {
        /// The position of the mistake.
        offset: usize,
        /// The validator's message.
        message: String,
    },
    /// The component uses a feature of the component model that hosts do not run.
    #[error("the component uses {feature}, which hosts do not run; {instead}")]
    UnsupportedFeature {
        /// The name of the feature.
        feature: &'static str,
        /// The accepted alternative.
        instead: &'static str,
    },
    /// The component is valid, but its types cannot be written as WIT.
    #[error(
        "the types of the component cannot be written as WIT: {message}; \
         build it with tools that start from a WIT world"
    )]
    NotWit {
        /// The decoder's message.
        message: String,
    },
    /// The types of the component are too large when written out.
    #[error(
        "the types of the component are too large: expected at most {limit} nodes, found {found}; \
         name the nested types and use fewer of them"
    )]
    TypesTooLarge {
        /// [`MAX_TYPE_NODES`](crate::MAX_TYPE_NODES).
        limit: u64,
        /// The size of the component's types.
        found: u64,
    },
    /// Components are nested too deeply.
    #[error(
        "components are nested too deeply: expected at most {limit} levels; \
         compose fewer components into one"
    )]
    NestedTooDeeply {
        /// [`MAX_NESTING`](crate::MAX_NESTING).
        limit: usize,
    },
    /// The component is too large.
    #[error(
        "the component is too large: expected at most {limit} bytes, found {found}; \
         strip debug information, or build with optimisation for size"
    )]
    TooLarge {
        /// The bound.
        limit: usize,
        /// The size of the component.
        found: usize,
    },
    /// The component has too much code.
    #[error(
        "the component has too much code: expected at most {limit} bytes in all functions, found \
         {found}; build with optimisation for size, or split the component"
    )]
    TooMuchCode {
        /// [`MAX_CODE_BYTES`](crate::MAX_CODE_BYTES).
        limit: usize,
        /// The size of the code.
        found: usize,
    },
    /// A function of the component is too long.
    #[error(
        "the component has a function of {found} bytes, expected at most {limit}; split the function"
    )]
    FunctionTooLong {
        /// [`MAX_FUNCTION_BYTES`](crate::MAX_FUNCTION_BYTES).
        limit: usize,
        /// The length of its body.
        found: usize,
    },
}

/// Describes a component.
///
/// The whole component is validated, function bodies included.
///
/// # Errors
///
/// Fails if the bytes are not a valid component whose types can be written as WIT, or if one of
/// the bounds of this crate is exceeded.
pub fn describe(bytes: &[u8]) -> Result<Description, DescribeError> {
    let component = Component::read(bytes, Bodies::Validated)?;
    Ok(Description {
        wit: wit::print(bytes)?,
        imports: component
            .imports
            .iter()
            .map(|item| describe_item(&component, item))
            .collect(),
        exports: component
            .exports
            .iter()
            .map(|item| describe_item(&component, item))
            .collect(),
        uses_async: component.uses_async,
    })
}

fn describe_item(component: &Component, item: &Item) -> Extern {
    let function = |name: &str, id| FunctionInfo {
        name: name.to_owned(),
        signature: print::signature(component, id),
    };
    let (mut functions, mut resources) = (Vec::new(), Vec::new());
    let kind = match item.item.ty {
        ComponentEntityType::Instance(id) => {
            for (name, item) in &component.types[id].exports {
                match item.ty {
                    ComponentEntityType::Func(id) => functions.push(function(name, id)),
                    ComponentEntityType::Type {
                        created: ComponentAnyTypeId::Resource(_),
                        ..
                    } => {
                        resources.push(name.clone());
                    }
                    _ => {}
                }
            }
            ExternKind::Instance
        }
        ComponentEntityType::Func(id) => {
            functions.push(function(&item.name, id));
            ExternKind::Func
        }
        ComponentEntityType::Type {
            created: ComponentAnyTypeId::Defined(_),
            ..
        } => ExternKind::Type,
        _ => ExternKind::Other,
    };
    let implements = item.item.implements.clone();
    Extern {
        name: item.name.clone(),
        implements,
        kind,
        functions,
        resources,
    }
}
