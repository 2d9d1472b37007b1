//! An outgoing HTTP provider: HTTP/1.1 and HTTPS, to origins that the link allows.
//!
//! | configuration | default | meaning |
//! | --- | --- | --- |
//! | link: `allow` | `[]` | the origins that the component may call |
//! | link: `allow-private` | `[]` | origins with names that may have private addresses |
//!
//! An origin is `https://api.example.com`, `http://127.0.0.1:8080` or `https://*.example.org`: a
//! scheme and a host, and a port if it is not that of the scheme. `*.` stands for one or more
//! labels, and `https://*` for every name.
//!
//! # Reachable addresses
//!
//! A name does not determine an address, and its owner can change the address between a check and a
//! connection. So the check is for the address of the connection:
//!
//! 1. An address in the URI must be listed in `allow`; `*` does not include addresses.
//! 2. A name from `allow` reaches public addresses only.
//! 3. A name from `allow-private` reaches private and loopback addresses as well: services of a
//!    cluster or a company network. `localhost` belongs to this group in either list.
//! 4. A name never reaches a link-local (where clouds have their credentials), multicast or
//!    unspecified address; such an address must be listed itself.
//!
//! # Other behaviour
//!
//! Redirects are not followed: the component receives them, and a new request is checked again.
//! Headers of a connection (`connection`, `transfer-encoding`, …) are removed in both directions,
//! and `host` is always that of the URI. Bodies are streamed. A link has at most [`IN_FLIGHT_MAX`]
//! requests in flight, and does not share connections with other links.

mod address;
mod allow;
mod body;
mod client;
mod connection_tasks;
mod error_mapping;
mod headers;
mod origin;

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use weft_provider::{
    Capability, ConfigProblem, Context, Factory, LinkContext, MakeError, Provider, Settings, http,
    parse,
};

use allow::AllowList;
use client::LinkClient;
pub use client::{
    BETWEEN_BYTES_TIMEOUT, CONNECT_TIMEOUT, FIRST_BYTE_TIMEOUT, IDLE_PER_ORIGIN_MAX, IDLE_TIMEOUT,
    IN_FLIGHT_MAX,
};
use connection_tasks::ConnectionTasks;

/// Makes providers of the kind `http-client`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpClientFactory;

/// Empty: only the links of this provider have configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientsConfig {}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct LinkConfig {
    allow: Vec<String>,
    allow_private: Vec<String>,
}

struct HttpClientProvider {
    tls: ClientConfig,
    tasks: ConnectionTasks,
}

// === impl HttpClientFactory ===

#[async_trait]
impl Factory for HttpClientFactory {
    fn kind(&self) -> &'static str {
        "http-client"
    }

    fn serves(&self) -> &'static [&'static str] {
        http::INTERFACES
    }

    fn check_config(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<(), ConfigProblem> {
        parse::<ClientsConfig>(context, settings)?;
        Ok(())
    }

    async fn make(
        &self,
        context: &Context<'_>,
        settings: &Settings,
    ) -> Result<Arc<dyn Provider>, MakeError> {
        let ClientsConfig {} = parse(context, settings)?;
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider =
            HttpClientProvider::new(roots).map_err(|error| MakeError::start(context, error))?;
        Ok(Arc::new(provider))
    }
}

// === impl HttpClientProvider ===

impl HttpClientProvider {
    fn new(roots: RootCertStore) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls,
            tasks: ConnectionTasks::default(),
        })
    }
}

#[async_trait]
impl Provider for HttpClientProvider {
    fn bind(
        &self,
        link: &LinkContext<'_>,
        settings: &Settings,
    ) -> Result<Capability, ConfigProblem> {
        let LinkConfig {
            allow,
            allow_private,
        } = parse(link, settings)?;
        let allow = AllowList::parse(link, &allow, &allow_private)?;
        Ok(Capability::HttpClient(Arc::new(LinkClient::new(
            allow,
            &self.tls,
            &self.tasks,
        ))))
    }

    async fn close(&self) {
        self.tasks.close().await;
    }
}

#[cfg(test)]
mod tests;
