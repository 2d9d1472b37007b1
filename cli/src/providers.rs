//! The kinds of providers that this build of weft has.

use weft_provider::Registry;

/// Every kind there is. A new one is a crate under `providers/` and a line here.
pub(crate) fn registry() -> Registry {
    Registry::default()
        .with(weft_config_values::ValuesFactory)
        .with(weft_http_client::HttpClientFactory)
        .with(weft_keyvalue_memory::MemoryFactory)
        .with(weft_keyvalue_redb::RedbFactory)
        .with(weft_logging_tracing::TracingFactory)
}
