//! Structural equality of the types of an importer and an exporter.

use wasmparser::component_types::{
    AliasableResourceId, ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId,
    ComponentValType,
};

use super::Matcher;
use crate::print;

impl Matcher<'_> {
    pub(super) fn values_equal(
        &mut self,
        expected: &ComponentValType,
        found: &ComponentValType,
    ) -> bool {
        match (expected, found) {
            (ComponentValType::Primitive(expected), ComponentValType::Primitive(found)) => {
                expected == found
            }
            (ComponentValType::Type(expected), ComponentValType::Type(found)) => {
                self.defined_equal(*expected, *found)
            }
            // A named alias of a primitive is a defined type; the validator takes both for equal.
            (ComponentValType::Primitive(primitive), ComponentValType::Type(id)) => {
                matches!(&self.exporter.types[*id],
                    ComponentDefinedType::Primitive(other) if other == primitive)
            }
            (ComponentValType::Type(id), ComponentValType::Primitive(primitive)) => {
                matches!(&self.importer.types[*id],
                    ComponentDefinedType::Primitive(other) if other == primitive)
            }
        }
    }

    pub(super) fn options_equal(
        &mut self,
        expected: Option<&ComponentValType>,
        found: Option<&ComponentValType>,
    ) -> bool {
        match (expected, found) {
            (None, None) => true,
            (Some(expected), Some(found)) => self.values_equal(expected, found),
            _ => false,
        }
    }

    /// Compares, and stores the definitions of the innermost named types that differ.
    fn defined_equal(
        &mut self,
        expected: ComponentDefinedTypeId,
        found: ComponentDefinedTypeId,
    ) -> bool {
        if self.definitions_equal(expected, found) {
            return true;
        }
        let expected_name = self
            .importer
            .type_name(ComponentAnyTypeId::Defined(expected));
        let found_name = self.exporter.type_name(ComponentAnyTypeId::Defined(found));
        if let (None, Some(expected_name), Some(found_name)) =
            (&self.difference, expected_name, found_name)
        {
            let expected = print::definition(self.importer, expected, expected_name);
            let found = print::definition(self.exporter, found, found_name);
            if expected != found {
                self.difference = Some((expected, found));
            }
        }
        false
    }

    /// The validator bounds the depth of this recursion to 100,
    /// [`MAX_TYPE_NODES`](crate::MAX_TYPE_NODES) its width.
    pub(super) fn definitions_equal(
        &mut self,
        expected: ComponentDefinedTypeId,
        found: ComponentDefinedTypeId,
    ) -> bool {
        if self.equal.contains(&(expected, found)) {
            return true;
        }
        let (importer, exporter) = (self.importer, self.exporter);
        let equal = self.bodies_equal(&importer.types[expected], &exporter.types[found]);
        if equal {
            self.equal.insert((expected, found));
        }
        equal
    }

    fn bodies_equal(
        &mut self,
        expected: &ComponentDefinedType,
        found: &ComponentDefinedType,
    ) -> bool {
        use ComponentDefinedType as T;
        match (expected, found) {
            (T::Primitive(expected), T::Primitive(found)) => expected == found,
            (T::Record(expected), T::Record(found)) => {
                expected.fields.len() == found.fields.len()
                    && expected.fields.iter().zip(&found.fields).all(
                        |((name, ty), (other, found))| {
                            name == other && self.values_equal(ty, found)
                        },
                    )
            }
            (T::Variant(expected), T::Variant(found)) => {
                expected.cases.len() == found.cases.len()
                    && expected.cases.iter().zip(&found.cases).all(
                        |((name, ty), (other, found))| {
                            name == other && self.options_equal(ty.ty.as_ref(), found.ty.as_ref())
                        },
                    )
            }
            (T::Flags(expected), T::Flags(found)) | (T::Enum(expected), T::Enum(found)) => {
                expected.iter().eq(found)
            }
            (T::Tuple(expected), T::Tuple(found)) => {
                expected.types.len() == found.types.len()
                    && expected
                        .types
                        .iter()
                        .zip(&found.types)
                        .all(|(ty, found)| self.values_equal(ty, found))
            }
            (
                T::Result { ok, err, .. },
                T::Result {
                    ok: found_ok,
                    err: found_err,
                    ..
                },
            ) => {
                self.options_equal(ok.as_ref(), found_ok.as_ref())
                    && self.options_equal(err.as_ref(), found_err.as_ref())
            }
            (T::Own(expected), T::Own(found)) | (T::Borrow(expected), T::Borrow(found)) => {
                self.resources_equal(*expected, *found)
            }
            _ => self.wrappers_equal(expected, found),
        }
    }

    fn wrappers_equal(
        &mut self,
        expected: &ComponentDefinedType,
        found: &ComponentDefinedType,
    ) -> bool {
        use ComponentDefinedType as T;
        match (expected, found) {
            (T::List { element: ty, .. }, T::List { element: found, .. })
            | (T::Option { ty, .. }, T::Option { ty: found, .. }) => self.values_equal(ty, found),
            (
                T::Map { key, value, .. },
                T::Map {
                    key: found_key,
                    value: found,
                    ..
                },
            ) => self.values_equal(key, found_key) && self.values_equal(value, found),
            (
                T::FixedLengthList {
                    element, length, ..
                },
                T::FixedLengthList {
                    element: found,
                    length: found_length,
                    ..
                },
            ) => length == found_length && self.values_equal(element, found),
            (T::Future { ty, .. }, T::Future { ty: found, .. })
            | (T::Stream { ty, .. }, T::Stream { ty: found, .. }) => {
                self.options_equal(ty.as_ref(), found.as_ref())
            }
            _ => false,
        }
    }

    fn resources_equal(
        &mut self,
        expected: AliasableResourceId,
        found: AliasableResourceId,
    ) -> bool {
        let expected_name = self
            .importer
            .type_name(ComponentAnyTypeId::Resource(expected));
        let found_name = self.exporter.type_name(ComponentAnyTypeId::Resource(found));
        let equal = expected_name == found_name;
        if equal {
            self.resources.push((expected, found));
        }
        equal
    }
}
