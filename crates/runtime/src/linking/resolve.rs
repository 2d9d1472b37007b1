//! Resolves each import to a link. Versions match by semantic versioning in every mode.

use weft_compose::{Edge, Extern, ExternKind};
use weft_lattice_config::interface::satisfies;
use weft_lattice_config::{App, ComponentSpec, InterfaceName, InterfaceRef, LinkSpec};
use weft_provider::Registry;

use super::{Binaries, LinkError, LinkErrors};
use crate::bindings::{self, Access};

/// The links of all imports of an app.
#[derive(Debug, Default)]
pub(crate) struct ResolvedLinks {
    /// Links between components, one for each import.
    pub(crate) links: Vec<ComponentLink>,
    pub(crate) providers: Vec<ProviderLink>,
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
    binaries: &'a Binaries,
    registry: &'a Registry,
    resolved: ResolvedLinks,
    errors: LinkErrors,
    /// Marks the links that an import uses; the rest are errors.
    used: Vec<bool>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(app: &'a App, binaries: &'a Binaries, registry: &'a Registry) -> Self {
        Self {
            app,
            binaries,
            registry,
            resolved: ResolvedLinks::default(),
            errors: LinkErrors::default(),
            used: vec![false; app.spec.links.len()],
        }
    }

    /// Finds the link or host interface of every import.
    ///
    /// # Errors
    /// All imports without a link, and all links without an import.
    pub(crate) fn resolve(mut self) -> Result<ResolvedLinks, LinkErrors> {
        for (index, component) in self.app.spec.components.iter().enumerate() {
            let Some(binary) = self.binaries.get(component.name.as_str()) else {
                continue;
            };
            for import in &binary.description.imports {
                self.import(index, component, import);
            }
        }
        self.unused_links();
        self.errors.or(self.resolved)
    }

    fn import(&mut self, index: usize, component: &ComponentSpec, import: &Extern) {
        // An import of nothing but types needs no implementation.
        if import.functions.is_empty()
            && import.resources.is_empty()
            && import.kind == ExternKind::Instance
        {
            return;
        }
        let links: Vec<usize> = (0..self.app.spec.links.len())
            .filter(|link| serves(&self.app.spec.links[*link], component, import))
            .collect();
        for link in &links {
            self.used[*link] = true;
        }
        match links.as_slice() {
            [] => self.unlinked(component, import),
            links => self.linked(index, import, links),
        }
    }

    fn unlinked(&mut self, component: &ComponentSpec, import: &Extern) {
        let hosted = import
            .name
            .parse::<InterfaceName>()
            .ok()
            .and_then(|name| bindings::find(&name));
        match hosted {
            Some(hosted) if hosted.access != Access::Linked => {}
            Some(hosted) => self
                .errors
                .push(self.missing_provider(component, import, hosted.path)),
            None => self.errors.push(self.missing_link(component, import)),
        }
    }

    fn missing_provider(
        &self,
        component: &ComponentSpec,
        import: &Extern,
        path: &str,
    ) -> LinkError {
        let kinds: Vec<&str> = self
            .registry
            .kinds()
            .filter(|kind| self.kind_serves(kind, path))
            .collect();
        let name = &component.name;
        LinkError::with_help(
            format!(
                "import `{}` of component `{name}` has no link to a provider",
                import.name
            ),
            format!(
                "add `{{from: {name}, interface: {path}, to: PROVIDER}}` to `spec.links`, where \
                 PROVIDER is a provider of type {}",
                list(&kinds)
            ),
        )
    }

