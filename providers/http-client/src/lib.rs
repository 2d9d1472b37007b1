//! An outgoing HTTP provider: HTTP/1.1 and HTTPS, to what the link allows and nowhere else.
//!
//! | configuration | default | means |
//! | --- | --- | --- |
//! | link: `allow` | `[]` | the origins that the component may call |
//! | link: `allow-private` | `[]` | origins whose names may stand for private addresses; they need not be in `allow` |
//!
//! An origin is `https://api.example.com`, `http://127.0.0.1:8080` or `https://*.example.org`: a scheme
//! and a host, and a port if it is not that of the scheme. `*.` stands for one or more labels, and
//! `https://*` for every name.
//!
//! # Which addresses can be reached
//!
//! A name says nothing about where it leads, and whoever controls it can change that between a check
//! and a connection. So the address that is connected to is what is checked:
//!
//! 1. An address written in the URI must be written in `allow`; no `*` covers it.
//! 2. A name from `allow` reaches public addresses only.
//! 3. A name from `allow-private` reaches private and loopback addresses as well: services of a
//!    cluster or a company network. `localhost` counts as such wherever it is listed.
//! 4. No name reaches a link-local (where clouds keep credentials), multicast or unspecified address;
//!    who needs one writes the address.
//!
//! # What else it does
//!
//! Redirects are not followed: the component sees them, and a new request is checked anew. Headers of
//! a connection (`connection`, `transfer-encoding`, …) are removed both ways, and `host` is always that
//! of the URI. Bodies are streamed. A link has at most [`IN_FLIGHT_MAX`] requests in flight, and shares
//! no connection with another.

mod address;
mod allow;
mod body;
mod client;
mod failure;
mod headers;
mod origin;
mod tasks;

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
use tasks::Tasks;

/// Makes providers of the kind `http-client`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpClientFactory;

/// A provider of this kind has nothing to configure; its links do.
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
    tasks: Tasks,
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

    async fn check(&self, context: &Context<'_>, settings: &Settings) -> Result<(), MakeError> {
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
            tasks: Tasks::default(),
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
