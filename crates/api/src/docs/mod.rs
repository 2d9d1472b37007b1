//! The face `docs`: the OpenAPI document, and a page to read and try the API.
//!
//! The page has no text of the API: its script reads the document, and sets text only as text.

use crate::api::Api;
use crate::document::Document;

const PAGE: &str = include_str!("docs.html");
const STYLE: &str = include_str!("docs.css");
const SCRIPT: &str = include_str!("docs.js");

/// The documents of the face, by their paths below the route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Docs([(&'static str, Document); 4]);

impl Docs {
    /// The documents of an API.
    #[must_use]
    pub fn new(api: &Api) -> Self {
        let text = |media_type, text: &str| Document::new(media_type, text.as_bytes().to_vec());
        let openapi = api.openapi().to_string().into_bytes();
        Self([
            ("/openapi.json", Document::new("application/json", openapi)),
            ("/docs", text("text/html; charset=utf-8", PAGE)),
            ("/docs/docs.css", text("text/css; charset=utf-8", STYLE)),
            (
                "/docs/docs.js",
                text("text/javascript; charset=utf-8", SCRIPT),
            ),
        ])
    }

    /// The document at a path below the route.
    #[must_use]
    pub fn find(&self, below: &str) -> Option<&Document> {
        let mut documents = self.0.iter();
        let found = documents.find(|(path, _)| *path == below);
        found.map(|(_, document)| document)
    }
}
