//! Changes of types.

use std::collections::BTreeMap;

use weft_json::{Kind, Type};
use weft_wire::Scalar;

use super::Changes;
use crate::type_text;

/// The side that has values of the old type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Clients send values of the old type: the new one must accept them.
    Input,
    /// Clients read values of the new type: they must be values of the old one.
    Output,
}

/// A case with its payload.
type NamedCase<'t> = (&'t str, Option<&'t Type>);

/// The comparison of two types, of which one took the place of the other.
pub(super) struct TypeComparison<'c> {
    direction: Direction,
    /// The whole value, such as "the result of `get`".
    subject: &'c str,
    /// The names of fields and cases down to the types.
    path: Vec<String>,
    changes: &'c mut Changes,
}

impl<'c> TypeComparison<'c> {
    pub(super) fn new(direction: Direction, subject: &'c str, changes: &'c mut Changes) -> Self {
        Self {
            direction,
            subject,
            path: Vec::new(),
            changes,
        }
    }

    /// Compares two types. The recursion is bounded by the depth of types.
    pub(super) fn compare(&mut self, old: &Type, new: &Type) {
        match (old.kind(), new.kind()) {
            (old_kind, new_kind) if old_kind == new_kind => {}
            (Kind::Option(old), Kind::Option(new)) => self.compare(old, new),
            (Kind::Option(some), _) if some.optional().is_none() => {
                if self.direction == Direction::Input {
                    self.add("made", "required");
                }
                self.compare(some, new);
            }
            (_, Kind::Option(some)) if some.optional().is_none() => {
                if self.direction == Direction::Output {
                    self.add("made", "optional");
                }
                self.compare(old, some);
            }
            (Kind::Scalar(old_scalar), Kind::Scalar(new_scalar)) => {
                let includes = match self.direction {
                    Direction::Input => includes(*new_scalar, *old_scalar),
                    Direction::Output => includes(*old_scalar, *new_scalar),
                };
                if !includes {
                    self.changed(old, new);
                }
            }
            (Kind::List(old), Kind::List(new)) => self.compare(old, new),
            (
                Kind::Map { key, value },
                Kind::Map {
                    key: new_key,
                    value: new_value,
                },
            ) => {
                self.compare(key, new_key);
                self.compare(value, new_value);
            }
            (Kind::Tuple(old_members), Kind::Tuple(new_members))
                if old_members.len() == new_members.len() =>
            {
                for (index, (old, new)) in old_members.iter().zip(new_members).enumerate() {
                    self.within(&index.to_string(), |inner| inner.compare(old, new));
                }
            }
            (Kind::Record(old), Kind::Record(new)) => {
                let old = old
                    .iter()
                    .map(|field| (field.name.wit(), &field.ty))
                    .collect();
                let new = new
                    .iter()
                    .map(|field| (field.name.wit(), &field.ty))
                    .collect();
                self.compare_fields(&old, new);
            }
            (Kind::Flags(old), Kind::Flags(new)) => {
                for flag in old {
                    if !new.iter().any(|other| other.name == flag.name) {
                        self.removed("flag", flag.name.wit());
                    }
                }
            }
            (
                Kind::Enum(_) | Kind::Variant(_) | Kind::Result { .. },
                Kind::Enum(_) | Kind::Variant(_) | Kind::Result { .. },
            ) if std::mem::discriminant(old.kind()) == std::mem::discriminant(new.kind()) => {
                self.compare_cases(&cases(old), &cases(new));
            }
            _ => self.changed(old, new),
        }
    }

    /// Compares the keys of two objects.
    pub(super) fn compare_fields(
        &mut self,
        old: &BTreeMap<&str, &Type>,
        new: BTreeMap<&str, &Type>,
    ) {
        for (name, old) in old {
            match new.get(name) {
                None => self.removed("field", name),
                Some(new) => self.within(name, |inner| inner.compare(old, new)),
            }
        }
        if self.direction == Direction::Output {
            return;
        }
        for (name, new) in new {
            if !old.contains_key(name) && new.optional().is_none() {
                self.added("required field", name);
            }
        }
    }

