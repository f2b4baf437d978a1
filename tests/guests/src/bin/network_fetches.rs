//! Makes the HTTP requests that its input lists, in their order or all `at_once`, and answers what came of each. A request
//! that fails ends the program with the error of `wasi:http`, unless the input is `tolerant`.

use serde_json::{Value, json};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

fn main() {
    let input = guests::input();
    let requests: Vec<Value> = match &input["requests"] {
        Value::Array(requests) => requests.clone(),
        _ => vec![input.clone(); input["times"].as_u64().unwrap_or(1) as usize],
    };
    let answers: Vec<Result<Value, String>> = if input["at_once"] == json!(true) {
        let begun: Vec<_> = requests.iter().map(begin).collect();
        // All are under way before the first answer is read.
        begun
            .into_iter()
            .zip(&requests)
            .map(|(begun, request)| begun.and_then(|begun| finish(begun, request)))
            .collect()
    } else {
        requests.iter().map(fetch).collect()
    };
    if input["tolerant"] != json!(true) {
        if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err()) {
            println!("{}", json!({ "error": error }));
            std::process::exit(1);
        }
    }
    let answers: Vec<Value> =
        answers.into_iter().map(|answer| answer.unwrap_or_else(|error| json!({ "error": error }))).collect();
    println!("{}", json!(answers));
}

/// One request, and those that its redirects ask for.
fn fetch(request: &Value) -> Result<Value, String> {
    let mut request = request.clone();
    loop {
        let answer = finish(begin(&request)?, &request)?;
        let (Some(location), true) = (answer["location"].as_str(), request["follow"] == json!(true)) else {
            return Ok(answer);
        };
        let (scheme, rest) = location.split_once("://").expect("an absolute address");
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        request["scheme"] = json!(scheme);
        request["authority"] = json!(authority);
        request["path"] = json!(path);
    }
}

fn begin(request: &Value) -> Result<FutureIncomingResponse, String> {
    let headers = Fields::new();
    for header in request["headers"].as_array().into_iter().flatten() {
        let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
        headers.append(name, value.as_bytes()).map_err(|error| format!("header `{name}`: {error:?}"))?;
    }
    for number in 0..request["header_count"].as_u64().unwrap_or(0) {
        headers.append(&format!("x-{number}"), b"x").map_err(|error| format!("{error:?}"))?;
    }
    let outgoing = OutgoingRequest::new(headers);
    let method = match guests::text(request, "method").unwrap_or("GET") {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        other => Method::Other(other.to_owned()),
    };
    outgoing.set_method(&method).map_err(|()| "the method is malformed")?;
    let scheme = match guests::text(request, "scheme").unwrap_or("http") {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    outgoing.set_scheme(Some(&scheme)).map_err(|()| "the scheme is malformed")?;
    outgoing.set_authority(guests::text(request, "authority")).map_err(|()| "the authority is malformed")?;
    outgoing
        .set_path_with_query(Some(guests::text(request, "path").unwrap_or("/")))
        .map_err(|()| "the path is malformed")?;
    let options = RequestOptions::new();
    if let Some(ms) = request["timeout_ms"].as_u64() {
        options.set_connect_timeout(Some(ms * 1_000_000)).expect("supported");
        options.set_first_byte_timeout(Some(ms * 1_000_000)).expect("supported");
        options.set_between_bytes_timeout(Some(ms * 1_000_000)).expect("supported");
    }
    let body = outgoing.body().expect("taken once");
    let future = handle(outgoing, Some(options)).map_err(|error| format!("{error:?}"))?;
    send(body, request["send_bytes"].as_u64().unwrap_or(0));
    Ok(future)
}

/// What becomes of the body is told by the answer.
fn send(body: OutgoingBody, bytes: u64) {
    let stream = body.write().expect("taken once");
    let piece = [b'x'; 4096];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(4096);
        if stream.blocking_write_and_flush(&piece[..now as usize]).is_err() {
            break;
        }
        left -= now;
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn finish(future: FutureIncomingResponse, request: &Value) -> Result<Value, String> {
    future.subscribe().block();
    let response = future.get().expect("it is there").expect("taken once").map_err(|error| format!("{error:?}"))?;
    let (status, headers) = (response.status(), response.headers());
    let header = |name: &str| headers.get(name).into_iter().next().map(|value| String::from_utf8(value).unwrap());
    let location = header("location");
    let mut answer = json!({ "status": status });
    if let Some(location) = location {
        answer["location"] = json!(location);
    }
    drop(headers);
    if request["unread"] == json!(true) {
        // The answer, and with it the request, goes on for as long as the program.
        std::mem::forget(response);
        return Ok(answer);
    }
    let body = read(response)?;
    answer["bytes"] = json!(body.len());
    answer["body"] = json!(String::from_utf8_lossy(&body[..body.len().min(2000)]));
    Ok(answer)
}

fn read(response: IncomingResponse) -> Result<Vec<u8>, String> {
    let incoming: IncomingBody = response.consume().expect("taken once");
    let stream = incoming.stream().expect("taken once");
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(piece) => body.extend(piece),
            Err(StreamError::Closed) => return Ok(body),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasip2::http::types::http_error_code(&error);
                return Err(code.map_or_else(|| error.to_debug_string(), |code| format!("{code:?}")));
            }
        }
    }
}
