//! `weft context`: stores the settings that select a host or a lattice under names.

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use crate::contexts::{Contexts, Existing, check_name};
use crate::environment::precedence::{Given, LatticeTarget, Selection, Source, Target, select};
use crate::environment::settings::Settings;
use crate::environment::{self, TargetOptions};
use crate::failure::Failure;
use crate::output::{self, Format, Report};
use crate::styled::{Style, Styled};
use crate::table::{Cell, Cut, Table};

const AFTER_HELP: &str = "\
Examples:
  weft context add prod --nats nats://10.0.0.1:4222 --lattice prod --nats-creds prod.creds
  weft context use prod                   let all commands connect to that lattice
  weft get hosts --context staging        let one command connect to another
  weft context use --none                 connect to the host of the data directory again

A context is a name for the options that select a host or a lattice. It is used by commands without
such options (`--nats`, `--admin`, `--data-dir`) and without such variables (`WEFT_NATS`,
`WEFT_ADMIN`, `WEFT_DATA_DIR`). `weft up` uses no context.";

const AFTER_HELP_ADD: &str = "\
Examples:
  weft context add prod --nats nats://10.0.0.1:4222 --lattice prod --nats-creds prod.creds --use
  weft context add edge --admin 10.0.0.7:7411 --data-dir ~/edge

Passwords, tokens and variables are not stored: log in with a file, or set WEFT_NATS_PASSWORD or
WEFT_NATS_TOKEN. The file is contexts.json in $XDG_CONFIG_HOME/weft or $HOME/.config/weft.";

const AFTER_HELP_SHOW: &str = "\
Without a name, the environment counts too: the host or lattice of a command without options.";

/// Store the options that select a host or a lattice under names
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Context {
    #[command(subcommand)]
    command: ContextCommand,
}

#[derive(Debug, Subcommand)]
enum ContextCommand {
    Add(Box<Add>),
    Use(Use),
    #[command(visible_alias = "ls")]
    List(List),
    Show(Show),
    #[command(visible_alias = "rm")]
    Remove(Remove),
}

/// Add a context
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP_ADD)]
struct Add {
    /// Name of the context
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// Let all commands use the context
    #[arg(long = "use")]
    is_used: bool,
    /// Replace a context of the same name
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    target: TargetOptions,
}

/// Let all commands use a context
#[derive(Debug, Args)]
struct Use {
    /// Name of the context
    #[arg(value_name = "NAME", required_unless_present = "none")]
    name: Option<String>,
    /// Use no context: connect to the host of the data directory
    #[arg(long, conflicts_with = "name")]
    none: bool,
}

/// List the contexts
#[derive(Debug, Args)]
struct List {
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// Show a context, or the host or lattice that commands connect to
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP_SHOW)]
struct Show {
    /// Name of the context [default: the one that commands use]
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

/// Remove a context
#[derive(Debug, Args)]
struct Remove {
    /// Name of the context
    #[arg(value_name = "NAME")]
    name: String,
}

/// A context, or the selection of commands without one.
#[derive(Debug, Serialize)]
struct Row {
    /// The name of the context; `None` for a selection without one.
    name: Option<String>,
    in_use: bool,
    /// The host or lattice, for people.
    connects_to: String,
    /// The source of a selection, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    selected: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

/// All contexts.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Rows(Vec<Row>);

/// A change of the contexts.
#[derive(Debug, Serialize)]
struct Changed {
    text: String,
    #[serde(skip)]
    note: Option<String>,
}

impl Context {
    /// Runs the command.
    ///
    /// # Errors
    /// A context is missing or invalid, or the file of contexts cannot be read or written.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self.command {
            ContextCommand::Add(add) => add.run(),
            ContextCommand::Use(use_context) => use_context.run(),
            ContextCommand::List(list) => list.run(),
            ContextCommand::Show(show) => show.run(),
            ContextCommand::Remove(remove) => remove.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Failure> {
        let existing = match self.replace {
            true => Existing::Replace,
            false => Existing::Keep,
        };
        let settings = self.target.settings();
        let connects_to = Contexts::change(|contexts| {
            contexts.add(&self.name, settings, existing)?;
            if self.is_used {
                contexts.select(Some(&self.name))?;
            }
            let (_, settings) = contexts.get(&self.name)?;
            selection(&self.name, settings).map(|it| it.target.to_string())
        })?;
        let note = match self.is_used {
            true => overridden(),
            false => Some(format!("use it with `weft context use {}`", self.name)),
        };
        let text = format!("context `{}`: {connects_to}", self.name);
        print(text, note)
    }
}

impl Use {
    fn run(self) -> Result<(), Failure> {
        let name = self.name.as_deref();
        Contexts::change(|contexts| contexts.select(name))?;
        let text = match name {
            Some(name) => format!("commands use context `{name}`"),
            None => "commands use no context".to_owned(),
        };
        print(text, overridden())
    }
}

impl List {
    fn run(self) -> Result<(), Failure> {
        let contexts = Contexts::load()?;
        let rows = contexts
            .iter()
            .map(|(name, settings)| Row::of_context(name, settings, &contexts));
        let rows = rows.collect::<Result<_, _>>()?;
        output::report(&Rows(rows), self.output)?;
        Ok(())
    }
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        let contexts = Contexts::load()?;
        let row = match &self.name {
            Some(name) => {
                let (name, settings) = contexts.get(name)?;
                Row::of_context(name, settings, &contexts)?
            }
            None => Row::of_commands(&contexts)?,
        };
        output::report(&row, self.output)?;
        Ok(())
    }
}

impl Remove {
    fn run(self) -> Result<(), Failure> {
        let was_in_use = Contexts::change(|contexts| {
            let was_in_use = contexts.in_use() == Some(self.name.as_str());
            contexts.remove(&self.name)?;
            Ok(was_in_use)
        })?;
        let note = was_in_use.then(|| "no context is in use any more".to_owned());
        print(format!("context `{}` was removed", self.name), note)
    }
}

impl Row {
    fn of_context(name: &str, settings: &Settings, contexts: &Contexts) -> Result<Self, Failure> {
        Ok(Self {
            name: Some(name.to_owned()),
            in_use: contexts.in_use() == Some(name),
            connects_to: selection(name, settings)?.target.to_string(),
            selected: None,
            settings: settings.clone(),
        })
    }

