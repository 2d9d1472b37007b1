//! Checks of links: what their target allows, that they differ, and what must share a store.

use super::Validator;
use crate::links::cycles_of;
use crate::name::Name;
use crate::partial_app::{Located, OptionalField, PartialLink};
use crate::quote::quoted_list;
use crate::routes::duplicates;
use crate::{InterfaceRef, Locality};

impl<'o> Validator<'o, '_, '_> {
    pub(super) fn check_links(&mut self) {
        for link in &self.app.links {
            self.check_self_link(link);
            self.check_target_keys(link);
            self.check_fused(link);
        }
        self.check_duplicate_links();
        self.check_fused_cycles();
    }

    fn check_self_link(&mut self, link: &PartialLink) {
        let (Some(from), Some(to)) = (&link.from, &link.to) else {
            return;
        };
        if from.value.as_str() == to.value.as_str() {
            let message = format!("`{}` is linked to itself", to.value);
            let help = "a component serves its own interfaces without a link";
            self.add(to, message, Some(help.to_owned()));
        }
    }

    /// Keys that mean something only for one kind of target.
    fn check_target_keys(&mut self, link: &PartialLink) {
        let Some(to) = &link.to else { return };
        let name = to.value.as_str();
        if let Some(config) = &link.config
            && self.components.contains(name)
        {
            let message = format!("a link to a component has no `config`, and `{name}` is one");
            let help =
                "`config` is for links to a provider; a component takes its settings from `env`";
            self.add(config, message, Some(help.to_owned()));
        }
        if !self.providers.contains(name) {
            return;
        }
        if let Some(locality) = &link.locality {
            let message = format!("a link to a provider has no `locality`, and `{name}` is one");
            let help = "a provider belongs to the host, so a call to it never leaves the process";
            self.add(locality, message, Some(help.to_owned()));
        }
        if let Some(deadline) = &link.deadline {
            let message = format!("a link to a provider has no `deadline`, and `{name}` is one");
            let help = "the time of a call to a provider is a part of the caller's own: see \
                        `limits.deadline` of the component";
            self.add(deadline, message, Some(help.to_owned()));
        }
        if let Some(idempotent) = &link.idempotent {
            let message = format!("a link to a provider has no `idempotent`, and `{name}` is one");
            let help = "a provider belongs to the host, so no call to it is lost with another host";
            self.add(idempotent, message, Some(help.to_owned()));
        }
    }

    /// A component with a store of its own is at neither end of a fused link, and such a link has no
    /// deadline.
    fn check_fused(&mut self, link: &PartialLink) {
        let Some(locality) = fused(link) else { return };
        if link.deadline.is_some() {
            let message = "this link cannot be fused: it has a `deadline`, and a call within one \
                           store cannot be ended alone";
            let help = "leave out `locality: fused`, or the `deadline`";
            self.add(locality, message.to_owned(), Some(help.to_owned()));
        }
        let from = link.from.as_ref().map(|from| from.value.as_str());
        let to = link.to.as_ref().map(|to| to.value.as_str());
        let ends = [from, to];
        let app = self.app;
        for own_store in &app.own_stores {
            let name = own_store.component.as_str();
            if !ends.contains(&Some(name)) {
                continue;
            }
            let keys = quoted_list(own_store.keys.iter().copied());
            let message = format!(
                "this link cannot be fused: `{name}` has a store of its own ({keys}), and fused \
                 components share one"
            );
            let help = format!("leave out `locality: fused`, or {keys} of `{name}`");
            self.add(locality, message, Some(help));
        }
    }

    fn check_duplicate_links(&mut self) {
        let app = self.app;
        let links: Vec<_> = app.links.iter().filter_map(LinkKey::of).collect();
        for (first, second) in duplicates(links.iter().map(|link| link.key)) {
            let (from, interface, name) = links[second].key;
            let taken_by = links[first].interface.path.trim_end_matches(".interface");
            let named = name.map_or(String::new(), |name| format!(" named `{name}`"));
            let message =
                format!("`{from}` has a link for `{interface}`{named} already: `{taken_by}`");
            let help = "give each a `name` of its own to link one interface to several targets";
            self.add(links[second].interface, message, Some(help.to_owned()));
        }
    }

    /// Fused components are one instance each, which cannot be entered while it waits for an answer.
    fn check_fused_cycles(&mut self) {
        let app = self.app;
        let ends = |link: &'o PartialLink| {
            let (from, to) = (link.from.as_ref()?, link.to.as_ref()?);
            // A link to itself is reported as such.
            let differ = from.value.as_str() != to.value.as_str();
            let locality = fused(link).filter(|_| differ)?;
            Some((locality, Name::from(from.value.clone()), to.value.clone()))
        };
        let links: Vec<_> = app.links.iter().filter_map(ends).collect();
        let edges = links.iter().map(|(_, from, to)| (from.clone(), to.clone()));
        for cycle in cycles_of(edges) {
            let message = format!("these links go in a circle and all are fused: {cycle}");
            let help = "leave one of them `auto` or `local`: a fused component that waits for an \
                        answer cannot be called";
            self.add(links[cycle.closing_link].0, message, Some(help.to_owned()));
        }
    }
}

/// Where the link asks to be fused, if it does.
pub(super) fn fused(link: &PartialLink) -> Option<&Located<Locality>> {
    let locality = link.locality.as_ref();
    locality.filter(|locality| locality.value == Locality::Fused)
}

/// What must differ between links, and where to report when it does not.
struct LinkKey<'a> {
    key: (&'a str, &'a InterfaceRef, Option<&'a str>),
    interface: &'a Located<InterfaceRef>,
}

impl<'a> LinkKey<'a> {
    fn of(link: &'a PartialLink) -> Option<LinkKey<'a>> {
        let (from, interface) = (link.from.as_ref()?, link.interface.as_ref()?);
        let name = match &link.name {
            OptionalField::Absent => None,
            OptionalField::Valid(name) => Some(name.as_str()),
            OptionalField::Invalid => return None,
        };
        let key = (from.value.as_str(), &interface.value, name);
        Some(LinkKey { key, interface })
    }
}
