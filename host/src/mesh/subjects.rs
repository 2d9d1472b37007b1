//! The subjects of a lattice: who speaks where.

use weft_lattice::bus::{Part, Pattern, Scope, Subject, SubjectError};
use weft_lattice::membership::HostId;

/// Heartbeats, by the host that lives.
const HEARTBEATS: &str = "heartbeats";
/// Inventories, by the host that has it.
const INVENTORIES: &str = "inventories";
/// Questions for an inventory, by the host that is asked.
const ASKS: &str = "asks";
/// Calls over links, by the host that is to answer.
const CALLS: &str = "calls";

/// Where a host tells that it lives.
///
/// # Errors
/// None that a host's own names can have; so it is with all of these.
pub(super) fn heartbeats(scope: &Scope, of: HostId) -> Result<Subject, SubjectError> {
    of_host(scope, HEARTBEATS, of)
}

/// Where all hosts tell that they live.
pub(super) fn all_heartbeats(scope: &Scope) -> Result<Pattern, SubjectError> {
    scope.pattern(&[Part::Name(HEARTBEATS), Part::Any])
}

/// Where a host tells what it has.
pub(super) fn inventories(scope: &Scope, of: HostId) -> Result<Subject, SubjectError> {
    of_host(scope, INVENTORIES, of)
}

/// Where all hosts tell what they have.
pub(super) fn all_inventories(scope: &Scope) -> Result<Pattern, SubjectError> {
    scope.pattern(&[Part::Name(INVENTORIES), Part::Any])
}

/// Where a host is asked what it has.
pub(super) fn asks(scope: &Scope, of: HostId) -> Result<Subject, SubjectError> {
    of_host(scope, ASKS, of)
}

/// Where a host takes calls.
pub(super) fn calls(scope: &Scope, to: HostId) -> Result<Subject, SubjectError> {
    of_host(scope, CALLS, to)
}

fn of_host(scope: &Scope, what: &str, host: HostId) -> Result<Subject, SubjectError> {
    scope.subject(&[what, &host.to_string()])
}
