//! What a tool says in every call, added up over all of them.

use cortex_runtime::{Retention, Runtime};

use super::*;
use crate::host::block_on;

/// Attack: megabytes of output in call after call, to fill the disk with records and the memory with those that wait
/// Ends: `success`, and the oldest records go
#[test]
fn records_take_no_more_room_than_they_are_given() {
    const CALLS: u64 = 40;
    let home = tempfile::tempdir().unwrap();
    let retention = Retention { bytes: 8 << 20, ..Retention::default() };
    let settings = Settings { home: home.path().to_owned(), retention, ..Settings::new(home.path()) };
    let allocation = cortex_runtime::Allocation::OnDemand;
    let runtime = Runtime::new(Settings { allocation, ..settings }).unwrap();
    let input = json!({"result": 1 << 20, "log": 1 << 20});
    for _ in 0..CALLS {
        let call = runtime.call(guests::LIMIT_PRINTS, &input, CallOptions::default());
        assert_eq!(block_on(call).unwrap().ending, Ending::Success);
    }
    runtime.close().unwrap();
    let size = |name: &str| fs_err::metadata(home.path().join(name)).map_or(0, |metadata| metadata.len());
    let bytes = size("executions.db") + size("executions.db-wal");
    assert!(bytes < (CALLS << 20) && bytes > 8 << 20, "{bytes} bytes of records, and {CALLS} calls said 2 MiB each");
}
