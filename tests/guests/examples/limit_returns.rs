//! Returns a JSON document of exactly as many bytes as its input says; an error with as much data if it says so.

use serde_json::Value;

fn run(input: Value) -> Result<String, cortex_tool::Error> {
    let bytes = |name: &str| input[name].as_u64().map(|bytes| usize::try_from(bytes).unwrap());
    if let Some(data) = bytes("data") {
        return Err(cortex_tool::Error::new("large", "x".repeat(bytes("message").unwrap_or_default()))
            .with_data(&"x".repeat(data - 2)));
    }
    Ok("x".repeat(bytes("result").unwrap() - 2))
}

cortex_tool::export!(run);
