//! The input of a call, from the argument, standard input, a file and `--set`.

use std::io::Read;

use anyhow::{Context, bail, ensure};
use fs_err as fs;
use serde_json::{Map, Value};

/// The most that is read from standard input or a file. The runtime's own limit on inputs is lower and says so better.
const READ_BYTES: u64 = 64 << 20;

/// Reads `{…}`, `-` or `@FILE`; nothing is an empty object.
pub(crate) fn read(argument: Option<&str>) -> anyhow::Result<Value> {
    let (text, place) = match argument {
        None => return Ok(Value::Object(Map::new())),
        Some("-") => {
            let place = "standard input".to_owned();
            (text(std::io::stdin(), &place)?, place)
        }
        Some(argument) => match argument.strip_prefix('@') {
            Some(file) => {
                let place = format!("`{file}`");
                (text(fs::File::open(file)?, &place)?, place)
            }
            None => (argument.to_owned(), "the input".to_owned()),
        },
    };
    serde_json::from_str(&text).with_context(|| format!("{place} is not valid JSON"))
}

fn text(from: impl Read, place: &str) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(READ_BYTES + 1).read_to_end(&mut bytes).with_context(|| format!("{place} cannot be read"))?;
    ensure!(bytes.len() as u64 <= READ_BYTES, "{place} has more than {READ_BYTES} bytes, which no tool may take");
    String::from_utf8(bytes).with_context(|| format!("{place} is not UTF-8, as JSON is"))
}

/// Adds `key=value` pairs. A value is text where the schema wants a string, else JSON, else text.
pub(crate) fn set(input: &mut Value, pairs: &[String], schema: &Value) -> anyhow::Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let Value::Object(object) = input else { bail!("`--set` adds to a JSON object, and the input is none") };
    for pair in pairs {
        let Some((key, text)) = pair.split_once('=') else {
            bail!("`--set {pair}` has no `=`; write `--set key=value`");
        };
        let wants_string = schema["properties"][key]["type"] == "string";
        let json = if wants_string { None } else { serde_json::from_str(text).ok() };
        object.insert(key.to_owned(), json.unwrap_or_else(|| Value::String(text.to_owned())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::set;

    #[test]
    fn a_value_is_text_where_the_schema_wants_a_string() {
        let schema = json!({"properties": {"text": {"type": "string"}, "count": {"type": "integer"}}});
        let mut input = json!({});
        let pairs = ["text=1", "count=2", "other=x=y", "list=[1]"].map(String::from);
        set(&mut input, &pairs, &schema).unwrap();
        assert_eq!(input, json!({"text": "1", "count": 2, "other": "x=y", "list": [1]}));
    }
}
