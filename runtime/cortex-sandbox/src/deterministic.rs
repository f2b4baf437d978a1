//! Clocks and randomness that are the same in every call with the same seed.
//!
//! What else a call depends on stays: its input, its grants, the answers of servers. Fuel is deterministic by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

/// When a deterministic call begins: 2000-01-01T00:00:00Z, so that dates look like dates.
const BEGINNING: Duration = Duration::from_hours(24 * 10_957);

/// How far the clock goes each time it is read: a program that waits for it does come to an end.
const STEP: Duration = Duration::from_micros(1);

/// One clock for both: a program that compares them sees them agree.
#[derive(Clone, Debug, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn read(&self) -> Duration {
        Duration::from_nanos(self.0.fetch_add(nanos(STEP), Ordering::Relaxed))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        STEP
    }

    fn now(&self) -> Duration {
        BEGINNING + self.read()
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        nanos(STEP)
    }

    fn now(&self) -> u64 {
        nanos(self.read())
    }
}

/// Gives a guest the clocks and the randomness of a seed.
pub(crate) fn virtualise(ctx: &mut WasiCtxBuilder, seed: u64) {
    let clock = Clock::default();
    ctx.wall_clock(clock.clone()).monotonic_clock(clock);
    // Two generators: how often a guest reads the one must not change what it reads from the other.
    ctx.secure_random(StdRng::seed_from_u64(seed)).insecure_random(StdRng::seed_from_u64(!seed));
    ctx.insecure_random_seed(u128::from(seed) << 64 | u128::from(!seed));
}
