//! Everything a user was promised, asked of real processes. One module for each part of the promise.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests are tests; `allow-unwrap-in-tests` sees only the functions themselves"
)]

mod alone;
mod any_host;
mod bad_input;
mod calls;
mod collections;
mod compiling;
mod conformance;
mod crashes;
mod deploy;
mod doctor;
mod drain;
mod drills;
mod endings;
mod feeds;
mod foreign;
mod fusion;
mod hostile;
mod http;
mod http_conformance;
mod http_p3;
mod identity;
mod lattice;
mod lattice_http;
mod lattice_records;
mod lattice_state;
mod limits;
mod links;
mod local_access;
mod nats_login;
mod operating;
mod plain_names;
mod projects;
mod providers;
mod readiness;
mod refusals;
mod remote;
mod shared_instances;
mod shop;
mod typed_bad_input;
mod typed_changes;
mod typed_faces;
mod typed_failures;
mod typed_forms;
mod typed_http;
mod typed_sockets;
mod typed_streams;
mod views;
mod wrong_label;
