//! Hands the host as many bytes at once as its input says: a path to open, which fails whatever its length.

fn main() {
    let bytes = usize::try_from(guests::number(&guests::input(), "bytes")).unwrap();
    let lookup = wasip2::sockets::ip_name_lookup::resolve_addresses(
        &wasip2::sockets::instance_network::instance_network(),
        &"x".repeat(bytes),
    );
    assert!(lookup.is_err(), "name lookup is not granted");
    println!("{bytes}");
}
