//! The model of an interface from the tables of the WIT parser.

use std::collections::HashMap;
use std::sync::Arc;

use weft_wire::{MAX_VALUE_DEPTH, Scalar, SimpleType, for_each_scalar};
use wit_parser::{
    Docs, FunctionKind, Handle, InterfaceId, Resolve, TypeDef, TypeDefKind, TypeId, TypeOwner,
};

use super::define::{MAX_TYPE_PARTS, TOO_DEEP, TOO_LARGE, check_keys, unsupported};
use super::{
    Case, EnumCase, Field, Flag, Function, Interface, Kind, Name, Param, Place, Type, TypeError,
    TypeName, TypeProblem,
};

impl Interface {
    /// Creates the model of an interface of a component or of a WIT package. Functions that JSON
    /// cannot call are in [`unsupported`](Self::unsupported).
    #[must_use]
    pub fn new(resolve: &Resolve, id: InterfaceId) -> Self {
        let interface = &resolve.interfaces[id];
        let mut walk = Walk {
            resolve,
            types: HashMap::new(),
            names: HashMap::new(),
        };
        let mut functions = Vec::new();
        let mut unsupported = Vec::new();
        for function in interface.functions.values() {
            match walk.function(function) {
                Ok(function) => functions.push(function),
                Err(error) => unsupported.push(error),
            }
        }
        Self {
            name: walk.interface_name(id),
            docs: prose(&interface.docs),
            functions: functions.into(),
            unsupported: unsupported.into(),
        }
    }
}

/// A walk over the types of one interface.
struct Walk<'r> {
    resolve: &'r Resolve,
    /// The types so far.
    types: HashMap<TypeId, Type>,
    /// The names of interfaces so far.
    names: HashMap<InterfaceId, Arc<str>>,
}

impl<'r> Walk<'r> {
    fn interface_name(&mut self, id: InterfaceId) -> Arc<str> {
        let resolve = self.resolve;
        let name = self.names.entry(id);
        let name = name.or_insert_with(|| resolve.id_of(id).unwrap_or_default().into());
        name.clone()
    }

    fn function(&mut self, function: &wit_parser::Function) -> Result<Function, TypeError> {
        let at = |place| {
            move |problem| TypeError {
                function: function.name.as_str().into(),
                place,
                problem,
            }
        };
        check_kind(&function.kind).map_err(at(Place::Function))?;
        let mut params = Vec::with_capacity(function.params.len());
        for param in &function.params {
            params.push(Param {
                name: Name::new(&param.name),
                ty: self
                    .whole(&param.ty)
                    .map_err(at(Place::Param(param.name.clone())))?,
            });
        }
        check_keys("parameters", params.iter().map(|param| &param.name))
            .map_err(at(Place::Function))?;
        let result = function.result.as_ref().map(|ty| self.result(ty));
        let result = result.transpose().map_err(at(Place::Result))?;
        let all = params.iter().map(|param| &param.ty).chain(&result);
        let parts = all.fold(0_usize, |sum, ty| sum.saturating_add(ty.0.parts));
        if parts > MAX_TYPE_PARTS {
            return Err(at(Place::Function)(TOO_LARGE));
        }
        Ok(Function {
            name: function.name.clone(),
            docs: prose(&function.docs),
            params,
            result,
            is_async: matches!(function.kind, FunctionKind::AsyncFreestanding),
        })
    }

    /// Converts the type of a parameter or a result, where streams and futures can be.
    fn whole(&mut self, ty: &wit_parser::Type) -> Result<Type, TypeProblem> {
        let Some(definition) = target(self.resolve, ty) else {
            return self.part(ty, 0);
        };
        let kind = match &definition.kind {
            TypeDefKind::Stream(element) => Kind::Stream(self.element(element.as_ref())?),
            TypeDefKind::Future(value) => {
                let value = value.as_ref().map(|value| self.part(value, 1));
                Kind::Future(value.transpose()?)
            }
            _ => return self.part(ty, 0),
        };
        Type::define(None, None, kind)
    }

