//! Rules that can be broken on purpose: that a simulation finds a broken one is how we know that it would.

/// A rule of the lattice that hosts of a simulation do not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Every call is made again when its answer does not come.
    RetriesEverything,
    /// The loss of a host's own bus goes unnoticed, and so does its own standstill.
    NeverFreezes,
    /// What the bucket does not have is not wanted any more.
    DeletesMissingRecords,
    /// What the bucket has lost is not written anew.
    NeverRefills,
    /// Placement does not see what components require.
    IgnoresRequirements,
    /// Hosts are dead after a shorter silence.
    DeclaresDeadEarly,
    /// What is to run elsewhere stops at once.
    StopsBeforeHandover,
    /// A change is counted from what the bucket has, even where the host knows of a later one.
    CountsFromBucketOnly,
}

impl Mutation {
    /// All of them.
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