    /// The host or lattice of a command without options.
    fn of_commands(contexts: &Contexts) -> Result<Self, Failure> {
        let (line, variables) = (Given::default(), environment::of_environment());
        let find = |name: Option<&str>| contexts.clone().into_selected(name);
        let Selection { target, source } = select(line, variables, find)?;
        let name = match &source {
            Source::Context(name) => Some(name.clone()),
            Source::CommandLine | Source::Environment(_) | Source::Default => None,
        };
        Ok(Self {
            in_use: name.is_some() && name.as_deref() == contexts.in_use(),
            name,
            connects_to: target.to_string(),
            selected: Some(source.to_string()),
            settings: shown(target)?,
        })
    }
}

/// The selection of a command with this context alone.
fn selection(name: &str, settings: &Settings) -> Result<Selection, Failure> {
    select(Given::default(), Given::default(), |_| {
        Ok(Some((name.to_owned(), settings.clone())))
    })
}

/// The main settings of a host or lattice, without secrets.
fn shown(target: Target) -> Result<Settings, Failure> {
    Ok(match target {
        Target::Host { admin, data_dir } => Settings {
            admin,
            data_dir: Some(environment::data_directory(data_dir)?),
            ..Settings::default()
        },
        Target::Lattice(LatticeTarget { name, nats }) => Settings {
            nats: vec![nats.shown_servers()],
            lattice: Some(name),
            ..Settings::default()
        },
    })
}

/// A note that the environment goes before the context in use.
fn overridden() -> Option<String> {
    let Given { context, settings } = environment::of_environment();
    let name = settings.target_name().map(|name| name.variable);
    let variable = name.or_else(|| context.map(|_| "WEFT_CONTEXT"))?;
    Some(format!(
        "`{variable}` is set, and goes before the context in use"
    ))
}

fn print(text: String, note: Option<String>) -> Result<(), Failure> {
    output::report(&Changed { text, note }, Format::Text)?;
    Ok(())
}

fn name(text: &str) -> Result<String, String> {
    check_name(text).map(|()| text.to_owned())
}

impl Report for Changed {
    fn text(&self) -> String {
        self.text.clone()
    }

    fn note(&self) -> Option<String> {
        self.note.clone()
    }
}

impl Report for Rows {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, columns: Option<usize>) -> Styled {
        if self.0.is_empty() {
            return Styled::default();
        }
        let headings = ["NAME", "IN USE", "CONNECTS TO"];
        let mut table = Table::new(headings.map(|heading| (heading, Cut::Middle)));
        for row in &self.0 {
            let in_use = if row.in_use { "yes" } else { "" };
            table.row([
                Cell::new(Style::Name, row.name.as_deref().unwrap_or_default()),
                Cell::from(in_use),
                Cell::from(&row.connects_to),
            ]);
        }
        table.styled(columns)
    }

    fn note(&self) -> Option<String> {
        let help = "no context exists; add one with `weft context add NAME --nats URL`";
        self.0.is_empty().then(|| help.to_owned())
    }
}

impl Report for Row {
    fn text(&self) -> String {
        let first = match &self.name {
            Some(name) => format!("context `{name}`: {}", self.connects_to),
            None => self.connects_to.clone(),
        };
        let selected = self.selected.iter().map(|source| format!("  {source}"));
        let lines = std::iter::once(first).chain(selected);
        lines
            .chain(options(&self.settings))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// The settings as options, one on each line.
fn options(settings: &Settings) -> Vec<String> {
    let Ok(Value::Object(fields)) = serde_json::to_value(settings) else {
        return Vec::new();
    };
    let lines = fields.into_iter().map(|(field, value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Array(items) => {
                let items = items.iter().filter_map(Value::as_str);
                items.collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        format!("  --{} {value}", field.replace('_', "-"))
    });
    lines.collect()
}
