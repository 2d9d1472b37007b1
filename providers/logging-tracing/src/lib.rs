//! A logging provider that writes to the log of the host.
