//! Walks the types of a function, each once, for what a link between stores has to know of them.

use std::collections::HashSet;

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId};

/// The most flags of one type: the tools take no more, so neither does generated code.
pub(super) const MAX_FLAGS: usize = 32;

/// A type that is more than a value with an encoding.
#[derive(Debug, Clone, Copy)]
pub(super) enum SpecialType {
    /// A handle of a resource.
    Handle {
        /// The resource itself, not an alias of it.
        resource: TypeId,
    },
    /// A stream where one is expected, with its elements.
    Stream(Option<Type>),
    /// A future where one is expected, with its value.
    Future(Option<Type>),
    /// A stream or future inside another type.
    Nested,
    /// There is no encoding.
    Unknown,
    /// There are too many flags.
    Flags(usize),
}

impl SpecialType {
    /// Whether only a concurrent function can have it.
    pub(super) fn is_concurrent(self) -> bool {
        matches!(self, Self::Stream(_) | Self::Future(_) | Self::Nested)
    }
}

/// The special types of a function, in the order in which they are first met, each with the type as it is
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

/// The type behind all its other names.
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

/// The definition behind all names of a type.
pub(super) fn definition(resolve: &Resolve, id: TypeId) -> TypeId {
    match without_aliases(resolve, &Type::Id(id)) {
        Type::Id(id) => id,
        _ => id,
    }
}

struct Walk<'a> {
    resolve: &'a Resolve,
    /// A type of a hundred nested pairs of one type is walked in a hundred steps.
    seen: HashSet<TypeId>,
    /// Types yet to be walked. A list, as hostile types may be nested deeper than the stack.
    pending: Vec<Type>,
    found: Vec<(Type, SpecialType)>,
}

impl Walk<'_> {
    /// A result: where it is a tuple, its members may be streams.
    fn result(&mut self, ty: &Type) {
        if let Type::Id(id) = without_aliases(self.resolve, ty)
            && let TypeDefKind::Tuple(tuple) = &self.resolve.types[id].kind
        {
            for member in &tuple.types {
                self.outer(member);
            }
        } else {
            self.outer(ty);
        }
    }

    /// A place in which there may be a stream.
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
        self.pending.push(*ty);
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
            TypeDefKind::Resource
            | TypeDefKind::Map(..)
            | TypeDefKind::FixedLengthList(..)
            | TypeDefKind::Unknown => self.found.push((ty, SpecialType::Unknown)),
        }
        // What was pushed last is walked first: turned, the first member is.
        self.pending[before..].reverse();
    }
}
