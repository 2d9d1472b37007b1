//! Resolves each import to a link. Versions match by semantic versioning in every mode.

use std::collections::BTreeSet;

use weft_compose::{Edge, Extern, ExternKind};
use weft_lattice_config::interface::{newest_serving, satisfies};
use weft_lattice_config::mistake_paths::{component_path, link_path, route_path};
use weft_lattice_config::{
    App, ComponentSpec, InterfaceName, InterfaceRef, LinkSpec, Mistake, Mistakes, nearest,
};
use weft_provider::Registry;

use super::Binaries;
use crate::bindings::{self, Access, HostInterface};

/// The links of all imports of an app.
#[derive(Debug, Default)]
pub(crate) struct ResolvedLinks {
    /// Links between components, one for each import.
    pub(crate) links: Vec<ComponentLink>,
    pub(crate) providers: Vec<ProviderLink>,
    pub(crate) routes: Vec<TypedRoute>,
}

/// A route that calls the functions of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypedRoute {
    /// The index of the route in the manifest.
    pub(crate) route: usize,
    /// The index of the component in the app.
    pub(crate) to: usize,
    /// The name of the component's export.
    pub(crate) export: String,
}

/// A link between components, for one import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComponentLink {
    /// The index of the link in the manifest.
    pub(crate) link: usize,
    /// `from` and `to` are indices into the app's components.
    pub(crate) edge: Edge,
}

/// A link to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProviderLink {
    /// The index of the importing component in the app.
    pub(crate) from: usize,
    /// The index of the link in the manifest.
    pub(crate) link: usize,
}

