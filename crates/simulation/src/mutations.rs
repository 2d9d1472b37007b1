//! Planted mistakes, each at an input or output of the real hosts. The tests run each of them, to
//! prove that the simulation finds it.

/// A mistake in a host or in its surroundings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Declares every call repeatable.
    RetriesEverything,
    /// Does not report the loss of the bus to its host.
    NeverFreezes,
    /// Starts each process with an empty disk.
    ForgetsDisk,
    /// Rejects the records that hosts write back to a bucket that lost them.
    NeverRefills,
    /// Publishes labels that hosts do not have.
    PublishesWrongLabels,
    /// Drops heartbeats that have arrived.
    MissesHeartbeats,
    /// Delivers heartbeats that their sender did not send.
    ForgesHeartbeats,
    /// Runs calls, and replies that it is busy.
    RunsRejectedCalls,
    /// Replies to calls without running them.
    RepliesWithoutRunning,
    /// Waits for replies longer than the deadline.
    WaitsTooLong,
    /// Rejects calls after the last fault.
    StaysBusy,
    /// Stops an app while it prepares the next share of it.
    StopsBeforeHandover,
    /// Counts the revision of a change from the bucket alone, even where the host has a later one.
    CountsFromBucketOnly,
    /// Loses the heartbeats with which hosts refute an earlier incarnation.
    LosesRefutations,
    /// Starts a second process of an identity with the incarnation of the first.
    SharesIncarnation,
}

impl Mutation {
    /// All mutations.
    pub const ALL: [Self; 15] = [
        Self::RetriesEverything,
        Self::NeverFreezes,
        Self::ForgetsDisk,
        Self::NeverRefills,
        Self::PublishesWrongLabels,
        Self::MissesHeartbeats,
        Self::ForgesHeartbeats,
        Self::RunsRejectedCalls,
        Self::RepliesWithoutRunning,
        Self::WaitsTooLong,
        Self::StaysBusy,
        Self::StopsBeforeHandover,
        Self::CountsFromBucketOnly,
        Self::LosesRefutations,
        Self::SharesIncarnation,
    ];
}
