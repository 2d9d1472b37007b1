//! Turns a group of components into an endpoint that can be instantiated in microseconds.

use std::sync::Arc;

use wasmtime::ResourcesRequired;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use weft_compose::{FuseError, FuseOptions, Fused, MAX_FUSED_BYTES, Part};
use weft_lattice_config::App;
use weft_link::Protocol;
use weft_node::runtime::Purpose;
use weft_state::artifacts::Artifacts;
use weft_stub::Cache;

use super::imports::{self, GroupLinks, HostImport};
use super::link_exports::{ExportedFunctions, LinkExports};
use super::{AppInput, BinaryError, FusionGroup};
use crate::bindings;
use crate::compile::{CacheKey, CompileError, Compiler};
use crate::engine::{EngineKind, Engines};
use crate::guest::{GuestState, HostcallData};
use crate::links::{CALL_INTERFACE, DIRECT_INTERFACE, Transport};

/// An endpoint, ready to be instantiated.
pub(crate) struct PreparedEndpoint {
    pub(crate) recipe: Recipe,
    pub(crate) loaded: LoadedCode,
}

/// An endpoint's code in memory.
pub(crate) struct LoadedCode {
    pub(crate) pre: EndpointPre,
    pub(crate) link_exports: Arc<LinkExports>,
}

/// The inputs for loading an endpoint's code again after it was dropped. Small, unlike the code.
pub(crate) struct Recipe {
    /// `app/component`, for messages.
    name: String,
    pub(crate) kind: EngineKind,
    /// `None` for an endpoint that does not handle HTTP.
    pub(crate) protocol: Option<Protocol>,
    /// Linear memories that one instance takes from the pool.
    pub(crate) memories: u32,
    key: CacheKey,
    imports: Box<[HostImport]>,
    exported: ExportedFunctions,
    /// To fuse and compile again if the compile cache has lost the code.
    app: Arc<App>,
    group: FusionGroup,
}

impl Recipe {
    /// The data that the host functions of the endpoint's instances copy.
    pub(crate) fn hostcall_data(&self) -> HostcallData {
        let copies_values = self.protocol.is_none()
            || !self.exported.functions.is_empty()
            || self.imports.iter().any(HostImport::copies_values);
        match copies_values {
            true => HostcallData::Values,
            false => HostcallData::Http,
        }
    }
}

/// The exports of an endpoint, ready to be instantiated.
#[derive(Clone)]
pub(crate) enum EndpointPre {
    /// Handles HTTP by WASI 0.2.
    HttpP2(ProxyPre<GuestState>),
    /// Handles HTTP by WASI 0.3.
    HttpP3(ServicePre<GuestState>),
    /// Exports other functions only.
    Plain(InstancePre<GuestState>),
}

/// The reason why a group cannot be instantiated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// The components cannot be fused.
    #[error("cannot fuse the links of component `{endpoint}`")]
    Fuse {
        endpoint: String,
        /// The link, with the expected and found types.
        #[source]
        source: Box<FuseError>,
    },
    /// A component's bytes cannot be read.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// The components cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// An import does not match the host's interface.
    #[error("cannot link component `{endpoint}` to the host")]
    Link {
        endpoint: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Two parts exchange handles of an interface that each has under other bindings.
    #[error(
        "components {parts} pass handles of `{interface}` to each other and must share a provider; \
         link them to the same provider with the same name and config"
    )]
    SharedDiffers { interface: String, parts: String },
    /// One instance needs more than the whole pool.
    #[error(
        "component `{endpoint}` needs {needed} {what} at once, and this host's pool has {available}; \
         link fewer components, or run on a machine with more memory"
    )]
    Pool {
        endpoint: String,
        /// `memories` or `tables`.
        what: &'static str,
        needed: u32,
        available: u32,
    },
}

/// A group as one component, which is not compiled yet.
struct FusedGroup {
    /// `app/component`, for messages.
    name: String,
    kind: EngineKind,
    imports: Box<[HostImport]>,
    exported: ExportedFunctions,
    bytes: Arc<[u8]>,
    key: CacheKey,
}

/// Prepares the groups of apps, and loads them again.
#[derive(Clone)]
pub(crate) struct Preparer {
    pub(crate) engines: Arc<Engines>,
    pub(crate) compiler: Compiler,
    pub(crate) artifacts: Artifacts,
    pub(crate) transport: Transport,
    /// Cache of generated stubs and skeletons.
    pub(crate) stubs: Arc<Cache>,
}

