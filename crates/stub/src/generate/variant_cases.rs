//! Code that branches on the case of a variant.

use super::code::{Code, Label, Local};
use super::shape::ShapeId;

/// A writer with a function body.
pub(crate) trait HasCode {
    fn code(&mut self) -> &mut Code;
}

impl HasCode for Code {
    fn code(&mut self) -> &mut Code {
        self
    }
}

/// The cases of a variant by payload: cases with equal payloads share their code.
#[derive(Debug)]
pub(crate) struct CaseSwitch {
    payloads: Vec<ShapeId>,
    /// For each case the index of its payload.
    arms: Vec<Option<usize>>,
}

impl CaseSwitch {
    pub(crate) fn new(cases: &[Option<ShapeId>]) -> Self {
        let mut payloads = Vec::new();
        let arm_of = |payload: &Option<ShapeId>| {
            let payload = (*payload)?;
            let known = payloads.iter().position(|known| *known == payload);
            Some(known.unwrap_or_else(|| {
                payloads.push(payload);
                payloads.len() - 1
            }))
        };
        let arms = cases.iter().map(arm_of).collect();
        Self { payloads, arms }
    }

    /// Writes the code of each payload by `arm`, and the branch to it by the valid discriminant in
    /// `tag`.
    pub(crate) fn emit<W: HasCode>(
        &self,
        writer: &mut W,
        tag: Local,
        mut arm: impl FnMut(&mut W, ShapeId),
    ) {
        if let ([payload], [first, second]) = (self.payloads.as_slice(), self.arms.as_slice())
            && first.is_some() != second.is_some()
        {
            writer.code().add().local_get(tag);
            if first.is_some() {
                writer.code().add().i32_eqz();
            }
            writer.code().if_();
            arm(writer, *payload);
            writer.code().end();
            return;
        }
        let done = writer.code().block();
        let labels: Vec<Label> = self
            .payloads
            .iter()
            .map(|_| writer.code().block())
            .collect();
        let nothing = writer.code().block();
        let label_of = |place: &Option<usize>| place.map_or(nothing, |place| labels[place]);
        let table: Vec<Label> = self.arms.iter().map(label_of).collect();
        writer.code().add().local_get(tag);
        writer.code().branch_table(&table, nothing);
        writer.code().end();
        writer.code().branch(done);
        // The innermost block ends first, so the arms are in reverse order.
        for payload in self.payloads.iter().rev() {
            writer.code().end();
            arm(writer, *payload);
            writer.code().branch(done);
        }
        writer.code().end();
    }
}
