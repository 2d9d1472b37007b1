//! The memory of the host that the handles of a store hold: headers, requests, responses, and the
//! buffers of bodies. `limits.memory` counts linear memory only.
//!
//! Nothing counts on the path of a call: at each epoch tick, a store with many handles is measured.
//! Between two ticks a guest hands over little more, because each call copies what it hands over
//! and the size of one handle is bounded ([`ENTRY_BYTES_MAX`]).

use std::any::Any;
use std::collections::HashSet;

use http::HeaderMap;
use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::body::HostOutgoingBody;
use wasmtime_wasi_http::p2::types::{
    HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse,
};

use super::limits::LimitExceeded;
use super::outgoing::BODY_PIECE_BYTES;

/// The most memory that the handles of a store may hold: several hundred requests with their
/// bodies.
const HOST_BYTES_MAX: u64 = 64 << 20;

/// The most memory of one handle: headers of 128 KiB (the limit of wasmtime), a target, and the
/// buffers of a body.
const ENTRY_BYTES_MAX: u64 = 352 << 10;

/// A store with fewer handles cannot hold [`HOST_BYTES_MAX`].
const ENTRIES_UNMEASURED: u64 = HOST_BYTES_MAX / ENTRY_BYTES_MAX;

/// The buffers of a body that was taken: the pieces that wait for the connection.
const BODY_BYTES: u64 = 2 * BODY_PIECE_BYTES as u64;

/// The memory of a handle beside its contents.
const ENTRY_BYTES: u64 = 256;

/// The memory of a header beside its name and value.
const HEADER_BYTES: u64 = 64;

/// Checks the memory that the handles hold.
///
/// # Errors
/// [`LimitExceeded::HostMemory`].
pub(super) fn check(table: &mut ResourceTable) -> Result<(), LimitExceeded> {
    if (table.iter_mut().take(entries_unmeasured()).count() as u64) < ENTRIES_UNMEASURED {
        return Ok(());
    }
    let mut count = Count::default();
    for entry in table.iter_mut() {
        count.add(entry);
        if count.bytes > HOST_BYTES_MAX {
            return Err(LimitExceeded::HostMemory {
                held: count.bytes,
                limit: HOST_BYTES_MAX,
            });
        }
    }
    Ok(())
}

fn entries_unmeasured() -> usize {
    usize::try_from(ENTRIES_UNMEASURED).unwrap_or(usize::MAX)
}

#[derive(Default)]
struct Count {
    bytes: u64,
    /// The addresses of the counted maps: handles of the same headers share one.
    maps: HashSet<usize>,
}

impl Count {
    fn add(&mut self, entry: &(dyn Any + Send)) {
        self.bytes += ENTRY_BYTES;
        if let Some(fields) = entry.downcast_ref::<FieldMap>() {
            self.add_headers(fields);
        } else if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
            self.add_headers(&request.headers);
            self.add_text(request.authority.as_deref());
            self.add_text(request.path_with_query.as_deref());
            self.add_body(request.body.is_some());
        } else if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
            self.add_headers(&response.headers);
            self.add_body(response.body.is_some());
        } else if let Some(response) = entry.downcast_ref::<HostIncomingResponse>() {
            self.add_headers(&response.headers);
            self.add_body(response.body.is_some());
        } else if let Some(request) = entry.downcast_ref::<wasmtime_wasi_http::p3::Request>() {
            self.add_headers(&request.headers);
            let path = request.path_with_query.as_ref();
            self.add_text(path.map(http::uri::PathAndQuery::as_str));
        } else if let Some(response) = entry.downcast_ref::<wasmtime_wasi_http::p3::Response>() {
            self.add_headers(&response.headers);
        } else {
            self.add_body(entry.is::<HostOutgoingBody>());
        }
    }

    fn add_headers(&mut self, headers: &HeaderMap) {
        if self.maps.insert(std::ptr::from_ref(headers).addr()) {
            let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                HEADER_BYTES + (name.as_str().len() + value.len()) as u64
            };
            self.bytes += headers.iter().map(header).sum::<u64>();
        }
    }

    fn add_text(&mut self, text: Option<&str>) {
        self.bytes += text.map_or(0, str::len) as u64;
    }

    fn add_body(&mut self, is_open: bool) {
        if is_open {
            self.bytes += BODY_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::outgoing::HttpHooks;

    fn headers(bytes: usize) -> FieldMap {
        let mut fields = FieldMap::new_mutable(bytes + 1024);
        let hooks = &mut HttpHooks::default();
        fields
            .append(hooks, "x".to_owned(), vec![b'x'; bytes])
            .unwrap();
        fields
    }

    #[test]
    fn headers_are_counted_once_for_all_their_handles() {
        let mut table = ResourceTable::new();
        let shared = headers(100 << 10);
        for _ in 0..5_000 {
            table.push(shared.clone()).unwrap();
        }
        assert_eq!(check(&mut table), Ok(()));
        for _ in 0..700 {
            table.push(headers(100 << 10)).unwrap();
        }
        let error = check(&mut table).unwrap_err();
        assert!(matches!(error, LimitExceeded::HostMemory { held, .. } if held > HOST_BYTES_MAX));
    }
}
