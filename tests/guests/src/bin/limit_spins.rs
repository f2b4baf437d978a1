//! Computes for as many rounds as its input says; without a number, for ever.

use std::hint::black_box;

fn main() {
    let rounds = guests::input()["rounds"].as_u64().unwrap_or(u64::MAX);
    for round in 0..rounds {
        black_box(round);
    }
    println!("{rounds}");
}
