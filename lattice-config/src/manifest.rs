//! Reading and writing apps: YAML manifests and stored JSON.

use serde_json::Value;

use crate::app::App;
use crate::check::check;
use crate::diagnostic::{ManifestErrors, Position, Report};
use crate::partial_app::PartialApp;
use crate::schema::app_schema;
use crate::spanned_yaml::{Node, Path};
use crate::validate::validate;
use crate::{yaml, yaml_writer};

/// Maximum size of a manifest: a thousand times the size of an app of ten components.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// Maximum size of a stored app: the JSON of the largest manifest may be longer than its YAML.
pub const STORED_BYTES_MAX: usize = 4 << 20;

impl App {
    /// Reads a manifest.
    ///
    /// `file_name` is the name of the file in messages; no file is opened.
    ///
    /// # Errors
    /// All mistakes in the text with their positions: syntax, types, names and references.
    ///
    /// ```
    /// # use weft_lattice_config::App;
    /// let text = "\
    /// apiVersion: weft.dev/v1alpha1
    /// kind: App
    /// metadata: {name: shop}
    /// spec:
    ///   components:
    ///   - {name: storefront, source: {file: storefront.wasm}}
    ///   routes:
    ///   - {to: storefrnt}
    /// ";
    /// let errors = App::from_yaml("shop.yaml", text).unwrap_err();
    /// assert_eq!(errors.to_string(), "\
    /// shop.yaml:8:10: error: unknown component `storefrnt`
    ///   |
    /// 8 |   - {to: storefrnt}
    ///   |          ^
    ///   = help: did you mean `storefront`?");
    /// ```
    pub fn from_yaml(file_name: &str, text: &str) -> Result<App, ManifestErrors> {
        let mut report = Report::new(file_name);
        if text.len() > MANIFEST_BYTES_MAX {
            let start = Some(Position { line: 1, column: 1 });
            report.add(
                start,
                Path::Root,
                too_large(text.len(), MANIFEST_BYTES_MAX),
                None,
            );
            return Err(report.into_errors(""));
        }
        let node = yaml::parse(text, &mut report);
        // Columns do not count the byte order mark, so excerpts must not contain it.
        read(node, report, text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// Reads the stored form, as written by [`App::to_json`].
    ///
    /// # Errors
    /// The same mistakes as [`App::from_yaml`], with a path in place of a position: the stored app
    /// may come from another version or have been edited.
    pub fn from_json(name: &str, text: &str) -> Result<App, ManifestErrors> {
        let mut report = Report::new(name);
        if text.len() > STORED_BYTES_MAX {
            report.add(
                None,
                Path::Root,
                too_large(text.len(), STORED_BYTES_MAX),
                None,
            );
            return Err(report.into_errors(""));
        }
        let node = match serde_json::from_str::<Value>(text) {
            Ok(value) => Some(Node::from_value(value)),
            Err(error) => {
                report.add(None, Path::Root, format!("invalid JSON: {error}"), None);
                None
            }
        };
        read(node, report, "").map(App::without_builds)
    }

    /// Returns the app as a manifest, which [`App::from_yaml`] reads as the same app
    /// [without builds](App::without_builds) if it has at most [`MANIFEST_BYTES_MAX`].
    ///
    /// # Errors
    /// Never fails for an app from [`App::from_yaml`] or [`App::from_json`].
    pub fn to_yaml(&self) -> Result<String, serde_json::Error> {
        yaml_writer::write(&self.to_json()?)
    }

    /// Returns the stored form.
    ///
    /// # Errors
    /// Never fails for an app from [`App::from_yaml`] or [`App::from_json`].
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

fn read(node: Option<Node>, mut report: Report<'_>, text: &str) -> Result<App, ManifestErrors> {
    let Some(node) = node else {
        return Err(report.into_errors(text));
    };
    check(&app_schema(), &node, &mut report);
    validate(&PartialApp::of(&node), &mut report);
    if !report.is_empty() {
        return Err(report.into_errors(text));
    }
    let position = node.position;
    serde_json::from_value(node.into_value()).map_err(|error| {
        // The types reject what their schema allows: a bug in this crate, reported like a mistake.
        report.add(position, Path::Root, error.to_string(), None);
        report.into_errors(text)
    })
}

fn too_large(bytes: usize, bytes_max: usize) -> String {
    format!("the manifest is too large: expected at most {bytes_max} bytes, found {bytes}")
}