impl Preparer {
    /// Fuses, compiles and links one group.
    ///
    /// # Errors
    /// Any [`PrepareError`].
    pub(crate) async fn prepare(
        &self,
        input: &Arc<AppInput>,
        group: &FusionGroup,
        purpose: Purpose,
    ) -> Result<PreparedEndpoint, PrepareError> {
        let FusedGroup {
            name,
            kind,
            imports,
            exported,
            bytes,
            key,
        } = self.fuse(input, group).await?;
        let compiled = self.compiler.compile(kind, &name, &key, bytes, purpose);
        let component = compiled.await?;
        let memories = self.pool_needs(input.name(group.parts[0]), &component)?;
        let loaded = self.link(&name, kind, &component, &imports, &exported)?;
        let recipe = Recipe {
            name,
            kind,
            protocol: loaded.pre.protocol(),
            memories,
            key,
            imports,
            exported,
            app: input.app.clone(),
            group: group.clone(),
        };
        Ok(PreparedEndpoint { recipe, loaded })
    }

    /// Fuses and links one group without compiling it. Returns the HTTP interface that it exports.
    ///
    /// # Errors
    /// Any [`PrepareError`].
    pub(crate) async fn check(
        &self,
        input: &Arc<AppInput>,
        group: &FusionGroup,
    ) -> Result<Option<Protocol>, PrepareError> {
        let FusedGroup {
            name,
            kind,
            imports,
            exported,
            bytes,
            key,
        } = self.fuse(input, group).await?;
        let component = self.compiler.check(kind, &name, &key, bytes).await?;
        self.pool_needs(input.name(group.parts[0]), &component)?;
        let loaded = self.link(&name, kind, &component, &imports, &exported)?;
        Ok(loaded.pre.protocol())
    }

    async fn fuse(
        &self,
        input: &Arc<AppInput>,
        group: &FusionGroup,
    ) -> Result<FusedGroup, PrepareError> {
        let endpoint = input.name(group.parts[0]);
        let name = format!("{}/{endpoint}", input.app.metadata.name);
        let kind = engine_kind(input, group);
        let fused = {
            let (input, group, compiler) = (input.clone(), group.clone(), self.compiler.clone());
            let fuse = move || {
                let fused = fuse(&input, &group)?;
                let bytes: Arc<[u8]> = fused.bytes.into();
                let parts = group.parts.iter();
                let binaries = parts.filter_map(|part| input.binaries.get(input.name(*part)));
                let artifacts = binaries.map(|binary| binary.digest.clone()).collect();
                let key = compiler.key(kind, &bytes, artifacts);
                Ok::<_, PrepareError>((fused.imports, bytes, key))
            };
            let joined = tokio::task::spawn_blocking(fuse).await;
            joined.map_err(|_| CompileError::Interrupted { name: name.clone() })?
        };
        let (imports, bytes, key) = fused?;
        let links = GroupLinks::of(input, group, kind, &self.transport);
        Ok(FusedGroup {
            name,
            kind,
            imports: imports::bind(imports, input, group, &links)?,
            exported: group.exported_functions(),
            bytes,
            key,
        })
    }

    /// Loads a prepared endpoint: from the compile cache, or from the component's bytes if the
    /// cache has lost the code.
    ///
    /// # Errors
    /// Any [`PrepareError`].
    pub(crate) async fn load(&self, recipe: &Recipe) -> Result<LoadedCode, PrepareError> {
        let cached = self.compiler.cached(recipe.kind, &recipe.name, &recipe.key);
        if let Some(component) = cached.await? {
            let Recipe {
                name,
                kind,
                imports,
                exported,
                ..
            } = recipe;
            return self.link(name, *kind, &component, imports, exported);
        }
        let (app, artifacts) = (recipe.app.clone(), self.artifacts.clone());
        let read = tokio::task::spawn_blocking(move || AppInput::read(app, &artifacts));
        let input = read.await.map_err(|_| CompileError::Interrupted {
            name: recipe.name.clone(),
        })??;
        let (input, purpose) = (Arc::new(input), Purpose::Start);
        let prepared = self.prepare(&input, &recipe.group, purpose).await?;
        Ok(prepared.loaded)
    }

