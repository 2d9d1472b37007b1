//! Conversion of [`NatsOptions`] to the options of `async-nats`.

use std::cmp::Reverse;
use std::future::ready;
use std::path::Path;
use std::sync::Arc;

use async_nats::{ConnectOptions, Server};

use super::attempts::Attempts;
use super::connection::ClientEvents;
use super::{CONNECT_WAIT_MAX, Login, NatsError, NatsOptions, PING_INTERVAL, TlsOptions};
use crate::Outage;

/// Capacity of a connection's command queue. Each command is at most one payload, and twice as many
/// messages are queued before them ([`send_queue`](super::send_queue)). With the default limit of 1
/// MiB a stuck connection thus holds at most 768 MiB, until its pings end it.
const COMMANDS_QUEUED_MAX: usize = 256;

/// Capacity of the channel between the connection's task and our dispatcher. That task reads up to
/// 8 MiB before it yields, which is 80,000 of the smallest messages.
const CHANNEL_MESSAGES_MAX: usize = 128 << 10;

/// The options of one connection. The reasons of failed attempts go to `events`, and into the log.
pub(super) async fn client(
    options: &NatsOptions,
    login: Option<&Login>,
    purpose: &str,
    attempts: &Attempts,
    events: &Arc<ClientEvents>,
) -> Result<ConnectOptions, NatsError> {
    let (schedule, attempts) = (attempts.schedule.clone(), attempts.clone());
    let events = events.clone();
    let mut client = ConnectOptions::new()
        .name(format!("{} ({purpose})", options.name))
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECT_WAIT_MAX)
        .client_capacity(COMMANDS_QUEUED_MAX)
        .subscription_capacity(CHANNEL_MESSAGES_MAX)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(move |attempt| schedule.pause(attempt))
        // Called before each attempt; the client chooses the server itself.
        .reconnect_to_server_callback(move |servers, _| {
            if let Some(outage) = last_outage(&servers) {
                attempts.log_failure(&outage);
                events.set_reason(outage);
            }
            ready(None)
        });
    if let Some(login) = login {
        client = login.apply(client).await?;
    }
    match &options.tls {
        Some(tls) => with_tls(client, tls),
        None => Ok(client),
    }
}

/// The most telling reason of the last attempts: a mistake in the settings before a server that is
/// down.
fn last_outage(servers: &[Server]) -> Option<Outage> {
    let outages = servers.iter().filter_map(|server| {
        let address = format!("{}:{}", server.addr.host(), server.addr.port());
        Some(Outage::of_error(&address, server.last_error.as_ref()?))
    });
    outages.min_by_key(|outage| Reverse(outage.kind()))
}

fn with_tls(client: ConnectOptions, tls: &TlsOptions) -> Result<ConnectOptions, NatsError> {
    let mut client = client.require_tls(true);
    if let Some(ca) = &tls.ca {
        check_readable("the certificates of authorities", ca)?;
        client = client.add_root_certificates(ca.clone());
    }
    if let Some(identity) = &tls.identity {
        check_readable("a certificate", &identity.cert)?;
        check_readable("the key of a certificate", &identity.key)?;
        client = client.add_client_certificate(identity.cert.clone(), identity.key.clone());
    }
    Ok(client)
}

/// Checks that a file can be opened. The client reads these files at every attempt to connect and
/// retries forever, so a missing file has to be reported at the start.
fn check_readable(what: &'static str, path: &Path) -> Result<(), NatsError> {
    let opened = std::fs::File::open(path);
    opened
        .map(drop)
        .map_err(|source| file_error(what, path, source))
}

fn file_error(what: &'static str, path: &Path, source: std::io::Error) -> NatsError {
    NatsError::File {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn missing_files_are_named() {
        let missing = std::path::PathBuf::from("/nowhere/at-all");
        let creds = NatsOptions {
            login: Some(Login::Credentials(missing.clone())),
            ..NatsOptions::default()
        };
        let tls = NatsOptions {
            tls: Some(TlsOptions {
                ca: Some(missing.clone()),
                identity: None,
            }),
            ..NatsOptions::default()
        };
        for options in [creds, tls] {
            let (attempts, events) = (Attempts::default(), Arc::default());
            let login = options.login.as_ref();
            let client = client(&options, login, "test", &attempts, &events);
            let error = client.await.err();
            assert!(matches!(error, Some(NatsError::File { path, .. }) if path == missing));
        }
    }
}