    /// Converts the type of a result, whose `ok` can be a stream.
    fn result(&mut self, ty: &wit_parser::Type) -> Result<Type, TypeProblem> {
        let resolve = self.resolve;
        let Some(TypeDefKind::Result(sides)) = target(self.resolve, ty).map(|it| &it.kind) else {
            return self.whole(ty);
        };
        let is_stream = |ty: &wit_parser::Type| {
            let target = target(resolve, ty);
            target.is_some_and(|it| matches!(it.kind, TypeDefKind::Stream(_)))
        };
        let Some(ok) = sides.ok.as_ref().filter(|ok| is_stream(ok)) else {
            return self.whole(ty);
        };
        let err = sides.err.as_ref().map(|err| self.part(err, 1));
        let (ok, err) = (Some(self.whole(ok)?), err.transpose()?);
        Type::define(None, None, Kind::Result { ok, err })
    }

    fn element(&mut self, ty: Option<&wit_parser::Type>) -> Result<SimpleType, TypeProblem> {
        let element = ty.map(|ty| self.part(ty, 1)).transpose()?;
        let element = element.ok_or_else(|| unsupported("a stream without a type"))?;
        match element.kind() {
            Kind::Scalar(scalar) => Ok(SimpleType::Scalar(*scalar)),
            Kind::String => Ok(SimpleType::String),
            Kind::Bytes => Ok(SimpleType::Bytes),
            kind => Err(unsupported(match element.name() {
                Some(name) => format!("a stream of `{}`", name.name),
                None => format!("a stream of type {}", kind.word()),
            })),
        }
    }

    /// Converts a type within `depth` others.
    fn part(&mut self, ty: &wit_parser::Type, depth: u32) -> Result<Type, TypeProblem> {
        if let Some(scalar) = scalar_type(ty) {
            return Type::define(None, None, Kind::Scalar(scalar));
        }
        match ty {
            wit_parser::Type::String => Type::define(None, None, Kind::String),
            wit_parser::Type::Id(id) => self.defined(*id, depth),
            _ => Err(unsupported("an error context")),
        }
    }

    fn defined(&mut self, id: TypeId, depth: u32) -> Result<Type, TypeProblem> {
        if let Some(ty) = self.types.get(&id) {
            return Ok(ty.clone());
        }
        if depth >= MAX_VALUE_DEPTH {
            return Err(TOO_DEEP);
        }
        let ty = self.definition(&self.resolve.types[id], depth + 1)?;
        self.types.insert(id, ty.clone());
        Ok(ty)
    }

    fn definition(&mut self, definition: &TypeDef, depth: u32) -> Result<Type, TypeProblem> {
        let kind = match &definition.kind {
            TypeDefKind::Type(target) => {
                let target = self.part(target, depth)?;
                // A named target has the name that others use too.
                if target.name().is_some() {
                    return Ok(target);
                }
                return self.alias(definition, &target);
            }
            TypeDefKind::Record(record) => self.record(record, depth)?,
            TypeDefKind::Tuple(tuple) => {
                let members = tuple.types.iter().map(|ty| self.part(ty, depth));
                Kind::Tuple(members.collect::<Result<_, _>>()?)
            }
            TypeDefKind::Variant(variant) => self.variant(variant, depth)?,
            TypeDefKind::Enum(cases) => Kind::Enum(enum_cases(cases)),
            TypeDefKind::Option(some) => Kind::Option(self.part(some, depth)?),
            TypeDefKind::Result(result) => {
                let mut side = |ty: &Option<wit_parser::Type>| {
                    let ty = ty.as_ref().map(|ty| self.part(ty, depth));
                    ty.transpose()
                };
                let (ok, err) = (side(&result.ok)?, side(&result.err)?);
                Kind::Result { ok, err }
            }
            TypeDefKind::List(element) => Kind::list_of(self.part(element, depth)?),
            TypeDefKind::Map(key, value) => Kind::Map {
                key: self.part(key, depth)?,
                value: self.part(value, depth)?,
            },
            TypeDefKind::Flags(flags) => flags_of(flags),
            TypeDefKind::Resource | TypeDefKind::Handle(_) => {
                return Err(unsupported(self.resource(definition)));
            }
            TypeDefKind::FixedLengthList(..) => return Err(unsupported("a fixed-length list")),
            TypeDefKind::Future(_) => return Err(unsupported("a future within another type")),
            TypeDefKind::Stream(_) => return Err(unsupported("a stream within another type")),
            TypeDefKind::Unknown => return Err(unsupported("a type of unknown structure")),
        };
        let name = self.type_name(definition);
        Type::define(name, prose(&definition.docs), kind)
    }

