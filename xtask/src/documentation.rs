//! Tests the links between guides: their files and headings exist.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::root;

#[test]
fn links_between_guides_have_targets() {
    let mut guides = guides_in(root().unwrap());
    guides.extend(guides_in(&root().unwrap().join("docs")));
    guides.extend(guides_in(&root().unwrap().join("docs/adr")));
    assert!(guides.len() > 5, "{guides:?}");
    for guide in guides {
        let text = fs::read_to_string(&guide).unwrap();
        for link in links(&text) {
            assert!(has_target(&guide, link), "{}: {link}", guide.display());
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

/// The targets of `[text](target)` that are files.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let after_text = text.split("](").skip(1);
    after_text
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://"))
}

fn has_target(guide: &Path, link: &str) -> bool {
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

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let letters = title
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    letters.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn a_heading_has_an_anchor() {
    assert_eq!(anchor("## `spec.links[]`"), "speclinks");
    assert_eq!(anchor("## A new provider"), "a-new-provider");
}
