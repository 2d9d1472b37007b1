//! A form of parts as the body of a request: its parts are received one after another, up to a
//! stream, which its component reads as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use weft_api::{FormParts, FormReader, FormStep, FormStream, Problem, StreamStep};

use crate::body_budget::{BodyBudget, BodyShare};
use crate::host_problems::{full, incomplete};
use crate::typed_route::Rejection;
use crate::upload_body::{UploadBody, UploadError};

/// The stream of a form. It ends after the whole body, and fails if the form is not complete.
pub(crate) struct FormBody<B> {
    body: UploadBody<B>,
    form: FormStream,
    /// True after the last boundary.
    is_complete: bool,
}

/// Receives the parts of a form before its stream, or the whole form.
pub(crate) async fn receive<B: Body<Data = Bytes> + Unpin>(
    mut reader: FormReader,
    mut body: UploadBody<B>,
    (budget, share): (&BodyBudget, &mut BodyShare),
    deadline: Instant,
) -> Result<(FormParts, Option<FormBody<B>>), Rejection> {
    let rejected = |problem: Problem| Box::new(problem.response());
    loop {
        let step = reader.step().map_err(rejected)?;
        if !budget.grow(share, reader.kept_bytes()) {
            return Err(full());
        }
        if step == FormStep::Stream {
            let (parts, form) = reader.into_parts();
            let is_complete = false;
            let stream = form.map(|form| FormBody {
                body,
                form,
                is_complete,
            });
            return Ok((parts, stream));
        }
        match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => frame.data_ref().into_iter().for_each(|it| reader.push(it)),
            Ok(Some(Err(error))) => return Err(error.rejection()),
            Ok(None) if step == FormStep::End => return Ok((reader.into_parts().0, None)),
            Ok(None) => return Err(rejected(reader.cut_off())),
            Err(_) => return Err(incomplete(StatusCode::REQUEST_TIMEOUT)),
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> FormBody<B> {
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, UploadError>> {
        loop {
            match self
                .form
                .step()
                .map_err(|problem| self.body.fail(problem))?
            {
                StreamStep::Data(data) => return Poll::Ready(Ok(Some(data))),
                StreamStep::End => self.is_complete = true,
                StreamStep::NeedsBytes => {}
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)?) {
                Some(frame) => frame
                    .data_ref()
                    .into_iter()
                    .for_each(|it| self.form.push(it)),
                None if self.is_complete => return Poll::Ready(Ok(None)),
                None => return Poll::Ready(Err(self.body.fail(self.form.cut_off()))),
            }
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for FormBody<B> {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let data = ready!(self.poll_data(context));
        Poll::Ready(data.map(|data| data.map(Frame::data)).transpose())
    }
}
