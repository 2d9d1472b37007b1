//! The changes between two APIs that break clients of the first one.
//!
//! A client sends what the first API accepts, and reads what the first API returns. It ignores
//! fields of a response that it does not know, and treats an error that it does not know by its
//! status.

mod types;

use std::collections::BTreeMap;
use std::fmt;

use weft_json::Type;
use weft_json::text::{self, Bindable};
use weft_lattice_config::Face;
use weft_lattice_config::template::{PathTemplate, Segment};

use self::types::{Direction, TypeComparison};
use crate::api::Api;
use crate::inputs::{BodyInput, TextInput, TextSource};
use crate::operation::Operation;
use crate::outcome::{ErrorOutput, Output, case_names};
use crate::type_text;

/// Maximum number of reported changes: no one reads a longer list to its end.
const CHANGES_MAX: usize = 1000;

/// A change that breaks clients. Displayed as a sentence such as "removed field `total` from the
/// result of `get`".
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BreakingChange(String);

impl fmt::Display for BreakingChange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Lists the changes from `old` to `new` that break clients of `old`, in the order of its
/// operations, up to a bound. Both are APIs of one path.
#[must_use]
pub fn breaking_changes(old: &Api, new: &Api) -> Vec<BreakingChange> {
    let mut changes = Changes::default();
    compare_settings(old, new, &mut changes);
    // Every name would be reported again.
    let is_same_form = changes.0.is_empty();
    let operations = new.operations().iter();
    let by_requests: BTreeMap<_, _> = operations.map(|it| (requests(it), it)).collect();
    for operation in old.operations() {
        match by_requests.get(&requests(operation)) {
            None => changes.add(format!("removed `{}`", operation.request())),
            Some(other) if is_same_form => compare_operations(operation, other, &mut changes),
            Some(_) => {}
        }
    }
    compare_faces(old, new, &mut changes);
    changes.0
}

/// The changes so far.
#[derive(Default)]
struct Changes(Vec<BreakingChange>);

impl Changes {
    fn add(&mut self, text: impl Into<String>) {
        if self.0.len() < CHANGES_MAX {
            self.0.push(BreakingChange(text.into()));
        }
    }
}

/// The requests of an operation, without the names of values: they are not in a request.
fn requests(operation: &Operation) -> (&'static str, String) {
    let template = operation.request();
    (template.method.as_str(), shape(&template.path))
}

fn shape(path: &PathTemplate) -> String {
    let segments = path.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Value(_) => "/{}".to_owned(),
    });
    let rest = if path.rest.is_some() { "/{*}" } else { "" };
    segments.collect::<String>() + rest
}

// === apis ===

fn compare_settings(old: &Api, new: &Api, changes: &mut Changes) {
    let (old, new) = (old.settings(), new.settings());
    if old.names != new.names {
        changes.add("changed the names in JSON (`names`)");
    }
    if old.int64 != new.int64 {
        changes.add("changed the form of 64-bit integers in results (`int64`)");
    }
}

fn compare_faces(old: &Api, new: &Api, changes: &mut Changes) {
    let (old_faces, new_faces) = (old.faces().chosen(), new.faces().chosen());
    let has = |face: Face| new_faces.contains(&face);
    for face in old_faces
        .iter()
        .filter(|face| **face != Face::Docs && !has(**face))
    {
        changes.add(format!("removed the face `{}`", face.as_str()));
    }
    // Clients of these faces know functions by their names.
    let by_name = [Face::Rpc, Face::Mcp];
    if by_name
        .iter()
        .any(|face| old_faces.contains(face) && has(*face))
    {
        for operation in old.operations() {
            let name = operation.function();
            if !new
                .operations()
                .iter()
                .any(|other| other.function() == name)
            {
                changes.add(format!("removed function `{name}`"));
            }
        }
    }
}

// === operations ===

fn compare_operations(old: &Operation, new: &Operation, changes: &mut Changes) {
    compare_texts(old, new, changes);
    compare_bodies(old, new, changes);
    compare_results(old, new, changes);
    // A function that can fail now has a status of its own for that.
    if let (Some(old_errors), Some(new_errors)) = (&old.outcome.errors, &new.outcome.errors) {
        compare_errors(old.function(), old_errors, new_errors, changes);
    }
}