    fn missing_link(&self, component: &ComponentSpec, import: &Extern) -> LinkError {
        let name = &component.name;
        let message = format!("import `{}` of component `{name}` has no link", import.name);
        let exporters: Vec<&str> = self
            .app
            .spec
            .components
            .iter()
            .filter(|other| other.name != *name)
            .filter(|other| self.best_export(other, import).is_some())
            .map(|other| other.name.as_str())
            .collect();
        let help = match exporters.first() {
            Some(exporter) => format!(
                "add `{{from: {name}, interface: {}, to: {exporter}}}` to `spec.links` (exported \
                 by {})",
                import.name.split('@').next().unwrap_or(&import.name),
                list(&exporters)
            ),
            None => "no component of the app exports this interface, and the host does not \
                     implement it; add a component that exports it, and a link to that component"
                .to_owned(),
        };
        LinkError::with_help(message, help)
    }

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
                Some(_) => self.errors.push(LinkError::with_help(
                    format!(
                        "import `{}` of component `{}` has several links, expected one",
                        import.name, spec.from
                    ),
                    "keep one link; to link an interface twice, import it under two names, and \
                     give each link the `name` of its import",
                )),
                None => self.provider_link(index, *link, import),
            }
        }
    }

    fn component_link(&mut self, from: usize, to: usize, import: &Extern, index: usize) {
        let link = &self.app.spec.links[index];
        let target = &self.app.spec.components[to];
        if let Some(export) = self.best_export(target, import) {
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
        let exports = self.exports(target);
        let requested = import.implements.as_ref().unwrap_or(&import.name);
        self.errors.push(LinkError::with_help(
            format!(
                "link `{}` → `{}`: expected `{}` to export `{requested}`, found {}",
                link.from,
                link.to,
                link.to,
                list(&exports)
            ),
            "an export matches imports of its own version and of older compatible versions",
        ));
    }

    fn provider_link(&mut self, from: usize, link: usize, import: &Extern) {
        let spec = &self.app.spec.links[link];
        let hosted = import
            .name
            .parse::<InterfaceName>()
            .ok()
            .and_then(|name| bindings::find(&name));
        let kind = self
            .app
            .spec
            .providers
            .iter()
            .find(|provider| provider.name.as_str() == spec.to.as_str())
            .map_or("", |provider| provider.kind.as_str());
        match hosted {
            Some(hosted) if self.kind_serves(kind, hosted.path) => {
                let provided = ProviderLink { from, link };
                if !self.resolved.providers.contains(&provided) {
                    self.resolved.providers.push(provided);
                }
            }
            _ => self.errors.push(LinkError::with_help(
                format!(
                    "link `{}` → `{}`: a provider of type `{kind}` does not serve `{}`",
                    spec.from, spec.to, import.name
                ),
                format!(
                    "a provider of this type serves {}",
                    list(&self.served(kind))
                ),
            )),
        }
    }

    fn unused_links(&mut self) {
        for (link, _) in self
            .app
            .spec
            .links
            .iter()
            .zip(&self.used)
            .filter(|(_, used)| !**used)
        {
            let Some(binary) = self.binaries.get(link.from.as_str()) else {
                continue;
            };
            let imports: Vec<&str> = binary
                .description
                .imports
                .iter()
                .filter(|import| !import.functions.is_empty())
                .map(|import| import.name.as_str())
                .collect();
            self.errors.push(LinkError::with_help(
                format!(
                    "link `{}` → `{}`: component `{}` does not import `{}`{}",
                    link.from,
                    link.to,
                    link.from,
                    link.interface,
                    link.name
                        .as_ref()
                        .map(|name| format!(" under the name `{name}`"))
                        .unwrap_or_default(),
                ),
                format!("the component imports {}", list(&imports)),
            ));
        }
    }

    /// The export of `target` that serves `import`, in its newest version.
    fn best_export<'b>(&'b self, target: &ComponentSpec, import: &Extern) -> Option<&'b str> {
        let exports = &self.binaries.get(target.name.as_str())?.description.exports;
        let requested = import.implements.as_deref().unwrap_or(&import.name);
        let Ok(requested) = requested.parse::<InterfaceName>() else {
            // An import with a plain name and an inline type could match any export of that type,
            // so the link's interface selects the export. Linking compares the two types in full.
            return self.export_by_link(target, import);
        };
        exports
            .iter()
            .filter_map(|export| Some((export, export.name.parse::<InterfaceName>().ok()?)))
            .filter(|(_, name)| same_interface(&requested, name))
            .filter(|(_, name)| satisfies(requested.version.as_ref(), name.version.as_ref()))
            .max_by(|(_, left), (_, right)| left.version.cmp(&right.version))
            .map(|(export, _)| export.name.as_str())
    }

    fn export_by_link<'b>(&'b self, target: &ComponentSpec, import: &Extern) -> Option<&'b str> {
        let link = self.app.spec.links.iter().find(|link| {
            link.to.as_str() == target.name.as_str()
                && link
                    .name
                    .as_ref()
                    .is_some_and(|name| name.as_str() == import.name)
        })?;
        let exports = &self.binaries.get(target.name.as_str())?.description.exports;
        exports
            .iter()
            .find(|export| {
                export
                    .name
                    .parse::<InterfaceName>()
                    .is_ok_and(|name| link.interface.matches(&name))
            })
            .map(|export| export.name.as_str())
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
            let hosted = bindings::find(&name).is_some();
            (link.name.is_none() || hosted) && names(&link.interface, &name)
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

fn same_interface(left: &InterfaceName, right: &InterfaceName) -> bool {
    (&left.namespace, &left.package, &left.interface)
        == (&right.namespace, &right.package, &right.interface)
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
