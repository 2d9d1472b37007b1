//! Errors of fusing components.

use std::error::Error as StdError;
use std::fmt;

use thiserror::Error;

use crate::describe::DescribeError;

/// An error of the composing library.
pub type Cause = Box<dyn StdError + Send + Sync + 'static>;

/// The ends of a link, as messages show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEnds {
    /// The name of the importing part.
    pub from: String,
    /// The name of the exporting part.
    pub to: String,
    /// The imported interface.
    pub interface: String,
}

impl fmt::Display for LinkEnds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from,
            to,
            interface,
        } = self;
        write!(formatter, "`{from}` → `{to}` (`{interface}`)")
    }
}

/// The reason why components could not be fused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FuseError {
    /// The list of parts is empty.
    #[error("no components to fuse: expected at least the entry")]
    NoParts,
    /// There are too many parts.
    #[error(
        "too many components to fuse: expected at most {limit} (`max_parts`), found {found}; \
         link fewer of them to each other"
    )]
    TooManyParts {
        /// The bound.
        limit: usize,
        /// The number of parts.
        found: usize,
    },
    /// The parts are too large.
    #[error(
        "the components to fuse are too large: expected at most {limit} bytes in all \
         (`max_bytes`), found {found}; link fewer of them to each other"
    )]
    TooLarge {
        /// The bound.
        limit: usize,
        /// The sum of all part sizes, in bytes.
        found: usize,
    },
    /// A part is not a valid component.
    #[error("cannot use component `{part}`")]
    Part {
        /// The name of the part.
        part: String,
        /// The defect of the component.
        #[source]
        source: DescribeError,
    },
    /// An edge names a part that does not exist.
    #[error(
        "component number {index} of a link or an export does not exist, expected less than {parts}"
    )]
    NoSuchPart {
        /// The index in the edge or export.
        index: usize,
        /// The number of parts.
        parts: usize,
    },
    /// Two edges satisfy one import.
    #[error("import `{import}` of `{from}` is linked twice, to `{first}` and to `{second}`")]
    LinkedTwice {
        /// The importing part.
        from: String,
        /// Its import.
        import: String,
        /// The target of the first edge.
        first: String,
        /// The target of the second edge.
        second: String,
    },
    /// The links form a cycle.
    #[error(
        "the links form a cycle: {}; a component cannot call itself through others",
        path.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ")
    )]
    Cycle {
        /// The names of the parts along the cycle, the first one again at the end.
        path: Vec<String>,
    },
    /// Two exporting parts export the same name.
    #[error("duplicate export `{export}` of `{first}` and `{second}`; export only one of them")]
    ExportedTwice {
        /// The name of the export.
        export: String,
        /// The first part that has the export.
        first: String,
        /// The second part.
        second: String,
    },
    /// No chain of edges leads from an exporting part to this part.
    #[error("no link leads from the entry `{entry}` to `{part}`; fuse it on its own")]
    Unreachable {
        /// The entry.
        entry: String,
        /// The unreachable part.
        part: String,
    },
    /// The importer does not have the import.
    #[error(
        "component `{from}` does not import `{import}`, found {}",
        list(imports)
    )]
    NoImport {
        /// The importing part.
        from: String,
        /// The import of the edge.
        import: String,
        /// The imports of that part, the most similar first.
        imports: Vec<String>,
    },
    /// The exporter does not have the export.
    #[error("component `{to}` does not export `{export}`, found {}", list(exports))]
    NoExport {
        /// The exporting part.
        to: String,
        /// The export of the edge.
        export: String,
        /// The exports of that part, the most similar first.
        exports: Vec<String>,
    },
    /// One end of an edge is not an interface.
    #[error("link {link}: expected an interface, found a {found}")]
    NotAnInterface {
        /// The link.
        link: Box<LinkEnds>,
        /// The kind of the item at that end.
        found: &'static str,
    },
    /// A function or type that the importer uses is missing in the exporter.
    #[error(
        "link {link}: {kind} `{item}` is missing: \
         expected `{expected}`; `{}` has {}",
        link.to,
        list(items)
    )]
    Missing {
        /// The link.
        link: Box<LinkEnds>,
        /// `function`, `type` or `resource`.
        kind: &'static str,
        /// The name of the item.
        item: String,
        /// Its signature or definition.
        expected: String,
        /// The items of this kind that the exporter has.
        items: Vec<String>,
    },
    /// A function or type differs between importer and exporter.
    #[error(
        "link {link}: {kind} `{item}`: expected `{expected}`, \
         found `{found}`"
    )]
    Mismatch {
        /// The link.
        link: Box<LinkEnds>,
        /// `function`, `type` or `resource`.
        kind: &'static str,
        /// The name of the item.
        item: String,
        /// The importer's signature or definition.
        expected: String,
        /// The exporter's signature or definition.
        found: String,
    },
    /// A resource of another interface crosses a link, but is a different one at each end.
    #[error(
        "link {link}: resource `{resource}` must be the same at both \
         ends: expected the one {expected}, found the one {found}"
    )]
    ResourceMismatch {
        /// The link.
        link: Box<LinkEnds>,
        /// The resource.
        resource: String,
        /// The origin of the importer's resource.
        expected: String,
        /// The origin of the exporter's resource.
        found: String,
    },
    /// A resource crosses a link, but importer and exporter reach its component by separate links
    /// between stores, each with a copy of the resource.
    #[error(
        "link {link}: resource `{resource}` must be the same at both ends, and both have a copy of \
         their own, because their links to `{owner}` lead to another store: run `{owner}` in the \
         same store (without `isolate`, on the same host, fused), or pass a value in place of the \
         resource"
    )]
    ResourceCopies {
        /// The link.
        link: Box<LinkEnds>,
        /// The resource.
        resource: String,
        /// The component that has the resource.
        owner: String,
    },
    /// An import has a name of the form that is reserved for private imports.
    #[error(
        "`{part}` imports `{import}`: names that start with `c`, a number and `-` are reserved; \
         rename the interface"
    )]
    ReservedName {
        /// The part.
        part: String,
        /// Its import.
        import: String,
    },
    /// Parts that must share an import expect different types of it.
    #[error(
        "import `{import}` cannot be shared by {}: the types they expect of it differ; \
         build them against one version of the interface",
        list(parts)
    )]
    ImportConflict {
        /// The import.
        import: String,
        /// The parts that share the import.
        parts: Vec<String>,
        /// The difference.
        #[source]
        source: Cause,
    },
    /// The composing library refused a link that this crate's own check accepted.
    #[error("link {link}: the types do not match")]
    Refused {
        /// The link.
        link: Box<LinkEnds>,
        /// The difference.
        #[source]
        source: Cause,
    },
    /// The parts could not be composed although every link is valid.
    #[error("the components cannot be fused")]
    Compose {
        /// The error of the composing library.
        #[source]
        source: Cause,
    },
}

/// Number of names that a message lists.
const NAMES_LISTED_MAX: usize = 8;

/// Writes names for a message: `` `a`, `b` and 3 more ``.
fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<_> = names
        .iter()
        .take(NAMES_LISTED_MAX)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len().saturating_sub(NAMES_LISTED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
