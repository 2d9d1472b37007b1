//! The baseline of `cargo xtask bench` for links: two stores linked by `func_new_async` and dynamic
//! values, without generated code.
//!
//! ```text
//! dynamic_link CALLER.wasm CALLEE.wasm FUNCTION COUNT [SIZE]
//! ```
//!
//! Calls `fixture:links/relay.FUNCTION(COUNT, SIZE)` of the caller, which calls
//! `fixture:links/echo` of the callee COUNT times, and prints the nanoseconds of one such call.

#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a program that prints its result"
)]

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Mutex;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Func, Instance, Linker, ResourceTable, Val};
use wasmtime::{Config, Engine, Error, Result, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

const ECHO: &str = "fixture:links/echo@0.1.0";
const RELAY: &str = "fixture:links/relay@0.1.0";

#[derive(Default)]
struct State {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// A component in a store of its own.
struct Guest {
    store: Store<State>,
    instance: Instance,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [caller, callee, function, numbers @ ..] = &arguments[..] else {
        return Err(Error::msg(
            "usage: dynamic_link CALLER.wasm CALLEE.wasm FUNCTION COUNT [SIZE]",
        ));
    };
    let numbers: Vec<Val> = numbers
        .iter()
        .map(|number| number.parse().map(Val::U32).map_err(Error::new))
        .collect::<Result<_>>()?;
    let Some(Val::U32(count)) = numbers.first() else {
        return Err(Error::msg("COUNT is missing"));
    };
    let engine = engine()?;
    let callee = Component::from_file(&engine, callee)?;
    let callee = Guest::new(&callee, linker(&callee)?).await?;
    let caller = Component::from_file(&engine, caller)?;
    let mut linked = linker(&caller)?;
    link(&mut linked, &caller, callee)?;
    let mut caller = Guest::new(&caller, linked).await?;

    let called = caller.function(RELAY, function)?;
    let mut results = [Val::Bool(false)];
    let started = Instant::now();
    called
        .call_async(&mut caller.store, &numbers, &mut results)
        .await?;
    let elapsed = started.elapsed();
    println!("{}", elapsed.as_secs_f64() * 1e9 / f64::from(*count));
    Ok(())
}

/// An engine with the settings of the host's synchronous engine.
fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .wasm_component_model_async(false)
        .epoch_interruption(false);
    Engine::new(&config)
}

fn linker(component: &Component) -> Result<Linker<State>> {
    let mut linker = Linker::new(component.engine());
    linker.allow_shadowing(true);
    // The fixtures call none of the imports that are not defined here.
    linker.define_unknown_imports_as_traps(component)?;
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// Defines every function of the import as a dynamic call in the callee's store.
fn link(linker: &mut Linker<State>, caller: &Component, mut callee: Guest) -> Result<()> {
    let engine = caller.engine();
    let imported = caller.component_type();
    let imported = imported.get_import(engine, ECHO);
    let Some(ComponentItem::ComponentInstance(imported)) = imported.map(|item| item.ty) else {
        return Err(Error::msg(
            "the caller does not import `fixture:links/echo`",
        ));
    };
    let functions = imported.exports(engine);
    let functions =
        functions.filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)));
    let functions: Vec<_> = functions
        .map(|(name, _)| Ok((name.to_owned(), callee.function(ECHO, name)?)))
        .collect::<Result<_>>()?;
    let callee = Arc::new(Mutex::new(callee));
    let mut instance = linker.instance(ECHO)?;
    for (name, function) in functions {
        let callee = callee.clone();
        instance.func_new_async(&name, move |_, _, arguments, results| {
            let callee = callee.clone();
            Box::new(async move {
                let store = &mut callee.lock().await.store;
                function.call_async(store, arguments, results).await
            })
        })?;
    }
    Ok(())
}

impl Guest {
    async fn new(component: &Component, linker: Linker<State>) -> Result<Self> {
        let mut store = Store::new(component.engine(), State::default());
        // Dynamic values are many times as large as the list that they represent.
        store.set_hostcall_fuel(usize::MAX);
        let instance = linker.instantiate_async(&mut store, component).await?;
        Ok(Self { store, instance })
    }

    fn function(&mut self, interface: &str, function: &str) -> Result<Func> {
        let Self { store, instance } = self;
        let interface = instance.get_export_index(&mut *store, None, interface);
        let function = instance.get_export_index(&mut *store, interface.as_ref(), function);
        let function = function.and_then(|index| instance.get_func(store, index));
        function.ok_or_else(|| Error::msg("a function is not exported"))
    }
}
