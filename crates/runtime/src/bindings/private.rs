//! WASI interfaces that differ from component to component: environment, output, outgoing HTTP.
//!
//! wasmtime's generated functions access the state through a plain `fn`, which cannot capture the
//! index of a part. The few functions of WASI 0.2 are written here as closures, which can. Those of
//! 0.3 take a getter, so there is one getter for each index ([`MAX_PARTS`]).

use wasmtime::component::LinkerInstance;
use wasmtime_wasi::cli::{WasiCli, WasiCliCtxView};
use wasmtime_wasi::p2::bindings::cli as cli_p2;
use wasmtime_wasi::p3::bindings::cli as cli_p3;
use wasmtime_wasi_http::p2::bindings::http::outgoing_handler;
use wasmtime_wasi_http::p3::bindings::http::client;
use wasmtime_wasi_http::{WasiHttp, WasiHttpCtxView};

use super::{Access, Bind, HostInterface, V0_2, V0_3};
use crate::guest::GuestState;

/// The most parts of a fused component: the getters below exist once for each index.
pub(crate) const MAX_PARTS: usize = 16;

type Instance<'a, 'b> = &'a mut LinkerInstance<'b, GuestState>;

const fn private(path: &'static str, version: &'static str, bind: Bind) -> HostInterface {
    HostInterface {
        path,
        version,
        access: Access::BaselinePrivate,
        bind,
    }
}

const fn linked(path: &'static str, version: &'static str, bind: Bind) -> HostInterface {
    HostInterface {
        path,
        version,
        access: Access::Linked,
        bind,
    }
}

/// All interfaces of this kind.
pub(super) static INTERFACES: &[HostInterface] = &[
    private("wasi:cli/environment", V0_2, environment_p2),
    private("wasi:cli/stdin", V0_2, stdin_p2),
    private("wasi:cli/stdout", V0_2, stdout_p2),
    private("wasi:cli/stderr", V0_2, stderr_p2),
    private("wasi:cli/environment", V0_3, |instance, part| {
        cli_p3::environment::add_to_linker_instance::<_, WasiCli>(instance, cli(part)?)
    }),
    private("wasi:cli/stdin", V0_3, |instance, part| {
        cli_p3::stdin::add_to_linker_instance::<_, WasiCli>(instance, cli(part)?)
    }),
    private("wasi:cli/stdout", V0_3, |instance, part| {
        cli_p3::stdout::add_to_linker_instance::<_, WasiCli>(instance, cli(part)?)
    }),
    private("wasi:cli/stderr", V0_3, |instance, part| {
        cli_p3::stderr::add_to_linker_instance::<_, WasiCli>(instance, cli(part)?)
    }),
    linked("wasi:http/outgoing-handler", V0_2, outgoing_handler_p2),
    linked("wasi:http/client", V0_3, |instance, part| {
        client::add_to_linker_instance::<_, WasiHttp>(instance, http(part)?)
    }),
];

// === WASI 0.2: closures ===

fn environment_p2(instance: Instance<'_, '_>, part: usize) -> wasmtime::Result<()> {
    use cli_p2::environment::Host;
    instance.func_wrap("get-environment", move |mut context, ()| {
        Ok((context.data_mut().cli_of(part).get_environment()?,))
    })?;
    instance.func_wrap("get-arguments", move |mut context, ()| {
        Ok((context.data_mut().cli_of(part).get_arguments()?,))
    })?;
    instance.func_wrap("initial-cwd", move |mut context, ()| {
        Ok((context.data_mut().cli_of(part).initial_cwd()?,))
    })
}

fn stdin_p2(instance: Instance<'_, '_>, part: usize) -> wasmtime::Result<()> {
    use cli_p2::stdin::Host;
    instance.func_wrap("get-stdin", move |mut context, ()| {
        Ok((context.data_mut().cli_of(part).get_stdin()?,))
    })
}

fn stdout_p2(instance: Instance<'_, '_>, part: usize) -> wasmtime::Result<()> {
    use cli_p2::stdout::Host;
    instance.func_wrap("get-stdout", move |mut context, ()| {
        Ok((context.data_mut().cli_of(part).get_stdout()?,))
    })
}

fn stderr_p2(instance: Instance<'_, '_>, part: usize) -> wasmtime::Result<()> {
    use cli_p2::stderr::Host;
    instance.func_wrap("get-stderr", move |mut context, ()| {
        Ok((context.data_mut().cli_of(part).get_stderr()?,))
    })
}

fn outgoing_handler_p2(instance: Instance<'_, '_>, part: usize) -> wasmtime::Result<()> {
    use wasmtime_wasi_http::p2::bindings::http::types::Host as _;
    instance.func_wrap("handle", move |mut context, (request, options)| {
        let mut http = context.data_mut().http_of(part);
        let sent = outgoing_handler::Host::handle(&mut http, request, options);
        let outcome = match sent {
            Ok(response) => Ok(response),
            Err(error) => Err(http.convert_error_code(error)?),
        };
        Ok((outcome,))
    })
}

// === WASI 0.3: one getter for each part ===

/// The instance of `$getter` for the part with the index.
macro_rules! getters {
    ($getter:ident, $part:expr) => {
        match $part {
            0 => Ok($getter::<0>),
            1 => Ok($getter::<1>),
            2 => Ok($getter::<2>),
            3 => Ok($getter::<3>),
            4 => Ok($getter::<4>),
            5 => Ok($getter::<5>),
            6 => Ok($getter::<6>),
            7 => Ok($getter::<7>),
            8 => Ok($getter::<8>),
            9 => Ok($getter::<9>),
            10 => Ok($getter::<10>),
            11 => Ok($getter::<11>),
            12 => Ok($getter::<12>),
            13 => Ok($getter::<13>),
            14 => Ok($getter::<14>),
            15 => Ok($getter::<15>),
            part => Err(wasmtime::format_err!(
                "invalid part index {part} of a fused component: expected less than {MAX_PARTS}"
            )),
        }
    };
}

fn cli(part: usize) -> wasmtime::Result<for<'a> fn(&'a mut GuestState) -> WasiCliCtxView<'a>> {
    fn getter<const PART: usize>(state: &mut GuestState) -> WasiCliCtxView<'_> {
        state.cli_of(PART)
    }
    getters!(getter, part)
}

fn http(part: usize) -> wasmtime::Result<for<'a> fn(&'a mut GuestState) -> WasiHttpCtxView<'a>> {
    fn getter<const PART: usize>(state: &mut GuestState) -> WasiHttpCtxView<'_> {
        state.http_of(PART)
    }
    getters!(getter, part)
}
