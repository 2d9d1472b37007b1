//! The conformance guests of concurrent links, each in a store of its own: every function of the
//! importer, over messages as they are and as frames.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{
    Accessor, Component, ComponentExportIndex, InstancePre, Linker, LinkerInstance, ResourceTable,
    Val,
};
use wasmtime::{AsContextMut, Config, Engine, Store, StoreContextMut};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::conversation::{Answer, Conversation};
use super::exchange::Side;
use super::message::Post;
use super::serve::{Broken, Call, Replied};
use super::{import, serve};
use crate::links::codec::FunctionShape;

/// How long a call may take before a test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

const IMPORT: &str = "fixture:conformance/concurrent@0.1.0";
const EXPORT: &str = "fixture:conformance/relay-concurrent@0.1.0";

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

/// How messages go.
#[derive(Debug, Clone, Copy)]
enum Way {
    Direct,
    Framed,
}

/// A component that can be instantiated.
struct Guest {
    pre: InstancePre<State>,
    interface: ComponentExportIndex,
}

/// The importer, linked to the exporter.
struct Bench {
    importer: Guest,
    tasks: TaskTracker,
}

impl Guest {
    fn new(component: &Component, linker: &Linker<State>, interface: &str) -> Self {
        Self {
            pre: linker.instantiate_pre(component).unwrap(),
            interface: component.get_export_index(None, interface).unwrap(),
        }
    }

    fn store(&self) -> Store<State> {
        let state = State {
            wasi: WasiCtxBuilder::new().inherit_stderr().build(),
            table: ResourceTable::new(),
        };
        Store::new(self.pre.engine(), state)
    }
}

fn load(engine: &Engine, name: &str) -> Component {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../components/target/wasm");
    let file = folder.join(name).with_extension("wasm");
    assert!(file.exists(), "{} is not there: build it by `cargo xtask guests`", file.display());
    Component::from_file(engine, file).unwrap()
}

fn linker(engine: &Engine) -> Linker<State> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    linker
}

impl Bench {
    fn new(way: Way) -> Self {
        let mut config = Config::new();
        config.wasm_component_model_async(true);
        let engine = Engine::new(&config).unwrap();
        let exporter = load(&engine, "conformance-concurrent-exporter");
        let exporter = Arc::new(Guest::new(&exporter, &linker(&engine), IMPORT));
        let tasks = TaskTracker::new();
        let importer = load(&engine, "conformance-concurrent-importer");
        let mut linker = linker(&engine);
        for (name, item) in importer.component_type().imports(&engine) {
            if let (IMPORT, ComponentItem::ComponentInstance(instance)) = (name, item.ty) {
                let mut imported = linker.instance(name).unwrap();
                for (name, item) in instance.exports(&engine) {
                    if let ComponentItem::ComponentFunc(function) = item.ty {
                        bind(&mut imported, name, &function, &exporter, &tasks, way);
                    }
                }
            }
        }
        let importer = Guest::new(&importer, &linker, EXPORT);
        Self { importer, tasks }
    }

    /// Calls a function of the importer, in a new instance of it.
    async fn call(&self, name: &str, arguments: &[Val]) -> wasmtime::Result<Val> {
        let mut store = self.importer.store();
        let instance = self.importer.pre.instantiate_async(&mut store).await?;
        let index = instance.get_export_index(&mut store, Some(&self.importer.interface), name);
        let function = instance.get_func(&mut store, index.unwrap()).unwrap();
        let count = function.ty(&store).results().len();
        let mut results = vec![Val::Tuple(vec![]); count];
        let call = store.run_concurrent(async |accessor| {
            function.call_concurrent(accessor, arguments, &mut results).await
        });
        timeout(PATIENCE, call).await.expect("the call takes too long")??;
        Ok(results.pop().unwrap_or(Val::Tuple(vec![])))
    }
}

fn bind(
    linker: &mut LinkerInstance<'_, State>,
    name: &str,
    function: &ComponentFunc,
    exporter: &Arc<Guest>,
    tasks: &TaskTracker,
    way: Way,
) {
    let index = exporter.pre.component().get_export_index(Some(&exporter.interface), name);
    let target = Target {
        exporter: exporter.clone(),
        index: index.unwrap(),
        shape: Arc::new(FunctionShape::of(function).unwrap()),
        tasks: tasks.clone(),
        way,
    };
    let target = Arc::new(target);
    if function.async_() {
        linker
            .func_new_concurrent(name, move |accessor, _, arguments, results| {
                let target = target.clone();
                Box::pin(async move { call_async(&target, accessor, arguments, results).await })
            })
            .unwrap();
    } else {
        linker
            .func_new_async(name, move |store, _, arguments, results| {
                let target = target.clone();
                Box::new(async move { call_plain(&target, store, arguments, results).await })
            })
            .unwrap();
    }
}

/// The exporter's function.
struct Target {
    exporter: Arc<Guest>,
    index: ComponentExportIndex,
    shape: Arc<FunctionShape>,
    tasks: TaskTracker,
    way: Way,
}

