//! The ends of a socket, and their close codes.

use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};
use weft_api::MessageKind;

/// The most bytes of a reason: a control frame has 125, and two of them are the code.
const REASON_BYTES_MAX: usize = 123;

/// The reason why a socket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The component has sent everything.
    Complete,
    /// The client closed the socket.
    ClientClosed,
    /// The client is gone, or does not read.
    Left(&'static str),
    /// The host stops.
    Stopping,
    /// The client broke the protocol or a limit, or the call failed.
    Closed(CloseCode, String),
}

impl End {
    /// A failure of the call, with a reason that may be sent to the client.
    pub(super) fn failed(reason: String) -> Self {
        Self::closed(CloseCode::Error, reason)
    }

    /// A message of the kind that the component does not take.
    pub(super) fn unexpected(expected: MessageKind) -> Self {
        let expected = match expected {
            MessageKind::Text => "expected messages of text",
            MessageKind::Binary => "expected binary messages",
        };
        Self::closed(CloseCode::Unsupported, expected.to_owned())
    }

    /// A host without room for the message.
    pub(super) fn no_room() -> Self {
        let reason = "the host receives too many large messages at the moment";
        Self::closed(CloseCode::Again, reason.to_owned())
    }

    /// A message of more than `bytes_max` bytes.
    pub(super) fn too_large(bytes_max: usize) -> Self {
        let reason = format!("expected messages of at most {bytes_max} bytes (`limits.body`)");
        Self::closed(CloseCode::Size, reason)
    }

    /// The end of a socket that cannot be read any more.
    pub(super) fn of_error(error: &Error, bytes_max: usize) -> Self {
        match error {
            Error::Capacity(_) => Self::too_large(bytes_max),
            Error::Utf8(_) => Self::closed(CloseCode::Invalid, "expected UTF-8".to_owned()),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Left("its client left")
            }
            Error::Protocol(error) => Self::closed(CloseCode::Protocol, error.to_string()),
            _ => Self::Left("its client left"),
        }
    }

    fn closed(code: CloseCode, reason: String) -> Self {
        Self::Closed(code, reason)
    }

    /// The frame that closes the socket.
    pub(super) fn frame(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Complete => (CloseCode::Normal, ""),
            Self::Stopping => (CloseCode::Away, "the host stops"),
            Self::Closed(code, reason) => (*code, reason.as_str()),
            Self::ClientClosed | Self::Left(_) => return None,
        };
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        let reason = Utf8Bytes::from(&reason[..end]);
        Some(CloseFrame { code, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_have_the_codes_of_the_protocol() {
        for (end, code) in [
            (End::Complete, Some(1000)),
            (End::Stopping, Some(1001)),
            (End::unexpected(MessageKind::Text), Some(1003)),
            (End::of_error(&Error::Utf8(String::new()), 1), Some(1007)),
            (End::too_large(1), Some(1009)),
            (End::failed("é".repeat(100)), Some(1011)),
            (End::no_room(), Some(1013)),
            (End::ClientClosed, None),
            (End::Left("its client left"), None),
        ] {
            let frame = end.frame();
            let found = frame.as_ref().map(|frame| u16::from(frame.code));
            assert_eq!(found, code, "{end:?}");
            let length = frame.map_or(0, |frame| frame.reason.len());
            assert!(length <= REASON_BYTES_MAX, "{end:?}");
        }
    }
}
