//! Why components cannot be fused.

use std::error::Error as StdError;
use std::fmt;

use thiserror::Error;

use crate::describe::DescribeError;

/// The cause behind a refusal of the composing library.
pub type Cause = Box<dyn StdError + Send + Sync + 'static>;

/// The ends of a link, as messages name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEnds {
    /// The name of the importing part.
    pub from: String,
    /// The name of the exporting part.
    pub to: String,
    /// The import.
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

/// Why components could not be fused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FuseError {
    /// There is no part at all.
    #[error("nothing to fuse: expected at least one component, the entry, found none")]
    NoParts,
    /// There are too many parts.
    #[error(
        "too many components to fuse: expected at most {limit} (`max_parts`), found {found}; \
         link fewer of them to each other"
    )]
    TooManyParts {
        /// The bound.
        limit: usize,
        /// How many there are.
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
        /// The sum of the sizes.
        found: usize,
    },
    /// A part is not a usable component.
    #[error("cannot use component `{part}`")]
    Part {
        /// The name of the part.
        part: String,
        /// What is wrong with it.
        #[source]
        source: DescribeError,
    },
    /// An edge names a part that does not exist.
    #[error("a link or an export refers to component number {index}, expected less than {parts}")]
    NoSuchPart {
        /// The index in the edge.
        index: usize,
        /// How many parts there are.
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
    /// The parts are linked in a circle.
    #[error(
        "the links form a cycle: {}; a component cannot call itself through others",
        path.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ")
    )]
    Cycle {
        /// The names of the parts on the way, the first again at the end.
        path: Vec<String>,
    },
    /// Two parts whose exports the fused component has export one name.
    #[error("export `{export}` is there twice, of `{first}` and of `{second}`; export one of them")]
    ExportedTwice {
        /// The name of the export.
        export: String,
        /// The part that has it first.
        first: String,
        /// The other part.
        second: String,
    },
    /// No chain of edges leads from the entry, or another part that exports, to a part.
    #[error("no link leads from the entry `{entry}` to `{part}`; fuse it on its own")]
    Unreachable {
        /// The entry.
        entry: String,
        /// The part that is not used.
        part: String,
    },
    /// The importer does not have the import.
    #[error("`{from}` does not import `{import}`; it imports {}", list(imports))]
    NoImport {
        /// The importing part.
        from: String,
        /// The import of the edge.
        import: String,
        /// What it imports instead, the likeliest first.
        imports: Vec<String>,
    },
    /// The exporter does not have the export.
    #[error("`{to}` does not export `{export}`; it exports {}", list(exports))]
    NoExport {
        /// The exporting part.
        to: String,
        /// The export of the edge.
        export: String,
        /// What it exports instead, the likeliest first.
        exports: Vec<String>,
    },
    /// One end of an edge is not an interface.
    #[error("link {link}: expected an interface, found a {found}")]
    NotAnInterface {
        /// The link.
        link: Box<LinkEnds>,
        /// What is there.
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
        /// What the exporter has of this kind.
        items: Vec<String>,
    },
    /// A function or type differs.
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
        /// What the importer uses.
        expected: String,
        /// What the exporter has.
        found: String,
    },
    /// A resource of another interface crosses a link, and the ends do not mean the same one.
    #[error(
        "link {link}: resource `{resource}` must be the same at both \
         ends: expected the one {expected}, found the one {found}"
    )]
    ResourceMismatch {
        /// The link.
        link: Box<LinkEnds>,
        /// The resource.
        resource: String,
        /// Where the importer's comes from.
        expected: String,
        /// Where the exporter's comes from.
        found: String,
    },
    /// An import has a name that is reserved for renamed ones.
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
        /// The parts that share it.
        parts: Vec<String>,
        /// What differs.
        #[source]
        source: Cause,
    },
    /// The composing library refused a link that this crate's own check let pass.
    #[error("link {link}: the types do not match")]
    Refused {
        /// The link.
        link: Box<LinkEnds>,
        /// What does not match.
        #[source]
        source: Cause,
    },
    /// The parts could not be composed although every link is sound.
    #[error("the components cannot be fused")]
    Compose {
        /// What went wrong.
        #[source]
        source: Cause,
    },
}

/// How many names a message lists.
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
