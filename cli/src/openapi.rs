//! The OpenAPI document of an interface that a component exports, without a manifest: each function
//! is a `POST`.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use weft_api::Api;
use weft_json::Interface;
use weft_lattice_config::InterfaceName;
use weft_lattice_config::interface::newest_serving;

use crate::artifact::Artifact;
use crate::did_you_mean::suggest;
use crate::failure::{Failure, Kind, Plain};
use crate::output::Report;
use crate::wit_source;

/// An OpenAPI document, JSON in every format.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct OpenApi(Value);

impl Report for OpenApi {
    fn text(&self) -> String {
        format!("{:#}", self.0)
    }
}

impl OpenApi {
    /// The document of an exported interface, which may be left out if there is one. Comments are
    /// read from a folder of WIT files.
    ///
    /// # Errors
    /// The component has no such interface, the folder has another one, or a function has no form
    /// in HTTP.
    pub(crate) fn new(
        artifact: &Artifact,
        interface: Option<InterfaceName>,
        wit: Option<&Path>,
    ) -> Result<Self, Failure> {
        let exports = artifact.description.exports.iter();
        let exports: Vec<&str> = exports.map(|export| export.name.as_str()).collect();
        let interface = match interface {
            Some(interface) => exported(interface, &exports)?,
            None => only_one(&exports)?,
        };
        let wit = wit_source::of(&artifact.bytes, wit, &[&interface]);
        let wit = wit.map_err(|message| {
            let help = "`--wit` is the folder of the `.wit` files that the component is built from; \
                        without it, the document has no comments";
            invalid(message).or_help(help)
        })?;
        let Some(wit) = wit else {
            return Err(not_exported(&interface, &exports));
        };
        let model = Interface::select(&wit, &interface.to_string(), |names| {
            newest_serving(&interface, names.iter().copied())
        });
        let model = model.map_err(|error| Failure::from_error(Kind::Input, &error))?;
        let api = Api::of_interface(&interface, &model).map_err(|mistakes| {
            let messages = mistakes.into_iter().map(|it| Plain::new(it.message).into());
            let help = "a route with `operations` can leave functions out or place parameters \
                        elsewhere, and serves its document as `PATH/openapi.json`";
            Failure::all(Kind::Input, messages.collect()).or_help(help)
        })?;
        Ok(Self(api.openapi()))
    }
}

fn invalid(message: String) -> Failure {
    Failure::new(Kind::Input, message)
}

/// The interface, if a component exports it.
fn exported(interface: InterfaceName, exports: &[&str]) -> Result<InterfaceName, Failure> {
    match newest_serving(&interface, exports.iter().copied()) {
        Some(_) => Ok(interface),
        None => Err(not_exported(&interface, exports)),
    }
}

fn not_exported(interface: &InterfaceName, exports: &[&str]) -> Failure {
    let name = interface.to_string();
    let failure = invalid(format!(
        "the component does not export `{name}`, found {}",
        listed(exports)
    ));
    let unversioned = exports.iter().map(|export| without_version(export));
    match suggest(without_version(&name), unversioned) {
        Some(meant) => failure.or_help(format!("did you mean `{meant}`?")),
        None => failure,
    }
}

/// The only interface of the component's own.
fn only_one(exports: &[&str]) -> Result<InterfaceName, Failure> {
    let own = exports.iter().filter(|name| !name.starts_with("wasi:"));
    let own: Vec<&str> = own.copied().collect();
    let names: Vec<InterfaceName> = own.iter().filter_map(|name| name.parse().ok()).collect();
    match &names[..] {
        [only] => Ok(only.clone()),
        [] => Err(invalid(format!(
            "the component exports no interface of its own, found {}",
            listed(exports)
        ))
        .or_help(
            "a component that handles HTTP itself has no document; a typed route needs one \
                  with an interface",
        )),
        [first, ..] => Err(invalid(format!(
            "the component exports {} interfaces of its own, expected one: {}",
            names.len(),
            listed(&own)
        ))
        .or_help(format!("choose one, such as `--interface {first}`"))),
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "no exports".to_owned(),
        names => {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            names.join(", ")
        }
    }
}

fn without_version(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: &str = "wasi:http/incoming-handler@0.2.12";
    const ORDERS: &str = "shop:catalog/orders@0.1.0";
    const PRICING: &str = "shop:catalog/pricing@0.1.0";

    /// The message and the help of a failure.
    fn text(failure: &Failure) -> String {
        format!("{failure:?}")
    }

    #[test]
    fn the_only_interface_of_its_own_is_that_of_the_document() {
        let chosen = only_one(&[HTTP, ORDERS]).ok().unwrap();
        assert_eq!(chosen.to_string(), ORDERS);
        let asked: InterfaceName = "shop:catalog/orders".parse().unwrap();
        let chosen = exported(asked.clone(), &[PRICING, ORDERS]).ok();
        assert_eq!(chosen, Some(asked));
    }

    #[test]
    fn a_choice_without_one_interface_names_those_there_are() {
        let several = text(&only_one(&[HTTP, ORDERS, PRICING]).unwrap_err());
        assert!(
            several.contains("exports 2 interfaces of its own"),
            "{several}"
        );
        assert!(
            several.contains(&format!("--interface {ORDERS}")),
            "{several}"
        );
        let none = text(&only_one(&[HTTP]).unwrap_err());
        assert!(
            none.contains("no interface of its own") && none.contains(HTTP),
            "{none}"
        );
        assert!(text(&only_one(&[]).unwrap_err()).contains("no exports"));
    }

    #[test]
    fn an_interface_that_is_not_exported_has_a_suggestion() {
        let refused = |name: &str| text(&exported(name.parse().unwrap(), &[ORDERS]).unwrap_err());
        let misspelled = refused("shop:catalog/ordres");
        assert!(
            misspelled.contains("did you mean `shop:catalog/orders`?"),
            "{misspelled}"
        );
        let other = refused("shop:catalog/orders@0.9.0");
        assert!(
            other.contains("found `shop:catalog/orders@0.1.0`"),
            "{other}"
        );
        assert!(!other.contains("did you mean"), "{other}");
    }
}
