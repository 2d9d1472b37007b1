//! The form in which the result of a function can carry a failed call.

use wit_parser::{Function, Resolve, Type, TypeDefKind};

use super::FailureForm;
use super::type_walk::without_aliases;

/// The error case that the mesh fills in.
const LINK_FAILURE: &str = "link-failure";

/// Returns the form of failure that a function's result has room for.
pub(super) fn of(resolve: &Resolve, function: &Function) -> FailureForm {
    let error = function.result.as_ref().and_then(|ty| error(resolve, ty));
    match error {
        Some(Type::String) => FailureForm::Text,
        Some(Type::Id(id)) => {
            let TypeDefKind::Variant(variant) = &resolve.types[id].kind else {
                return FailureForm::Trap;
            };
            let is_failure = |ty: &Type| without_aliases(resolve, ty) == Type::String;
            let index = (0..).zip(&variant.cases).find_map(|(index, case)| {
                let fits = case.name == LINK_FAILURE && case.ty.as_ref().is_some_and(is_failure);
                fits.then_some(index)
            });
            index.map_or(FailureForm::Trap, |index| FailureForm::Case { index })
        }
        _ => FailureForm::Trap,
    }
}

/// The `E` of a `result<_, E>`.
fn error(resolve: &Resolve, ty: &Type) -> Option<Type> {
    let Type::Id(id) = without_aliases(resolve, ty) else {
        return None;
    };
    match &resolve.types[id].kind {
        TypeDefKind::Result(result) => result.err.as_ref().map(|ty| without_aliases(resolve, ty)),
        _ => None,
    }
}
