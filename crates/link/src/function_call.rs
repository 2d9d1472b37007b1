//! Calls of functions by a caller that is not a component, as a route that serves an interface.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http_body::Body;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use weft_lattice_config::placement::ComponentId;
use weft_wire::{End, FailureCode, Frame, Importer, Request, Target};

use crate::http_body::{ReceivedBody, SendError};
use crate::message_stream::MessageSender;
use crate::transport::{late, late_at_deadline};
use crate::{
    Answer, CallEnd, CallSide, CallTask, FrameTransport, LinkFailure, OutgoingCall, encoded,
    number_call,
};

/// A call of a function, with encoded arguments.
#[derive(Debug, Clone, Copy)]
pub struct FunctionCall<'a> {
    /// The component.
    pub target: &'a Arc<ComponentId>,
    /// The name of the component's export.
    pub interface: &'a str,
    /// The name of the function in the interface.
    pub function: &'a str,
    /// The name of the caller, for the logs of the component.
    pub caller: &'a str,
    /// The longest duration of the call.
    pub time_limit: Duration,
    /// True if a retry is allowed after the call may have run.
    pub is_idempotent: bool,
    /// The parameters as a tuple, in the encoding of the wire.
    pub arguments: &'a [u8],
}

/// The result of a streaming call, whose streams may follow.
pub struct StreamingResult {
    /// The encoded result.
    pub result: Bytes,
    side: Arc<CallSide>,
    deadline: Instant,
    /// The call, until a body owns it.
    task: Option<AbortOnDropHandle<()>>,
}

impl FunctionCall<'_> {
    /// Makes the call of a function that is not concurrent, and returns the encoded result.
    ///
    /// # Errors
    /// The failure of the call.
    pub async fn make(self, transport: &FrameTransport) -> Result<Bytes, LinkFailure> {
        let number = number_call();
        let outgoing = OutgoingCall {
            number,
            target: self.target.clone(),
            frame: self.frame(number).into(),
            deadline: Instant::now() + self.time_limit,
            is_idempotent: self.is_idempotent,
        };
        let (answer, peer) = transport.exchange(outgoing, None).await?;
        let Ok(Frame::Reply(reply)) = Frame::decode(&answer) else {
            return Err(self.lost("the reply is malformed"));
        };
        // The component has resources, and this caller keeps no handles of them.
        if let Some(session) = reply.session {
            let end = encoded(&Frame::End(End {
                session: session.id,
            }));
            transport.send(peer, end);
        }
        reply.outcome.map(|payload| answer.slice_ref(payload))
    }

    /// Makes the call of an `async func`, or of a function with streams. `body` is the stream 0 of
    /// the arguments. The call runs in `tasks`, and continues there after its result, until its
    /// streams end or its deadline passes. Dropping the future before the result cancels the call,
    /// and so does a body that fails.
    ///
    /// # Errors
    /// The failure of the call; `maybe-executed` if the body failed.
    pub async fn make_streaming<B>(
        self,
        transport: &FrameTransport,
        tasks: &TaskTracker,
        body: Option<B>,
    ) -> Result<StreamingResult, LinkFailure>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Send + 'static,
    {
        let upload = |side: &Arc<CallSide>, deadline| {
            body.map(|body| side.give_body(deadline).1.try_send(body))
        };
        self.make_sending(transport, tasks, upload).await
    }

    /// Makes the call of a function with messages, which are the stream 0 of the arguments, as
    /// encoded chunks. They are taken once the component waits for them. Otherwise like
    /// [`Self::make_streaming`].
    ///
    /// # Errors
    /// The failure of the call; `maybe-executed` if the messages failed.
    pub async fn make_with_messages<M, E>(
        self,
        transport: &FrameTransport,
        tasks: &TaskTracker,
        messages: M,
    ) -> Result<StreamingResult, LinkFailure>
    where
        M: Stream<Item = Result<Vec<u8>, E>> + Send + Unpin + 'static,
        E: Send + 'static,
    {
        let upload = |side: &Arc<CallSide>, deadline| {
            Some(MessageSender::give(side, deadline).send(messages))
        };
        self.make_sending(transport, tasks, upload).await
    }

    /// Makes a streaming call. `upload` sends the first stream of its side, whose number is 0.
    async fn make_sending<F>(
        self,
        transport: &FrameTransport,
        tasks: &TaskTracker,
        upload: impl FnOnce(&Arc<CallSide>, Instant) -> Option<F>,
    ) -> Result<StreamingResult, LinkFailure>
    where
        F: Future<Output = Result<(), SendError>> + Send + 'static,
    {
        let number = number_call();
        let deadline = Instant::now() + self.time_limit;
        let outgoing = OutgoingCall {
            number,
            target: self.target.clone(),
            frame: self.frame(number).into(),
            deadline,
            is_idempotent: self.is_idempotent,
        };
        let (side, target) = transport.sides(number);
        let upload = upload(&side, deadline);
        let task = CallTask::spawn(tasks, |answer| async move {
            let call = target.call(outgoing, answer);
            match upload {
                None => call.await,
                Some(upload) => call_with(call, upload).await,
            }
        });
        let answer = timeout_at(deadline, task.answer_and_task());
        let (answer, task) = answer
            .await
            .map_err(|_| late(&self.target.component))?
            .ok_or_else(|| self.lost("the call was interrupted"))?;
        let frame = match answer {
            Answer::Streaming(frame) | Answer::Ended(CallEnd::Frame(frame)) => Bytes::from(frame),
            Answer::Ended(CallEnd::Failed(failure)) => {
                return Err(late_at_deadline(failure, deadline, &self.target.component));
            }
        };
        let Ok(Frame::Reply(reply)) = Frame::decode(&frame) else {
            return Err(self.lost("the reply is malformed"));
        };
        let result = reply.outcome.map(|payload| frame.slice_ref(payload))?;
        Ok(StreamingResult {
            result,
            side,
            deadline,
            task: Some(task),
        })
    }

    /// The failure of a call that may have run.
    fn lost(&self, reason: &str) -> LinkFailure {
        let reason = format!("`{}`: {reason}", self.target.component);
        LinkFailure::new(FailureCode::MaybeExecuted, reason)
    }

    fn frame(&self, call: u64) -> Vec<u8> {
        let app = self.target.app.as_str();
        encoded(&Frame::Request(Request {
            call,
            session: None,
            target: Target {
                app,
                component: self.target.component.as_str(),
                interface: self.interface,
                function: self.function,
            },
            deadline_ms: u32::try_from(self.time_limit.as_millis()).unwrap_or(u32::MAX),
            depth: 0,
            trace: None,
            importer: Importer {
                app,
                component: self.caller,
            },
            payload: self.arguments,
        }))
    }
}

