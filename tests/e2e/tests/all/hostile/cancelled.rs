//! Calls that their caller gives up at the worst moment. Of a call that computes, `limits.rs` tells.

use std::io::Read;

use cortex_runtime::ExecutionId;
use fs_err as fs;
use tokio::sync::oneshot;

use super::network::{Target, fetches, read_request};
use super::*;
use crate::host::block_on;

/// Calls a tool and gives the call up once something has happened. Returns which call it was.
fn given_up(tools: &Tools, tool: &str, input: &Value, happened: oneshot::Receiver<()>) -> ExecutionId {
    block_on(async {
        let call = tools.runtime.begin(tool, CallOptions::default());
        let id = call.id();
        tokio::select! {
            ended = call.run(input) => panic!("it has ended: {ended:?}"),
            happened = happened => happened.unwrap(),
        }
        tools.runtime.flush().await.unwrap();
        id
    })
}

fn assert_recorded_as_cancelled(tools: &Tools, id: ExecutionId) {
    let record = tools.runtime.executions().get(id).unwrap().expect("every call is recorded");
    assert_eq!(record.summary.status, Status::Cancelled);
    assert_eq!(record.summary.ending.as_deref(), Some(Ending::Cancelled.as_str()));
}

/// Attack: cancellation in the middle of an HTTP request
/// Ends: `cancelled`, and the connection is closed
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
    let id = given_up(&tools, "fetches", &input, requested);
    assert_eq!(closed.join().unwrap(), 0, "the connection is still open");
    assert_recorded_as_cancelled(&tools, id);
}

/// Attack: cancellation in the middle of writing a file
/// Ends: `cancelled`, and nothing is written from then on
#[test]
fn a_file_is_written_to_no_longer_than_its_call_lasts() {
    let asks = "permissions: { filesystem: [{ host: ./out, guest: /out, access: read-write }] }\n";
    let arena = Arena::new(guests::HOSTILE_FILES, "fuel: 1T, timeout: 1h, disk: 1G, output: 64K", asks);
    let folder = arena.0.path("attack").join("out");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("endless");
    let (begun, written) = oneshot::channel();
    let watching = std::thread::spawn({
        let file = file.clone();
        move || {
            while fs::metadata(&file).map_or(0, |metadata| metadata.len()) < 100_000 {
                std::thread::yield_now();
            }
            begun.send(()).unwrap();
        }
    });
    // Over and over, so that it never ends by itself.
    let input = json!({"steps": [{"do": "fill", "path": "/out/endless", "bytes": 200_000}], "times": 1_000_000});
    let id = given_up(&arena.0, "attack", &input, written);
    watching.join().unwrap();
    // Its executor has ended, and with it whatever was being written at that moment.
    let before = fs::metadata(&file).unwrap().len();
    assert_eq!(arena.call("honest", json!({})).ending, Ending::Success);
    assert_eq!(fs::metadata(&file).unwrap().len(), before);
    assert_recorded_as_cancelled(&arena.0, id);
}
