//! Whether a relic is healthy: asked again and again until it is, or was asked often enough.
//!
//! A relic is asked from where tools ask, which is its port on this machine's loopback, or by a command in its own container.
//! What it says is bounded, and so is the time of each try.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use cortex_manifest::{Command, Expected, RelicHealth, RelicProbe};
use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::engine::Engine;
use crate::error::DockerError;
use crate::relic::{failed, status};

/// How long one try may take.
const TRY: Duration = Duration::from_secs(5);

/// How long a connection has to stay open. Engines' own proxies accept one before they know whether anybody listens behind
/// them, and close it when they find out.
const STAYS_OPEN: Duration = Duration::from_millis(500);

/// What is read of an answer, and of what a command writes.
const ANSWER_BYTES: usize = 64 << 10;

/// How much of it a failure tells.
const TOLD_BYTES: usize = 200;

type Asked = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Asks until it answers as it should, or has been asked often enough. `container` is the relic's, `ports` are where its own
/// are on loopback.
pub(crate) async fn wait(
    engine: &Engine,
    container: &str,
    name: &str,
    health: &RelicHealth,
    ports: &BTreeMap<u16, u16>,
) -> Result<(), DockerError> {
    let mut last = "it was never asked".to_owned();
    for attempt in 0..health.retries {
        if attempt > 0 {
            sleep(health.interval_ms.duration()).await;
        }
        match timeout(TRY, ask(engine, container, &health.probe, ports)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = format!("no answer within {} s", TRY.as_secs()),
        }
        let state = status(engine, name).await?;
        if state.status != "running" {
            last = format!("it is {}", state.status);
            break;
        }
    }
    // Whoever reads this has no container any more to look into.
    let wrote = last_lines(engine, container).await;
    let wrote = if wrote.is_empty() { "it wrote nothing".to_owned() } else { format!("it wrote:\n{wrote}") };
    let hint = "see to `health_check` of its manifest: `endpoint`, `port`, `command`, `interval` and `retries`";
    Err(failed(name, format!("is not healthy: {last}; {wrote}"), hint))
}

async fn ask(engine: &Engine, container: &str, probe: &RelicProbe, ports: &BTreeMap<u16, u16>) -> Asked {
    let outside = |port: &u16| ports.get(port).copied().ok_or_else(|| format!("its port {port} is not published"));
    match probe {
        RelicProbe::ApiRequest { port, endpoint, contains } => {
            request(outside(port)?, endpoint, contains.as_deref()).await
        }
        RelicProbe::Tcp { port } => connect(outside(port)?).await,
        RelicProbe::Script { command, expected } => run(engine, container, command, expected).await,
    }
}

async fn request(port: u16, path: &str, contains: Option<&str>) -> Asked {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await?.to_bytes();
    if status.as_u16() >= 400 {
        return Err(format!("it answers {status}").into());
    }
    check_contains(&body, contains)
}

/// A connection that stays open, or on which the relic speaks first.
async fn connect(port: u16) -> Asked {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    match timeout(STAYS_OPEN, stream.read(&mut [0; 1])).await {
        Err(_still_open) => Ok(()),
        Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0)) => Err("the connection was closed at once".into()),
        Ok(Err(error)) => Err(error.into()),
    }
}

/// A command in the relic's container, as the relic's own user. One that does not end is left to the container's limits: engines
/// have no way to end it.
async fn run(engine: &Engine, container: &str, command: &Command, expected: &Expected) -> Asked {
    let words = match command {
        Command::Shell(line) => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        Command::Program(words) => words.clone(),
    };
    let config =
        ExecConfig { cmd: Some(words), attach_stdout: Some(true), attach_stderr: Some(true), ..ExecConfig::default() };
    let exec = engine.docker.create_exec(container, config).await?.id;
    let mut said = Vec::new();
    if let StartExecResults::Attached { mut output, .. } = engine.docker.start_exec(&exec, None).await? {
        while let Some(piece) = output.next().await {
            let (LogOutput::StdOut { message } | LogOutput::StdErr { message } | LogOutput::Console { message }) =
                piece?
            else {
                continue;
            };
            said.extend_from_slice(&message[..message.len().min(ANSWER_BYTES - said.len())]);
        }
    }
    let code = engine.docker.inspect_exec(&exec).await?.exit_code.unwrap_or(-1);
    if code != i64::from(expected.exit_code) {
        return Err(format!("its command ends with {code}, not {}: {}", expected.exit_code, beginning(&said)).into());
    }
    check_contains(&said, expected.output_contains.as_deref())
}

/// The last of what a relic wrote. Nothing if it cannot be had: there is a worse failure to tell.
async fn last_lines(engine: &Engine, container: &str) -> String {
    const LINES: &str = "20";
    const BYTES: usize = 2000;
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(LINES).build();
    let mut pieces = std::pin::pin!(engine.docker.logs(container, Some(options)));
    let mut text = String::new();
    while let Ok(Some(Ok(piece))) = timeout(TRY, pieces.next()).await {
        text.push_str(&String::from_utf8_lossy(&piece.into_bytes()));
    }
    let begin = text.ceil_char_boundary(text.len().saturating_sub(BYTES));
    text[begin..].trim().to_owned()
}

fn check_contains(said: &[u8], wanted: Option<&str>) -> Asked {
    match wanted {
        Some(wanted) if !String::from_utf8_lossy(said).contains(wanted) => {
            Err(format!("`{wanted}` is not in what it says: {}", beginning(said)).into())
        }
        _ => Ok(()),
    }
}

fn beginning(said: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(said).trim().to_owned();
    text.truncate(text.floor_char_boundary(TOLD_BYTES));
    text
}
