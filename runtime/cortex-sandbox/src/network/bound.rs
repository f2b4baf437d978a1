//! Requests that a guest makes and never sends.
//!
//! The threat: wasmtime keeps a request's method and server as they were given, up to the size of one host call's copy. A
//! guest that makes one request a handle and writes the same 16 MiB into each holds 16 GiB on the host. So what no server
//! takes is refused where it is set, in the words of `wasi:http`. Paths and schemes are bounded by their parsers, headers by
//! `HttpLimits::header_bytes`.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{HostOutgoingRequest as _, Method};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;

use crate::guest::Guest;

/// The interface as wasmtime's linker knows it; components that want another 0.2 are given the same.
const TYPES: &str = "wasi:http/types@0.2.12";

/// The longest method: `VERSION-CONTROL` has 15 letters.
const METHOD_BYTES: usize = 64;

/// The longest server: a name has at most 253 bytes, and a user before it is refused when the request is sent.
const AUTHORITY_BYTES: usize = 1024;

type Answer = wasmtime::Result<(Result<(), ()>,)>;

/// Puts bounds around the functions that fill in a request. They take the place of wasmtime's own.
pub(crate) fn bound_requests(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.func_wrap(
        "[method]outgoing-request.set-method",
        |mut store: StoreContextMut<'_, Guest>, (request, method): (Resource<HostOutgoingRequest>, Method)| -> Answer {
            if matches!(&method, Method::Other(name) if name.len() > METHOD_BYTES) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_method(request, method)?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, Guest>,
         (request, authority): (Resource<HostOutgoingRequest>, Option<String>)|
         -> Answer {
            if authority.as_ref().is_some_and(|server| server.len() > AUTHORITY_BYTES) {
                return Ok((Err(()),));
            }
            Ok((store.data_mut().http().set_authority(request, authority)?,))
        },
    )?;
    Ok(())
}
