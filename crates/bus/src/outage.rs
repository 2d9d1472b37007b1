//! The reason why a connection is down, as far as the last attempt shows it.

use std::fmt;
use std::sync::Arc;

/// The reason of the last failed attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    kind: OutageKind,
    /// The address; `None` in an in-process network, or if the client does not report it.
    server: Option<Arc<str>>,
    detail: Arc<str>,
}

/// The kind of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutageKind {
    /// The server does not answer, or not as a NATS server. It may be back soon.
    Unreachable,
    /// TLS with the server fails: a mistake in the certificates or in the options of TLS.
    Tls,
    /// The server rejects the login: a mistake in the credentials or in their permissions.
    Login,
    /// The server accepts no messages that are large enough for hosts: a mistake in its settings.
    MaxPayload,
}

impl Outage {
    /// The outage behind the text of a client's error.
    pub(crate) fn of_error(server: &str, error: &str) -> Self {
        let lower = error.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        let kind = if has(&["authorization", "authentication", "nonce", "permissions"]) {
            OutageKind::Login
        } else if has(&["tls", "certificate", "fatal alert", "corrupt message"]) {
            OutageKind::Tls
        } else {
            OutageKind::Unreachable
        };
        // The client names the kind of its error first, which is said already.
        let detail = error.strip_prefix("IO error: ").unwrap_or(error);
        let detail = detail
            .strip_prefix("authorization violation: ")
            .unwrap_or(detail);
        let detail = detail.strip_prefix("nats: ").unwrap_or(detail);
        Self {
            kind,
            server: Some(server.into()),
            detail: detail.into(),
        }
    }

    /// The outage behind an error that a server reported after the login.
    pub(crate) fn of_server_error(error: &str) -> Self {
        Self {
            server: None,
            ..Self::of_error("", error)
        }
    }

    /// The outage of a server that accepts at most `found` bytes, less than `min`.
    pub(crate) fn of_max_payload(found: usize, min: usize) -> Self {
        let detail = format!("expected a `max_payload` of at least {min} bytes, found {found}");
        Self {
            kind: OutageKind::MaxPayload,
            server: None,
            detail: detail.into(),
        }
    }

    /// The outage of a host in an in-process network.
    pub(crate) fn in_process(detail: &str) -> Self {
        Self {
            kind: OutageKind::Unreachable,
            server: None,
            detail: detail.into(),
        }
    }

    /// The kind of the outage.
    #[must_use]
    pub fn kind(&self) -> OutageKind {
        self.kind
    }

    /// True if a mistake in the settings is the cause, so that the connection will not return by
    /// itself.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        self.kind != OutageKind::Unreachable
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            server,
            detail,
        } = self;
        let server = match server {
            Some(server) => format!("NATS server `{server}`"),
            None => "NATS server".to_owned(),
        };
        match kind {
            OutageKind::Unreachable => write!(formatter, "{server} is not reachable: {detail}"),
            OutageKind::Tls => write!(
                formatter,
                "TLS with {server} failed: {detail}; check the certificates of authorities, and \
                 the client certificate if the server requires one"
            ),
            OutageKind::MaxPayload => write!(
                formatter,
                "{server} accepts only messages that are too small: {detail}; change the \
                 configuration of the server"
            ),
            OutageKind::Login => write!(
                formatter,
                "{server} rejected the login: {detail}; check the user, token, nkey or \
                 credentials, and their permissions"
            ),
        }
    }
}

impl std::error::Error for Outage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_told_from_servers_that_may_be_back_soon() {
        use OutageKind::{Login, Tls, Unreachable};
        for (error, kind, detail) in [
            (
                "authorization violation: nats: authorization violation",
                Login,
                "authorization violation",
            ),
            (
                "IO error: nats: User Authentication Expired",
                Login,
                "User Authentication Expired",
            ),
            ("failed signing nonce", Login, "failed signing nonce"),
            (
                "nats: Permissions Violation for Subscription to \"a\"",
                Login,
                "Permissions Violation for Subscription",
            ),
            (
                "IO error: invalid peer certificate: UnknownIssuer",
                Tls,
                "invalid peer certificate: UnknownIssuer",
            ),
            (
                "IO error: received fatal alert: CertificateRequired",
                Tls,
                "received fatal alert: CertificateRequired",
            ),
            (
                "IO error: Connection refused (os error 111)",
                Unreachable,
                "Connection refused (os error 111)",
            ),
            ("timed out", Unreachable, "timed out"),
        ] {
            let outage = Outage::of_error("a:4222", error);
            assert_eq!(outage.kind(), kind, "{error}");
            let text = outage.to_string();
            assert!(text.contains("`a:4222`") && text.contains(detail), "{text}");
        }
    }
}
