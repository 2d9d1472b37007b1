//! Checks of placement: labels and anti-affinity.

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
                "the label {} has an empty list of values, which matches no host",
                quoted(name.value)
            );
            let help = "add a value, or remove the label";
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
                self.check_is_component(other, "`anti-affinity` must list components");
            }
            let Some(component) = &placement.component else {
                continue;
            };
            let (name, other_name) = (component.as_str(), other.value.as_str());
            if name == other_name {
                let message = format!("`{name}` has an anti-affinity to itself");
                let help = "remove this name; to run replicas on different hosts, set \
                            `one-per-host: true`";
                self.add(other, message, Some(help.to_owned()));
                continue;
            }
            let representative = fused_with.get(name);
            if representative.is_some() && representative == fused_with.get(other_name) {
                let message = format!(
                    "`{name}` cannot have an anti-affinity to `{other_name}`: fused components \
                     share a host"
                );
                let help = "remove this name, or `locality: fused` of a link between the two";
                self.add(other, message, Some(help.to_owned()));
            }
        }
    }

    /// Maps each component with a fused link to the representative of its group of fused
    /// components.
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
