//! Checks of links: keys that do not apply to the target, duplicates, and fused links.

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
            let help = "remove this link, or change `to` to another component or a provider";
            self.add(to, message, Some(help.to_owned()));
        }
    }

    /// Reports keys that do not apply to the kind of target.
    fn check_target_keys(&mut self, link: &PartialLink) {
        let Some(to) = &link.to else { return };
        let name = to.value.as_str();
        if let Some(config) = &link.config
            && self.components.contains(name)
        {
            let message = format!("`config` does not apply to the component `{name}`");
            let help = "remove `config`, which is for links to a provider; set `env` of the \
                        component instead";
            self.add(config, message, Some(help.to_owned()));
        }
        if !self.providers.contains(name) {
            return;
        }
        if let Some(locality) = &link.locality {
            let message = format!("`locality` does not apply to the provider `{name}`");
            let help = "remove `locality`: a provider always runs in the process of its caller";
            self.add(locality, message, Some(help.to_owned()));
        }
        if let Some(deadline) = &link.deadline {
            let message = format!("`deadline` does not apply to the provider `{name}`");
            let help = "remove `deadline`: a call to a provider has the deadline of its caller, set \
                        by `limits.deadline` of the component";
            self.add(deadline, message, Some(help.to_owned()));
        }
        if let Some(idempotent) = &link.idempotent {
            let message = format!("`idempotent` does not apply to the provider `{name}`");
            let help = "remove `idempotent`: a provider always runs in the process of its caller, so \
                        calls are not lost with another host";
            self.add(idempotent, message, Some(help.to_owned()));
        }
    }

    /// Reports a fused link with a deadline, or with an end that has its own store.
    fn check_fused(&mut self, link: &PartialLink) {
        let Some(locality) = fused(link) else { return };
        if link.deadline.is_some() {
            let message = "this link cannot be fused: `deadline` is set, and a single call within a \
                           store cannot be cancelled";
            let help = "remove `locality: fused` or `deadline`";
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
                "this link cannot be fused: `{name}` has its own store ({keys}), and fused \
                 components share one"
            );
            let help = format!("remove `locality: fused`, or remove {keys} of `{name}`");
            self.add(locality, message, Some(help));
        }
    }

    fn check_duplicate_links(&mut self) {
        let app = self.app;
        let links: Vec<_> = app.links.iter().filter_map(LinkKey::of).collect();
        for (first, second) in duplicates(links.iter().map(|link| link.key)) {
            let (from, interface, name) = links[second].key;
            let first_path = links[first].interface.path.trim_end_matches(".interface");
            let named = name.map_or(String::new(), |name| format!(" named `{name}`"));
            let message = format!(
                "duplicate link from `{from}` for `{interface}`{named}, already defined by \
                 `{first_path}`"
            );
            let help = "remove one of the two; to link one interface to several targets, set a \
                        different `name` on each link";
            self.add(links[second].interface, message, Some(help.to_owned()));
        }
    }

    /// Reports cycles of fused links: each component has one instance, which cannot be entered
    /// while the instance waits for a reply.
    fn check_fused_cycles(&mut self) {
        let app = self.app;
        let ends = |link: &'o PartialLink| {
            let (from, to) = (link.from.as_ref()?, link.to.as_ref()?);
            // A link to itself has its own message.
            let differ = from.value.as_str() != to.value.as_str();
            let locality = fused(link).filter(|_| differ)?;
            Some((locality, Name::from(from.value.clone()), to.value.clone()))
        };
        let links: Vec<_> = app.links.iter().filter_map(ends).collect();
        let edges = links.iter().map(|(_, from, to)| (from.clone(), to.clone()));
        for cycle in cycles_of(edges) {
            let message = format!("cycle of fused links: {cycle}");
            let help = "set `locality` of one of the links to `auto` or `local`: a fused component \
                        cannot be called while waiting for a reply";
            self.add(links[cycle.closing_link].0, message, Some(help.to_owned()));
        }
    }
}

/// The `locality` key of a link, if its value is `fused`.
pub(super) fn fused(link: &PartialLink) -> Option<&Located<Locality>> {
    let locality = link.locality.as_ref();
    locality.filter(|locality| locality.value == Locality::Fused)
}

/// The keys that must differ between links, and the position to report.
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
