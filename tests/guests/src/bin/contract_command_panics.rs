//! Says something, then panics.

fn main() {
    println!("\"half an answer\"");
    eprintln!("about to fail");
    panic!("the well is dry");
}