    fn link(
        &self,
        name: &str,
        kind: EngineKind,
        component: &Component,
        imports: &[HostImport],
        exported: &ExportedFunctions,
    ) -> Result<LoadedCode, PrepareError> {
        let linked = || {
            let mut linker = Linker::<GuestState>::new(self.engines.get(kind));
            linker.allow_shadowing(true);
            for import in imports {
                import.define(&mut linker)?;
            }
            linker.instantiate_pre(component)
        };
        let pre = linked().map_err(|error| PrepareError::Link {
            endpoint: name.to_owned(),
            source: error.into_boxed_dyn_error(),
        })?;
        Ok(LoadedCode {
            pre: EndpointPre::of(pre, kind),
            link_exports: Arc::new(LinkExports::of(component, exported)),
        })
    }

    fn pool_needs(&self, endpoint: &str, component: &Component) -> Result<u32, PrepareError> {
        let pool = self.engines.pool();
        let Some(ResourcesRequired {
            num_memories,
            num_tables,
            ..
        }) = component.resources_required()
        else {
            return Ok(1);
        };
        let needs = [
            ("memories", num_memories, pool.instances),
            ("tables", num_tables, pool.tables()),
        ];
        for (what, needed, available) in needs {
            if needed > available {
                let endpoint = endpoint.to_owned();
                return Err(PrepareError::Pool {
                    endpoint,
                    what,
                    needed,
                    available,
                });
            }
        }
        Ok(num_memories.max(1))
    }
}

impl EndpointPre {
    fn of(pre: InstancePre<GuestState>, kind: EngineKind) -> Self {
        if let Ok(http) = ProxyPre::new(pre.clone()) {
            Self::HttpP2(http)
        } else if kind == EngineKind::Concurrent
            && let Ok(http) = ServicePre::new(pre.clone())
        {
            Self::HttpP3(http)
        } else {
            Self::Plain(pre)
        }
    }

    fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::HttpP2(_) => Some(Protocol::HttpP2),
            Self::HttpP3(_) => Some(Protocol::HttpP3),
            Self::Plain(_) => None,
        }
    }

    pub(crate) fn instance_pre(&self) -> &InstancePre<GuestState> {
        match self {
            Self::HttpP2(pre) => pre.instance_pre(),
            Self::HttpP3(pre) => pre.instance_pre(),
            Self::Plain(pre) => pre,
        }
    }
}

fn engine_kind(input: &AppInput, group: &FusionGroup) -> EngineKind {
    let uses_async = group.parts.iter().any(|part| {
        input
            .binaries
            .get(input.name(*part))
            .is_some_and(|binary| binary.description.uses_async)
    });
    if uses_async {
        EngineKind::Concurrent
    } else {
        EngineKind::Synchronous
    }
}

/// Fuses the parts of a group, its stubs and its skeleton.
fn fuse(input: &AppInput, group: &FusionGroup) -> Result<Fused, PrepareError> {
    let mut parts: Vec<Part<'_>> = group
        .parts
        .iter()
        .filter_map(|part| {
            let name = input.name(*part);
            let bytes = &input.binaries.get(name)?.bytes;
            Some(Part { name, bytes })
        })
        .collect();
    let mut edges = group.edges.clone();
    for (part, crossing) in &group.crossings {
        let Some(stub) = crossing.stub() else {
            continue;
        };
        edges.extend(crossing.edges(*part, parts.len()));
        let name = input.name(crossing.to);
        parts.push(Part { name, bytes: stub });
    }
    let mut exporting = vec![0];
    if let Some(exporter) = &group.exporter
        && let Some(skeleton) = exporter.skeleton()
    {
        edges.extend(exporter.edges(parts.len()));
        exporting.push(parts.len());
        let name = input.name(group.parts[0]);
        parts.push(Part {
            name,
            bytes: skeleton,
        });
    }
    let is_private = |import: &str| {
        bindings::is_private(import)
            // A plain name means something in its own component alone.
            || !import.contains(':')
            || [CALL_INTERFACE, DIRECT_INTERFACE].contains(&import)
            || group.is_concurrent(import)
    };
    let options = FuseOptions {
        is_private: &is_private,
        // The size of a group is bounded elsewhere; stubs come in addition.
        max_parts: parts.len(),
        max_bytes: MAX_FUSED_BYTES,
    };
    weft_compose::fuse_exporting(&parts, &edges, &exporting, &options).map_err(|source| {
        PrepareError::Fuse {
            endpoint: input.name(group.parts[0]).to_owned(),
            source: Box::new(source),
        }
    })
}
