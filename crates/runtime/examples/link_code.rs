//! For `cargo xtask bench`: generates and compiles the stub and the skeleton of an interface of
//! twenty functions, as a deploy with a link between stores does, and prints the durations as JSON.
//! Generates them twice more from the cache: for the same components, and for other components with
//! the same interface.

#![allow(
    clippy::print_stdout,
    missing_docs,
    reason = "a program that prints its result"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Component;
use wasmtime::{Config, Engine, Error, Result};
use weft_stub::{Cache, Component as Linked, Generated};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve};

const API: &str = "bench:shop/api";

/// An interface of a shop. Typed calls support none of its signatures, so all functions need
/// generated code.
const WIT: &str = "package bench:shop;
interface api {
  record money { amount: u64, currency: string }
  record line { sku: string, quantity: u32, price: money }
  record address { name: string, street: list<string>, city: string, country: string }
  record order { id: u64, lines: list<line>, to: address, note: option<string>, paid: bool }
  record page { orders: list<order>, next: option<string> }
  enum status { open, paid, packed, sent, returned }
  flags scopes { read, write, refund, admin }
  variant event { placed(order), moved(status), paid(money), noted(string), closed }
  variant failure { not-found(string), refused(tuple<u32, string>), link-failure(string) }

  place: func(lines: list<line>, to: address) -> result<order, failure>;
  find: func(id: u64) -> option<order>;
  list-by: func(status: status, after: option<string>, count: u32) -> page;
  cancel: func(id: u64, why: option<string>) -> result<status, failure>;
  move-to: func(id: u64, status: status) -> result<_, failure>;
  history: func(id: u64) -> list<event>;
  record-event: func(id: u64, event: event) -> result<_, failure>;
  total: func(lines: list<line>) -> money;
  convert: func(money: money, currency: string) -> result<money, failure>;
  allowed: func(user: string, scopes: scopes) -> scopes;
  grant: func(user: string, scopes: scopes, until: option<u64>) -> result<_, failure>;
  addresses: func(user: string) -> list<address>;
  add-address: func(user: string, address: address) -> result<u32, failure>;
  stock: func(skus: list<string>) -> list<tuple<string, u32>>;
  reserve: func(lines: list<tuple<string, u32>>) -> result<list<u64>, failure>;
  release: func(reservations: list<u64>) -> list<u64>;
  search: func(text: string, prices: option<tuple<money, money>>) -> page;
  statistics: func(since: u64, until: u64) -> list<tuple<status, f64>>;
  export-all: func(since: u64) -> result<list<u8>, failure>;
  import-all: func(orders: list<order>) -> result<tuple<u32, u32>, list<failure>>;
}
world importer { import api; }
world exporter { export api; }
";

fn main() -> Result<()> {
    let [importer, exporter] = [component("importer")?, component("exporter")?];
    let engine = engine()?;
    let cache = Cache::new(|_| false);
    let started = Instant::now();
    let generated = generate(&cache, "1", [&importer, &exporter])?;
    let generating = started.elapsed();
    for generated in &generated {
        let bytes = generated.bytes.as_ref();
        Component::new(
            &engine,
            bytes.ok_or_else(|| Error::msg("no code was generated"))?,
        )?;
    }
    let cold = started.elapsed();
    let started = Instant::now();
    let again = generate(&cache, "1", [&importer, &exporter])?;
    let cached = started.elapsed();
    let started = Instant::now();
    // Another digest: to the cache, these are other components.
    let interface_again = generate(&cache, "2", [&importer, &exporter])?;
    let interface_cached = started.elapsed();
    // The plans differ, because each is made for one component; the code does not.
    let code = |ends: &[Arc<Generated>; 2]| ends.each_ref().map(|end| end.bytes.clone());
    if [&again, &interface_again].map(code) != [code(&generated), code(&generated)] {
        return Err(Error::msg("the same interface has different code"));
    }
    let functions = generated[0].plan.functions().count();
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1000.0;
    println!(
        r#"{{"functions": {functions}, "cold_ms": {}, "generate_ms": {}, "cached_ms": {}, "interface_cached_ms": {}}}"#,
        milliseconds(cold),
        milliseconds(generating),
        milliseconds(cached),
        milliseconds(interface_cached),
    );
    Ok(())
}

/// Generates the stub of an importer and the skeleton of an exporter.
fn generate(
    cache: &Cache,
    digest: &str,
    [importer, exporter]: [&[u8]; 2],
) -> Result<[Arc<Generated>; 2]> {
    let linked = |bytes| Linked { digest, bytes };
    let stub = cache.stub(linked(importer), &[API]);
    let skeleton = cache.skeleton(linked(exporter), &[API]);
    Ok([stub.map_err(Error::new)?, skeleton.map_err(Error::new)?])
}

/// A component of a world; its functions trap.
fn component(world: &str) -> Result<Vec<u8>> {
    let failed = |error: &dyn std::fmt::Display| Error::msg(error.to_string());
    let mut resolve = Resolve::default();
    let package = resolve.push_source("bench.wit", WIT);
    let package = package.map_err(|error| failed(&error))?;
    let world = resolve.select_world(&[package], Some(world));
    let world = world.map_err(|error| failed(&error))?;
    let mangling = ManglingAndAbi::Legacy(LiftLowerAbi::Sync);
    let mut module = dummy_module(&resolve, world, mangling);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| failed(&error))?;
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.module(&module).map_err(|error| failed(&error))?;
    encoder.encode().map_err(|error| failed(&error))
}

/// An engine with the settings of the host's synchronous engine.
fn engine() -> Result<Engine> {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .wasm_component_model_async(false)
        .epoch_interruption(true);
    Engine::new(&config)
}
