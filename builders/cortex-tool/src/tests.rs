//! The part of a call that is the same on every target. The ABI is exercised by the sandbox's tests, which run components.

use crate::{Error, call};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Input {
    text: String,
}

#[derive(Serialize)]
struct Output {
    length: usize,
}

#[expect(clippy::needless_pass_by_value, reason = "a tool owns its input")]
fn length(input: Input) -> Result<Output, Error> {
    match input.text.as_str() {
        "" => Err(Error::new("empty", "there is no text").with_data(&json!({"status": "error"}))),
        text => Ok(Output { length: text.len() }),
    }
}

// The macro must compile where nothing is exported.
export!(length);

#[test]
fn an_answer_is_json() {
    assert_eq!(call(r#"{"text": "häuser"}"#, length), Ok(r#"{"length":7}"#.into()));
}

#[test]
fn an_error_carries_its_data_as_json() {
    let error = call(r#"{"text": ""}"#, length).expect_err("there is no text");
    assert_eq!(error.code, "empty");
    assert_eq!(error.to_string(), "there is no text");
    assert_eq!(error.data.as_deref(), Some(r#"{"status":"error"}"#));
}

#[test]
fn input_of_the_wrong_shape_is_invalid_input() {
    for input in ["", "{", "[]", "{}", r#"{"text": 1}"#, r#"{"text": "a"} {}"#] {
        assert_eq!(call(input, length).expect_err(input).code, "invalid_input", "{input}");
    }
}

#[test]
fn an_answer_that_is_not_json_is_invalid_output() {
    let map = |(): ()| Ok::<_, Error>(BTreeMap::from([((1, 2), 3)]));
    assert_eq!(call("null", map).expect_err("a key is no string").code, "invalid_output");
    assert_eq!(Error::new("a", "b").with_data(&BTreeMap::from([((1, 2), 3)])).code, "invalid_output");
}

#[test]
fn any_error_converts() {
    let boxed = |text: String| -> Result<i32, Box<dyn std::error::Error>> {
        if text == "own" {
            return Err(Error::new("own", "mine").into());
        }
        Ok(text.parse()?)
    };
    assert_eq!(call(r#""7""#, boxed), Ok("7".into()));
    assert_eq!(call(r#""x""#, boxed), Err(Error::new("failed", "invalid digit found in string")));
    assert_eq!(call(r#""own""#, boxed), Err(Error::new("own", "mine")));
    assert_eq!(call("null", |(): ()| Err::<(), _>("why")), Err(Error::from("why".to_owned())));
    assert_eq!(Error::from("why").with_code("b"), Error::new("b", "why"));
    let json = serde_json::from_str::<i32>("x").expect_err("not JSON");
    assert_eq!(Error::from(json).code, "invalid_json");
    assert_eq!(Error::from(std::io::Error::other("disk")).code, "io_error");
}