/// Resolves one app.
pub(crate) struct Resolver<'a> {
    app: &'a App,
    /// Those of the components that could be read; links from and to others are not resolved.
    binaries: &'a Binaries,
    registry: &'a Registry,
    resolved: ResolvedLinks,
    mistakes: Mistakes,
    /// Marks the links that an import uses; the rest are mistakes.
    used: Vec<bool>,
    /// The imports without a link, with the index of their component.
    unlinked: Vec<(usize, &'a Extern)>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(app: &'a App, binaries: &'a Binaries, registry: &'a Registry) -> Self {
        Self {
            app,
            binaries,
            registry,
            resolved: ResolvedLinks::default(),
            mistakes: Mistakes::default(),
            used: vec![false; app.spec.links.len()],
            unlinked: Vec::new(),
        }
    }

    /// Finds the link or host interface of every import. Returns the links with the mistakes: all
    /// imports without a link, and all links without an import.
    pub(crate) fn resolve(mut self) -> (ResolvedLinks, Mistakes) {
        for (index, component) in self.app.spec.components.iter().enumerate() {
            let Some(binary) = self.binaries.get(component.name.as_str()) else {
                continue;
            };
            for import in &binary.description.imports {
                self.import(index, component, import);
            }
        }
        let meant = self.unused_links();
        self.unlinked_imports(&meant);
        self.typed_routes();
        (self.resolved, self.mistakes)
    }

    fn import(&mut self, index: usize, component: &ComponentSpec, import: &'a Extern) {
        if !needs_implementation(import) {
            return;
        }
        let links: Vec<usize> = (0..self.app.spec.links.len())
            .filter(|link| serves(&self.app.spec.links[*link], component, import))
            .collect();
        for link in &links {
            self.used[*link] = true;
        }
        match links.as_slice() {
            [] if is_linked(import) => self.unlinked.push((index, import)),
            [] => {}
            links => self.linked(index, import, links),
        }
    }

    // === routes ===

    /// Finds the exports that typed routes call.
    fn typed_routes(&mut self) {
        for (index, route) in self.app.spec.routes.iter().enumerate() {
            let Some(interface) = &route.interface else {
                continue;
            };
            let mut components = self.app.spec.components.iter();
            let Some(to) = components.position(|component| component.name == route.to) else {
                continue;
            };
            let target = &self.app.spec.components[to];
            if !self.binaries.contains_key(target.name.as_str()) {
                continue;
            }
            if let Some(export) = newest_serving(interface, self.exports(target)) {
                let export = export.to_owned();
                let route = index;
                self.resolved.routes.push(TypedRoute { route, to, export });
                continue;
            }
            let message = format!(
                "a route serves `{interface}` of component `{}`, which does not export it; found {}",
                route.to,
                list(&self.exports(target))
            );
            let path = format!("{}.interface", route_path(index));
            self.mistakes.push(Mistake::new(path, message));
        }
    }

    // === imports without a link ===

    /// Reports the imports without a link, except those that a link was `meant` for: the mistake is
    /// in the link.
    fn unlinked_imports(&mut self, meant: &BTreeSet<(usize, &str)>) {
        for (index, import) in std::mem::take(&mut self.unlinked) {
            if meant.contains(&(index, import.name.as_str())) {
                continue;
            }
            let component = &self.app.spec.components[index];
            let (message, help) = match hosted(import) {
                Some(hosted) => self.missing_provider(component, import, hosted.path),
                None => self.missing_link(component, import),
            };
            let mistake = Mistake::new(component_path(index), message).with_help(help);
            self.mistakes.push(mistake);
        }
    }

    /// The message and help for an import that a provider serves.
    fn missing_provider(
        &self,
        component: &ComponentSpec,
        import: &Extern,
        path: &str,
    ) -> (String, String) {
        let kinds: Vec<&str> = self
            .registry
            .kinds()
            .filter(|kind| self.kind_serves(kind, path))
            .collect();
        let name = &component.name;
        let message = format!(
            "import `{}` of component `{name}` has no link to a provider",
            import.name
        );
        let help = format!(
            "add `{{from: {name}, interface: {path}, {}to: PROVIDER}}` to `spec.links`, where \
             PROVIDER is a provider of type {}",
            link_name(import),
            list(&kinds)
        );
        (message, help)
    }

    /// The message and help for an import that a component serves, or nothing.
    fn missing_link(&self, component: &ComponentSpec, import: &Extern) -> (String, String) {
        let name = &component.name;
        let interface = unversioned(interface_of(import));
        let others = self.app.spec.components.iter();
        let others: Vec<_> = others.filter(|other| other.name != *name).collect();
        let exporters = others.iter().copied();
        let exporters: Vec<&str> = exporters
            .filter(|other| !matches!(self.export_for(other, import, None), Ok(None)))
            .map(|other| other.name.as_str())
            .collect();
        let message = format!("import `{}` of component `{name}` has no link", import.name);
        if let Some(exporter) = exporters.first() {
            // An interface that is written in the world has no name, but a link needs one.
            let prefix = match interface.contains(':') {
                true => "",
                false => "NAMESPACE:PACKAGE/",
            };
            let help = format!(
                "add `{{from: {name}, interface: {prefix}{interface}, {}to: {exporter}}}` to `spec.links` \
                 (exported by {})",
                link_name(import),
                list(&exporters)
            );
            return (message, help);
        }
        let served = served_versions(import);
        if !served.is_empty() {
            let message = format!(
                "component `{name}` imports `{}`, and the host serves version {}",
                import.name,
                list(&served)
            );
            let served = list(&served);
            let help = format!("build the component with `{interface}` in version {served}");
            return (message, help);
        }
        let exports = others.iter().flat_map(|other| self.exports(other));
        let other_versions: Vec<&str> = exports
            .filter(|export| unversioned(export) == interface)
            .collect();
        let help = match other_versions.is_empty() {
            false => format!(
                "the app exports {}, which does not match: an export matches imports of its own \
                 version and of older compatible versions",
                list(&other_versions)
            ),
            true => "no component of the app exports this interface, and the host does not \
                     implement it; add a component that exports it, and a link to that component"
                .to_owned(),
        };
        (message, help)
    }

    // === imports with links ===

    fn linked(&mut self, index: usize, import: &Extern, links: &[usize]) {
        for link in links {
            let spec = &self.app.spec.links[*link];
            let target = self
                .app
                .spec
                .components
                .iter()
                .position(|other| other.name.as_str() == spec.to.as_str());
            match target {
                Some(target) if links.len() == 1 => {
                    self.component_link(index, target, import, *link);
                }
                Some(_) => {
                    let message = format!(
                        "import `{}` of component `{}` has several links, expected one",
                        import.name, spec.from
                    );
                    let mistake = Mistake::new(link_path(*link), message).with_help(
                        "keep one link; to link an interface twice, import it under two names, \
                         and give each link the `name` of its import",
                    );
                    self.mistakes.push(mistake);
                }
                None => self.provider_link(index, *link, import),
            }
        }
    }

    fn component_link(&mut self, from: usize, to: usize, import: &Extern, index: usize) {
        let link = &self.app.spec.links[index];
        let target = &self.app.spec.components[to];
        if !self.binaries.contains_key(target.name.as_str()) {
            return;
        }
        let path = format!("{}.to", link_path(index));
        match self.export_for(target, import, Some(link)) {
            Ok(Some(export)) => {
                let edge = Edge {
                    from,
                    import: import.name.clone(),
                    to,
                    export: export.to_owned(),
                };
                self.resolved
                    .links
                    .push(ComponentLink { link: index, edge });
                return;
            }
            Ok(None) => {}
            Err(several) => {
                let (message, help) = several_exports(link, import, &several);
                self.mistakes
                    .push(Mistake::new(path, message).with_help(help));
                return;
            }
        }
        let exports = self.exports(target);
        let requested = match interface_of(import) {
            interface if interface.contains(':') => format!("`{interface}`"),
            plain => format!("`{}` or `{plain}`", link.interface),
        };
        let message = format!(
            "link `{}` → `{}`: expected `{}` to export {requested}, found {}",
            link.from,
            link.to,
            link.to,
            list(&exports)
        );
        let mistake = Mistake::new(path, message);
        self.mistakes.push(mistake.with_help(
            "an export matches imports of its own version and of older compatible versions",
        ));
    }

    fn provider_link(&mut self, from: usize, link: usize, import: &Extern) {
        let spec = &self.app.spec.links[link];
        let kind = self
            .app
            .spec
            .providers
            .iter()
            .find(|provider| provider.name.as_str() == spec.to.as_str())
            .map_or("", |provider| provider.kind.as_str());
        match hosted(import) {
            Some(hosted) if self.kind_serves(kind, hosted.path) => {
                let provided = ProviderLink { from, link };
                if !self.resolved.providers.contains(&provided) {
                    self.resolved.providers.push(provided);
                }
            }
            // The node rejects providers of unknown types.
            _ if self.registry.get(kind).is_err() => {}
            _ => {
                let (message, help) = self.not_served(spec, kind, import);
                let mistake = Mistake::new(format!("{}.to", link_path(link)), message);
                self.mistakes.push(mistake.with_help(help));
            }
        }
    }

    /// The message and help for a link to a provider that does not serve the import.
    fn not_served(&self, link: &LinkSpec, kind: &str, import: &Extern) -> (String, String) {
        let (from, to, name) = (&link.from, &link.to, &import.name);
        let interface = unversioned(interface_of(import));
        let versions = served_versions(import);
        if self.kind_serves(kind, interface) && !versions.is_empty() {
            let versions = list(&versions);
            return (
                format!(
                    "link `{from}` → `{to}`: component `{from}` imports `{name}`, and the host \
                     serves version {versions}"
                ),
                format!("build the component with `{interface}` in version {versions}"),
            );
        }
        (
            format!("link `{from}` → `{to}`: a provider of type `{kind}` does not serve `{name}`"),
            format!(
                "a provider of this type serves {}",
                list(&self.served(kind))
            ),
        )
    }

    // === links without an import ===

    /// Reports the links without an import. Returns the imports that they were probably meant for,
    /// with the index of the component.
    fn unused_links(&mut self) -> BTreeSet<(usize, &'a str)> {
        let mut meant = BTreeSet::new();
        for index in 0..self.app.spec.links.len() {
            if self.used[index] {
                continue;
            }
            let link = &self.app.spec.links[index];
            let mut components = self.app.spec.components.iter();
            let from = components.position(|component| component.name == link.from);
            let Some((from, binary)) = from.zip(self.binaries.get(link.from.as_str())) else {
                continue;
            };
            let imports = binary.description.imports.iter();
            let imports =
                imports.filter(|import| needs_implementation(import) && is_linked(import));
            let imports: Vec<&Extern> = imports.collect();
            let (mistake, import) = unused_link(index, link, &imports);
            meant.extend(import.map(|import| (from, import)));
            self.mistakes.push(mistake);
        }
        meant
    }

    /// The export of `target` that serves `import`: one that is named by the interface, in its
    /// newest version, before one with a plain name that implements the interface.
    ///
    /// # Errors
    /// The plain names, if several implement the interface and none is that of the import.
    fn export_for<'b>(
        &'b self,
        target: &ComponentSpec,
        import: &Extern,
        link: Option<&LinkSpec>,
    ) -> Result<Option<&'b str>, Vec<&'b str>> {
        let Some(binary) = self.binaries.get(target.name.as_str()) else {
            return Ok(None);
        };
        let requested = interface_of(import).parse::<InterfaceName>().ok();
        // The type of an import without an interface may be that of any export, so the link's
        // interface selects the export. Linking compares the two types in full.
        let matches = |name: &InterfaceName| match (&requested, link) {
            (Some(requested), _) => requested.is_served_by(name),
            (None, Some(link)) => link.interface.matches(name),
            (None, None) => false,
        };
        let exports = &binary.description.exports;
        let exports = exports
            .iter()
            .filter(|export| export.kind == ExternKind::Instance);
        let (mut best, mut plain) = (None::<(&str, InterfaceName)>, Vec::new());
        for export in exports {
            let is_plain = export.name.parse::<InterfaceName>().is_err();
            let interface = interface_of(export).parse::<InterfaceName>();
            match interface.ok().filter(|interface| matches(interface)) {
                Some(_) if is_plain => plain.push(export.name.as_str()),
                Some(interface) => {
                    let is_newer = |(_, best): &(&str, InterfaceName)| {
                        interface.version.cmp(&best.version).is_gt()
                    };
                    if best.as_ref().is_none_or(is_newer) {
                        best = Some((&export.name, interface));
                    }
                }
                // Two interfaces without a name of their own.
                None if requested.is_none() && export.name == import.name => {
                    plain.push(&export.name);
                }
                None => {}
            }
        }
        if let Some((export, _)) = best {
            return Ok(Some(export));
        }
        match plain[..] {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            _ => match plain.iter().find(|name| **name == import.name) {
                Some(same) => Ok(Some(same)),
                None => Err(plain),
            },
        }
    }

    fn exports(&self, component: &ComponentSpec) -> Vec<&str> {
        let binary = self.binaries.get(component.name.as_str());
        binary.map_or_else(Vec::new, |binary| {
            binary
                .description
                .exports
                .iter()
                .map(|export| export.name.as_str())
                .collect()
        })
    }

    fn kind_serves(&self, kind: &str, path: &str) -> bool {
        self.served(kind).iter().any(|served| {
            path == *served
                || path
                    .strip_prefix(served)
                    .is_some_and(|rest| rest.starts_with('/'))
        })
    }

    fn served(&self, kind: &str) -> Vec<&'static str> {
        self.registry
            .get(kind)
            .map(|factory| factory.serves().to_vec())
            .unwrap_or_default()
    }
}

