//! Prints the world of a component as WIT text.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wit_component::{DecodedWasm, WitPrinter};

use crate::describe::DescribeError;

/// Prints the world of a validated component, with the interfaces that it mentions.
pub(crate) fn print(bytes: &[u8]) -> Result<String, DescribeError> {
    // The decoder asserts guarantees of its own encoder. A valid component of other tools may break
    // them, and a host must survive that. The closure's state is dropped with it.
    catch_unwind(AssertUnwindSafe(|| decode_and_print(bytes)))
        .unwrap_or_else(|_| Err("the component cannot be expressed in WIT".to_owned()))
        .map_err(|message| DescribeError::NotWit { message })
}

fn decode_and_print(bytes: &[u8]) -> Result<String, String> {
    let message = |error| format!("{error:#}");
    let DecodedWasm::Component(resolve, world) = wit_component::decode(bytes).map_err(message)?
    else {
        return Err("the component is a WIT package without code".to_owned());
    };
    let Some(package) = resolve.worlds[world].package else {
        return Err("the world has no package".to_owned());
    };
    let mentioned: Vec<_> = resolve
        .packages
        .iter()
        .map(|(id, _)| id)
        .filter(|id| *id != package)
        .collect();
    let mut printer = WitPrinter::default();
    printer
        .print(&resolve, package, &mentioned)
        .map_err(message)?;
    Ok(String::from(printer.output))
}
