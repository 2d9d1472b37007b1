//! `weft label`: sets and removes labels of a running host.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use serde::Serialize;
use weft_control::{HostRef, LabelReport, LabelRequest};

use crate::connection;
use crate::consent::{self, ConsentOption};
use crate::environment::HostOptions;
use crate::failure::{Failure, Kind};
use crate::output::{self, Format, Report};

const AFTER_HELP: &str = "\
Examples:
  weft label north zone=a2 gpu=yes        set two labels
  weft label north gpu-                   remove one

Placement follows at once. A component that no host may run after the change goes on serving where
it runs; on a terminal, the command asks before. The host stores these changes in its data
directory; they override `--label` of `weft up` when the host restarts.";

/// Set and remove labels of a host
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct LabelCommand {
    /// Name or id prefix of the host
    #[arg(value_name = "HOST")]
    host: HostRef,
    /// `KEY=VALUE` to set a label, `KEY-` to remove it
    #[arg(required = true, value_name = "LABEL")]
    labels: Vec<LabelChange>,
    #[command(flatten)]
    consent: ConsentOption,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    options: HostOptions,
}

/// A label to set, or to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LabelChange {
    key: String,
    value: Option<String>,
}

/// The labels of the host.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(LabelReport);

impl LabelCommand {
    /// Runs the command.
    ///
    /// # Errors
    /// A label is given twice, the host is missing or rejects a label, or the user does not consent
    /// that components lose their hosts.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let mut labels = BTreeMap::new();
        for LabelChange { key, value } in self.labels {
            if labels.insert(key.clone(), value).is_some() {
                let message = format!("label `{key}` is given twice");
                return Err(Failure::new(Kind::Input, message).or_help("give each label once"));
            }
        }
        let client = connection::client(&self.options).await?;
        let request = LabelRequest { labels };
        let asks = self.consent.asks();
        if asks {
            let preview = client.check_label(&self.host, &request).await?;
            consent::ask(&preview.unplaced, "no label was changed").await?;
        }
        let report = client.label(&self.host, &request).await?;
        if !asks {
            consent::warn(&report.unplaced);
        }
        output::report(&Shown(report), self.output)?;
        Ok(())
    }
}

impl FromStr for LabelChange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = match (text.split_once('='), text.strip_suffix('-')) {
            (Some((key, value)), _) => (key, Some(value.to_owned())),
            (None, Some(key)) => (key, None),
            (None, None) => ("", None),
        };
        if key.is_empty() {
            return Err(
                "expected `KEY=VALUE` to set a label, or `KEY-` to remove it, as in `zone=a2`"
                    .to_owned(),
            );
        }
        let key = key.to_owned();
        Ok(Self { key, value })
    }
}

impl Report for Shown {
    fn text(&self) -> String {
        let labels = self.0.labels.iter();
        let labels = labels.map(|(key, value)| format!("{key}={value}"));
        let labels = labels.collect::<Vec<_>>().join(" ");
        match labels.as_str() {
            "" => format!("{}: no labels", self.0.host),
            labels => format!("{}: {labels}", self.0.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_set_with_a_value_and_removed_with_a_dash() {
        let read = |text: &str| text.parse::<LabelChange>().map(|it| (it.key, it.value));
        let set = |key: &str, value: &str| Ok((key.to_owned(), Some(value.to_owned())));
        assert_eq!(read("zone=a"), set("zone", "a"));
        assert_eq!(read("zone="), set("zone", ""));
        assert_eq!(read("zone=a-"), set("zone", "a-"));
        assert_eq!(read("zone-"), Ok(("zone".to_owned(), None)));
        for text in ["", "zone", "-", "=a"] {
            assert!(read(text).unwrap_err().contains("`KEY-`"), "{text}");
        }
    }
}