/// True if `link` is for this import of this component.
///
/// An import with an interface name matches a link without a name, or a link to a provider, whose
/// name identifies the bucket that the component opens. An import with a plain name matches the
/// link with that name.
fn serves(link: &LinkSpec, component: &ComponentSpec, import: &Extern) -> bool {
    if link.from != component.name {
        return false;
    }
    match import.name.parse::<InterfaceName>() {
        Ok(name) => {
            let hosted = bindings::find(&name);
            // Every component has it without a link: a link for the whole package is not for it.
            let is_free = hosted.is_some_and(|hosted| hosted.access != Access::Linked);
            if is_free && link.interface.interface.is_none() {
                return false;
            }
            (link.name.is_none() || hosted.is_some()) && names(&link.interface, &name)
        }
        Err(_) => {
            let named = link
                .name
                .as_ref()
                .is_some_and(|name| name.as_str() == import.name);
            let interface = import
                .implements
                .as_ref()
                .map(|name| name.parse::<InterfaceName>());
            named && !matches!(interface, Some(Ok(name)) if !names(&link.interface, &name))
        }
    }
}

/// True if the link's interface matches the import. The version in a link is the oldest that the
/// importer accepts, so the comparison is the reverse of that of an export.
fn names(link: &InterfaceRef, import: &InterfaceName) -> bool {
    link.namespace == import.namespace
        && link.package == import.package
        && link
            .interface
            .as_ref()
            .is_none_or(|interface| *interface == import.interface)
        && link
            .version
            .as_ref()
            .is_none_or(|version| satisfies(import.version.as_ref(), Some(version)))
}

