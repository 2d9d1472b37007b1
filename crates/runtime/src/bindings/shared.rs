//! Interfaces that are the same for every component: the implementations of the wasmtime crates,
//! bound one by one so that only those that a component imports are linked.
//!
//! Files and sockets are included because every standard library imports them; guests have no
//! access to directories, and opening a socket fails.

use wasmtime::component::{HasData, LinkerInstance, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

use super::{Access, Bind, HostInterface, V0_2, V0_3, http_types};
use crate::guest::GuestState;

/// The data of `wasi:io`: only the table of handles.
struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

fn table(state: &mut GuestState) -> &mut ResourceTable {
    state.table()
}

const fn baseline(path: &'static str, version: &'static str, bind: Bind) -> HostInterface {
    HostInterface {
        path,
        version,
        access: Access::Baseline,
        bind,
    }
}

macro_rules! bind {
    ($($module:ident)::+, $data:ty, $getter:expr) => {
        |instance: &mut LinkerInstance<'_, GuestState>, _part: usize| {
            $($module)::+::add_to_linker_instance::<GuestState, $data>(instance, $getter)
        }
    };
}

/// All interfaces of this kind.
pub(super) static INTERFACES: &[HostInterface] = &[
    baseline(
        "wasi:io/error",
        V0_2,
        bind!(wasmtime_wasi::p2::bindings::io::error, Io, table),
    ),
    baseline(
        "wasi:io/poll",
        V0_2,
        bind!(wasmtime_wasi::p2::bindings::io::poll, Io, table),
    ),
    baseline(
        "wasi:io/streams",
        V0_2,
        bind!(wasmtime_wasi::p2::bindings::io::streams, Io, table),
    ),
    baseline(
        "wasi:clocks/wall-clock",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::clocks::wall_clock,
            WasiClocks,
            GuestState::clocks
        ),
    ),
    baseline(
        "wasi:clocks/monotonic-clock",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::clocks::monotonic_clock,
            WasiClocks,
            GuestState::clocks
        ),
    ),
    baseline(
        "wasi:random/random",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::random::random,
            WasiRandom,
            GuestState::random
        ),
    ),
    baseline(
        "wasi:random/insecure",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::random::insecure,
            WasiRandom,
            GuestState::random
        ),
    ),
    baseline(
        "wasi:random/insecure-seed",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::random::insecure_seed,
            WasiRandom,
            GuestState::random
        ),
    ),
    baseline(
        "wasi:filesystem/types",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::filesystem::types,
            WasiFilesystem,
            GuestState::filesystem
        ),
    ),
    baseline(
        "wasi:filesystem/preopens",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::filesystem::preopens,
            WasiFilesystem,
            GuestState::filesystem
        ),
    ),
    baseline(
        "wasi:cli/terminal-input",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::cli::terminal_input,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/terminal-output",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::cli::terminal_output,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/terminal-stdin",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::cli::terminal_stdin,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/terminal-stdout",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::cli::terminal_stdout,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/terminal-stderr",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::cli::terminal_stderr,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:sockets/tcp",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::sockets::tcp,
            WasiSockets,
            GuestState::sockets
        ),
    ),
    baseline(
        "wasi:sockets/udp",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::sockets::udp,
            WasiSockets,
            GuestState::sockets
        ),
    ),
    baseline(
        "wasi:sockets/tcp-create-socket",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::sockets::tcp_create_socket,
            WasiSockets,
            GuestState::sockets
        ),
    ),
    baseline(
        "wasi:sockets/udp-create-socket",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::sockets::udp_create_socket,
            WasiSockets,
            GuestState::sockets
        ),
    ),
    baseline(
        "wasi:sockets/instance-network",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::sockets::instance_network,
            WasiSockets,
            GuestState::sockets
        ),
    ),
    baseline(
        "wasi:sockets/ip-name-lookup",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::sockets::ip_name_lookup,
            WasiSockets,
            GuestState::sockets
        ),
    ),
    baseline(
        "wasi:clocks/types",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::clocks::types,
            WasiClocks,
            GuestState::clocks
        ),
    ),
    baseline(
        "wasi:clocks/monotonic-clock",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::clocks::monotonic_clock,
            WasiClocks,
            GuestState::clocks
        ),
    ),
    baseline(
        "wasi:clocks/system-clock",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::clocks::system_clock,
            WasiClocks,
            GuestState::clocks
        ),
    ),
    baseline(
        "wasi:random/random",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::random::random,
            WasiRandom,
            GuestState::random
        ),
    ),
    baseline(
        "wasi:random/insecure",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::random::insecure,
            WasiRandom,
            GuestState::random
        ),
    ),
    baseline(
        "wasi:random/insecure-seed",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::random::insecure_seed,
            WasiRandom,
            GuestState::random
        ),
    ),
    baseline(
        "wasi:filesystem/types",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::filesystem::types,
            WasiFilesystem,
            GuestState::filesystem
        ),
    ),
    baseline(
        "wasi:filesystem/preopens",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::filesystem::preopens,
            WasiFilesystem,
            GuestState::filesystem
        ),
    ),
    baseline(
        "wasi:cli/terminal-input",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::cli::terminal_input,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/terminal-output",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::cli::terminal_output,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/terminal-stdin",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::cli::terminal_stdin,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/terminal-stdout",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::cli::terminal_stdout,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/terminal-stderr",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::cli::terminal_stderr,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:sockets/types",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::sockets::types,
            WasiSockets,
            GuestState::sockets
        ),
    ),
    baseline(
        "wasi:sockets/ip-name-lookup",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::sockets::ip_name_lookup,
            WasiSockets,
            GuestState::sockets
        ),
    ),
    baseline("wasi:http/types", V0_3, http_types::bind_p3),
    baseline(
        "wasi:cli/exit",
        V0_3,
        bind!(
            wasmtime_wasi::p3::bindings::cli::exit,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline(
        "wasi:cli/exit",
        V0_2,
        bind!(
            wasmtime_wasi::p2::bindings::cli::exit,
            WasiCli,
            GuestState::cli
        ),
    ),
    baseline("wasi:sockets/network", V0_2, |instance, _part| {
        let options = wasmtime_wasi::p2::bindings::LinkOptions::default();
        wasmtime_wasi::p2::bindings::sockets::network::add_to_linker_instance::<
            GuestState,
            WasiSockets,
        >(instance, &(&options).into(), GuestState::sockets)
    }),
    baseline("wasi:http/types", V0_2, http_types::bind_p2),
];
