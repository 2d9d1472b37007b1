//! `weft new`: makes a project from a template.

use std::fs;
use std::io::{self, IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::Serialize;
use weft_build::rust::{self, Toolchain};
use weft_build::{Cancel, Error, Output, Shell, c, javascript, python};
use weft_lattice_config::Language;

use crate::commands::build::MANIFEST_DEFAULT;
use crate::consent;
use crate::environment;
use crate::failure::{Failure, Kind as FailureKind};
use crate::output::{self, Format, Report};
use crate::templates::{self, Kind, TEMPLATES, Template};

/// The questions that a wrong answer may repeat.
const ANSWERS_MAX: usize = 5;

const AFTER_HELP: &str = "\
Examples:
  weft new hello                          an HTTP API in Rust
  weft new hello --lang python            the same in Python
  weft new guests --template service      an interface over a key-value bucket
  weft new                                ask, on a terminal

Then:
  cd hello
  weft build
  weft up -f weft.yaml

The folder NAME must be empty or missing; the last part of a path is the name of the app. Templates
are part of this program, so no network is needed; the first build fetches what its language needs.
Rust has all templates; Python, JavaScript and C have `http`.";

/// Make a project from a template
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct New {
    /// The folder of the project, and the name of its app
    #[arg(value_name = "NAME")]
    name: Option<PathBuf>,
    /// The kind of project [default: http]
    #[arg(short, long, value_enum, value_name = "TEMPLATE")]
    template: Option<Kind>,
    /// The language: rust, python, javascript or c [default: rust]
    #[arg(short, long = "lang", value_name = "LANGUAGE")]
    language: Option<Language>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// A project that was made.
#[derive(Debug, Serialize)]
struct Project {
    app: String,
    folder: String,
    template: Kind,
    language: &'static str,
    files: Vec<&'static str>,
    #[serde(skip)]
    request: &'static str,
}

impl Report for Project {
    fn text(&self) -> String {
        let Project {
            app,
            folder,
            language,
            request,
            ..
        } = self;
        let template = self.template.as_str();
        format!(
            "made app `{app}` in `{folder}`, from template {template} in {language}\n\n  \
             cd {folder}\n  weft build\n  weft up -f {MANIFEST_DEFAULT}\n  \
             curl localhost:8080{request}"
        )
    }
}

impl New {
    /// Runs the command.
    ///
    /// # Errors
    /// The name or the folder is unusable, or the tools of the language are missing.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let format = self.output;
        let (folder, kind, language) = self.choices().await?;
        let app = app_name(&folder)?;
        let template = Template::find(kind, language).ok_or_else(|| no_template(kind, language))?;
        check_folder(&folder)?;
        check_tools(language)?;
        let files = write(template, &app, &folder)?;
        let project = Project {
            app,
            folder: folder.display().to_string(),
            template: kind,
            language: language.as_str(),
            files,
            request: template.request,
        };
        output::report(&project, format).map(drop)
    }

    /// The folder, the template and the language: given, asked for on a terminal without
    /// arguments, or the defaults.
    async fn choices(self) -> Result<(PathBuf, Kind, Language), Failure> {
        let Some(folder) = self.name else {
            if !(stdin().is_terminal() && io::stderr().is_terminal()) {
                return Err(
                    Failure::new(FailureKind::Input, "missing the name of the project")
                        .with_help("give a name, as in `weft new hello`"),
                );
            }
            let folder = answer("name of the app [hello]", |text| {
                let name = if text.is_empty() { "hello" } else { text };
                app_name(Path::new(name)).map(|_| PathBuf::from(name))
            });
            let folder = folder.await?;
            let language = match self.language {
                Some(language) => language,
                None => answer("language: rust, python, javascript, c [rust]", language).await?,
            };
            let kind = match self.template {
                Some(kind) => kind,
                None => ask_kind(language).await?,
            };
            return Ok((folder, kind, language));
        };
        let kind = self.template.unwrap_or(Kind::Http);
        Ok((folder, kind, self.language.unwrap_or(Language::Rust)))
    }
}

async fn ask_kind(language: Language) -> Result<Kind, Failure> {
    let kinds = kinds(language);
    let [first, _, ..] = kinds.as_slice() else {
        return Ok(Kind::Http);
    };
    let names: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
    let question = format!("template: {} [{}]", names.join(", "), first.as_str());
    answer(&question, |text| {
        let name = if text.is_empty() {
            first.as_str()
        } else {
            text
        };
        let kind = kinds.iter().find(|kind| kind.as_str() == name).copied();
        kind.ok_or_else(|| {
            let message = format!("no template `{name}`: expected one of {}", names.join(", "));
            Failure::new(FailureKind::Input, message)
        })
    })
    .await
}

fn language(text: &str) -> Result<Language, Failure> {
    match text {
        "" => Ok(Language::Rust),
        text => text
            .parse()
            .map_err(|error| Failure::from_error(FailureKind::Input, &error)),
    }
}

fn kinds(language: Language) -> Vec<Kind> {
    let templates = TEMPLATES.iter().filter(|it| it.language == language);
    templates.map(|template| template.kind).collect()
}

/// The answer to a question on standard error. After a wrong answer, the question is repeated.
async fn answer<T>(
    question: &str,
    read: impl Fn(&str) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut answers = 0;
    loop {
        output::note(question);
        let line = consent::line().await;
        // The end of the input has no line end, and is not an answer.
        if line.is_empty() {
            return Err(Failure::new(
                FailureKind::Input,
                "no answer: nothing was made",
            ));
        }
        answers += 1;
        match read(line.trim()) {
            Ok(value) => return Ok(value),
            Err(failure) if answers == ANSWERS_MAX => return Err(failure),
            Err(failure) => output::failure(&failure),
        }
    }
}

/// The name of the app: the last part of the path of its folder.
fn app_name(folder: &Path) -> Result<String, Failure> {
    let name = folder.file_name().map(|name| name.to_string_lossy());
    let name = name.unwrap_or_default().into_owned();
    let Some(problem) = templates::problem(&name) else {
        return Ok(name);
    };
    let nearest = templates::nearest_valid(&name);
    let nearest = folder.with_file_name(nearest);
    Err(Failure::new(FailureKind::Input, problem)
        .with_help(format!("use `weft new {}`", nearest.display())))
}

fn no_template(kind: Kind, language: Language) -> Failure {
    let names = kinds(language);
    let names: Vec<_> = names
        .iter()
        .map(|it| format!("`{}`", it.as_str()))
        .collect();
    let message = format!(
        "no template `{}` in {language}: expected {}",
        kind.as_str(),
        names.join(" or ")
    );
    Failure::new(FailureKind::Input, message)
        .with_help("use that one, or `--lang rust`, which has all templates")
}

fn check_folder(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    let is_empty = fs::read_dir(folder).map(|mut entries| entries.next().is_none());
    let problem = match is_empty {
        Ok(true) => return Ok(()),
        Ok(false) => format!("folder `{shown}` is not empty"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            format!("`{shown}` exists and is not a folder")
        }
        Err(error) => {
            let failure = Failure::new(FailureKind::Input, format!("cannot read folder `{shown}`"));
            return Err(failure.caused_by(&error));
        }
    };
    Err(Failure::new(FailureKind::Input, problem)
        .with_help("give another name; `weft new` changes nothing that exists"))
}

/// Checks that the tools of a language are on this machine, before a project that cannot be built.
fn check_tools(language: Language) -> Result<(), Failure> {
    let cache = environment::cache_directory()?;
    let shell = Shell::new(cache, Output::Events, Cancel::default(), |_| {});
    let settings = rust::Settings {
        toolchain: Toolchain::Auto,
        linker: None,
        base: &|program| Command::new(program),
    };
    let found = match language {
        Language::Rust => rust::check(&shell, &settings),
        Language::Python => python::check(&shell),
        Language::JavaScript => javascript::check(&shell),
        Language::C => c::check(&shell).and_then(|()| rust::check(&shell, &settings)),
    };
    found.map_err(|error: Error| {
        let message = format!("a project in {language} cannot be built here");
        let failure = Failure::new(FailureKind::Failed, message).caused_by(&error);
        match error.help() {
            Some(help) => failure.with_help(help),
            None => failure,
        }
    })
}

/// Writes a project, whole or not at all: into a folder beside it, which is then renamed.
fn write(template: &Template, app: &str, folder: &Path) -> Result<Vec<&'static str>, Failure> {
    let parent = folder.parent().filter(|it| !it.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let write = || {
        fs::create_dir_all(parent)?;
        let temporary = tempfile::Builder::new()
            .prefix(".weft-new-")
            .tempdir_in(parent)?;
        let project = temporary.path().join(app);
        let mut paths = Vec::new();
        for (path, content) in template.files(app) {
            let file = project.join(path);
            fs::create_dir_all(file.parent().unwrap_or(&project))?;
            fs::write(&file, content)?;
            paths.push(path);
        }
        // Replaces an empty folder.
        fs::rename(&project, folder)?;
        Ok::<_, io::Error>(paths)
    };
    write().map_err(|error| {
        let message = format!(
            "cannot make the project `{}`: nothing was written",
            folder.display()
        );
        Failure::new(FailureKind::Failed, message).caused_by(&error)
    })
}
