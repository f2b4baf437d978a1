//! A tool: it takes the parameters of tool.yml, and answers with anything that JSON can hold, or an error.

use cortex_tool::Error;
use serde::{Deserialize, Serialize};

/// The parameters of tool.yml.
#[derive(Deserialize)]
struct Args {
    name: String,
}

/// The answer.
#[derive(Serialize)]
struct Answer {
    greeting: String,
}

cortex_tool::export!(run);

/// Answers one call.
fn run(args: Args) -> Result<Answer, Error> {
    if args.name.is_empty() {
        return Err(Error::new("empty_name", "the name is empty"));
    }
    Ok(Answer { greeting: format!("Hello, {}!", args.name) })
}
