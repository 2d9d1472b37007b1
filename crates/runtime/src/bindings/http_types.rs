//! `wasi:http/types`: the implementation of wasmtime, with bounds on the texts of a request that a
//! guest sets. Headers have a bound there, and so have schemes and, in a target, paths.

use wasmtime::component::{LinkerInstance, Resource};
use wasmtime_wasi_http::p2::bindings::http::types as p2;
use wasmtime_wasi_http::p3::bindings::http::types as p3;
use wasmtime_wasi_http::{WasiHttp, WasiHttpView};

use crate::guest::GuestState;

/// The longest method: longer than any that is registered.
const METHOD_BYTES_MAX: usize = 256;

/// The longest authority: a host name of 253 bytes, a port, and credentials.
const AUTHORITY_BYTES_MAX: usize = 1 << 10;

/// The longest path with its query: the longest that the host parses.
const PATH_BYTES_MAX: usize = (64 << 10) - 2;

type Instance<'a, 'b> = &'a mut LinkerInstance<'b, GuestState>;

pub(super) fn bind_p2(instance: Instance<'_, '_>, _part: usize) -> wasmtime::Result<()> {
    use p2::HostOutgoingRequest as _;
    type Request = Resource<p2::OutgoingRequest>;

    let options = wasmtime_wasi_http::p2::bindings::LinkOptions::default();
    p2::add_to_linker_instance::<_, WasiHttp>(instance, &(&options).into(), GuestState::http)?;
    instance.func_wrap(
        "[method]outgoing-request.set-method",
        |mut context, (request, method): (Request, p2::Method)| {
            if matches!(&method, p2::Method::Other(name) if name.len() > METHOD_BYTES_MAX) {
                return Ok((Err(()),));
            }
            Ok((context.data_mut().http().set_method(request, method)?,))
        },
    )?;
    instance.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut context, (request, authority): (Request, Option<String>)| {
            if exceeds(authority.as_ref(), AUTHORITY_BYTES_MAX) {
                return Ok((Err(()),));
            }
            Ok((context
                .data_mut()
                .http()
                .set_authority(request, authority)?,))
        },
    )?;
    instance.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut context, (request, path): (Request, Option<String>)| {
            if exceeds(path.as_ref(), PATH_BYTES_MAX) {
                return Ok((Err(()),));
            }
            Ok((context
                .data_mut()
                .http()
                .set_path_with_query(request, path)?,))
        },
    )
}

pub(super) fn bind_p3(instance: Instance<'_, '_>, _part: usize) -> wasmtime::Result<()> {
    use p3::HostRequest as _;
    type Request = Resource<p3::Request>;

    p3::add_to_linker_instance::<_, WasiHttp>(instance, GuestState::http)?;
    instance.func_wrap(
        "[method]request.set-method",
        |mut context, (request, method): (Request, p3::Method)| {
            if matches!(&method, p3::Method::Other(name) if name.len() > METHOD_BYTES_MAX) {
                return Ok((Err(()),));
            }
            Ok((context.data_mut().http().set_method(request, method)?,))
        },
    )?;
    instance.func_wrap(
        "[method]request.set-authority",
        |mut context, (request, authority): (Request, Option<String>)| {
            if exceeds(authority.as_ref(), AUTHORITY_BYTES_MAX) {
                return Ok((Err(()),));
            }
            Ok((context
                .data_mut()
                .http()
                .set_authority(request, authority)?,))
        },
    )?;
    instance.func_wrap(
        "[method]request.set-path-with-query",
        |mut context, (request, path): (Request, Option<String>)| {
            if exceeds(path.as_ref(), PATH_BYTES_MAX) {
                return Ok((Err(()),));
            }
            Ok((context
                .data_mut()
                .http()
                .set_path_with_query(request, path)?,))
        },
    )
}

fn exceeds(text: Option<&String>, bytes_max: usize) -> bool {
    text.is_some_and(|text| text.len() > bytes_max)
}
