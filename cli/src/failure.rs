//! Failures of commands: the messages for the user and the exit code.

use std::error::Error;
use std::process::ExitCode;

use weft_control::{ClientError, ErrorBody, ErrorCode};

/// The kinds of failures that scripts distinguish by the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The host rejected the request, or the command could not finish.
    Failed,
    /// The user's input is invalid: an argument, a manifest, a file, an expression.
    Input,
    /// The host is not reachable, or rejects the token.
    Host,
    /// The called guest trapped or exceeded its deadline.
    Guest,
    /// Another process has the identity of the host.
    Identity,
    /// The user interrupted the command.
    Interrupted,
}

/// The failure of a command: one kind, and a message for each error.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    messages: Vec<Message>,
    /// The host or lattice of the command, if the command line does not show it.
    host: Option<String>,
}

/// One error, in the form in which it is printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A message with causes and help.
    Plain(Plain),
    /// Preformatted text: the diagnostics of a manifest.
    Formatted(String),
}

/// A message, its causes and the next step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) message: String,
    /// The causes, outermost first.
    pub(crate) causes: Vec<String>,
    /// The next step for the user.
    pub(crate) help: Option<String>,
}

// === impl Kind ===

impl Kind {
    /// The exit code, as listed in `weft --help` and `docs/cli.md`.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    fn number(self) -> u8 {
        match self {
            Kind::Failed => 1,
            // The same code as `clap` uses for invalid arguments.
            Kind::Input => 2,
            Kind::Host => 3,
            Kind::Guest => 4,
            Kind::Identity => 5,
            // The code of a process that SIGINT ended, in shells.
            Kind::Interrupted => 130,
        }
    }
}

impl From<ErrorCode> for Kind {
    fn from(code: ErrorCode) -> Kind {
        match code {
            ErrorCode::Unauthorized => Kind::Host,
            ErrorCode::BadRequest => Kind::Input,
            ErrorCode::Trapped | ErrorCode::Deadline => Kind::Guest,
            ErrorCode::NotFound
            | ErrorCode::Conflict
            | ErrorCode::Refused
            | ErrorCode::Busy
            | ErrorCode::Internal => Kind::Failed,
        }
    }
}

// === impl Failure ===

impl Failure {
    /// Creates a failure with one message.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure::all(kind, vec![Plain::new(message).into()])
    }

    /// Creates a failure with a message for each of several errors.
    pub(crate) fn all(kind: Kind, messages: Vec<Message>) -> Failure {
        Failure {
            kind,
            messages,
            host: None,
        }
    }

    /// One failure with the messages of several, and the kind of the first; `None` without one.
    pub(crate) fn merge(failures: Vec<Failure>) -> Option<Failure> {
        let kind = failures.first()?.kind;
        let messages = failures.into_iter().flat_map(|failure| failure.messages);
        Some(Failure::all(kind, messages.collect()))
    }

    /// Creates a failure from an error and its sources.
    pub(crate) fn from_error(kind: Kind, error: &dyn Error) -> Failure {
        Failure::all(kind, vec![Plain::from_error(error).into()])
    }

    /// The kind, which determines the exit code.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The messages, in order.
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The host or lattice of the command, if the command line does not show it.
    pub(crate) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Names the host or lattice of the command.
    pub(crate) fn of_host(self, host: String) -> Failure {
        Failure {
            host: Some(host),
            ..self
        }
    }

    /// True if a message or cause contains `text`.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.messages.iter().any(|message| match message {
            Message::Plain(Plain {
                message, causes, ..
            }) => std::iter::once(message)
                .chain(causes)
                .any(|it| it.contains(text)),
            Message::Formatted(formatted) => formatted.contains(text),
        })
    }

    /// Replaces the help.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Failure {
        if let Some(plain) = self.last_plain() {
            plain.help = Some(help.into());
        }
        self
    }

    /// Appends an error and its sources as causes.
    pub(crate) fn caused_by(mut self, cause: &dyn Error) -> Failure {
        if let Some(plain) = self.last_plain() {
            plain.causes.extend(chain(cause));
        }
        self
    }

    /// Adds an outer message; the current message becomes its cause.
    pub(crate) fn within(mut self, message: impl Into<String>) -> Failure {
        if let Some(plain) = self.last_plain() {
            let cause = std::mem::replace(&mut plain.message, message.into());
            plain.causes.insert(0, cause);
        }
        self
    }

    /// Adds help unless the failure has help already.
    pub(crate) fn or_help(mut self, help: impl Into<String>) -> Failure {
        if let Some(plain) = self.last_plain() {
            plain.help.get_or_insert_with(|| help.into());
        }
        self
    }

    fn last_plain(&mut self) -> Option<&mut Plain> {
        match self.messages.last_mut() {
            Some(Message::Plain(plain)) => Some(plain),
            Some(Message::Formatted(_)) | None => None,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        match error {
            ClientError::Refused { body, .. } => from_host(body),
            ClientError::Unreachable { .. } => Failure::from_error(Kind::Host, &error).or_help(
                "start a host with `weft up`, or give the address of a running host with \
                     `--admin HOST:PORT`",
            ),
            ClientError::Bus { .. } => Failure::from_error(Kind::Host, &error).or_help(
                "check the host with `weft get hosts`; repeat the command to use another host",
            ),
            ClientError::Objects { .. } => Failure::from_error(Kind::Failed, &error).or_help(
                "over NATS, artifacts are uploaded to JetStream; use `--admin HOST:PORT` to upload \
                     to a host",
            ),
            ClientError::Follow => Failure::from_error(Kind::Input, &error)
                .or_help("omit `-f`, or use `--admin HOST:PORT` instead of `--nats`"),
            ClientError::Timeout { .. }
            | ClientError::Protocol { .. }
            | ClientError::Unexpected { .. } => Failure::from_error(Kind::Host, &error)
                .or_help("check with `weft get hosts` that the host runs this version of weft"),
        }
    }
}

