//! The outcome of each call, as only the simulation can observe it.

use std::collections::BTreeMap;
use std::time::Duration;

use weft_membership::message::ComponentId;
use weft_membership::routing::Repeat;
use weft_wire::FailureCode;

/// All calls.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    pub(crate) calls: Vec<Call>,
}

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) target: ComponentId,
    pub(crate) caller: usize,
    pub(crate) repeat: Repeat,
    pub(crate) begun: Duration,
    pub(crate) deadline: Duration,
    /// The number of runs, by host.
    pub(crate) runs: BTreeMap<usize, u32>,
    pub(crate) end: Option<CallEnd>,
}

/// The end of a call for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answered,
    Failed(FailureCode),
    /// The process of the caller ended.
    Abandoned,
}

impl CallLog {
    pub(crate) fn open(&mut self, call: Call) -> u64 {
        self.calls.push(call);
        self.calls.len() as u64 - 1
    }

    pub(crate) fn call(&self, number: u64) -> &Call {
        &self.calls[number as usize]
    }

    pub(crate) fn call_mut(&mut self, number: u64) -> &mut Call {
        &mut self.calls[number as usize]
    }
}

impl Call {
    pub(crate) fn runs_count(&self) -> u32 {
        self.runs.values().sum()
    }

    /// True if the failure code promises that the call did not run.
    pub(crate) fn is_reported_not_run(&self) -> bool {
        match self.end {
            Some(CallEnd::Failed(code)) => matches!(
                code,
                FailureCode::Unreachable | FailureCode::Busy | FailureCode::Refused
            ),
            Some(CallEnd::Answered | CallEnd::Abandoned) | None => false,
        }
    }
}
