//! Handles HTTP itself, with `wstd`.

use wstd::http::{Body, Request, Response, Result};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>> {
    let text = text(request.method().as_str(), request.uri().path());
    Ok(Response::new(text.into()))
}

fn text(method: &str, path: &str) -> String {
    format!("{method} {path}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_repeats_the_request() {
        assert_eq!(text("GET", "/a"), "GET /a\n");
    }
}
