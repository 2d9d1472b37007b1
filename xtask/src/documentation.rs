//! A test of the guides: a link from one file of the workspace to another leads somewhere, and so does the
//! heading it names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::root;

#[test]
fn links_between_guides_lead_somewhere() {
    let mut guides = guides_in(root().unwrap());
    guides.extend(guides_in(&root().unwrap().join("docs")));
    guides.extend(guides_in(&root().unwrap().join("docs/adr")));
    assert!(guides.len() > 5, "{guides:?}");
    for guide in guides {
        let text = fs::read_to_string(&guide).unwrap();
        for link in links(&text) {
            assert!(leads_somewhere(&guide, link), "{}: {link}", guide.display());
        }
    }
}

fn guides_in(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// What stands in the parentheses of `[text](link)`, if it is no address.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let after_text = text.split("](").skip(1);
    after_text
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://"))
}

fn leads_somewhere(guide: &Path, link: &str) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => guide.to_owned(),
        file => guide.parent().unwrap().join(file),
    };
    if heading.is_empty() {
        return target.exists();
    }
    let text = fs::read_to_string(target).unwrap_or_default();
    let mut headings = text.lines().filter(|line| line.starts_with('#'));
    headings.any(|line| anchor(line) == heading)
}

/// The name that is made of a heading.
fn anchor(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_heading_has_an_anchor() {
    assert_eq!(anchor("## `spec.links[]`"), "speclinks");
    assert_eq!(anchor("## A new provider"), "a-new-provider");
}
