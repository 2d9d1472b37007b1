//! Selects the mode of each link between components: fused, local or remote. Pure.
//!
//! Fused links are the fastest, so a link is fused unless there is an obstacle; with one it is
//! local. A link to a component that does not run on this host is remote, unless the manifest
//! requires a fused one. The obstacles are stored with the mode, for `weft link why`.

use std::collections::BTreeSet;

use weft_lattice_config::mistake_paths::link_path;
use weft_lattice_config::{App, ComponentSpec, Locality, Mistake, Mistakes, links};

use super::resolve::ComponentLink;
use super::{LocalComponents, Mode};
use crate::bindings::MAX_PARTS;

/// The mode of a link, and the obstacles to a faster one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModeChoice {
    pub(crate) mode: Mode,
    /// The reasons why the link is not fused; empty if it is.
    pub(crate) reasons: Vec<String>,
}

/// The mode of every link, in the order of `links`.
///
/// # Errors
/// The links with `locality: fused` that cannot be fused.
pub(crate) fn choose_modes(
    app: &App,
    links: &[ComponentLink],
    share: &LocalComponents,
) -> Result<Vec<ModeChoice>, Mistakes> {
    let circular = links::on_a_cycle(app);
    let mut mistakes = Mistakes::default();
    let mut choices: Vec<ModeChoice> = links
        .iter()
        .map(|link| {
            let reasons = obstacles(app, link, &circular);
            let spec = &app.spec.links[link.link];
            match (spec.locality, reasons.is_empty()) {
                (Locality::Fused, false) => {
                    mistakes.push(cannot_fuse(app, link, &reasons));
                    ModeChoice::fused()
                }
                // A fused target runs within its importer, on whichever host that is.
                (Locality::Fused, true) => ModeChoice::fused(),
                (Locality::Auto | Locality::Local, _) if !share.has(link.edge.to) => {
                    ModeChoice::remote(app, link)
                }
                (Locality::Auto, true) => ModeChoice::fused(),
                (Locality::Auto, false) => ModeChoice::local(reasons),
                (Locality::Local, _) => {
                    ModeChoice::local(vec!["the manifest sets `locality: local`".to_owned()])
                }
            }
        })
        .collect();
    one_mode_for_each_pair(app, links, &mut choices);
    bound_groups(app, links, &mut choices, &mut mistakes);
    mistakes.or(choices)
}

impl ModeChoice {
    fn fused() -> Self {
        Self {
            mode: Mode::Fused,
            reasons: Vec::new(),
        }
    }

    fn local(reasons: Vec<String>) -> Self {
        let mode = Mode::Local;
        Self { mode, reasons }
    }

    fn remote(app: &App, link: &ComponentLink) -> Self {
        let to = &app.spec.components[link.edge.to].name;
        Self {
            mode: Mode::Remote,
            reasons: vec![format!("component `{to}` does not run on this host")],
        }
    }
}

/// All obstacles to fusing a link.
fn obstacles(app: &App, link: &ComponentLink, circular: &BTreeSet<usize>) -> Vec<String> {
    let mut reasons = Vec::new();
    for component in [link.edge.from, link.edge.to] {
        let component = &app.spec.components[component];
        if component.isolate {
            reasons.push(format!(
                "component `{}` is isolated (`isolate`)",
                component.name
            ));
        }
        if let Some(limit) = own_limit(component) {
            reasons.push(format!(
                "component `{}` has its own limit (`limits.{limit}`), and fused components share \
                 the limits of one store",
                component.name
            ));
        }
    }
    if app.spec.links[link.link].deadline.is_some() {
        reasons.push(
            "the link has its own deadline (`deadline`), and a call within a store cannot be ended \
             alone"
                .to_owned(),
        );
    }
    // A circle of `locality: fused` links is rejected with the manifest. In any other circle, the
    // links with `locality: fused` are fused.
    let requires_fused = app.spec.links[link.link].locality == Locality::Fused;
    if circular.contains(&link.link) && !requires_fused {
        reasons.push(format!(
            "the link is part of a circle: `{}` reaches `{}` again over links, and an instance \
             cannot be entered twice",
            app.spec.components[link.edge.to].name, app.spec.components[link.edge.from].name
        ));
    }
    reasons
}

fn own_limit(component: &ComponentSpec) -> Option<&'static str> {
    let limits = &component.limits;
    limits
        .memory
        .map(|_| "memory")
        .or_else(|| limits.cpu.map(|_| "cpu"))
}

