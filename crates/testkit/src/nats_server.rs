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

/// The domain of [`start_leaf_and_hub`].
pub const HUB_DOMAIN: &str = "hub";

/// Starts a server with JetStream under [`HUB_DOMAIN`], and a leaf node of it without JetStream.
/// Returns the leaf node first.
pub fn start_leaf_and_hub() -> (NatsServer, NatsServer) {
    let listen = free_address().unwrap();
    let hub = start_nats_with(&format!(
        "server_name: hub\njetstream {{ domain: {HUB_DOMAIN} }}\nleafnodes {{ listen: \"{listen}\" }}"
    ));
    let remote = format!("leafnodes {{ remotes: [ {{ url: \"nats://{listen}\" }} ] }}");
    (start(&format!("server_name: leaf\n{remote}"), false), hub)
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
