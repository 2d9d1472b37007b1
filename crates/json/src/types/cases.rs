//! Types that are an object with `tag` and `val` in JSON: variants, results and nested options.

use super::{Case, Kind, Type};

/// The cases of a type.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cases<'t> {
    Variant(&'t [Case]),
    Result(Option<&'t Type>, Option<&'t Type>),
    Option(&'t Type),
}

impl Type {
    /// The cases of a type with a `tag`. An option has one only if its value can be null.
    pub(crate) fn tagged(&self) -> Option<Cases<'_>> {
        match self.kind() {
            Kind::Variant(cases) => Some(Cases::Variant(cases)),
            Kind::Result { ok, err } => Some(Cases::Result(ok.as_ref(), err.as_ref())),
            Kind::Option(some) if some.optional().is_some() => Some(Cases::Option(some)),
            _ => None,
        }
    }
}

impl<'t> Cases<'t> {
    /// The name and the payload of the case with a discriminant.
    pub(crate) fn get(self, discriminant: usize) -> Option<(&'t str, Option<&'t Type>)> {
        match (self, discriminant) {
            (Self::Variant(cases), index) => {
                let case = cases.get(index)?;
                Some((&case.name, case.ty.as_ref()))
            }
            (Self::Result(ok, _), 0) => Some(("ok", ok)),
            (Self::Result(_, err), 1) => Some(("err", err)),
            (Self::Option(_), 0) => Some(("none", None)),
            (Self::Option(some), 1) => Some(("some", Some(some))),
            _ => None,
        }
    }

    pub(crate) fn count(self) -> usize {
        match self {
            Self::Variant(cases) => cases.len(),
            Self::Result(..) | Self::Option(_) => 2,
        }
    }

    pub(crate) fn all(self) -> impl Iterator<Item = (&'t str, Option<&'t Type>)> {
        (0..).map_while(move |discriminant| self.get(discriminant))
    }
}
