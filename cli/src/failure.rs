//! What a user is told when a command does not succeed, and the exit code it ends with.

use std::error::Error;
use std::process::ExitCode;

use weft_control::{ClientError, ErrorBody, ErrorCode};

/// What kind of thing went wrong: what a script can tell apart by the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The host refused, or the command could not do its work.
    Failed,
    /// What the user gave cannot be used: a manifest, a file, an expression.
    Input,
    /// No host answers there, or it does not accept the token.
    Host,
    /// The called guest trapped or did not finish in time.
    Guest,
}

/// Why a command did not succeed: one kind, and a message for each mistake.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    messages: Vec<Message>,
}

/// One mistake, in the form in which it is printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A sentence, what led to it, and what to do next.
    Plain(Plain),
    /// Text that has a form of its own: the mistakes of a manifest, shown as a compiler does.
    Formatted(String),
}

/// A sentence, what led to it (outermost first), and what to do next.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plain {
    /// What happened.
    pub(crate) message: String,
    /// What led to it.
    pub(crate) causes: Vec<String>,
    /// What to do next.
    pub(crate) help: Option<String>,
}

// === impl Kind ===

impl Kind {
    /// The exit code; `weft --help` and `docs/cli.md` list them.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    fn number(self) -> u8 {
        match self {
            Kind::Failed => 1,
            // The code `clap` uses for a mistake in the arguments.
            Kind::Input => 2,
            Kind::Host => 3,
            Kind::Guest => 4,
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
    /// A failure that one sentence explains.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure::all(kind, vec![Plain::new(message).into()])
    }

    /// A failure with a message for each of several mistakes.
    pub(crate) fn all(kind: Kind, messages: Vec<Message>) -> Failure {
        Failure { kind, messages }
    }

    /// An error and everything that led to it.
    pub(crate) fn from_error(kind: Kind, error: &dyn Error) -> Failure {
        Failure::all(kind, vec![Plain::from_error(error).into()])
    }

    /// The kind, which decides the exit code.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// The messages, in order.
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// Adds what led to it.
    pub(crate) fn caused_by(mut self, cause: &dyn Error) -> Failure {
        if let Some(plain) = self.last_plain() {
            plain.causes.extend(chain(cause));
        }
        self
    }

    /// Puts the failure into a larger one: what it said becomes the cause.
    pub(crate) fn within(mut self, message: impl Into<String>) -> Failure {
        if let Some(plain) = self.last_plain() {
            let cause = std::mem::replace(&mut plain.message, message.into());
            plain.causes.insert(0, cause);
        }
        self
    }

    /// Says what to do next, unless that is said already.
    pub(crate) fn or_help(mut self, help: impl Into<String>) -> Failure {
        if let Some(plain) = self.last_plain() {
            plain.help.get_or_insert_with(|| help.into());
        }
        self
    }

    /// Says what to do next, in place of what was said before.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Failure {
        if let Some(plain) = self.last_plain() {
            plain.help = Some(help.into());
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
            ClientError::Refused { body, .. } => refused(body),
            ClientError::Unreachable { .. } => Failure::from_error(Kind::Host, &error).or_help(
                "start a host with `weft up`, or say where one runs with `--admin HOST:PORT`",
            ),
            ClientError::Bus { .. } => Failure::from_error(Kind::Host, &error)
                .or_help("`weft get hosts` shows whether it is there; ask again for another host"),
            ClientError::Objects { .. } => Failure::from_error(Kind::Failed, &error).or_help(
                "component bytes go to JetStream over the bus; with `--admin` they go to a host",
            ),
            ClientError::Follow => Failure::from_error(Kind::Input, &error).or_help(
                "leave out `-f`, or give `--admin HOST:PORT` of a host in place of `--nats`",
            ),
            ClientError::Timeout { .. }
            | ClientError::Protocol { .. }
            | ClientError::Unexpected { .. } => Failure::from_error(Kind::Host, &error)
                .or_help("check with `weft get hosts` that it is a host of this version of weft"),
        }
    }
}

fn refused(body: ErrorBody) -> Failure {
    let ErrorBody {
        code,
        message,
        causes,
        help,
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
            "give the data directory of that host with `--data-dir` or `WEFT_DATA_DIR`: it holds the token",
        ),
        ErrorCode::Busy => failure.or_help("try again in a moment"),
        ErrorCode::Internal => failure.or_help("the log of the host says more"),
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
    /// A sentence alone.
    pub(crate) fn new(message: impl Into<String>) -> Plain {
        Plain {
            message: message.into(),
            ..Plain::default()
        }
    }

    /// An error and everything that led to it.
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
    use super::*;

    fn refusal(code: ErrorCode, help: Option<&str>) -> Failure {
        refused(ErrorBody {
            code,
            message: "no app `shp` is deployed".to_owned(),
            causes: vec!["it was never there".to_owned()],
            help: help.map(str::to_owned),
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
    fn a_host_that_is_not_there_is_exit_code_3_and_says_how_to_start_one() {
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
    fn what_the_host_advises_is_kept() {
        let failure = refusal(ErrorCode::Unauthorized, Some("ask"));
        let [Message::Plain(plain)] = failure.messages() else {
            panic!("{failure:?}")
        };
        assert_eq!(plain.help.as_deref(), Some("ask"));
        assert_eq!(plain.causes, ["it was never there"]);
    }
}
