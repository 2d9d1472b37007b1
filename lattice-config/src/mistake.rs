//! Mistakes that the text of a manifest alone does not show: in its components, its links, or on
//! the host that checks it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{ManifestErrors, Report};
use crate::manifest::MANIFEST_BYTES_MAX;
use crate::spanned_yaml::Node;
use crate::yaml;

/// A mistake at a place in an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// The path in the app, such as `spec.links[1].to`; empty for the app itself.
    pub path: String,
    /// The mistake, with the expected and the found value.
    pub message: String,
    /// The next step for the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Several mistakes of one app. Displayed with their help, without their places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(transparent)]
pub struct Mistakes(pub Vec<Mistake>);

// === impl Mistake ===

impl Mistake {
    /// A mistake without help.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            help: None,
        }
    }

    /// The same mistake, with the next step for the user.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

// === impl Mistakes ===

impl Mistakes {
    /// Adds a mistake.
    pub fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// Adds the mistakes of another check.
    pub fn append(&mut self, Mistakes(mut others): Mistakes) {
        self.0.append(&mut others);
    }

    /// True without a mistake.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Ok(value)` without a mistake.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Mistakes> {
        if self.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }

    /// The same mistakes with their positions in the manifest that the app was read from, in the
    /// order of the text.
    ///
    /// `file_name` is the name of the file in messages; no file is opened.
    ///
    /// ```
    /// # use weft_lattice_config::{Mistake, Mistakes};
    /// let text = "\
    /// spec:
    ///   links:
    ///   - {from: storefront, interface: shop:catalog/pricing, to: pricing}
    /// ";
    /// let mistake = Mistake::new("spec.links[0].interface", "`storefront` does not import it");
    /// let located = Mistakes(vec![mistake]).locate("shop.yaml", text);
    /// assert_eq!(located.to_string(), "\
    /// shop.yaml:3:35: error: `storefront` does not import it
    ///   |
    /// 3 |   - {from: storefront, interface: shop:catalog/pricing, to: pricing}
    ///   |                                   ^");
    /// ```
    #[must_use]
    pub fn locate(self, file_name: &str, text: &str) -> ManifestErrors {
        let mut report = Report::new(file_name);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let root = match text.len() > MANIFEST_BYTES_MAX {
            true => None,
            // The app was read from the text, so mistakes in the text are reported already.
            false => yaml::parse(text, &mut Report::new(file_name)),
        };
        for Mistake {
            path,
            message,
            help,
        } in self.0
        {
            let position = root.as_ref().and_then(|root| nearest(root, &path).position);
            report.add(position, path, message, help);
        }
        report.into_errors(text)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.0.iter().enumerate() {
            if number > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{mistake}")?;
        }
        Ok(())
    }
}

/// The node at a path; of a path that the text does not have, the innermost node that it has, since
/// a missing value has its default.
fn nearest<'n>(root: &'n Node, path: &str) -> &'n Node {
    let mut node = root;
    for part in path.split(['.', '[']) {
        let index = part.strip_suffix(']').and_then(|index| index.parse().ok());
        let child = match index {
            Some(index) => node.items().get::<usize>(index),
            None => node.get(part),
        };
        match child {
            Some(child) => node = child,
            None => break,
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
apiVersion: weft.dev/v1alpha1
kind: App
metadata: {name: shop}
spec:
  components:
  - name: storefront
    source: {file: storefront.wasm}
  links:
  - from: storefront
    interface: shop:catalog/pricing
    to: pricing
";

    fn position(path: &str) -> Option<(usize, usize)> {
        let located = Mistakes(vec![Mistake::new(path, "wrong")]).locate("shop.yaml", TEXT);
        let position = located.diagnostics()[0].position?;
        Some((position.line, position.column))
    }

    #[test]
    fn a_mistake_has_the_position_of_its_path() {
        assert_eq!(position("spec.components[0].source"), Some((7, 13)));
        assert_eq!(position("spec.links[0].to"), Some((11, 9)));
        assert_eq!(position("spec.links[0]"), Some((9, 5)));
    }

    #[test]
    fn a_path_that_the_text_lacks_has_the_position_of_its_innermost_part() {
        assert_eq!(position("spec.links[0].config.size"), Some((9, 5)));
        assert_eq!(position("spec.links[7].to"), position("spec.links"));
        assert_eq!(position(""), Some((1, 1)));
    }

    #[test]
    fn mistakes_are_in_the_order_of_the_text() {
        let mistakes = ["spec.links[0].to", "spec.components[0].name"];
        let mistakes = mistakes.map(|path| Mistake::new(path, path)).to_vec();
        let located = Mistakes(mistakes).locate("shop.yaml", TEXT);
        let messages = located.diagnostics().iter().map(|it| it.message.as_str());
        let expected = ["spec.components[0].name", "spec.links[0].to"];
        assert_eq!(messages.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn mistakes_of_an_unreadable_text_have_no_positions() {
        let located = Mistakes(vec![Mistake::new("spec", "wrong")]).locate("x", "a: [");
        assert_eq!(located.diagnostics()[0].position, None);
    }
}
