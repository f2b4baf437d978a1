//! Asks for as many random bytes at once as its input says.

fn main() {
    let bytes = wasip2::random::random::get_random_bytes(guests::number(&guests::input(), "bytes"));
    println!("{}", bytes.len());
}