async fn call_async(
    target: &Arc<Target>,
    accessor: &Accessor<State>,
    arguments: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let (side, conversation) =
        accessor.with(|mut access| begin(target, access.as_context_mut(), arguments))?;
    let answer = conversation.answer().await;
    accessor.with(|mut access| end(target, access.as_context_mut(), &side, answer, results))
}

async fn call_plain(
    target: &Arc<Target>,
    mut store: StoreContextMut<'_, State>,
    arguments: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let (side, conversation) = begin(target, store.as_context_mut(), arguments)?;
    let answer = conversation.answer().await;
    end(target, store, &side, answer, results)
}

type Outcome = Result<Vec<u8>, Broken>;

fn begin(
    target: &Arc<Target>,
    store: StoreContextMut<'_, State>,
    arguments: &[Val],
) -> wasmtime::Result<(Arc<Side>, Conversation<Outcome>)> {
    let (importer, exporter) = Side::pair(|peer| match target.way {
        Way::Direct => Post::Direct(Arc::downgrade(peer)),
        Way::Framed => Post::Framed(Arc::downgrade(peer), 7),
    });
    let request = import::request(store, &importer, &target.shape, arguments)?;
    let of_task = target.clone();
    let conversation = Conversation::begin(&target.tasks, |sender| async move {
        let mut store = of_task.exporter.store();
        let instance = of_task.exporter.pre.instantiate_async(&mut store).await.unwrap();
        let call = Call {
            function: instance.get_func(&mut store, of_task.index).unwrap(),
            shape: of_task.shape.clone(),
            request,
        };
        // Dropped before the store.
        let guard = serve::Guard::new(&exporter);
        let mut sender = Some(sender);
        let early = |reply| {
            let _ = sender.take().unwrap().send(Answer::GoesOn(reply));
        };
        let ran = serve::run(&mut store, &exporter, call, early).await;
        let outcome = match ran {
            Ok(Replied::Before) => return guard.disarm(),
            Ok(Replied::Now(reply)) => Ok(reply),
            Err(broken) => Err(broken),
        };
        if let Some(sender) = sender {
            let _ = sender.send(Answer::Over(outcome));
        }
    });
    Ok((importer, conversation))
}

fn end(
    target: &Target,
    store: StoreContextMut<'_, State>,
    side: &Arc<Side>,
    answer: Option<Answer<Outcome>>,
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let reply = match answer.expect("the exporter's task panicked") {
        Answer::GoesOn(reply) | Answer::Over(Ok(reply)) => reply,
        Answer::Over(Err(broken)) => return Err(wasmtime::Error::msg(format!("{broken:?}"))),
    };
    let values = import::reply(store, side, &target.shape, &reply)?;
    for (result, value) in results.iter_mut().zip(values) {
        *result = value;
    }
    Ok(())
}

/// The text of a result.
fn text(value: &Val) -> String {
    value.to_wave().unwrap()
}

async fn check(bench: &Bench, name: &str, arguments: &[Val], expected: &str) {
    let found = bench.call(name, arguments).await;
    let found = found.unwrap_or_else(|error| panic!("`{name}`: {error:?}"));
    assert_eq!(text(&found), expected, "`{name}` of {arguments:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explore() {
    for way in [Way::Direct, Way::Framed] {
        let bench = Bench::new(way);
        let calls: Vec<(&str, Vec<Val>)> = vec![
            ("nothing", vec![]),
            ("add", vec![Val::U32(2), Val::U32(3)]),
            ("echo-text", vec![Val::String("hällo".into())]),
            ("plain", vec![Val::String("hällo".into())]),
            ("later", vec![Val::U32(5), Val::String("x".into())]),
            ("streams", vec![Val::U32(100)]),
            ("bytes", vec![Val::U64(1_000_000), Val::U32(70_000)]),
            ("pass", vec![Val::U32(100_000)]),
            ("futures", vec![]),
            ("numbers", vec![Val::U32(10)]),
            ("read", vec![Val::U32(1000)]),
            ("read", vec![Val::U32(1_000_001)]),
            ("collect", vec![Val::U32(10)]),
            ("zip", vec![Val::List(vec![Val::U32(1), Val::U32(2)]), Val::List(vec![Val::String("a".into())])]),
            ("reader-leaves", vec![Val::U32(10)]),
            ("reader-dawdles", vec![]),
            ("exporter-leaves", vec![Val::U32(10)]),
            ("nobody-begins", vec![]),
            ("call-is-given-up", vec![]),
            ("at-once", vec![Val::U32(10)]),
            ("broken", vec![Val::U32(10)]),
            ("broken", vec![Val::U32(0)]),
        ];
        for (name, arguments) in calls {
            let begun = std::time::Instant::now();
            let found = bench.call(name, &arguments).await;
            let took = begun.elapsed();
            match found {
                Ok(value) => eprintln!("{way:?} {name}: {} ({took:?})", text(&value)),
                Err(error) => eprintln!("{way:?} {name}: FAILED {error:?} ({took:?})"),
            }
        }
        bench.tasks.close();
        timeout(PATIENCE, bench.tasks.wait()).await.expect("tasks are left over");
    }
}