    fn record(&mut self, record: &wit_parser::Record, depth: u32) -> Result<Kind, TypeProblem> {
        let mut fields = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            fields.push(Field {
                name: Name::new(&field.name),
                docs: prose(&field.docs),
                ty: self.part(&field.ty, depth)?,
            });
        }
        Ok(Kind::Record(fields))
    }

    fn variant(&mut self, variant: &wit_parser::Variant, depth: u32) -> Result<Kind, TypeProblem> {
        let mut cases = Vec::with_capacity(variant.cases.len());
        for case in &variant.cases {
            let ty = case.ty.as_ref().map(|ty| self.part(ty, depth));
            cases.push(Case {
                name: case.name.clone(),
                docs: prose(&case.docs),
                ty: ty.transpose()?,
            });
        }
        Ok(Kind::Variant(cases))
    }

    fn resource(&self, definition: &TypeDef) -> String {
        let mut definition = definition;
        while let TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id))
        | TypeDefKind::Type(wit_parser::Type::Id(id)) = &definition.kind
        {
            definition = &self.resolve.types[*id];
        }
        match &definition.name {
            Some(name) => format!("the resource `{name}`"),
            None => "a resource".to_owned(),
        }
    }

    fn type_name(&mut self, definition: &TypeDef) -> Option<TypeName> {
        let name = definition.name.clone()?;
        let interface = match definition.owner {
            TypeOwner::Interface(id) => Some(self.interface_name(id)),
            TypeOwner::World(_) | TypeOwner::None => None,
        };
        Some(TypeName { name, interface })
    }

    /// Gives a name to an unnamed type.
    fn alias(&mut self, definition: &TypeDef, target: &Type) -> Result<Type, TypeProblem> {
        let name = self.type_name(definition);
        Type::define(name, prose(&definition.docs), target.kind().share())
    }
}

/// Returns the definition behind all aliases.
fn target<'r>(resolve: &'r Resolve, ty: &wit_parser::Type) -> Option<&'r TypeDef> {
    let mut ty = *ty;
    loop {
        let wit_parser::Type::Id(id) = ty else {
            return None;
        };
        let definition = &resolve.types[id];
        match &definition.kind {
            TypeDefKind::Type(target) => ty = *target,
            _ => return Some(definition),
        }
    }
}

fn check_kind(kind: &FunctionKind) -> Result<(), TypeProblem> {
    match kind {
        FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => Ok(()),
        FunctionKind::Method(_)
        | FunctionKind::AsyncMethod(_)
        | FunctionKind::Static(_)
        | FunctionKind::AsyncStatic(_)
        | FunctionKind::Constructor(_) => Err(unsupported("a resource")),
    }
}

fn flags_of(flags: &wit_parser::Flags) -> Kind {
    let flags = flags.flags.iter().map(|flag| Flag {
        name: Name::new(&flag.name),
        docs: prose(&flag.docs),
    });
    Kind::Flags(flags.collect())
}

fn enum_cases(cases: &wit_parser::Enum) -> Vec<EnumCase> {
    let cases = cases.cases.iter().map(|case| EnumCase {
        name: case.name.clone(),
        docs: prose(&case.docs),
    });
    cases.collect()
}

fn prose(docs: &Docs) -> Option<Arc<str>> {
    let prose = docs.contents.as_deref()?.trim();
    (!prose.is_empty()).then(|| prose.into())
}

macro_rules! scalar_types {
    ($($scalar:ident: $ty:ty, $name:ident;)*) => {
        fn scalar_type(ty: &wit_parser::Type) -> Option<Scalar> {
            Some(match ty {
                $(wit_parser::Type::$scalar => Scalar::$scalar,)*
                _ => return None,
            })
        }
    };
}

for_each_scalar!(scalar_types);
