//! `weft doctor`: checks what this machine has for building, running and joining, and names the fix
//! of each finding.

mod connections;
mod machine;
mod manifests;
mod toolchains;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::environment::HostOptions;
use crate::failure::{Failure, Kind, Message};
use crate::output::{self, Format, Report};
use crate::styled::{Style, Styled};

const AFTER_HELP: &str = "\
Examples:
  weft doctor                             the machine, and ./weft.yaml if it exists
  weft doctor -f shop.yaml                also what the build of this app needs
  weft doctor --nats nats://10.0.0.7:4222     also the servers of a lattice, and its hosts

Each finding is good, a note, a warning or a fault, and all but the good ones have a fix. A tool that
no manifest needs is a note. The exit code is 1 if there is a fault.";

/// Check this machine, its toolchains and its connections, and show how to fix each finding
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Doctor {
    /// Check this manifest, and the tools that its components are built with [default: weft.yaml,
    /// if it exists]
    #[arg(short, long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    host: HostOptions,
}

/// The weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Weight {
    Good,
    /// Something that is missing, and that nothing needs yet.
    Note,
    /// Something that works, and not well.
    Warning,
    /// Something that does not work.
    Fault,
}

/// One result of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    subject: String,
    weight: Weight,
    found: String,
    /// The next step. Only good findings have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    fn good(subject: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            weight: Weight::Good,
            found: found.into(),
            fix: None,
        }
    }

    fn bad(
        weight: Weight,
        subject: impl Into<String>,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            subject: subject.into(),
            weight,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    /// The finding for a failure of another command.
    fn of_failure(weight: Weight, subject: impl Into<String>, failure: &Failure) -> Self {
        let (found, fix) = match failure.messages().first() {
            Some(Message::Plain(plain)) => (plain.in_one_line(), plain.help.clone()),
            Some(Message::Formatted(text)) => (text.clone(), None),
            None => (String::new(), None),
        };
        let fix =
            fix.unwrap_or_else(|| "correct the settings; `weft help context` has them".to_owned());
        Self::bad(weight, subject, found, fix)
    }
}

/// All findings.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Diagnosis(Vec<Finding>);

impl Doctor {
    /// Runs the command.
    ///
    /// # Errors
    /// A finding is a fault, or standard output cannot be written.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let manifests = manifests::read(self.files);
        let mut findings = manifests.findings;
        findings.extend(toolchains::check(&manifests.languages));
        match self.host.select() {
            Ok(selection) => {
                findings.extend(machine::check(&selection.target));
                findings.extend(connections::check(&self.host, selection.target).await);
            }
            Err(failure) => {
                findings.push(Finding::of_failure(Weight::Fault, "settings", &failure));
            }
        }
        let faults = findings
            .iter()
            .filter(|it| it.weight == Weight::Fault)
            .count();
        output::report(&Diagnosis(findings), self.output)?;
        match faults {
            0 => Ok(()),
            1 => Err(Failure::new(Kind::Failed, "1 fault was found")),
            many => Err(Failure::new(
                Kind::Failed,
                format!("{many} faults were found"),
            )),
        }
    }
}

impl Report for Diagnosis {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, _columns: Option<usize>) -> Styled {
        let width = self
            .0
            .iter()
            .map(|it| it.subject.chars().count())
            .max()
            .unwrap_or(0);
        let mut text = Styled::default();
        for (
            index,
            Finding {
                subject,
                weight,
                found,
                fix,
            },
        ) in self.0.iter().enumerate()
        {
            if index > 0 {
                text.push(Style::Plain, "\n");
            }
            let (style, word) = weight.shown();
            text.push(style, format!("{word:8}"));
            text.push(Style::Plain, format!("{subject:width$}  {found}"));
            if let Some(fix) = fix {
                text.push(Style::Plain, "\n        ");
                text.push(Style::Help, "fix: ");
                text.push(Style::Plain, fix.clone());
            }
        }
        text
    }
}

impl Weight {
    fn shown(self) -> (Style, &'static str) {
        match self {
            Self::Good => (Style::Good, "good"),
            Self::Note => (Style::Faint, "note"),
            Self::Warning => (Style::Waiting, "warning"),
            Self::Fault => (Style::Bad, "fault"),
        }
    }
}
