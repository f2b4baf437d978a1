//! Prints a JSON document of exactly as many bytes as its input says, and as many bytes of log.

use std::io::Write;

fn main() {
    let input = guests::input();
    let (result, log) = (guests::number(&input, "result"), input["log"].as_u64().unwrap_or_default());
    std::io::stderr().write_all(&vec![b'l'; usize::try_from(log).unwrap()]).unwrap();
    let letters = "x".repeat(usize::try_from(result).unwrap() - 2);
    std::io::stdout().write_all(format!("\"{letters}\"").as_bytes()).unwrap();
}