/// True if an import is more than types.
fn needs_implementation(import: &Extern) -> bool {
    match import.kind {
        ExternKind::Instance => !import.functions.is_empty() || !import.resources.is_empty(),
        ExternKind::Type => false,
        ExternKind::Func | ExternKind::Other => true,
    }
}

/// True if an import needs a link. The host implements the others for every component.
fn is_linked(import: &Extern) -> bool {
    hosted(import).is_none_or(|hosted| hosted.access == Access::Linked)
}

/// The interface of the host that satisfies an import.
fn hosted(import: &Extern) -> Option<&'static HostInterface> {
    let name = interface_of(import).parse::<InterfaceName>().ok()?;
    bindings::find(&name)
}

/// The versions of an imported interface that the host implements.
fn served_versions(import: &Extern) -> Vec<&'static str> {
    let name = interface_of(import).parse::<InterfaceName>();
    name.map_or_else(|_| Vec::new(), |name| bindings::versions(&name))
}

/// The interface of an import or export; the name itself if that is plain, and the interface is
/// written in the world.
fn interface_of(item: &Extern) -> &str {
    item.implements.as_deref().unwrap_or(&item.name)
}

/// The field of a link that selects an import with a plain name; empty for other imports.
fn link_name(import: &Extern) -> String {
    match import.name.parse::<InterfaceName>() {
        Ok(_) => String::new(),
        Err(_) => format!("name: {}, ", import.name),
    }
}

