//! Random bytes, counted over a whole call.
//!
//! The threat: a guest that has the host make bytes without end, of which its fuel pays for nothing. wasmtime bounds one
//! request; how many there are is for the embedder.

use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::random::{insecure, random};
use wasmtime_wasi::random::WasiRandomView;

use crate::guest::Guest;
use crate::limits::LimitReached;

/// Takes the place of wasmtime's own functions.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    random::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)?;
    insecure::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| guest)
}

impl Guest {
    fn draw(&mut self, bytes: u64) -> wasmtime::Result<()> {
        let most = self.limits.random_bytes;
        let drawn = self.usage.random_bytes.saturating_add(bytes);
        if drawn > most {
            let message = format!("more than {most} random bytes: the limit `random`");
            return Err(LimitReached { name: "random", message }.into());
        }
        self.usage.random_bytes = drawn;
        Ok(())
    }
}

impl random::Host for Guest {
    fn get_random_bytes(&mut self, bytes: u64) -> wasmtime::Result<Vec<u8>> {
        self.draw(bytes)?;
        random::Host::get_random_bytes(WasiRandomView::random(self), bytes)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.draw(8)?;
        random::Host::get_random_u64(WasiRandomView::random(self))
    }
}

impl insecure::Host for Guest {
    fn get_insecure_random_bytes(&mut self, bytes: u64) -> wasmtime::Result<Vec<u8>> {
        self.draw(bytes)?;
        insecure::Host::get_insecure_random_bytes(WasiRandomView::random(self), bytes)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.draw(8)?;
        insecure::Host::get_insecure_random_u64(WasiRandomView::random(self))
    }
}
