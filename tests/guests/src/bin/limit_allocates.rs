//! Holds as many bytes of memory as its input says, all of them written to.

use std::hint::black_box;

fn main() {
    let bytes = guests::number(&guests::input(), "bytes");
    let block = black_box(vec![1u8; usize::try_from(bytes).unwrap()]);
    println!("{}", block.len());
}
