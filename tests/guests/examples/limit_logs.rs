//! Writes as many bytes to standard output and standard error as its input says.

use std::io::Write;

use serde_json::Value;

fn run(input: Value) -> Result<&'static str, cortex_tool::Error> {
    let bytes = |name: &str| vec![b'x'; usize::try_from(input[name].as_u64().unwrap_or_default()).unwrap()];
    std::io::stdout().write_all(&bytes("stdout"))?;
    std::io::stderr().write_all(&bytes("stderr"))?;
    Ok("done")
}

cortex_tool::export!(run);
