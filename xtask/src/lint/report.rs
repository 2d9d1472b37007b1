//! Counts the lines of each crate that break a rule, and prints them as a table.

use std::collections::BTreeMap;

use super::rules::Rule;
use crate::sources::{Kind, Source, scan};

/// The offending lines that are listed for each rule of a crate.
const LISTED_MAX: usize = 10;

/// A line that breaks a rule, as `file:line: text`.
type Place = String;

/// The comments of one crate.
#[derive(Debug, Default)]
pub(super) struct CrateProse {
    pub(super) comments: usize,
    pub(super) broken: BTreeMap<Rule, Vec<Place>>,
}

impl CrateProse {
    fn add(&mut self, path: &str, number: usize, line: &str) {
        self.comments += 1;
        for rule in Rule::ALL {
            if rule.is_broken_by(line) {
                let place = format!("{path}:{number}: {}", line.trim());
                self.broken.entry(rule).or_default().push(place);
            }
        }
    }

    fn count(&self, rule: Rule) -> usize {
        self.broken.get(&rule).map_or(0, Vec::len)
    }

    fn is_over(&self, rule: Rule) -> bool {
        self.count(rule) * 1000 > self.comments * rule.permille_max()
    }
}

/// The prose of all crates, by folder.
#[derive(Debug, Default)]
pub(super) struct Report(pub(super) BTreeMap<String, CrateProse>);

impl Report {
    /// Reads the comment lines of sources, without those of test modules.
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut crates: BTreeMap<String, CrateProse> = BTreeMap::new();
        for source in sources {
            let prose = crates.entry(source.folder.clone()).or_default();
            for line in scan(&source.text).lines {
                if line.kind == Kind::Comment && !line.in_tests {
                    prose.add(&source.path, line.number, line.text);
                }
            }
        }
        Self(crates)
    }

    /// The rules that crates break more often than allowed.
    pub(super) fn over(&self) -> impl Iterator<Item = (&str, Rule)> {
        self.0.iter().flat_map(|(folder, prose)| {
            let over = Rule::ALL.into_iter().filter(|rule| prose.is_over(*rule));
            over.map(move |rule| (folder.as_str(), rule))
        })
    }

    /// A row for each crate: its comment lines, and count and share for each rule.
    pub(super) fn table(&self) -> String {
        let mut table = format!("{:<28} {:>8}", "crate", "comments");
        for rule in Rule::ALL {
            table += &format!(" {:>14}", rule.name());
        }
        table += "\n";
        for (folder, prose) in &self.0 {
            table += &format!("{folder:<28} {:>8}", prose.comments);
            for rule in Rule::ALL {
                table += &format!(" {:>14}", cell(prose, rule));
            }
            let is_over = Rule::ALL.into_iter().any(|rule| prose.is_over(rule));
            table += if is_over { "  over\n" } else { "  ok\n" };
        }
        table += &format!("{:<28} {:>8}", "budget", "");
        for rule in Rule::ALL {
            table += &format!(" {:>14}", percent(rule.permille_max()));
        }
        table
    }

    /// The offending lines of one rule in one crate, and the advice.
    pub(super) fn places(&self, folder: &str, rule: Rule) -> String {
        let places = self
            .0
            .get(folder)
            .and_then(|prose| prose.broken.get(&rule))
            .map_or(&[][..], Vec::as_slice);
        let mut text = format!("{folder}, {}: {}\n", rule.name(), rule.advice());
        for place in places.iter().take(LISTED_MAX) {
            text += &format!("  {place}\n");
        }
        if places.len() > LISTED_MAX {
            text += &format!("  and {} more\n", places.len() - LISTED_MAX);
        }
        text
    }
}

fn cell(prose: &CrateProse, rule: Rule) -> String {
    let count = prose.count(rule);
    let share = (count * 1000).checked_div(prose.comments).unwrap_or(0);
    let mark = if prose.is_over(rule) { "!" } else { " " };
    format!("{count} {}{mark}", percent(share))
}

fn percent(permille: usize) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(text: &str) -> Report {
        Report::of(&[Source {
            folder: "a".to_owned(),
            path: "a/src/lib.rs".to_owned(),
            text: text.to_owned(),
        }])
    }

    #[test]
    fn a_crate_over_its_budget_is_reported_with_the_rule() {
        let plain = "// Sends a frame.\n";
        for (broken, comments, expected) in [
            ("// What it is.\n", 100, vec![]),
            ("// What it is.\n", 99, vec![("a", Rule::Opener)]),
            ("// It is told.\n", 99, vec![("a", Rule::Speech)]),
            ("// Nobody waits.\n", 200, vec![]),
            ("// Nobody waits.\n", 199, vec![("a", Rule::Negation)]),
        ] {
            let text = broken.to_owned() + &plain.repeat(comments - 1);
            let report = report(&text);
            assert_eq!(report.over().collect::<Vec<_>>(), expected, "{broken}");
        }
    }

    #[test]
    fn one_long_line_is_too_many() {
        let text = "// Short.\n".repeat(5_000) + &format!("// {}\n", "a".repeat(98));
        let report = report(&text);
        assert_eq!(report.over().collect::<Vec<_>>(), [("a", Rule::Width)]);
    }

    #[test]
    fn code_strings_and_test_modules_are_not_prose() {
        let report = report(
            "fn a() {} // What\nlet b = \"\n// What\n\";\n\
             #[cfg(test)]\nmod tests {\n    // What\n}\n",
        );
        assert_eq!(report.0["a"].comments, 0);
        assert_eq!(report.over().count(), 0);
    }

    #[test]
    fn offending_lines_are_listed_up_to_a_bound() {
        let report = report(&"\n// What it is.\n".repeat(LISTED_MAX + 2));
        let places = report.places("a", Rule::Opener);
        assert!(places.contains("  a/src/lib.rs:2: // What it is.\n"));
        assert_eq!(places.matches("lib.rs").count(), LISTED_MAX);
        assert!(places.ends_with("  and 2 more\n"), "{places}");
        assert!(report.table().contains("over"), "{}", report.table());
    }
}
