//! Opens as many handles in the host as its input says, and keeps them.

fn main() {
    let count = guests::number(&guests::input(), "count");
    let handles: Vec<_> = (0..count).map(|_| wasip2::clocks::monotonic_clock::subscribe_duration(0)).collect();
    println!("{}", handles.len());
}