/// Two components with several links share one instance of the callee, so that resources of one
/// interface can be used with another.
fn one_mode_for_each_pair(app: &App, links: &[ComponentLink], choices: &mut [ModeChoice]) {
    for one in 0..links.len() {
        let (from, to) = (links[one].edge.from, links[one].edge.to);
        let is_auto = app.spec.links[links[one].link].locality == Locality::Auto;
        if choices[one].mode != Mode::Fused || !is_auto {
            continue;
        }
        let other = links.iter().zip(&*choices).find(|(link, choice)| {
            (link.edge.from, link.edge.to) == (from, to) && choice.mode != Mode::Fused
        });
        if let Some((other, ModeChoice { mode, .. })) = other {
            let reason = format!(
                "the link of `{}` between the same components is {}",
                other.edge.import,
                mode.name()
            );
            choices[one] = ModeChoice {
                mode: *mode,
                reasons: vec![reason],
            };
        }
    }
}

/// Makes the links local that lead out of a group of [`MAX_PARTS`] components.
fn bound_groups(
    app: &App,
    links: &[ComponentLink],
    choices: &mut [ModeChoice],
    mistakes: &mut Mistakes,
) {
    for endpoint in 0..app.spec.components.len() {
        let group = reachable(links, choices, endpoint);
        if group.len() <= MAX_PARTS {
            continue;
        }
        let inside: BTreeSet<usize> = group[..MAX_PARTS].iter().copied().collect();
        for (link, choice) in links.iter().zip(&mut *choices) {
            let leads_out = inside.contains(&link.edge.from) && !inside.contains(&link.edge.to);
            if !leads_out || choice.mode != Mode::Fused {
                continue;
            }
            let reason = format!(
                "component `{}` reaches {} components over fused links; at most {MAX_PARTS} share \
                 one store",
                app.spec.components[endpoint].name,
                group.len()
            );
            match app.spec.links[link.link].locality {
                Locality::Fused => mistakes.push(cannot_fuse(app, link, &[reason])),
                Locality::Auto | Locality::Local => *choice = ModeChoice::local(vec![reason]),
            }
        }
    }
}

/// All components that `endpoint` reaches over fused links, in breadth-first order, itself first.
pub(super) fn reachable(
    links: &[ComponentLink],
    choices: &[ModeChoice],
    endpoint: usize,
) -> Vec<usize> {
    let mut parts = vec![endpoint];
    let mut next = 0;
    while let Some(part) = parts.get(next).copied() {
        next += 1;
        let fused = links
            .iter()
            .zip(choices)
            .filter(|(link, choice)| link.edge.from == part && choice.mode == Mode::Fused);
        for (link, _) in fused {
            if !parts.contains(&link.edge.to) {
                parts.push(link.edge.to);
            }
        }
    }
    parts
}

fn cannot_fuse(app: &App, link: &ComponentLink, reasons: &[String]) -> Mistake {
    let (from, to) = (
        &app.spec.components[link.edge.from].name,
        &app.spec.components[link.edge.to].name,
    );
    let message = format!(
        "link `{from}` → `{to}` (`{}`) cannot be fused: {}",
        link.edge.import,
        reasons.join("; ")
    );
    Mistake::new(format!("{}.locality", link_path(link.link)), message)
        .with_help("leave out `locality: fused`; a local link works the same way across two stores")
}

#[cfg(test)]
mod tests {
    use weft_compose::Edge;

    use super::*;

