//! Visits the types of a function once each, and collects those that need more than an encoding.

use std::collections::HashSet;

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId};

/// The maximum number of flags in one type, for the tools and so for generated code.
pub(super) const MAX_FLAGS: usize = 32;

/// A type that needs more than an encoding, or has none.
#[derive(Debug, Clone, Copy)]
pub(super) enum SpecialType {
    /// A handle of a resource.
    Handle {
        /// The resource behind all aliases.
        resource: TypeId,
    },
    /// A stream in an allowed position, with its element type.
    Stream(Option<Type>),
    /// A future in an allowed position, with its value type.
    Future(Option<Type>),
    /// A stream or future inside another type.
    Nested,
    /// A type without an encoding.
    Unknown,
    /// More than [`MAX_FLAGS`] flags.
    Flags(usize),
}

impl SpecialType {
    /// True if only a concurrent function can have the type.
    pub(super) fn is_concurrent(self) -> bool {
        matches!(self, Self::Stream(_) | Self::Future(_) | Self::Nested)
    }
}

/// The special types of a function in the order of their first occurrence, each with the type as
/// written.
pub(super) fn special_types(resolve: &Resolve, function: &Function) -> Vec<(Type, SpecialType)> {
    let mut walk = Walk {
        resolve,
        seen: HashSet::new(),
        pending: Vec::new(),
        found: Vec::new(),
    };
    for param in &function.params {
        walk.outer(&param.ty);
    }
    if let Some(result) = &function.result {
        walk.result(result);
    }
    walk.found
}

/// The type behind its aliases.
pub(super) fn without_aliases(resolve: &Resolve, ty: &Type) -> Type {
    let mut ty = *ty;
    while let Type::Id(id) = ty {
        match resolve.types[id].kind {
            TypeDefKind::Type(inner) => ty = inner,
            _ => break,
        }
    }
    ty
}

/// The definition behind all aliases of a type.
pub(super) fn definition(resolve: &Resolve, id: TypeId) -> TypeId {
    match without_aliases(resolve, &Type::Id(id)) {
        Type::Id(id) => id,
        _ => id,
    }
}

struct Walk<'a> {
    resolve: &'a Resolve,
    /// Makes the walk linear: a type of a hundred nested pairs of one type takes a hundred steps.
    seen: HashSet<TypeId>,
    /// Types to be visited. A list, because hostile types may be nested deeper than the stack.
    pending: Vec<Type>,
    found: Vec<(Type, SpecialType)>,
}

impl Walk<'_> {
    /// Visits a result. The members of a result tuple may be streams, and so may the `ok` of a
    /// `result`.
    fn result(&mut self, ty: &Type) {
        let resolve = self.resolve;
        let kind = match without_aliases(resolve, ty) {
            Type::Id(id) => Some(&resolve.types[id].kind),
            _ => None,
        };
        match kind {
            Some(TypeDefKind::Tuple(tuple)) => {
                for member in &tuple.types {
                    self.outer(member);
                }
            }
            Some(TypeDefKind::Result(result)) => {
                result.ok.iter().for_each(|ok| self.outer(ok));
                result.err.iter().for_each(|err| self.all(*err));
            }
            _ => self.outer(ty),
        }
    }

    /// Visits a type in a position that allows a stream.
    fn outer(&mut self, ty: &Type) {
        if let Type::Id(id) = without_aliases(self.resolve, ty) {
            let special = match &self.resolve.types[id].kind {
                TypeDefKind::Stream(element) => Some(SpecialType::Stream(*element)),
                TypeDefKind::Future(value) => Some(SpecialType::Future(*value)),
                _ => None,
            };
            if let Some(special) = special {
                self.found.push((*ty, special));
                return;
            }
        }
        self.all(*ty);
    }

    /// Visits a type and those within it, none of which may be a stream.
    fn all(&mut self, ty: Type) {
        self.pending.push(ty);
        while let Some(ty) = self.pending.pop() {
            self.inner(ty);
        }
    }

    fn inner(&mut self, ty: Type) {
        let id = match ty {
            Type::Id(id) => id,
            Type::ErrorContext => return self.found.push((ty, SpecialType::Unknown)),
            _ => return,
        };
        if !self.seen.insert(id) {
            return;
        }
        let before = self.pending.len();
        match &self.resolve.types[id].kind {
            TypeDefKind::Type(ty) | TypeDefKind::List(ty) | TypeDefKind::Option(ty) => {
                self.pending.push(*ty);
            }
            TypeDefKind::Record(record) => {
                let fields = record.fields.iter().map(|field| field.ty);
                self.pending.extend(fields);
            }
            TypeDefKind::Tuple(tuple) => self.pending.extend(&tuple.types),
            TypeDefKind::Map(key, value) => self.pending.extend([key, value]),
            TypeDefKind::Variant(variant) => {
                let payloads = variant.cases.iter().filter_map(|case| case.ty);
                self.pending.extend(payloads);
            }
            TypeDefKind::Result(result) => {
                self.pending
                    .extend(result.ok.iter().chain(&result.err).copied());
            }
            TypeDefKind::Enum(_) => {}
            TypeDefKind::Flags(flags) => {
                let found = flags.flags.len();
                if found > MAX_FLAGS {
                    self.found.push((ty, SpecialType::Flags(found)));
                }
            }
            TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => {
                let resource = definition(self.resolve, *id);
                self.found.push((ty, SpecialType::Handle { resource }));
            }
            TypeDefKind::Stream(_) | TypeDefKind::Future(_) => {
                self.found.push((ty, SpecialType::Nested));
            }
            TypeDefKind::Resource | TypeDefKind::FixedLengthList(..) | TypeDefKind::Unknown => {
                self.found.push((ty, SpecialType::Unknown))
            }
        }
        // The last element is popped first, so reversed order visits members in order.
        self.pending[before..].reverse();
    }
}
