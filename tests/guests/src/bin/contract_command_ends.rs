//! Writes what its input says to standard output and standard error and ends with the exit code of its input.

use std::io::Write;

fn main() {
    let input = guests::input();
    std::io::stdout().write_all(guests::text(&input, "stdout").unwrap_or_default().as_bytes()).unwrap();
    std::io::stderr().write_all(guests::text(&input, "stderr").unwrap_or_default().as_bytes()).unwrap();
    std::process::exit(input["code"].as_i64().unwrap_or_default() as i32);
}
