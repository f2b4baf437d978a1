//! Writes what its input says and ends with the exit code of its input, by the function of WASI that takes any.

use std::io::Write;

fn main() {
    let input = guests::input();
    print!("{}", guests::text(&input, "stdout").unwrap_or_default());
    eprint!("{}", guests::text(&input, "stderr").unwrap_or_default());
    std::io::stdout().flush().unwrap();
    wasip2::cli::exit::exit_with_code(u8::try_from(guests::number(&input, "code")).unwrap());
}
