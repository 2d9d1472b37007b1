//! Deliberately broken rules. The tests run each of them, to prove that the simulation finds the
//! violation.

/// A rule of the lattice that the hosts of a simulation break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Repeats every call without an answer, also those that are not repeatable.
    RetriesEverything,
    /// Ignores the loss of a host's own bus and its own hang.
    NeverFreezes,
    /// Deletes the records that the bucket lacks.
    DeletesMissingRecords,
    /// Leaves the records that the bucket lost unwritten.
    NeverRefills,
    /// Ignores required labels in placement.
    IgnoresRequirements,
    /// Declares hosts dead after a shorter silence.
    DeclaresDeadEarly,
    /// Stops a component before it is ready on its new host.
    StopsBeforeHandover,
    /// Counts the revision of a change from the bucket alone, even where the host has a later one.
    CountsFromBucketOnly,
}

impl Mutation {
    /// All mutations.
    pub const ALL: [Self; 8] = [
        Self::RetriesEverything,
        Self::NeverFreezes,
        Self::DeletesMissingRecords,
        Self::NeverRefills,
        Self::IgnoresRequirements,
        Self::DeclaresDeadEarly,
        Self::StopsBeforeHandover,
        Self::CountsFromBucketOnly,
    ];
}