    fn compare_cases(&mut self, old: &[NamedCase<'_>], new: &[NamedCase<'_>]) {
        let find = |cases: &[NamedCase<'_>], name| cases.iter().any(|(other, _)| *other == name);
        for (name, old_payload) in old {
            let mut others = new.iter();
            match others.find(|(other, _)| other == name) {
                None if self.direction == Direction::Input => self.removed("case", name),
                None => {}
                Some((_, new_payload)) => {
                    self.within(name, |inner| {
                        inner.compare_payloads(*old_payload, *new_payload)
                    });
                }
            }
        }
        if self.direction == Direction::Output {
            for (name, _) in new.iter().filter(|(name, _)| !find(old, *name)) {
                self.added("case", name);
            }
        }
    }

    fn compare_payloads(&mut self, old: Option<&Type>, new: Option<&Type>) {
        match (old, new) {
            (Some(old), Some(new)) => self.compare(old, new),
            (None, None) => {}
            (Some(_), None) => self.add("removed the value of", ""),
            (None, Some(_)) => self.add("added a value to", ""),
        }
    }

    // === sentences ===

    fn within(&mut self, name: &str, compare: impl FnOnce(&mut Self)) {
        self.path.push(name.to_owned());
        compare(self);
        self.path.pop();
    }

    /// "`lines.sku` of the result of `get`".
    fn place(&self) -> String {
        match self.path.is_empty() {
            true => self.subject.to_owned(),
            false => format!("`{}` of {}", self.path.join("."), self.subject),
        }
    }

    fn add(&mut self, verb: &str, end: &str) {
        let text = format!("{verb} {} {end}", self.place());
        self.changes.add(text.trim_end());
    }

    fn removed(&mut self, kind: &str, name: &str) {
        let path = self.joined(name);
        self.changes
            .add(format!("removed {kind} `{path}` from {}", self.subject));
    }

    fn added(&mut self, kind: &str, name: &str) {
        let path = self.joined(name);
        self.changes
            .add(format!("added {kind} `{path}` to {}", self.subject));
    }

    fn joined(&self, name: &str) -> String {
        let mut path = self.path.clone();
        path.push(name.to_owned());
        path.join(".")
    }

    fn changed(&mut self, old: &Type, new: &Type) {
        let (old, new) = (type_text::described(old), type_text::described(new));
        let text = format!("changed {} from {old} to {new}", self.place());
        self.changes.add(text);
    }
}

/// The payload of a case of a variant; `None` for other types.
pub(super) fn payload(ty: &Type, index: usize) -> Option<&Type> {
    match ty.kind() {
        Kind::Variant(cases) => cases.get(index)?.ty.as_ref(),
        _ => None,
    }
}

fn cases(ty: &Type) -> Vec<NamedCase<'_>> {
    match ty.kind() {
        Kind::Enum(cases) => cases.iter().map(|case| (&*case.name, None)).collect(),
        Kind::Variant(cases) => {
            let cases = cases.iter();
            cases.map(|case| (&*case.name, case.ty.as_ref())).collect()
        }
        Kind::Result { ok, err } => vec![("ok", ok.as_ref()), ("err", err.as_ref())],
        _ => Vec::new(),
    }
}

/// True if all values of one scalar type are values of the other in JSON.
fn includes(outer: Scalar, inner: Scalar) -> bool {
    let integer = |scalar: Scalar| match scalar {
        Scalar::Bool | Scalar::Char | Scalar::F32 | Scalar::F64 => None,
        integer => Some(range(integer)),
    };
    match (integer(outer), integer(inner)) {
        (Some(outer), Some(inner)) => outer.0 <= inner.0 && inner.1 <= outer.1,
        (None, Some(inner)) => outer == Scalar::F64 && inner.1 <= i128::from(u32::MAX),
        _ => outer == inner || (outer, inner) == (Scalar::F64, Scalar::F32),
    }
}

/// The least and the largest value of an integer type.
fn range(scalar: Scalar) -> (i128, i128) {
    let bits = scalar.bytes() * 8;
    match scalar.is_signed() {
        true => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        false => (0, (1 << bits) - 1),
    }
}
