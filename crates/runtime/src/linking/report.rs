//! Reports of an app's links, for `weft get links` and `weft link why`.

use weft_lattice_config::App;

use super::LinkReport;
use super::modes::ModeChoice;
use super::resolve::ComponentLink;
use super::store_crossing::StoreCrossings;

/// A report for each import that is linked to a component.
pub(crate) fn link_reports(
    app: &App,
    links: &[ComponentLink],
    choices: &[ModeChoice],
    crossings: &StoreCrossings,
) -> Vec<LinkReport> {
    let reports = links.iter().zip(choices).map(|(link, choice)| {
        let deadline = app.spec.links[link.link].deadline;
        LinkReport {
            link: link.link,
            import: link.edge.import.clone(),
            mode: choice.mode,
            reasons: choice.reasons.clone(),
            functions: crossings.paths(link),
            deadline: deadline.map(|deadline| deadline.get()),
        }
    });
    reports.collect()
}