    /// An app of components `a`, `b` … with these fields, and links between them.
    fn app(components: &[&str], links: &[(usize, usize, &str)]) -> (App, Vec<ComponentLink>) {
        let name = |index: usize| char::from(b'a' + u8::try_from(index).unwrap());
        let digest = format!("sha256:{}", "0".repeat(64));
        let mut yaml =
            "apiVersion: weft.dev/v1alpha1\nkind: App\nmetadata: {name: t}\nspec:\n  components:\n"
                .to_owned();
        for (index, fields) in components.iter().enumerate() {
            let name = name(index);
            yaml += &format!("    - {{name: {name}, source: {{digest: '{digest}'}}{fields}}}\n");
        }
        yaml += "  links:\n";
        for (from, to, fields) in links {
            let (from, to) = (name(*from), name(*to));
            yaml += &format!("    - {{from: {from}, interface: 't:t/{to}', to: {to}{fields}}}\n");
        }
        let app =
            App::from_yaml("app.yaml", &yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        let edges = links.iter().enumerate().map(|(link, (from, to, _))| {
            let interface = format!("t:t/{}", name(*to));
            ComponentLink {
                link,
                edge: Edge {
                    from: *from,
                    import: interface.clone(),
                    to: *to,
                    export: interface,
                },
            }
        });
        (app, edges.collect())
    }

    #[track_caller]
    fn check(components: &[&str], links: &[(usize, usize, &str)], expected: &[(Mode, &str)]) {
        let (app, links) = app(components, links);
        let choices = choose_modes(&app, &links, &LocalComponents::Whole).unwrap();
        assert_eq!(choices.len(), expected.len());
        for (choice, (mode, reason)) in choices.iter().zip(expected) {
            assert_eq!(choice.mode, *mode, "{choice:?}");
            let reasons = choice.reasons.join("; ");
            assert!(reasons.contains(reason), "{reasons:?} has no {reason:?}");
        }
    }

    #[test]
    fn a_link_without_obstacles_is_fused() {
        check(&["", ""], &[(0, 1, "")], &[(Mode::Fused, "")]);
        check(
            &["", ""],
            &[(0, 1, ", locality: fused")],
            &[(Mode::Fused, "")],
        );
    }

    #[test]
    fn a_link_is_local_if_the_manifest_or_an_end_requires_it() {
        let cases = [
            ("", ", locality: local", "`locality: local`"),
            (", isolate: true", "", "`isolate`"),
            (", limits: {memory: 1MiB}", "", "`limits.memory`"),
            (", limits: {cpu: 1s}", "", "`limits.cpu`"),
        ];
        for (component, link, reason) in cases {
            check(&["", component], &[(0, 1, link)], &[(Mode::Local, reason)]);
            check(&[component, ""], &[(0, 1, link)], &[(Mode::Local, reason)]);
        }
    }

    #[test]
    fn a_link_with_a_deadline_is_local() {
        check(
            &["", ""],
            &[(0, 1, ", deadline: 1s")],
            &[(Mode::Local, "`deadline`")],
        );
    }

    #[test]
    fn the_links_of_a_circle_are_local_and_those_beside_it_are_not() {
        check(
            &["", "", ""],
            &[(0, 1, ""), (1, 0, ""), (1, 2, "")],
            &[
                (Mode::Local, "circle"),
                (Mode::Local, "circle"),
                (Mode::Fused, ""),
            ],
        );
    }

    #[test]
    fn a_link_to_a_component_that_does_not_run_here_is_remote_unless_it_has_to_be_fused() {
        let (app, links) = app(
            &["", "", "", ""],
            &[
                (0, 1, ""),
                (0, 2, ""),
                (0, 3, ", locality: fused"),
                (1, 2, ", locality: local"),
            ],
        );
        let share = LocalComponents::Part([0, 1].into());
        let choices = choose_modes(&app, &links, &share).unwrap();
        let modes: Vec<_> = choices.iter().map(|choice| choice.mode).collect();
        assert_eq!(
            modes,
            [Mode::Fused, Mode::Remote, Mode::Fused, Mode::Remote]
        );
        assert_eq!(
            choices[1].reasons,
            ["component `c` does not run on this host"]
        );
    }

    #[test]
    fn two_links_between_the_same_components_have_one_mode() {
        let (app, mut links) = app(&["", ""], &[(0, 1, ", locality: local")]);
        let mut second = app.clone();
        let mut other = app.spec.links[0].clone();
        other.locality = Locality::Auto;
        other.interface = "t:t/other".parse().unwrap();
        second.spec.links.push(other);
        let edge = Edge {
            import: "t:t/other".to_owned(),
            ..links[0].edge.clone()
        };
        links.push(ComponentLink { link: 1, edge });
        let choices = choose_modes(&second, &links, &LocalComponents::Whole).unwrap();
        assert!(choices.iter().all(|choice| choice.mode == Mode::Local));
    }

    #[test]
    fn a_group_that_is_too_large_is_cut_at_its_rim() {
        let components = vec![""; MAX_PARTS + 1];
        let links: Vec<_> = (0..MAX_PARTS).map(|from| (from, from + 1, "")).collect();
        let (app, links) = app(&components, &links);
        let choices = choose_modes(&app, &links, &LocalComponents::Whole).unwrap();
        let local: Vec<_> = choices
            .iter()
            .filter(|choice| choice.mode == Mode::Local)
            .collect();
        assert_eq!(local.len(), 1);
        assert!(local[0].reasons[0].contains("at most 16"), "{local:?}");
    }
}
