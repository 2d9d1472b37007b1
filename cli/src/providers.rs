//! The types of providers in this build of weft.

use std::error::Error;
use std::path::Path;

use weft_host::MeshConfig;
use weft_keyvalue_nats::{Lattice, NamedServers};
use weft_provider::Registry;

use crate::failure::{Failure, Kind};

/// All types of providers, for a host that joins `mesh`, if given, and knows these servers. A new
/// type is a crate under `providers/` and a line here.
pub(crate) fn registry(mesh: Option<&MeshConfig>, servers: NamedServers) -> Registry {
    let lattice = mesh.map(|mesh| Lattice {
        name: mesh.lattice.clone(),
        nats: mesh.nats.clone(),
    });
    Registry::default()
        .with(weft_config_values::ValuesFactory)
        .with(weft_http_client::HttpClientFactory)
        .with(weft_keyvalue_memory::MemoryFactory)
        .with(weft_keyvalue_nats::NatsFactory::new(lattice, servers))
        .with(weft_keyvalue_redb::RedbFactory)
        .with(weft_logging_tracing::TracingFactory)
}

/// All types of providers, for checks without a host.
pub(crate) fn without_host() -> Registry {
    registry(None, NamedServers::default())
}

/// Reads the definitions of NATS servers that manifests may name.
///
/// # Errors
/// The file cannot be read, or is invalid.
pub(crate) fn read_servers(file: Option<&Path>) -> Result<NamedServers, Failure> {
    let Some(file) = file else {
        return Ok(NamedServers::default());
    };
    let shown = file.display();
    let failed = |error: &dyn Error| {
        let message = format!("cannot use the NATS servers in `{shown}`");
        Failure::new(Kind::Input, message).caused_by(error)
    };
    let json = std::fs::read(file).map_err(|error| failed(&error))?;
    NamedServers::parse(&json).map_err(|error| failed(&error))
}