fn compare_texts(old: &Operation, new: &Operation, changes: &mut Changes) {
    for input in &old.inputs.texts {
        let subject = subject_of(input, old);
        let mut others = new.inputs.texts.iter();
        let Some(other) = others.find(|other| is_same_place(&input.source, &other.source)) else {
            // The host ignores headers that no parameter has.
            if !matches!(input.source, TextSource::Header(..)) {
                changes.add(format!("removed {subject}"));
            }
            continue;
        };
        if !is_required(input) && is_required(other) {
            changes.add(format!("made {subject} required"));
        }
        let is_repeated = |ty| text::bindable(ty) == Some(Bindable::Many);
        if is_repeated(&input.ty) && !is_repeated(&other.ty) {
            changes.add(format!("changed {subject} from a list to one value"));
            continue;
        }
        let mut comparison = TypeComparison::new(Direction::Input, &subject, changes);
        comparison.compare(single(&input.ty), single(&other.ty));
    }
    for input in &new.inputs.texts {
        let mut others = old.inputs.texts.iter();
        let is_new = !others.any(|other| is_same_place(&input.source, &other.source));
        if is_new && is_required(input) {
            changes.add(format!("added required {}", subject_of(input, new)));
        }
    }
}

fn is_same_place(left: &TextSource, right: &TextSource) -> bool {
    match (left, right) {
        (TextSource::Segment(left, _), TextSource::Segment(right, _)) => left == right,
        (TextSource::Rest(_), TextSource::Rest(_)) => true,
        (TextSource::Query(left), TextSource::Query(right)) => left == right,
        (TextSource::Header(left, _), TextSource::Header(right, _)) => left == right,
        _ => false,
    }
}

fn is_required(input: &TextInput) -> bool {
    input.default.is_none() && text::bindable(&input.ty) == Some(Bindable::One)
}

/// The type of a single text.
fn single(ty: &Type) -> &Type {
    match text::bindable(ty) {
        Some(Bindable::Optional | Bindable::Many) => ty.members().next().unwrap_or(ty),
        Some(Bindable::One) | None => ty,
    }
}

fn subject_of(input: &TextInput, operation: &Operation) -> String {
    let place = match &input.source {
        TextSource::Segment(_, name) => format!("`{{{name}}}` in the path"),
        TextSource::Rest(name) => format!("`{{*{name}}}` in the path"),
        TextSource::Query(key) => format!("query parameter `{key}`"),
        TextSource::Header(_, name) => format!("header `{name}`"),
    };
    format!("{place} of `{}`", operation.function())
}

fn compare_bodies(old: &Operation, new: &Operation, changes: &mut Changes) {
    let subject = format!("the body of `{}`", old.function());
    match (old.body(), new.body()) {
        (BodyInput::None, body) => {
            if is_body_required(body) {
                changes.add(format!("added {subject}"));
            }
        }
        (BodyInput::Object(old), BodyInput::Object(new)) => {
            let old = old.iter().map(|part| (part.name.wit(), &part.ty)).collect();
            let new = new.iter().map(|part| (part.name.wit(), &part.ty)).collect();
            TypeComparison::new(Direction::Input, &subject, changes).compare_fields(&old, new);
        }
        (BodyInput::Value(old), BodyInput::Value(new)) => {
            TypeComparison::new(Direction::Input, &subject, changes).compare(old, new);
        }
        (BodyInput::Form, BodyInput::Form) => return compare_forms(old, new, &subject, changes),
        (old, new) if old == new => {}
        (old, new) => {
            let (old, new) = (body_text(old), body_text(new));
            changes.add(format!("changed {subject} from {old} to {new}"));
            return;
        }
    }
    if old.inputs.form.is_some() && new.inputs.form.is_none() {
        changes.add(format!("removed the form of {subject}"));
    }
}

fn compare_forms(old: &Operation, new: &Operation, subject: &str, changes: &mut Changes) {
    let parts = |operation: &'_ Operation| operation.inputs.form.clone();
    let (Some(old), Some(new)) = (parts(old), parts(new)) else {
        return;
    };
    let old = old.parts.iter().map(|part| (part.name.wit(), &part.ty));
    let new = new.parts.iter().map(|part| (part.name.wit(), &part.ty));
    let mut comparison = TypeComparison::new(Direction::Input, subject, changes);
    comparison.compare_fields(&old.collect(), new.collect());
}

fn is_body_required(body: &BodyInput) -> bool {
    match body {
        BodyInput::None => false,
        BodyInput::Object(parts) => parts.iter().any(|part| part.ty.optional().is_none()),
        BodyInput::Value(ty) => ty.optional().is_none(),
        BodyInput::Bytes | BodyInput::Stream(_) | BodyInput::Form | BodyInput::Messages(_) => true,
    }
}

