//! The limit of open connections of a drill.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::output;

/// Raises the limit of open files of this process and its children to the maximum. Each request
/// in flight has a connection, and a failed connect would count as a request lost by the lattice.
pub(super) fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        output::note(&format!(
            "cannot raise the limit of open files: {error}; requests may fail on this machine"
        ));
    }
}
