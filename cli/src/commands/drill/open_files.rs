//! How many connections a drill may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::output;

/// Raises the limit of open files of this process, and of those it starts, as far as that goes: each request under
/// way has a connection, and one that cannot be made would be counted as lost by the lattice.
pub(super) fn raise_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        output::note(&format!(
            "the limit of open files stays as it is ({error}): many requests at once may fail here"
        ));
    }
}
