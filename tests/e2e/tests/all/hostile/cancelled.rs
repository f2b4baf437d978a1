//! Calls that their caller gives up at the worst moment. Of a call that computes, `limits.rs` tells.

use std::io::Read;

use tokio::sync::oneshot;

use super::network::{Target, fetches, read_request};
use super::*;
use crate::host::block_on;

/// Attack: cancellation in the middle of an HTTP request
/// Ends: at once, and the connection is closed
#[test]
fn a_request_ends_with_the_call_that_made_it() {
    let server = Target::new();
    let tools = fetches(&[&format!("http://{}", server.authority())], "timeout: 1h");
    let (begun, requested) = oneshot::channel();
    let input = json!({"authority": server.authority()});
    let closed = server.serve(|mut stream| {
        read_request(&mut stream);
        begun.send(()).unwrap();
        // No answer: the call waits for one until it is given up.
        stream.read(&mut [0]).unwrap()
    });
    block_on(async {
        tokio::select! {
            ended = tools.runtime.call("fetches", &input, CallOptions::default()) => panic!("it has ended: {ended:?}"),
            requested = requested => requested.unwrap(),
        }
    });
    assert_eq!(closed.join().unwrap(), 0, "the connection is still open");
    let again = Target::new();
    let refused = tools.call("fetches", json!({"authority": again.authority()}));
    assert_ended(&refused, Ending::Denied, "no rule that was granted covers it");
}
