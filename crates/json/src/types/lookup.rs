//! The place of a name in a type.
//!
//! A body names each field and each case, and a type can have thousands of them. So the names of a
//! large type are sorted once, and the time for a body does not depend on the number of names.

use super::{Kind, Names, Type};

/// The number of names up to which a scan is as fast as a search.
const SCANNED_MAX: usize = 16;

/// The indices of the members of a type, sorted by their names; empty for few members.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lookup {
    wit: Box<[u32]>,
    camel: Box<[u32]>,
}

impl Lookup {
    pub(super) fn new(kind: &Kind) -> Self {
        let count = kind.name_count();
        if count <= SCANNED_MAX {
            return Self::default();
        }
        let sorted = |names: Names| {
            // Types have fewer members than a `u32` counts.
            let mut indices: Vec<_> = (0..count as u32).collect();
            indices.sort_unstable_by_key(|index| kind.member_name(*index as usize, names));
            indices.into_boxed_slice()
        };
        let camel = match kind {
            Kind::Record(_) | Kind::Flags(_) => sorted(Names::Camel),
            _ => Box::default(),
        };
        Self {
            wit: sorted(Names::Kebab),
            camel,
        }
    }

    fn find(&self, kind: &Kind, name: &str, names: Names) -> Option<usize> {
        let sorted = match names {
            Names::Camel if !self.camel.is_empty() => &self.camel,
            _ => &self.wit,
        };
        if sorted.is_empty() {
            let mut indices = 0..kind.name_count();
            return indices.find(|index| kind.member_name(*index, names) == Some(name));
        }
        let member = |index: &u32| kind.member_name(*index as usize, names);
        let place = sorted.binary_search_by(|index| member(index).cmp(&Some(name)));
        place.ok().map(|place| sorted[place] as usize)
    }
}

impl Kind {
    /// The number of fields, flags or cases.
    fn name_count(&self) -> usize {
        match self {
            Self::Record(fields) => fields.len(),
            Self::Flags(flags) => flags.len(),
            Self::Variant(cases) => cases.len(),
            Self::Enum(cases) => cases.len(),
            _ => 0,
        }
    }

    fn member_name(&self, index: usize, names: Names) -> Option<&str> {
        Some(match self {
            Self::Record(fields) => fields.get(index)?.name.key(names),
            Self::Flags(flags) => flags.get(index)?.name.key(names),
            Self::Variant(cases) => &cases.get(index)?.name,
            Self::Enum(cases) => &cases.get(index)?.name,
            _ => return None,
        })
    }
}

impl Type {
    /// The index of a field, a flag or a case by its name in JSON.
    pub(crate) fn find(&self, name: &str, names: Names) -> Option<usize> {
        match (self.kind(), name) {
            (Kind::Result { .. }, "ok") | (Kind::Option(_), "none") => Some(0),
            (Kind::Result { .. }, "err") | (Kind::Option(_), "some") => Some(1),
            (kind, name) => self.0.lookup.find(kind, name, names),
        }
    }
}
