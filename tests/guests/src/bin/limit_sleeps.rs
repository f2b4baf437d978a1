//! Waits in the host for as many milliseconds as its input says.

use std::time::Duration;

fn main() {
    let ms = guests::number(&guests::input(), "ms");
    std::thread::sleep(Duration::from_millis(ms));
    println!("{ms}");
}
