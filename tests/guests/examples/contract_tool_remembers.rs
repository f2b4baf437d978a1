//! Counts its calls and remembers the last input, in its memory and, if it could, in a file.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

static CALLS: AtomicU64 = AtomicU64::new(0);
static LAST: Mutex<Option<Value>> = Mutex::new(None);

fn run(input: Value) -> Result<Value, cortex_tool::Error> {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let file = std::fs::read_to_string("/tmp/remembered").ok();
    let _ = std::fs::write("/tmp/remembered", input.to_string());
    let last = LAST.lock().unwrap().replace(input.clone());
    Ok(json!({ "calls": calls, "last": last, "file": file, "input": input }))
}

cortex_tool::export!(run);
