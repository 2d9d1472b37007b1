//! The types of values for the generator: interned, so that equal types share their code, and with
//! their layout in canonical memory and in flat values.
//!
//! All types with cases are a [`Shape::Variant`] (also `option`, `result` and `enum`) and all types
//! with fields a [`Shape::Record`], as they are the same in memory. They differ on the wire by
//! [`Tag`]. A `map` is the list of its entries, each a record of a key and a value.

mod type_layout;

use std::collections::HashMap;

use weft_wire::Scalar;
use wit_parser::{Handle, Resolve, Type, TypeDefKind, TypeId};

use super::error::GenerateError;
use crate::plan::scalar_type;
use type_layout::MAX_SIZE;
pub(crate) use type_layout::TypeLayout;

/// The maximum depth of types, which is the recursion depth of generated code and of the generator.
pub(crate) const MAX_DEPTH: u32 = 100;

/// The maximum number of flat values of a signature; more go through memory.
pub(crate) const MAX_FLAT: usize = 16;

/// A shape in a [`Shapes`] table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ShapeId(u32);

/// The structure of a type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    Scalar(Scalar),
    String,
    List(ShapeId),
    Record(Vec<ShapeId>),
    Variant(Tag, Vec<Option<ShapeId>>),
    Flags(u32),
    Handle { resource: u32, owned: bool },
}

/// The encoding of a discriminant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tag {
    /// One byte, for `option` and `result`.
    Byte,
    /// An integer in LEB128, for `variant` and `enum`.
    Integer,
}

/// The core type of a flat value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flat {
    I32,
    I64,
    F32,
    F64,
}

/// The interned shapes of a component.
#[derive(Debug, Default)]
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
    layout: Vec<TypeLayout>,
    known: HashMap<Shape, ShapeId>,
    of_types: HashMap<TypeId, ShapeId>,
    /// The resources that handles may refer to, in the order of their numbers.
    resources: Vec<TypeId>,
}

impl Shapes {
    /// Creates a table that allows handles of `resources` only.
    pub(crate) fn new(resources: Vec<TypeId>) -> Self {
        Self {
            resources,
            ..Self::default()
        }
    }

    pub(crate) fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0 as usize]
    }

    pub(crate) fn layout(&self, id: ShapeId) -> &TypeLayout {
        &self.layout[id.0 as usize]
    }

    /// Adds a WIT type.
    pub(crate) fn add(&mut self, resolve: &Resolve, ty: &Type) -> Result<ShapeId, GenerateError> {
        self.add_within(resolve, ty, 0)
    }

    /// Adds a tuple of types, possibly empty: the parameters of a function.
    pub(crate) fn add_tuple<'t>(
        &mut self,
        resolve: &Resolve,
        types: impl Iterator<Item = &'t Type>,
    ) -> Result<ShapeId, GenerateError> {
        let fields = types
            .map(|ty| self.add(resolve, ty))
            .collect::<Result<_, _>>()?;
        self.intern(Shape::Record(fields))
    }

    fn add_within(
        &mut self,
        resolve: &Resolve,
        ty: &Type,
        depth: u32,
    ) -> Result<ShapeId, GenerateError> {
        if depth > MAX_DEPTH {
            return Err(GenerateError::TooDeep { limit: MAX_DEPTH });
        }
        let shape = match ty {
            Type::String => Shape::String,
            Type::Id(id) => return self.add_defined(resolve, *id, depth),
            other => match scalar_type(other) {
                Some(scalar) => Shape::Scalar(scalar),
                None => return Err(GenerateError::unsupported("error-context")),
            },
        };
        self.intern(shape)
    }

    fn add_defined(
        &mut self,
        resolve: &Resolve,
        id: TypeId,
        depth: u32,
    ) -> Result<ShapeId, GenerateError> {
        if let Some(known) = self.of_types.get(&id) {
            return Ok(*known);
        }
        let mut add = |ty: &Type| self.add_within(resolve, ty, depth + 1);
        let mut add_payload = |ty: &Option<Type>| ty.as_ref().map(&mut add).transpose();
        let shape = match &resolve.types[id].kind {
            TypeDefKind::Type(ty) => {
                let shape = add(ty)?;
                self.of_types.insert(id, shape);
                return Ok(shape);
            }
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| add(&field.ty));
                Shape::Record(fields.collect::<Result<_, _>>()?)
            }
            TypeDefKind::Tuple(tuple) => {
                Shape::Record(tuple.types.iter().map(add).collect::<Result<_, _>>()?)
            }
            TypeDefKind::Variant(variant) => {
                let cases = variant.cases.iter().map(|case| add_payload(&case.ty));
                Shape::Variant(Tag::Integer, cases.collect::<Result<_, _>>()?)
            }
            TypeDefKind::Enum(cases) => Shape::Variant(Tag::Integer, vec![None; cases.cases.len()]),
            TypeDefKind::Option(ty) => Shape::Variant(Tag::Byte, vec![None, Some(add(ty)?)]),
            TypeDefKind::Result(result) => {
                let cases = vec![add_payload(&result.ok)?, add_payload(&result.err)?];
                Shape::Variant(Tag::Byte, cases)
            }
            TypeDefKind::List(ty) => Shape::List(add(ty)?),
            TypeDefKind::Map(key, value) => {
                let entry = Shape::Record(vec![add(key)?, add(value)?]);
                Shape::List(self.intern(entry)?)
            }
            TypeDefKind::Flags(flags) => match u32::try_from(flags.flags.len()) {
                Ok(count @ 1..=32) => Shape::Flags(count),
                _ => return Err(GenerateError::unsupported("flags beyond 32")),
            },
            TypeDefKind::Handle(handle) => self.handle(resolve, handle)?,
            other => return Err(GenerateError::unsupported(other.as_str())),
        };
        let shape = self.intern(shape)?;
        self.of_types.insert(id, shape);
        Ok(shape)
    }

    fn handle(&self, resolve: &Resolve, handle: &Handle) -> Result<Shape, GenerateError> {
        let (Handle::Own(named) | Handle::Borrow(named)) = handle;
        let id = resource_of(resolve, *named);
        let number = self.resources.iter().position(|resource| *resource == id);
        let resource = number
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| GenerateError::ForeignResource {
                resource: resolve.types[id].name.clone().unwrap_or_default(),
            })?;
        let owned = matches!(handle, Handle::Own(_));
        Ok(Shape::Handle { resource, owned })
    }

    fn intern(&mut self, shape: Shape) -> Result<ShapeId, GenerateError> {
        if let Some(known) = self.known.get(&shape) {
            return Ok(*known);
        }
        let layout = self.measure(&shape)?;
        if layout.depth > MAX_DEPTH {
            return Err(GenerateError::TooDeep { limit: MAX_DEPTH });
        }
        let too_many = |_| GenerateError::TooLarge { limit: MAX_SIZE };
        let id = ShapeId(u32::try_from(self.shapes.len()).map_err(too_many)?);
        self.shapes.push(shape.clone());
        self.layout.push(layout);
        self.known.insert(shape, id);
        Ok(id)
    }
}

/// The resource behind an alias.
pub(crate) fn resource_of(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Type::Id(aliased)) = resolve.types[id].kind {
        id = aliased;
    }
    id
}
