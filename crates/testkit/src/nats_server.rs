//! A NATS server for one test: on a free loopback port, with its files in a temporary directory.

use tempfile::TempDir;
use weft_harness::free_address;
pub use weft_harness::free_addresses;

/// Number of ports tried, in case another process takes one before the server starts.
const PORTS_TRIED_MAX: usize = 5;

/// A server process; killed on drop.
pub type NatsServer = weft_harness::NatsServer<TempDir>;

/// Starts a server with JetStream.
pub fn start_nats() -> NatsServer {
    start_nats_with("")
}

/// Starts a server with JetStream and these lines of configuration.
pub fn start_nats_with(configuration: &str) -> NatsServer {
    start(configuration, true)
}

/// Starts a server that stores nothing.
pub fn start_nats_without_jetstream() -> NatsServer {
    start("", false)
}

fn start(configuration: &str, has_jetstream: bool) -> NatsServer {
    let mut starts = 1;
    loop {
        let directory = tempfile::tempdir().unwrap();
        let address = free_address().unwrap();
        let mut server = NatsServer::new(directory, address, configuration).unwrap();
        server.has_jetstream = has_jetstream;
        match server.start() {
            Ok(()) => return server,
            Err(weft_harness::Error::Ended { .. }) if starts < PORTS_TRIED_MAX => starts += 1,
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
}
