//! Calls itself as deep as its input says.

use std::hint::black_box;

fn down(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    if depth == 0 { 0 } else { 1 + down(depth - 1) + black_box(frame)[3] - depth }
}

fn main() {
    println!("{}", down(guests::number(&guests::input(), "depth")));
}
