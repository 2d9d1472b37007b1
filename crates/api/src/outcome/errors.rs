//! The statuses of errors that functions return.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use weft_json::{Function, Kind, Type};
use weft_lattice_config::{ErrorStatus, ErrorStatuses, Mistake, WitName};

use crate::mistakes::MistakesAt;
use crate::quote::one_of;
use crate::type_text;

/// The status of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ErrorRule {
    /// The status of the response.
    pub(crate) status: StatusCode,
    /// True if the value of the error is for the log of the host alone.
    pub(crate) is_hidden: bool,
}

/// The statuses of the errors of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ErrorRules {
    /// One for each case of a variant or enum, in their order.
    Cases(Vec<ErrorRule>),
    /// One for all values.
    All(ErrorRule),
}

/// The status of errors without an entry.
const UNPROCESSABLE: ErrorRule = ErrorRule {
    status: StatusCode::UNPROCESSABLE_ENTITY,
    is_hidden: false,
};

impl ErrorRules {
    /// The rules of a type by the entry of a manifest that names it. The entry is checked.
    pub(super) fn new(ty: Option<&Type>, errors: &BTreeMap<WitName, ErrorStatuses>) -> Self {
        let entry = ty.and_then(|ty| errors.get(entry_name(ty).as_str()));
        let default = entry.and_then(|entry| entry.default);
        let default = default.map_or(UNPROCESSABLE, |it| rule(it.status, it.hide));
        let Some(cases) = ty.and_then(case_names) else {
            return Self::All(default);
        };
        let statuses = entry.iter().flat_map(|entry| &entry.statuses);
        let statuses: Vec<_> = statuses.collect();
        let cases = cases.iter().map(|case| {
            let mut listed = statuses.iter();
            let listed = listed.find(|(_, it)| it.cases.iter().any(|name| name.as_str() == *case));
            listed.map_or(default, |(status, it)| rule(**status, it.hide))
        });
        Self::Cases(cases.collect())
    }

    /// The rule of a case, or of any value of a type without cases.
    #[must_use]
    pub(crate) fn rule(&self, case: usize) -> ErrorRule {
        match self {
            Self::Cases(rules) => rules.get(case).copied().unwrap_or(UNPROCESSABLE),
            Self::All(rule) => *rule,
        }
    }

    /// The statuses of all errors.
    pub(super) fn statuses(&self) -> impl Iterator<Item = StatusCode> {
        let rules = match self {
            Self::Cases(rules) => rules.as_slice(),
            Self::All(rule) => std::slice::from_ref(rule),
        };
        rules.iter().map(|rule| rule.status)
    }

    /// The status of a case as text.
    pub(crate) fn status_text(&self, case: usize) -> &str {
        match self {
            Self::Cases(rules) => rules.get(case).unwrap_or(&UNPROCESSABLE).status.as_str(),
            Self::All(rule) => rule.status.as_str(),
        }
    }
}

fn rule(status: ErrorStatus, is_hidden: bool) -> ErrorRule {
    ErrorRule {
        // All numbers from 400 to 599 are statuses.
        status: StatusCode::from_u16(status.get()).unwrap_or(UNPROCESSABLE.status),
        is_hidden,
    }
}

/// The name by which a manifest refers to an error type.
fn entry_name(ty: &Type) -> String {
    type_text::text(ty)
}

/// The names of the cases of a variant or enum.
pub(crate) fn case_names(ty: &Type) -> Option<Vec<&str>> {
    match ty.kind() {
        Kind::Variant(cases) => Some(cases.iter().map(|case| case.name.as_str()).collect()),
        Kind::Enum(cases) => Some(cases.iter().map(|case| case.name.as_str()).collect()),
        _ => None,
    }
}

// === checks ===

/// Checks the section `errors` of a route against the error types of its functions.
pub(crate) fn check<'f>(
    errors: &BTreeMap<WitName, ErrorStatuses>,
    functions: impl Iterator<Item = &'f Function>,
    mistakes: &mut Vec<Mistake>,
) {
    let types = functions.filter_map(|function| match function.result.as_ref()?.kind() {
        Kind::Result { err, .. } => err.as_ref(),
        _ => None,
    });
    let mut by_name: BTreeMap<String, &Type> = BTreeMap::new();
    for ty in types {
        by_name.entry(entry_name(ty)).or_insert(ty);
    }
    for (name, entry) in errors {
        let mut mistakes = MistakesAt::new(mistakes, format!("errors.{name}"));
        match by_name.get(name.as_str()) {
            Some(ty) => check_entry(name, entry, ty, &mut mistakes),
            None => {
                let known: Vec<_> = by_name.keys().map(String::as_str).collect();
                let message = format!("`{name}` is not the error type of a function of the route");
                mistakes.add_unknown("", message, name.as_str(), &known);
            }
        }
    }
}

fn check_entry(name: &WitName, entry: &ErrorStatuses, ty: &Type, mistakes: &mut MistakesAt<'_>) {
    let Some(cases) = case_names(ty) else {
        for status in entry.statuses.keys() {
            let message = format!("`{name}` has no cases: it is {}", type_text::described(ty));
            let help = "use `default` for the status of all its values";
            mistakes.add_with_help(&status.to_string(), message, help);
        }
        return;
    };
    let mut listed = BTreeMap::new();
    for (status, group) in &entry.statuses {
        for (index, case) in group.cases.iter().enumerate() {
            let list = if group.hide { ".cases" } else { "" };
            let key = format!("{status}{list}[{index}]");
            if !cases.contains(&case.as_str()) {
                let message = format!("unknown case `{case}` of `{name}`");
                mistakes.add_unknown(&key, message, case.as_str(), &cases);
            } else if let Some(first) = listed.insert(case.as_str(), status) {
                let message = format!("case `{case}` is listed twice: with {first} and {status}");
                mistakes.add(&key, message);
            }
        }
    }
    let listed: BTreeSet<_> = listed.into_keys().collect();
    let missing: Vec<_> = cases
        .iter()
        .filter(|case| !listed.contains(**case))
        .collect();
    if entry.default.is_none() && !missing.is_empty() {
        let missing = one_of(missing.into_iter().copied());
        let missing = missing.strip_prefix("one of ").unwrap_or(&missing);
        let message = format!("`{name}` lacks the status of {missing}");
        let help = "list the cases, or add `default: 422` for all others";
        mistakes.add_with_help("", message, help);
    }
}
