//! The exports of a compiled component that links between stores use, looked up once.

use std::sync::Arc;

use wasmtime::component::{Component, ComponentExportIndex};
use weft_stub::plan::CallPath;

use crate::links::SERVE_INTERFACE;

/// The functions of a component that links call, in the order of their indices.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExportedFunctions {
    pub(super) functions: Arc<[ExportedFunction]>,
    /// Handles of the component's resources may cross links.
    pub(super) has_resources: bool,
}

/// An exported function, by the names of its interface and itself.
#[derive(Debug, Clone)]
pub(crate) struct ExportedFunction {
    pub(super) interface: Box<str>,
    pub(super) name: Box<str>,
    pub(super) path: CallPath,
}

/// The exports of a component for links.
pub(crate) struct LinkExports {
    functions: ExportedFunctions,
    open: Option<ComponentExportIndex>,
    invoke: Option<ComponentExportIndex>,
    invoke_small: Option<ComponentExportIndex>,
    invoke_scalars: Option<ComponentExportIndex>,
    drop_handle: Option<ComponentExportIndex>,
    exports: Box<[Option<ComponentExportIndex>]>,
}

impl LinkExports {
    /// Looks up `functions` and the exports of the skeleton.
    pub(super) fn of(component: &Component, functions: &ExportedFunctions) -> Self {
        let export = |interface: &str, name: &str| {
            let interface = component.get_export_index(None, interface)?;
            component.get_export_index(Some(&interface), name)
        };
        let exports = functions.functions.iter();
        Self {
            functions: functions.clone(),
            open: export(SERVE_INTERFACE, "open"),
            invoke: export(SERVE_INTERFACE, "invoke"),
            invoke_small: export(SERVE_INTERFACE, "invoke-small"),
            invoke_scalars: export(SERVE_INTERFACE, "invoke-scalars"),
            drop_handle: export(SERVE_INTERFACE, "drop"),
            exports: exports
                .map(|function| export(&function.interface, &function.name))
                .collect(),
        }
    }

    /// The skeleton's function that sets the start number of a session's handles.
    pub(crate) fn open(&self) -> Option<ComponentExportIndex> {
        self.open
    }

    /// The skeleton's call with encoded arguments.
    pub(crate) fn invoke(&self) -> Option<ComponentExportIndex> {
        self.invoke
    }

    /// The skeleton's call with up to 32 bytes of encoded arguments, in words.
    pub(crate) fn invoke_small(&self) -> Option<ComponentExportIndex> {
        self.invoke_small
    }

    /// The skeleton's call of a function of few scalars, each in a word.
    pub(crate) fn invoke_scalars(&self) -> Option<ComponentExportIndex> {
        self.invoke_scalars
    }

    /// The skeleton's release of a handle.
    pub(crate) fn drop_handle(&self) -> Option<ComponentExportIndex> {
        self.drop_handle
    }

    /// The function with the index, to be called by its own types.
    pub(crate) fn function(&self, index: u32) -> Option<ComponentExportIndex> {
        *self.exports.get(usize::try_from(index).ok()?)?
    }

    /// The index of a function, and its call path.
    pub(crate) fn find(&self, interface: &str, name: &str) -> Option<(u32, &CallPath)> {
        let mut functions = self.functions.functions.iter().zip(0..);
        let (function, index) = functions
            .find(|(function, _)| *function.interface == *interface && *function.name == *name)?;
        Some((index, &function.path))
    }

    /// True if handles of the component's resources may cross links. An instance then stays with
    /// the importer that holds handles of it.
    pub(crate) fn has_resources(&self) -> bool {
        self.functions.has_resources
    }
}
