//! The compiler, with real components.

use std::path::Path;

use futures_util::FutureExt as _;
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::engine::PoolSize;

/// A component with this core function.
fn component(function: &str) -> Arc<[u8]> {
    let text = format!(
        r#"(component
          (core module $m (memory 1) {function})
          (core instance $i (instantiate $m))
          (func (export "run") (param "of" s64) (result s64) (canon lift (core func $i "run"))))"#
    );
    wat::parse_str(text).unwrap().into()
}

fn small() -> Arc<[u8]> {
    component(r#"(func (export "run") (param i64) (result i64) local.get 0)"#)
}

/// A component of more than [`LARGE_BYTES`], which takes some seconds to compile.
fn large() -> Arc<[u8]> {
    let step = "local.get 0 i64.const 77 i64.mul local.tee 0 i64.const 9 i64.lt_s \
                (if (then local.get 0 i64.const 7 i64.add local.set 0))";
    let body = step.repeat(60);
    let functions: String = (0..2_500)
        .map(|_| format!("(func (param i64) (result i64) {body} local.get 0)"))
        .collect();
    let large = component(&format!(
        r#"(func (export "run") (param i64) (result i64) local.get 0) {functions}"#
    ));
    assert!(large.len() as u64 >= LARGE_BYTES, "{}", large.len());
    large
}

fn compiler(directory: &Path) -> Compiler {
    let engines = Engines::new(PoolSize::of_memory(1 << 30)).unwrap();
    let (cache, key) = (directory.join("cache"), directory.join("key"));
    Compiler::open(Arc::new(engines), &cache, &key).unwrap()
}

fn compiler_in_new_directory() -> (TempDir, Compiler) {
    let directory = tempfile::tempdir().unwrap();
    let compiler = compiler(directory.path());
    (directory, compiler)
}

const KIND: EngineKind = EngineKind::Synchronous;

async fn compile(
    compiler: &Compiler,
    bytes: &Arc<[u8]>,
    purpose: Purpose,
) -> Result<Component, CompileError> {
    let key = compiler.key(KIND, bytes, [].into());
    let compiled = compiler.compile(KIND, "test", &key, bytes.clone(), purpose);
    compiled.await
}

async fn check(compiler: &Compiler, bytes: &Arc<[u8]>) -> Result<Component, CompileError> {
    let key = compiler.key(KIND, bytes, [].into());
    compiler.check(KIND, "test", &key, bytes.clone()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_compiled_once_and_then_loaded() {
    let (directory, first) = compiler_in_new_directory();
    let bytes = small();
    let both = tokio::join!(
        compile(&first, &bytes, Purpose::Start),
        compile(&first, &bytes, Purpose::Start),
    );
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(first.compilations(), 1);
    let second = compiler(directory.path());
    compile(&second, &bytes, Purpose::Deploy).await.unwrap();
    assert_eq!(second.compilations(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compilation_ahead_waits_for_an_urgent_one_of_the_same_component() {
    let (_directory, compiler) = compiler_in_new_directory();
    let bytes = large();
    let urgent = compile(&compiler, &bytes, Purpose::Start);
    let ahead = async {
        while compiler.compilations() == 0 {
            tokio::task::yield_now().await;
        }
        compile(&compiler, &bytes, Purpose::Ahead).await
    };
    let both = tokio::join!(urgent, ahead);
    both.0.unwrap();
    both.1.unwrap();
    assert_eq!(compiler.compilations(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_component_is_compiled_while_a_large_one_is() {
    let (_directory, compiler) = compiler_in_new_directory();
    let bytes = large();
    let mut compiling = JoinSet::new();
    {
        let (compiler, bytes) = (compiler.clone(), bytes.clone());
        compiling.spawn(async move { compile(&compiler, &bytes, Purpose::Start).await.map(drop) });
    }
    while compiler.compilations() == 0 {
        tokio::task::yield_now().await;
    }
    compile(&compiler, &small(), Purpose::Start).await.unwrap();
    // What is in the cache waits for nothing.
    compile(&compiler, &small(), Purpose::Ahead).await.unwrap();
    assert!(compiling.try_join_next().is_none());
    compiling.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(compiler.compilations(), 2);
}

#[tokio::test]
async fn a_compilation_that_nobody_waits_for_goes_on_and_is_cached() {
    let (_directory, compiler) = compiler_in_new_directory();
    let bytes = large();
    {
        let mut dropped = std::pin::pin!(compile(&compiler, &bytes, Purpose::Start));
        while compiler.compilations() == 0 {
            assert!(dropped.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    }
    compile(&compiler, &bytes, Purpose::Start).await.unwrap();
    assert_eq!(compiler.compilations(), 1);
}

#[tokio::test]
async fn a_check_compiles_nothing_and_has_the_types_memories_and_tables() {
    let (_directory, compiler) = compiler_in_new_directory();
    let checked = check(&compiler, &large()).await.unwrap();
    assert_eq!(compiler.compilations(), 0);
    let compiled = compile(&compiler, &small(), Purpose::Deploy).await.unwrap();
    let (checked, compiled) = (
        checked.resources_required().unwrap(),
        compiled.resources_required().unwrap(),
    );
    assert_eq!(checked.num_memories, compiled.num_memories);
    assert_eq!(checked.num_tables, compiled.num_tables);
}

#[tokio::test]
async fn a_check_finds_the_mistakes_that_the_compiler_finds() {
    let (_directory, compiler) = compiler_in_new_directory();
    let run = r#"(func (export "run") (param i64) (result i64) local.get 0)"#;
    let bodies = [
        // A feature that the engines do not have, in a body alone.
        "(func atomic.fence)",
        // A memory with 64-bit addresses.
        "(memory i64 1)",
        // More than the slots of the pool have.
        "(table 1000000 funcref)",
        // No type.
        "(func i32.add drop)",
    ];
    for body in bodies {
        let bytes = component(&format!("{run} {body}"));
        let checked = check(&compiler, &bytes).await;
        let compiled = compile(&compiler, &bytes, Purpose::Deploy).await;
        let is_rejected = |found: &Result<Component, CompileError>| {
            matches!(found, Err(CompileError::Rejected { .. }))
        };
        assert_eq!(is_rejected(&checked), is_rejected(&compiled), "{body}");
        assert!(is_rejected(&checked), "{body}");
    }
}