/// The message and help for a link whose target exports the interface under several names.
fn several_exports(link: &LinkSpec, import: &Extern, exports: &[&str]) -> (String, String) {
    let (from, to) = (&link.from, &link.to);
    let interface = match interface_of(import) {
        interface if interface.contains(':') => interface.to_owned(),
        _ => link.interface.to_string(),
    };
    let message = format!(
        "link `{from}` → `{to}`: `{to}` exports `{interface}` under several names, {}; expected one",
        list(exports)
    );
    let help = format!(
        "import it in `{from}` under the name of one of them, or write `export {};` in the world of \
         `{to}`",
        unversioned(&interface)
    );
    (message, help)
}

/// The name of an interface without its version.
fn unversioned(interface: &str) -> &str {
    interface.split('@').next().unwrap_or(interface)
}

/// The mistake of a link that no import uses, and the import that it was probably meant for.
/// `imports` are those of the component that need a link.
fn unused_link<'i>(
    index: usize,
    link: &LinkSpec,
    imports: &[&'i Extern],
) -> (Mistake, Option<&'i str>) {
    let ends = format!("link `{}` → `{}`", link.from, link.to);
    let written = link.interface.to_string();
    let names = || imports.iter().map(|import| import.name.as_str());
    let imported = match imports.is_empty() {
        true => "the component imports nothing that needs a link; remove this one".to_owned(),
        false => format!(
            "the component imports {}",
            list(&names().collect::<Vec<_>>())
        ),
    };
    if let Some(name) = &link.name {
        let message = format!(
            "{ends}: component `{}` does not import `{written}` under the name `{name}`",
            link.from
        );
        let meant = nearest(name.as_str(), names());
        let help = match meant {
            Some(meant) => format!("did you mean `name: {meant}`? {imported}"),
            None => imported,
        };
        let path = format!("{}.name", link_path(index));
        return (Mistake::new(path, message).with_help(help), meant);
    }
    let plain = imports.iter().find(|import| {
        let interface = import.implements.as_ref().map(|name| name.parse());
        matches!(interface, Some(Ok(name)) if self::names(&link.interface, &name))
    });
    if let Some(import) = plain {
        let message = format!(
            "{ends}: component `{}` imports `{written}` under the name `{}`",
            link.from, import.name
        );
        let help = format!("write `name: {}` in the link", import.name);
        let mistake = Mistake::new(link_path(index), message).with_help(help);
        return (mistake, Some(&import.name));
    }
    let path = format!("{}.interface", link_path(index));
    let interface = unversioned(&written);
    if let Some(other) = names().find(|import| unversioned(import) == interface) {
        let message = format!(
            "{ends}: the link is for `{written}`, and component `{}` imports `{other}`",
            link.from
        );
        let help = format!("write `interface: {interface}` to match the version of the component");
        return (Mistake::new(path, message).with_help(help), Some(other));
    }
    let message = format!(
        "{ends}: component `{}` does not import `{written}`",
        link.from
    );
    let meant = nearest(interface, names().map(unversioned));
    let help = match meant {
        Some(meant) => format!("did you mean `{meant}`? {imported}"),
        None => imported,
    };
    let meant = meant.and_then(|meant| names().find(|import| unversioned(import) == meant));
    (Mistake::new(path, message).with_help(help), meant)
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