/// Makes a call while its body is sent. A body that fails cancels the call.
async fn call_with(
    call: impl Future<Output = ()>,
    body: impl Future<Output = Result<(), SendError>>,
) {
    let mut call = pin!(call);
    let sent = tokio::select! {
        biased;
        sent = body => sent,
        () = &mut call => return,
    };
    if sent != Err(SendError::BodyFailed) {
        call.await;
    }
}

impl StreamingResult {
    /// Accepts a stream of the result as a body; `None` if the result has no such stream. `convert`
    /// converts its chunks, which are encoded lists of elements; `None` is for a malformed one.
    /// Dropping the body before its end cancels the call.
    pub fn body(
        &mut self,
        number: u32,
        convert: impl FnMut(&[u8]) -> Option<Bytes> + Send + 'static,
    ) -> Option<ReceivedBody> {
        let body = self.side.take_body(number, self.deadline)?;
        Some(body.convert(convert).of_call(self.task.take()))
    }

    /// Cancels the call, unless a body owns it.
    pub fn cancel(mut self) {
        drop(self.task.take());
    }
}

impl Drop for StreamingResult {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            // What the call does after its result needs no caller.
            drop(task.detach());
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use futures_util::StreamExt;
    use futures_util::future::BoxFuture;
    use http_body::Frame as BodyFrame;
    use http_body_util::{BodyExt, Full, StreamBody};
    use tokio::sync::oneshot;

    use super::*;
    use crate::{AdmittedCall, CallServer, RejectedFrames, reply_frame};

    const LIMIT: Duration = Duration::from_secs(5);

    /// A server whose functions are `echo`, which returns its stream; `busy`, which is rejected;
    /// and `wait`, which never returns.
    #[derive(Default)]
    struct Server(Arc<RejectedFrames>);

    struct Call(Instant);

    #[async_trait]
    impl CallServer for Server {
        fn answer<'a>(&'a self, _frame: &'a [u8]) -> BoxFuture<'a, Option<Vec<u8>>> {
            panic!("a streaming call is not answered by one frame")
        }

        fn receive(&self, _frame: &[u8]) {}

        fn admit(&self, head: &Request<'_>) -> Result<Box<dyn AdmittedCall>, LinkFailure> {
            if head.target.function == "busy" {
                return Err(LinkFailure::new(FailureCode::Busy, "at the limit"));
            }
            let time_left = Duration::from_millis(head.deadline_ms.into());
            Ok(Box::new(Call(Instant::now() + time_left)))
        }

