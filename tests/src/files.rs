//! Manifests and components in a temporary directory.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::guests::guest;

/// What stands in a manifest for the file of a guest, before its name.
const GUEST: &str = "guest:";

/// A directory of a test, gone with it.
#[derive(Debug)]
pub struct Files(TempDir);

impl Files {
    /// An empty directory.
    ///
    /// # Panics
    /// If the system has no room for it.
    #[must_use]
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path().join(name);
        std::fs::write(&file, content).expect("the temporary directory takes a file");
        file
    }

    /// Writes a component given as WebAssembly text.
    ///
    /// # Panics
    /// If the text is wrong.
    pub fn wat(&self, name: &str, text: &str) -> PathBuf {
        let bytes = wat::parse_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        self.write(name, bytes)
    }

    /// Writes the manifest of an app, `NAME.yaml`; see [`app`].
    pub fn app(&self, name: &str, spec: &str) -> PathBuf {
        self.write(&format!("{name}.yaml"), app(name, spec))
    }
}

impl Default for Files {
    fn default() -> Self {
        Self::new()
    }
}

/// The manifest of the app `name`. `spec` is the YAML below `spec:`, indented as the test likes;
/// `guest:NAME` in it is the file of that guest.
#[must_use]
pub fn app(name: &str, spec: &str) -> String {
    let mut text =
        format!("apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {{name: {name}}}\nspec:\n");
    for line in with_guests(spec).lines() {
        text += &format!("  {line}\n");
    }
    text
}

fn with_guests(text: &str) -> String {
    let mut parts = text.split(GUEST);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let end = part.find(|c| !is_of_name(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        whole += &format!("{:?}{rest}", guest(name));
    }
    whole
}
