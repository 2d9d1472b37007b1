//! Calls over links, without a component runtime.
//!
//! - [`transport`]: the transports of a call's frames, and the traits that send and answer frames.
//! - [`call_task`]: a call in a task of its own, and its caller that waits.
//! - [`stream_table`]: the streams of one call, with their credit and their ends;
//!   [`stream_message`]: the messages about them between the two sides; [`remote_side`]: a side
//!   whose peer is on another host.
//! - [`function_call`]: calls by a caller that is not a component.
//! - [`http_body`]: HTTP bodies as streams of a call; [`message_stream`]: messages of a connection.
//! - [`rejected_frames`]: counts of rejected frames.
//! - [`reply`]: numbers of calls, and frames of their requests and replies.
//! - [`local_components`], [`report`]: the components of an app that a host runs, and the modes of
//!   its links.
//! - [`box_in_place`]: large futures without a copy on the stack.
//!
//! `docs/wire.md` specifies the frames.

pub mod box_in_place;
pub mod call_task;
pub mod function_call;
pub mod http_body;
pub mod local_components;
pub mod message_stream;
pub mod rejected_frames;
pub mod remote_side;
pub mod reply;
pub mod report;
pub mod stream_message;
pub mod stream_table;
pub mod transport;

pub use box_in_place::boxed;
pub use call_task::{Answer, CallTask};
pub use function_call::{FunctionCall, StreamingResult};
pub use http_body::ReceivedBody;
pub use local_components::LocalComponents;
pub use rejected_frames::{RejectReason, RejectedFrames};
pub use remote_side::RemoteSide;
pub use reply::{code_of, encoded, number_call, renumbered, reply_frame};
pub use report::{LinkMode, LinkReport, Protocol};
pub use stream_table::{CallSide, Role};
pub use transport::{
    AdmittedCall, CallEnd, CallServer, Exchange, FrameTransport, Hosts, OutgoingCall, Peer,
    ReplyCallback, TargetSide, late_at_deadline, serve_streams,
};

/// Failure of a call over a link, as its importer receives it. Details stay in the log of the host.
pub type LinkFailure = weft_wire::Failure;

/// The most links in a chain of calls: room for any sensible chain, and a bound for components that
/// call each other in a circle.
pub const DEPTH_MAX: u32 = 16;