/// The failure for an error reply of a host.
fn from_host(body: ErrorBody) -> Failure {
    let ErrorBody {
        code,
        message,
        causes,
        help,
        // Commands that have the manifest show them in place of the causes.
        mistakes: _,
    } = body;
    let failure = Failure::all(
        code.into(),
        vec![
            Plain {
                message,
                causes,
                help,
            }
            .into(),
        ],
    );
    match code {
        ErrorCode::Unauthorized => failure.or_help(
            "select the data directory of that host, which contains its token, with `--data-dir` or \
                 `WEFT_DATA_DIR`",
        ),
        ErrorCode::Busy => failure.or_help("retry in a moment"),
        ErrorCode::Internal => failure.or_help("see the log of the host"),
        ErrorCode::BadRequest
        | ErrorCode::NotFound
        | ErrorCode::Conflict
        | ErrorCode::Refused
        | ErrorCode::Trapped
        | ErrorCode::Deadline => failure,
    }
}

// === impl Message, Plain ===

impl From<Plain> for Message {
    fn from(plain: Plain) -> Message {
        Message::Plain(plain)
    }
}

impl Plain {
    /// The message and its causes in one line.
    pub(crate) fn in_one_line(&self) -> String {
        let mut line = self.message.clone();
        for cause in &self.causes {
            line += &format!(": {cause}");
        }
        line
    }

    /// Creates a message without causes and help.
    pub(crate) fn new(message: impl Into<String>) -> Plain {
        Plain {
            message: message.into(),
            ..Plain::default()
        }
    }

    /// Creates a message from an error and its sources.
    pub(crate) fn from_error(error: &dyn Error) -> Plain {
        Plain {
            message: error.to_string(),
            causes: error.source().map(chain).unwrap_or_default(),
            help: None,
        }
    }
}

/// The error and its sources, one text for each level.
pub(crate) fn chain(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        texts.push(cause.to_string());
        source = cause.source();
    }
    texts
}

#[cfg(test)]
mod tests {
    use weft_lattice_config::Mistakes;

    use super::*;

    fn refusal(code: ErrorCode, help: Option<&str>) -> Failure {
        from_host(ErrorBody {
            code,
            message: "no app `shp` is deployed".to_owned(),
            causes: vec!["it was never there".to_owned()],
            help: help.map(str::to_owned),
            mistakes: Mistakes::default(),
        })
    }

    #[test]
    fn every_code_of_a_host_has_an_exit_code() {
        let cases = [
            (ErrorCode::Unauthorized, 3),
            (ErrorCode::BadRequest, 2),
            (ErrorCode::NotFound, 1),
            (ErrorCode::Conflict, 1),
            (ErrorCode::Refused, 1),
            (ErrorCode::Trapped, 4),
            (ErrorCode::Deadline, 4),
            (ErrorCode::Busy, 1),
            (ErrorCode::Internal, 1),
        ];
        for (code, expected) in cases {
            assert_eq!(refusal(code, None).kind().number(), expected, "{code:?}");
        }
    }

    #[test]
    fn an_unreachable_host_is_exit_code_3_with_help_to_start_one() {
        let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let failure = Failure::from(ClientError::Unreachable {
            address: "a:1".to_owned(),
            source,
        });
        assert_eq!(failure.kind().number(), 3);
        let [Message::Plain(plain)] = failure.messages() else {
            panic!("{failure:?}")
        };
        assert_eq!(plain.causes.len(), 1);
        assert!(
            plain
                .help
                .as_ref()
                .is_some_and(|help| help.contains("weft up"))
        );
    }

    #[test]
    fn the_help_of_a_host_is_not_replaced() {
        let failure = refusal(ErrorCode::Unauthorized, Some("ask"));
        let [Message::Plain(plain)] = failure.messages() else {
            panic!("{failure:?}")
        };
        assert_eq!(plain.help.as_deref(), Some("ask"));
        assert_eq!(plain.causes, ["it was never there"]);
    }
}
