//! Checks of placement: the names of labels, and components that must not meet on a host.

use std::collections::BTreeMap;

use super::Validator;
use super::links::fused;
use crate::label::{LABELS_MAX, LabelName};
use crate::partial_app::{PartialPlacement, TargetNames};
use crate::quote::quoted;

impl<'o> Validator<'o, '_, '_> {
    pub(super) fn check_placements(&mut self) {
        let app = self.app;
        let fused_with = self.fused_with();
        for placement in &app.placements {
            self.check_labels(placement);
            self.check_anti_affinity(placement, &fused_with);
        }
    }

    fn check_labels(&mut self, placement: &PartialPlacement<'_>) {
        for (key, names) in &placement.labels {
            let count = names.len();
            if count > LABELS_MAX {
                let message = format!(
                    "`{}` has {count} labels, at most {LABELS_MAX} are allowed",
                    key.path
                );
                self.add(key, message, None);
                continue;
            }
            for name in names {
                if let Err(error) = name.value.parse::<LabelName>() {
                    self.add(name, error.to_string(), None);
                }
            }
        }
        for name in &placement.empty_values {
            let message = format!(
                "{} has no values, so no host can have one",
                quoted(name.value)
            );
            let help = "leave it out, or give it a value";
            self.add(name, message, Some(help.to_owned()));
        }
    }

    fn check_anti_affinity(
        &mut self,
        placement: &PartialPlacement<'_>,
        fused_with: &BTreeMap<&'o str, &'o str>,
    ) {
        for other in &placement.anti_affinity {
            if self.app.target_names == TargetNames::Known {
                self.check_is_component(other, "only components keep away from each other");
            }
            let Some(component) = &placement.component else {
                continue;
            };
            let (name, other_name) = (component.as_str(), other.value.as_str());
            if name == other_name {
                let message = format!("`{name}` keeps away from itself");
                let help = "for replicas that keep away from each other, set `one-per-host: true`";
                self.add(other, message, Some(help.to_owned()));
                continue;
            }
            let representative = fused_with.get(name);
            if representative.is_some() && representative == fused_with.get(other_name) {
                let message =
                    format!("`{name}` cannot keep away from `{other_name}`: they are fused");
                let help = "leave out this name, or `locality: fused` of a link between the two";
                self.add(other, message, Some(help.to_owned()));
            }
        }
    }

    /// For each component at the end of a fused link, one that stands for all that are fused with it.
    fn fused_with(&self) -> BTreeMap<&'o str, &'o str> {
        let mut representatives: BTreeMap<&str, &str> = BTreeMap::new();
        let links = self.app.links.iter();
        for link in links.filter(|link| fused(link).is_some()) {
            let (Some(from), Some(to)) = (&link.from, &link.to) else {
                continue;
            };
            let (from, to) = (from.value.as_str(), to.value.as_str());
            let of_from = *representatives.entry(from).or_insert(from);
            let of_to = *representatives.entry(to).or_insert(to);
            for representative in representatives.values_mut() {
                if *representative == of_to {
                    *representative = of_from;
                }
            }
        }
        representatives
    }
}
