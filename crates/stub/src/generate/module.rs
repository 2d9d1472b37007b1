//! A builder for core modules.

use std::collections::HashMap;

use wasm_encoder::{
    CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, MemorySection, MemoryType, TypeSection, ValType,
};

use super::code::global;
use super::memory_layout;

/// The maximum number of pages: the end of the memory is an address of 32 bits too.
const MAX_PAGES: u64 = 0xffff;

/// The core type of a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FunctionType {
    pub(crate) parameters: Vec<ValType>,
    pub(crate) results: Vec<ValType>,
}

impl FunctionType {
    /// A type with `i32` parameters and results only.
    pub(crate) fn words(parameters: usize, results: usize) -> Self {
        Self {
            parameters: vec![ValType::I32; parameters],
            results: vec![ValType::I32; results],
        }
    }

    pub(crate) fn new(parameters: &[ValType], results: &[ValType]) -> Self {
        Self {
            parameters: parameters.to_vec(),
            results: results.to_vec(),
        }
    }
}

/// The index of a function in the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Func(pub(crate) u32);

/// A core module under construction. All imports precede the first function.
#[derive(Debug, Default)]
pub(crate) struct Module {
    types: TypeSection,
    known_types: HashMap<FunctionType, u32>,
    imports: ImportSection,
    imported: u32,
    function_types: Vec<u32>,
    bodies: Vec<Option<Function>>,
    exports: ExportSection,
    more_globals: Vec<i32>,
}

impl Module {
    pub(crate) fn import(&mut self, name: &(String, String), ty: &FunctionType) -> Func {
        debug_assert!(self.bodies.is_empty(), "imports come first");
        let ty = self.type_index(ty);
        self.imports
            .import(&name.0, &name.1, EntityType::Function(ty));
        self.imported += 1;
        Func(self.imported - 1)
    }

    /// Declares a function to be defined later.
    pub(crate) fn declare(&mut self, ty: &FunctionType) -> Func {
        let ty = self.type_index(ty);
        self.function_types.push(ty);
        self.bodies.push(None);
        Func(self.imported + count(self.bodies.len()) - 1)
    }

    pub(crate) fn define(&mut self, func: Func, body: Function) {
        self.bodies[(func.0 - self.imported) as usize] = Some(body);
    }

    pub(crate) fn export(&mut self, name: &str, func: Func) {
        self.exports.export(name, ExportKind::Func, func.0);
    }

    /// Adds a global `i32` to those of every module.
    pub(crate) fn add_global(&mut self, initial: i32) -> u32 {
        self.more_globals.push(initial);
        global::COUNT + count(self.more_globals.len()) - 1
    }

    /// Encodes the module.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let mut functions = FunctionSection::new();
        for ty in &self.function_types {
            functions.function(*ty);
        }
        let mut memories = MemorySection::new();
        memories.memory(MemoryType {
            minimum: memory_layout::INITIAL_PAGES,
            maximum: Some(MAX_PAGES),
            memory64: false,
            shared: false,
            page_size_log2: None,
        });
        self.exports.export("memory", ExportKind::Memory, 0);
        let mut code = CodeSection::new();
        for body in self.bodies.iter().flatten() {
            code.function(body);
        }
        let globals = self.globals();
        let mut module = wasm_encoder::Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&functions)
            .section(&memories)
            .section(&globals)
            .section(&self.exports)
            .section(&code);
        module.finish()
    }

    fn globals(&self) -> GlobalSection {
        let mut globals = GlobalSection::new();
        // In the order of their indices: top, end, reason, base.
        let common = [
            memory_layout::ARENA_START,
            memory_layout::INITIAL_END,
            0,
            memory_layout::ARENA_START,
        ];
        for initial in common.iter().chain(&self.more_globals) {
            let ty = GlobalType {
                val_type: ValType::I32,
                mutable: true,
                shared: false,
            };
            globals.global(ty, &ConstExpr::i32_const(*initial));
        }
        globals
    }

    fn type_index(&mut self, ty: &FunctionType) -> u32 {
        if let Some(index) = self.known_types.get(ty) {
            return *index;
        }
        let index = count(self.known_types.len());
        self.types
            .ty()
            .function(ty.parameters.clone(), ty.results.clone());
        self.known_types.insert(ty.clone(), index);
        index
    }
}

/// Converts a number of items. Each takes at least a byte of a component, so the limit on the size
/// of components keeps it far below the maximum.
fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
