//! Modes of the links of an app, with their reasons, for `weft get links` and `weft link why`.

use std::time::Duration;

/// Mode of a link: the path of its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkMode {
    /// Composed into one component: a call within one store.
    Fused,
    /// Between two stores of one host.
    Local,
    /// Over the bus, to a host that runs the target.
    Remote,
}

/// The HTTP interface that a component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `wasi:http/incoming-handler` 0.2.
    HttpP2,
    /// `wasi:http/handler` 0.3.
    HttpP3,
}

/// Link of one import of a component to another component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// Index of the link in the manifest.
    pub link: usize,
    /// Name of the import.
    pub import: String,
    /// Mode of the link.
    pub mode: LinkMode,
    /// Reasons why the link is not fused; empty if it is fused.
    pub reasons: Vec<String>,
    /// Each function and the path of its calls.
    pub functions: Vec<(String, &'static str)>,
    /// Longest duration of a call, by the manifest.
    pub deadline: Option<Duration>,
}

impl LinkMode {
    /// Name of the mode in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Local => "local",
            Self::Remote => "remote",
        }
    }
}
