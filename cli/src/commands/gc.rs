//! `weft gc`: deletes what no app needs any more.

use clap::Args;
use serde::Serialize;
use weft_control::collection::CollectedStore;
use weft_control::{Client, CollectionReport, CollectionRequest, Gathered, SilentHost};
use weft_lattice_config::DurationText;

use crate::all_hosts::{self, OneHost};
use crate::connection;
use crate::environment::HostOptions;
use crate::failure::Failure;
use crate::get_columns::size;
use crate::output::{self, Format, Report};
use crate::styled::{Style, Styled};
use crate::table::{Cell, Cut, Table};

const AFTER_HELP: &str = "\
Examples:
  weft gc --dry-run                       show what would be deleted
  weft gc --host north                    free space on one host
  weft gc --grace 5m                      also delete what was uploaded or used 5 minutes ago

Hosts delete by themselves, every ten minutes, what the current and the previous revision of no app
need, once it was not uploaded, deployed or used for an hour. A shorter `--grace` may delete the
artifacts of a deploy that is in progress, which then fails and can be repeated. `weft get hosts`
shows the use of disks.";

/// Delete artifacts and machine code that no app needs
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Gc {
    #[command(flatten)]
    one_host: OneHost,
    /// Delete nothing, and show what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Keep what was uploaded, deployed or used within this time; at least 5s [default: 1h]
    #[arg(long, value_name = "DURATION")]
    grace: Option<DurationText>,
    /// Print in this format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    #[command(flatten)]
    options: HostOptions,
}

/// The results of all hosts.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Shown(Vec<CollectionReport>);

impl Gc {
    /// Runs the command.
    ///
    /// # Errors
    /// No host answers, or the selected host is missing.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let client = connection::client(&self.options).await?;
        let request = CollectionRequest {
            dry_run: self.dry_run,
            // A part of a second is too short in any case.
            grace_s: self.grace.map(|grace| grace.get().as_secs()),
        };
        let reports = self.collect(&client, request).await?;
        output::report(&Shown(reports), self.output)?;
        Ok(())
    }

    /// Collects on one host after the other: the first deletes the objects of the lattice.
    async fn collect(
        &self,
        client: &Client,
        request: CollectionRequest,
    ) -> Result<Vec<CollectionReport>, Failure> {
        let mut gathered = Gathered {
            answers: Vec::new(),
            silent: Vec::new(),
        };
        for host in self.one_host.rows(client).await? {
            match client.for_row(&host)?.gc(request).await {
                Ok(report) => gathered.answers.push((host, report)),
                Err(error) => {
                    let error = error.into();
                    gathered.silent.push(SilentHost { host, error });
                }
            }
        }
        let answers = all_hosts::answers(gathered)?;
        Ok(answers.into_iter().map(|(_, report)| report).collect())
    }
}

impl Report for Shown {
    fn text(&self) -> String {
        self.styled(None).to_string()
    }

    fn styled(&self, columns: Option<usize>) -> Styled {
        let is_dry_run = self.0.iter().any(|report| report.dry_run);
        let freed = if is_dry_run { "WOULD FREE" } else { "FREED" };
        let headings = [
            "HOST",
            freed,
            "ARTIFACTS",
            "CODE",
            "OBJECTS",
            "STORED",
            "NOTES",
        ];
        let mut table = Table::new(headings.map(|heading| (heading, Cut::End)));
        for report in &self.0 {
            let stored = report.artifacts.stored_bytes + report.code.stored_bytes;
            let objects = report.objects.as_ref();
            let stored = match report.held {
                Some(_) => String::new(),
                None => size(stored),
            };
            table.row([
                Cell::new(Style::Name, &report.host),
                Cell::from(size(report.freed_bytes)),
                Cell::from(deleted(&report.artifacts)),
                Cell::from(deleted(&report.code)),
                Cell::from(objects.map(deleted).unwrap_or_default()),
                Cell::from(stored),
                Cell::from(notes(report)),
            ]);
        }
        table.styled(columns)
    }
}

fn deleted(store: &CollectedStore) -> String {
    match store.deleted {
        0 => String::new(),
        deleted => format!("{deleted} ({})", size(store.deleted_bytes)),
    }
}

fn notes(report: &CollectionReport) -> String {
    let held = report.held.iter();
    let held = held.map(|held| format!("nothing is deleted: {held}"));
    let stores = [&report.artifacts, &report.code];
    let stores = stores.into_iter().chain(&report.objects);
    let errors = stores.filter_map(|store| store.error.clone());
    held.chain(errors).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(deleted: usize, bytes: u64) -> CollectedStore {
        CollectedStore {
            deleted,
            deleted_bytes: bytes,
            stored_bytes: 2048,
            ..CollectedStore::default()
        }
    }

    #[test]
    fn the_text_has_what_each_host_freed_and_why_another_did_not() {
        let north = CollectionReport {
            host: "north".to_owned(),
            freed_bytes: 3072,
            artifacts: store(2, 2048),
            code: store(0, 0),
            objects: Some(store(1, 1024)),
            ..CollectionReport::default()
        };
        let south = CollectionReport {
            host: "south".to_owned(),
            held: Some("placement is paused".to_owned()),
            ..CollectionReport::default()
        };
        let text = Shown(vec![north.clone(), south]).text();
        let lines: Vec<_> = text.lines().map(str::split_whitespace).collect();
        let lines: Vec<Vec<_>> = lines.into_iter().map(Iterator::collect).collect();
        let headings = [
            "HOST",
            "FREED",
            "ARTIFACTS",
            "CODE",
            "OBJECTS",
            "STORED",
            "NOTES",
        ];
        assert_eq!(lines[0], headings);
        assert_eq!(
            lines[1].join(" "),
            "north 3.0 KiB 2 (2.0 KiB) - 1 (1.0 KiB) 4.0 KiB -"
        );
        let held = "south 0 B - - - - nothing is deleted: placement is paused";
        assert_eq!(lines[2].join(" "), held);
        let dry_run = CollectionReport {
            dry_run: true,
            ..north
        };
        assert!(Shown(vec![dry_run]).text().contains("WOULD FREE"));
    }
}
