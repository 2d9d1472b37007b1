//! Conversion of [`NatsOptions`] to the options of `async-nats`.

use std::path::Path;

use async_nats::{ConnectOptions, ServerAddr};

use super::reconnect_schedule::ReconnectSchedule;
use super::{CONNECT_WAIT_MAX, NatsError, NatsOptions, PING_INTERVAL, TlsOptions};

/// Capacity of a connection's command queue. Each command is at most one payload, and twice as many
/// messages are queued before them ([`send_queue`](super::send_queue)). With the default limit of 1
/// MiB a stuck connection thus holds at most 768 MiB, until its pings end it.
const COMMANDS_QUEUED_MAX: usize = 256;

/// Capacity of the channel between the connection's task and our dispatcher. That task reads up to
/// 8 MiB before it yields, which is 80,000 of the smallest messages.
const CHANNEL_MESSAGES_MAX: usize = 128 << 10;

/// The addresses of the servers.
pub(super) fn addresses(options: &NatsOptions) -> Result<Vec<ServerAddr>, NatsError> {
    if options.servers.is_empty() {
        return Err(NatsError::NoServer);
    }
    let parse = |server: &String| {
        server.parse().map_err(|source| NatsError::Server {
            server: without_secret(server),
            source,
        })
    };
    options.servers.iter().map(parse).collect()
}

/// The options of one connection.
pub(super) async fn client(
    options: &NatsOptions,
    purpose: &str,
    schedule: &ReconnectSchedule,
) -> Result<ConnectOptions, NatsError> {
    let schedule = schedule.clone();
    let mut client = ConnectOptions::new()
        .name(format!("{} ({purpose})", options.name))
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECT_WAIT_MAX)
        .client_capacity(COMMANDS_QUEUED_MAX)
        .subscription_capacity(CHANNEL_MESSAGES_MAX)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(move |attempt| schedule.pause(attempt));
    client = match (&options.creds, &options.nkey) {
        (Some(_), Some(_)) => return Err(NatsError::TwoIdentities),
        (Some(path), None) => {
            let read = client.credentials_file(path).await;
            read.map_err(|source| file_error("credentials", path, source))?
        }
        (None, Some(seed)) => client.nkey(seed.clone()),
        (None, None) => client,
    };
    match &options.tls {
        Some(tls) => with_tls(client, tls),
        None => Ok(client),
    }
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

/// The address for use in a message: the part before `@` may contain a password.
fn without_secret(server: &str) -> String {
    match server.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => server.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_addresses_are_rejected_without_their_password() {
        let options = |server: &str| NatsOptions {
            servers: vec![server.to_owned()],
            ..NatsOptions::default()
        };
        assert!(addresses(&options("nats://127.0.0.1:4222")).is_ok());
        let error = addresses(&options("http://user:secret@host:1")).unwrap_err();
        assert!(matches!(&error, NatsError::Server { server, .. } if server == "…@host:1"));
        let none = addresses(&NatsOptions::default());
        assert!(matches!(none, Err(NatsError::NoServer)));
    }

    #[tokio::test]
    async fn missing_files_are_named() {
        let missing = std::path::PathBuf::from("/nowhere/at-all");
        let creds = NatsOptions {
            creds: Some(missing.clone()),
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
            let error = client(&options, "test", &ReconnectSchedule::default())
                .await
                .err();
            assert!(matches!(error, Some(NatsError::File { path, .. }) if path == missing));
        }
    }
}
