//! Asks for as many random bytes at once as its input says, as often as it says.

fn main() {
    let input = guests::input();
    let (bytes, times) = (guests::number(&input, "bytes"), guests::number(&input, "times"));
    println!("{}", (0..times).map(|_| wasip2::random::random::get_random_bytes(bytes).len()).sum::<usize>());
}