        fn rejected(&self) -> &Arc<RejectedFrames> {
            &self.0
        }

        fn drop_expired(&self) {}
    }

    #[async_trait]
    impl AdmittedCall for Call {
        fn deadline(&self) -> Instant {
            self.0
        }

        async fn make(self: Box<Self>, _request: &Request<'_>) -> Vec<u8> {
            panic!("a streaming call is not made by one frame")
        }

        async fn serve_streams(
            self: Box<Self>,
            side: Arc<CallSide>,
            request: &Request<'_>,
            reply: oneshot::Sender<Answer<CallEnd>>,
        ) {
            if request.target.function == "wait" {
                std::future::pending::<()>().await;
            }
            let body = side.take_body(0, self.0).unwrap();
            let (number, sender) = side.give_body(self.0);
            let frame = reply_frame(request, None, &Ok(vec![number as u8]));
            let _ = reply.send(Answer::Streaming(frame));
            sender.send(body).await;
        }
    }

    async fn call<B>(function: &str, body: B) -> Result<StreamingResult, LinkFailure>
    where
        B: Body<Data = Bytes, Error = ()> + Send + Unpin + 'static,
    {
        let call = FunctionCall {
            target: &Arc::new(ComponentId {
                app: "app".parse().unwrap(),
                component: "echo".parse().unwrap(),
            }),
            interface: "a:b/c",
            function,
            caller: "http",
            time_limit: LIMIT,
            is_idempotent: false,
            arguments: &[0],
        };
        let transport = FrameTransport::Loopback(Arc::new(Server::default()));
        let body = Some(body);
        call.make_streaming(&transport, &TaskTracker::new(), body)
            .await
    }

    fn full(text: &'static str) -> impl Body<Data = Bytes, Error = ()> + Send + Unpin {
        Full::new(Bytes::from(text)).map_err(|never| match never {})
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_the_stream_of_the_arguments_and_a_stream_of_the_result_is_a_body() {
        let mut called = call("echo", full("text")).await.unwrap();
        assert_eq!(called.result, [1][..]);
        // A chunk is an encoded list: its length, and the bytes.
        let body = called.body(1, |chunk| Some(Bytes::copy_from_slice(chunk)));
        assert_eq!(
            body.unwrap().collect().await.unwrap().to_bytes(),
            "\x04text"
        );
        assert!(called.body(1, |_| None).is_none(), "taken twice");
        assert!(called.body(0, |_| None).is_none(), "its own stream");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_fails_cancels_the_call() {
        let data = || Ok(BodyFrame::data(Bytes::from("text")));
        for (function, parts, has_result) in [
            ("echo", vec![data(), Err(())], true),
            ("wait", vec![Err(())], false),
        ] {
            let start = Instant::now();
            let delayed = futures_util::stream::iter(parts).then(|part| async {
                tokio::time::sleep(LIMIT / 4).await;
                part
            });
            let body = StreamBody::new(Box::pin(delayed));
            match call(function, body).await {
                Ok(mut called) => {
                    assert!(has_result, "{function}");
                    let body = called.body(1, |chunk| Some(Bytes::copy_from_slice(chunk)));
                    assert!(body.unwrap().collect().await.is_err());
                }
                Err(failure) => {
                    assert!(!has_result, "{function}: {failure}");
                    assert_eq!(failure.code(), FailureCode::MaybeExecuted);
                }
            }
            assert!(start.elapsed() < LIMIT, "{function}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_with_the_reader_of_its_body() {
        let (sender, body) = (Arc::new(()), futures_util::stream::pending());
        let held = sender.clone();
        let body = StreamBody::new(Box::pin(body.inspect(move |_: &Result<_, ()>| {
            let _ = &held;
        })));
        let mut called = call("echo", body).await.unwrap();
        let body = called.body(1, |chunk| Some(Bytes::copy_from_slice(chunk)));
        drop(called);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&sender), 2, "the call continues");
        drop(body);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&sender), 1, "the call has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn a_chunk_that_cannot_be_converted_breaks_the_body() {
        let mut called = call("echo", full("text")).await.unwrap();
        assert!(called.body(1, |_| None).unwrap().collect().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_rejected_or_late_fails_with_the_reason() {
        let start = Instant::now();
        let busy = call("busy", full("")).await.err().unwrap();
        assert_eq!(busy.code(), FailureCode::Busy);
        assert_eq!(start.elapsed(), Duration::ZERO);
        let late = call("wait", full("")).await.err().unwrap();
        assert_eq!(late.code(), FailureCode::Deadline);
        assert_eq!(start.elapsed(), LIMIT);
    }
}
