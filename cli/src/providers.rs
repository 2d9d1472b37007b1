//! The types of providers in this build of weft.

use weft_host::MeshConfig;
use weft_keyvalue_nats::Lattice;
use weft_provider::Registry;

/// All types of providers, for a host that joins `mesh`, if given. A new type is a crate under
/// `providers/` and a line here.
pub(crate) fn registry(mesh: Option<&MeshConfig>) -> Registry {
    let lattice = mesh.map(|mesh| Lattice {
        name: mesh.lattice.clone(),
        nats: mesh.nats.clone(),
    });
    Registry::default()
        .with(weft_config_values::ValuesFactory)
        .with(weft_http_client::HttpClientFactory)
        .with(weft_keyvalue_memory::MemoryFactory)
        .with(weft_keyvalue_nats::NatsFactory::new(lattice))
        .with(weft_keyvalue_redb::RedbFactory)
        .with(weft_logging_tracing::TracingFactory)
}