fn body_text(body: &BodyInput) -> String {
    match body {
        BodyInput::None => "nothing".to_owned(),
        BodyInput::Object(_) => "an object of parameters".to_owned(),
        BodyInput::Value(ty) => type_text::described(ty),
        BodyInput::Bytes => "bytes".to_owned(),
        BodyInput::Stream(_) => "a stream".to_owned(),
        BodyInput::Form => "a form".to_owned(),
        BodyInput::Messages(kind) => format!("{} messages of a WebSocket", kind.name()),
    }
}

// === results ===

fn compare_results(old: &Operation, new: &Operation, changes: &mut Changes) {
    let subject = format!("the result of `{}`", old.function());
    match (old.output(), new.output()) {
        (Output::None, _) if old.outcome.status == new.outcome.status => {}
        (Output::Value(old_type), Output::Value(new_type)) => {
            let is_missing_404 = old.outcome.is_none_missing && new.outcome.is_none_missing;
            let mut comparison = TypeComparison::new(Direction::Output, &subject, changes);
            match (old_type.optional(), new_type.optional()) {
                (None, Some(some)) if new.outcome.is_none_missing => {
                    comparison.compare(old_type, some);
                }
                (Some(old_some), Some(new_some)) if is_missing_404 => {
                    comparison.compare(old_some, new_some);
                }
                _ => comparison.compare(old_type, new_type),
            }
        }
        (old, new) if old == new => {}
        (old, new) => {
            let (old, new) = (output_text(old), output_text(new));
            changes.add(format!("changed {subject} from {old} to {new}"));
            return;
        }
    }
    let (old_status, new_status) = (old.outcome.status.as_u16(), new.outcome.status.as_u16());
    if old_status != new_status {
        changes.add(format!(
            "changed the status of {subject} from {old_status} to {new_status}"
        ));
    }
    if old.location.is_some() && new.location.is_none() {
        changes.add(format!("removed the location of {subject}"));
    }
}

fn output_text(output: &Output) -> String {
    match output {
        Output::None => "nothing".to_owned(),
        Output::Value(ty) => type_text::described(ty),
        Output::Bytes => "bytes".to_owned(),
        Output::Stream(_) => "a stream".to_owned(),
    }
}

// === errors ===

fn compare_errors(function: &str, old: &ErrorOutput, new: &ErrorOutput, changes: &mut Changes) {
    let (Some(old_type), Some(new_type)) = (&old.ty, &new.ty) else {
        if old.rules.rule(0).status != new.rules.rule(0).status {
            changes.add(format!("changed the status of errors of `{function}`"));
        }
        return;
    };
    match (case_names(old_type), case_names(new_type)) {
        (Some(old_cases), Some(new_cases)) => {
            for (index, case) in old_cases.iter().enumerate() {
                // Clients need not be changed for a case that they never get.
                let Some(other) = new_cases.iter().position(|other| other == case) else {
                    continue;
                };
                let subject = format!("error `{case}` of `{function}`");
                let payloads = (
                    types::payload(old_type, index),
                    types::payload(new_type, other),
                );
                compare_error(&subject, (old, index), (new, other), payloads, changes);
            }
        }
        (None, None) => {
            let subject = format!("the error of `{function}`");
            let values = (Some(old_type), Some(new_type));
            compare_error(&subject, (old, 0), (new, 0), values, changes);
        }
        _ => {
            let (old, new) = (
                type_text::described(old_type),
                type_text::described(new_type),
            );
            changes.add(format!(
                "changed the error of `{function}` from {old} to {new}"
            ));
        }
    }
}

fn compare_error(
    subject: &str,
    (old, old_index): (&ErrorOutput, usize),
    (new, new_index): (&ErrorOutput, usize),
    (old_value, new_value): (Option<&Type>, Option<&Type>),
    changes: &mut Changes,
) {
    let (old_rule, new_rule) = (old.rules.rule(old_index), new.rules.rule(new_index));
    let (old_status, new_status) = (old_rule.status.as_u16(), new_rule.status.as_u16());
    if old_status != new_status {
        changes.add(format!(
            "changed the status of {subject} from {old_status} to {new_status}"
        ));
    }
    let old_value = old_value.filter(|_| !old_rule.is_hidden);
    let new_value = new_value.filter(|_| !new_rule.is_hidden);
    match (old_value, new_value) {
        (Some(old), Some(new)) => {
            let subject = format!("the value of {subject}");
            TypeComparison::new(Direction::Output, &subject, changes).compare(old, new);
        }
        (Some(_), None) => changes.add(format!("removed the value of {subject}")),
        (None, _) => {}
    }
}
