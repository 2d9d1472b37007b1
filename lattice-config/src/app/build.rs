//! The build of a component: its language, or the command that builds it.
//!
//! `weft build` reads it. It is a part of the manifest, not of the desired state: it is never
//! serialized, so that it changes neither a record nor the hash of an app.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::quote::{did_you_mean, quoted};

/// The build of a component: a language, or a map with further settings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "BuildForm")]
pub struct Build {
    /// The language, which decides the tools and the default command. `None` if only the command
    /// is known.
    pub language: Option<Language>,
    /// The command, for the shell. The tool of the language by default.
    pub command: Option<String>,
    /// The folder of the sources, in which the command runs, relative to the manifest.
    pub dir: String,
    /// The file that the command writes, relative to `dir`. That of the tool, or else the source
    /// of the component, by default.
    pub output: Option<String>,
    /// The module with the program, in Python, JavaScript and C. `app` by default.
    pub entry: Option<String>,
    /// The WIT world, if the WIT source of the component has several.
    pub world: Option<String>,
}

/// A language that `weft build` has a tool for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Language {
    /// Rust, with cargo.
    Rust,
    /// Python, with `componentize-py`.
    Python,
    /// JavaScript, with `componentize-js`.
    JavaScript,
    /// C, with clang and `wasi-libc`.
    C,
}

/// A text that is not a language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not a language that `weft build` knows: expected one of `rust`, `python`, `javascript`, `c`{help}", quoted(.text))]
pub struct LanguageError {
    text: String,
    help: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum BuildForm {
    Language(Language),
    Map(BuildMap),
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct BuildMap {
    /// The language: `rust`, `python`, `javascript` or `c`. It decides the tools, which `weft
    /// build` installs, and the default command.
    #[serde(default)]
    language: Option<Language>,
    /// The command, for the shell. The tool of the language by default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    command: Option<String>,
    /// The folder of the sources, in which the command runs, relative to the manifest. The folder
    /// of the manifest by default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    dir: Option<String>,
    /// The file that the command writes, relative to `dir`. The source file of the component by
    /// default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    output: Option<String>,
    /// The module with the program, in Python, JavaScript and C. `app` by default.
    #[serde(default)]
    #[schemars(length(min = 1))]
    entry: Option<String>,
    /// The WIT world, if the WIT source of the component has several.
    #[serde(default)]
    #[schemars(length(min = 1))]
    world: Option<String>,
}

// === impl Build ===

impl From<BuildForm> for Build {
    fn from(form: BuildForm) -> Build {
        let map = match form {
            BuildForm::Language(language) => BuildMap {
                language: Some(language),
                ..BuildMap::EMPTY
            },
            BuildForm::Map(map) => map,
        };
        Build {
            language: map.language,
            command: map.command,
            dir: map.dir.unwrap_or_else(|| ".".to_owned()),
            output: map.output,
            entry: map.entry,
            world: map.world,
        }
    }
}

impl BuildMap {
    const EMPTY: BuildMap = BuildMap {
        language: None,
        command: None,
        dir: None,
        output: None,
        entry: None,
        world: None,
    };
}

impl FromStr for Build {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Build, LanguageError> {
        text.parse()
            .map(|language| BuildForm::Language(language).into())
    }
}

impl JsonSchema for Build {
    fn schema_name() -> Cow<'static, str> {
        "Build".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = BuildMap::json_schema(generator);
        schema.insert("type".to_owned(), ["string", "object"].as_slice().into());
        schema.insert("pattern".to_owned(), "^(rust|python|javascript|c)$".into());
        schema.insert(
            "description".to_owned(),
            "The build of a component: a language, or a map with further settings.".into(),
        );
        schema
    }
}

// === impl Language ===

impl Language {
    /// All languages.
    pub const ALL: [Language; 4] = [
        Language::Rust,
        Language::Python,
        Language::JavaScript,
        Language::C,
    ];

    /// The keyword in a manifest.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::JavaScript => "javascript",
            Language::C => "c",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Language, LanguageError> {
        let mut all = Language::ALL.into_iter();
        all.find(|language| language.as_str() == text)
            .ok_or_else(|| LanguageError {
                text: text.to_owned(),
                help: did_you_mean(text, Language::ALL.map(Language::as_str))
                    .map_or_else(String::new, |help| format!("; {help}")),
            })
    }
}

impl TryFrom<String> for Language {
    type Error = LanguageError;

    fn try_from(text: String) -> Result<Language, LanguageError> {
        text.parse()
    }
}

impl JsonSchema for Language {
    fn schema_name() -> Cow<'static, str> {
        "Language".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(rust|python|javascript|c)$",
            "description": "A language that `weft build` has a tool for.",
        })
    }
}
