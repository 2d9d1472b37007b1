//! Maps errors of hyper, rustls and the system to errors for components.

use std::error::Error;
use std::io;

use weft_provider::http::HttpClientError;

/// Returns the first cause in the chain of `error` that has a counterpart.
pub(crate) fn client_error(error: &(dyn Error + 'static), authority: &str) -> HttpClientError {
    let mut cause = Some(error);
    let mut innermost = error;
    while let Some(error) = cause {
        if let Some(client_error) = of_cause(error, authority) {
            return client_error;
        }
        innermost = error;
        cause = error.source();
    }
    HttpClientError::Internal(format!("the request to `{authority}` failed: {innermost}"))
}

fn of_cause(error: &(dyn Error + 'static), authority: &str) -> Option<HttpClientError> {
    if let Some(error) = error.downcast_ref::<HttpClientError>() {
        return Some(error.clone());
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(of_tls(error, authority));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // `source` of an `io::Error` skips the error that it wraps.
        let wrapped = error
            .get_ref()
            .map(|wrapped| client_error(wrapped, authority));
        return wrapped
            .filter(|client_error| !matches!(client_error, HttpClientError::Internal(_)))
            .or_else(|| of_io(error, authority));
    }
    error.downcast_ref::<hyper::Error>().and_then(of_hyper)
}

fn of_tls(error: &rustls::Error, authority: &str) -> HttpClientError {
    let (authority, reason) = (authority.to_owned(), error.to_string());
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            HttpClientError::TlsCertificate { authority, reason }
        }
        _ => HttpClientError::Tls { authority, reason },
    }
}

fn of_io(error: &io::Error, authority: &str) -> Option<HttpClientError> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            Some(HttpClientError::ConnectionRefused(authority.to_owned()))
        }
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => {
            Some(HttpClientError::ConnectionTerminated(error.to_string()))
        }
        _ => None,
    }
}

/// Maps an error of hyper without a more specific cause.
fn of_hyper(error: &hyper::Error) -> Option<HttpClientError> {
    if error.is_parse() || error.is_parse_status() || error.is_parse_too_large() {
        Some(HttpClientError::Protocol(error.to_string()))
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Some(HttpClientError::ConnectionTerminated(error.to_string()))
    } else {
        None
    }
}
