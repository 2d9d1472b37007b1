//! Outgoing `wasi:http` requests: wasmtime's hooks, over the [`HttpClient`] that the component is
//! linked to. Requests of a component without such a link are denied.

use std::sync::{Arc, LazyLock};

use http_body_util::BodyExt;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, WasiBody, WasiHttpHooks,
};
use weft_provider::http::{HttpClient, HttpClientError, RequestOptions};

/// The hooks of one store. `client` is set to that of the calling part before each call.
#[derive(Default)]
pub(crate) struct HttpHooks {
    pub(super) client: Option<Arc<dyn HttpClient>>,
}

/// The size of one piece of a body. A body buffers two of them between the guest and the
/// connection, and a guest can have many bodies open.
pub(super) const BODY_PIECE_BYTES: usize = 64 << 10;

/// One filter for all headers: wasmtime's default creates one per header.
static FORBIDDEN: LazyLock<ForbiddenHeaderFilter> =
    LazyLock::new(|| Arc::new(|name| DEFAULT_FORBIDDEN_HEADERS.contains(name)));

type SendResult = Result<(http::Response<WasiBody>, Worker), Error>;
type Worker = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for HttpHooks {
    fn is_forbidden_header(&mut self, name: &http::HeaderName) -> bool {
        DEFAULT_FORBIDDEN_HEADERS.contains(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        FORBIDDEN.clone()
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_PIECE_BYTES
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<wasmtime_wasi_http::RequestOptions>,
        _processed: Worker,
    ) -> Box<dyn Future<Output = SendResult> + Send> {
        let client = self.client.clone();
        Box::new(async move {
            let client = client.ok_or(Error::HttpRequestDenied)?;
            let request = request.map(|body| {
                body.map_err(|error| HttpClientError::RequestBody(error.to_string()))
                    .boxed_unsync()
            });
            let response = client
                .send(request, request_options(options))
                .await
                .map_err(error_code)?;
            let response = response.map(|body| body.map_err(error_code).boxed_unsync());
            Ok((response, Box::new(async { Ok(()) }) as Worker))
        })
    }
}

fn request_options(options: Option<wasmtime_wasi_http::RequestOptions>) -> RequestOptions {
    let Some(options) = options else {
        return RequestOptions::default();
    };
    RequestOptions {
        connect_timeout: options.connect_timeout,
        first_byte_timeout: options.first_byte_timeout,
        between_bytes_timeout: options.between_bytes_timeout,
    }
}

/// The `wasi:http` error code closest to `error`.
fn error_code(error: HttpClientError) -> Error {
    tracing::debug!(%error, "an outgoing request failed");
    match error {
        HttpClientError::Denied(_) => Error::HttpRequestDenied,
        HttpClientError::AddressProhibited { .. } => Error::DestinationIpProhibited,
        HttpClientError::InvalidRequest(_) => Error::HttpRequestUriInvalid,
        HttpClientError::Dns { reason, .. } => Error::DnsError {
            rcode: Some(reason),
            info_code: None,
        },
        HttpClientError::ConnectionRefused(_) => Error::ConnectionRefused,
        HttpClientError::ConnectTimeout { .. } => Error::ConnectionTimeout,
        HttpClientError::FirstByteTimeout { .. } => Error::HttpResponseTimeout,
        HttpClientError::BetweenBytesTimeout(_) => Error::ConnectionReadTimeout,
        HttpClientError::ConnectionTerminated(_) => Error::ConnectionTerminated,
        HttpClientError::ConnectionLimit(_) => Error::ConnectionLimitReached,
        HttpClientError::TlsCertificate { .. } => Error::TlsCertificateError,
        HttpClientError::Tls { .. } => Error::TlsProtocolError,
        HttpClientError::Protocol(_) => Error::HttpProtocolError,
        other @ (HttpClientError::RequestBody(_) | HttpClientError::Internal(_)) => {
            Error::InternalError(Some(other.to_string()))
        }
    }
}
