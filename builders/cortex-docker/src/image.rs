//! Images: built when their digest is new, listed, pruned.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bollard::query_parameters::{
    BuildImageOptionsBuilder, CreateImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
    TagImageOptionsBuilder,
};
use cortex_build::{Progress, sha256};
use cortex_manifest::ToolSpec;
use fs_err as fs;
use futures_util::StreamExt;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::context::{Context, DOCKERFILE, append};
use crate::engine::Engine;
use crate::error::{DockerError, asked, is_missing};
use crate::recipe::{LABEL, Recipe};

/// An image of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// The tool.
    pub tool: String,
    /// The digest of what it was built from.
    pub digest: String,
    /// The engine's name for it.
    pub id: String,
    /// When it was built, in seconds since 1970.
    pub created: i64,
    /// What it takes on the disk, layers that it shares included.
    pub bytes: u64,
}

/// The repository of a tool's images.
pub(crate) fn repository(tool: &str) -> String {
    // Two separators in a row, and one at the end, are none of a repository's.
    let mut name = String::new();
    for c in tool.trim_end_matches(['_', '-']).chars() {
        if !(matches!(c, '_' | '-') && name.ends_with(['_', '-'])) {
            name.push(c);
        }
    }
    format!("cortex/tool-{name}")
}

/// The image of a digest.
pub(crate) fn reference(tool: &str, digest: &str) -> String {
    format!("{}:{}", repository(tool), digest.trim_start_matches("sha256:"))
}

/// Everything that one build needs.
pub(crate) struct Job {
    pub(crate) spec: ToolSpec,
    pub(crate) recipe: Recipe,
    pub(crate) context: Context,
    pub(crate) digest: String,
}

/// Makes sure that the image is there. Says whether it was built now. Blocks; what the build says goes to `progress`.
pub(crate) fn ensure(
    engine: &Arc<Engine>,
    job: Job,
    force: bool,
    progress: &dyn Progress,
) -> Result<bool, DockerError> {
    let (says, mut said) = mpsc::unbounded_channel();
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    let builder = Arc::clone(engine);
    engine.spawn(async move {
        let _nobody_waits = answer.send(build(&builder, job, force, &says).await);
    });
    // Ends when the build drops its end.
    while let Some(line) = said.blocking_recv() {
        progress.step(&line);
    }
    answered.recv().map_err(|_| DockerError::Io(std::io::Error::other("the thread of the engine has ended")))?
}

type Says = mpsc::UnboundedSender<String>;

async fn build(engine: &Engine, job: Job, force: bool, says: &Says) -> Result<bool, DockerError> {
    let tool = job.spec.name.as_str();
    let image = reference(tool, &job.digest);
    if !force && exists(engine, &image).await? {
        return Ok(false);
    }
    let dockerfile = job.recipe.dockerfile(&job.spec, &job.digest);
    let _listener_may_be_gone = says.send(format!("building the image of {tool}"));
    let pinned = pin(engine, &dockerfile, job.recipe.own.is_some(), says).await?;
    let archive = job.context.archive(&job.recipe, &pinned)?;
    let network = match (job.recipe.fetches, engine.has_bridge) {
        (false, _) => "none",
        (true, true) => "default",
        // An engine without a bridge has no other network. Only what names packages gets it.
        (true, false) => "host",
    };
    let mut labels = engine.owner.labels(crate::owner::Kind::Tool, tool);
    labels.remove(&format!("{LABEL}process"));
    labels.insert(format!("{LABEL}tool"), tool.to_owned());
    labels.insert(format!("{LABEL}digest"), job.digest.clone());
    let variables: HashMap<&str, &str> =
        engine.settings.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let asked_for: HashMap<&str, &str> = variables
        .into_iter()
        .filter(|(name, _)| dockerfile.lines().any(|line| line == format!("ARG {name}")))
        .collect();
    let options = BuildImageOptionsBuilder::new()
        .dockerfile(job.recipe.own.as_deref().unwrap_or(DOCKERFILE))
        .t(&image)
        .rm(true)
        .forcerm(true)
        .nocache(force)
        .networkmode(network)
        .buildargs(&asked_for)
        .labels(&labels)
        .build();
    let mut log = Log::new(engine, &job.digest)?;
    let body = bollard::body_full(archive.into());
    let mut steps = std::pin::pin!(engine.docker.build_image(options, None, Some(body)));
    while let Some(step) = steps.next().await {
        let failed =
            |message: String, log: &Log| DockerError::Build { tool: tool.to_owned(), message, log: log.tail() };
        match step {
            Ok(info) => {
                if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
                    return Err(failed(message, &log));
                }
                if let Some(text) = info.stream.or(info.status) {
                    log.write(&text)?;
                    for line in text.lines().map(str::trim).filter(|line| line.starts_with("Step ")) {
                        let _listener_may_be_gone = says.send(format!("{tool}: {line}"));
                    }
                }
            }
            Err(bollard::errors::Error::DockerStreamError { error }) => return Err(failed(error, &log)),
            Err(bollard::errors::Error::DockerResponseServerError { message, status_code: 400..=599 }) => {
                return Err(failed(message, &log));
            }
            Err(error) => return Err(asked("build an image")(error)),
        }
    }
    let latest = TagImageOptionsBuilder::new().repo(&repository(tool)).tag("latest").build();
    engine.docker.tag_image(&image, Some(latest)).await.map_err(asked("tag an image"))?;
    prune_of(engine, tool, KEEP).await?;
    Ok(true)
}

/// An image of a few files of ours. Returns its reference.
pub(crate) async fn ensure_plain(
    engine: &Engine,
    repository: &str,
    dockerfile: &str,
    files: &[(&str, &str)],
) -> Result<String, DockerError> {
    let parts: Vec<&str> = files.iter().flat_map(|(name, text)| [*name, *text]).chain([dockerfile]).collect();
    let image = format!("{repository}:{}", &sha256(parts.join("\n").as_bytes())[7..]);
    if exists(engine, &image).await? {
        return Ok(image);
    }
    let (says, _nobody) = mpsc::unbounded_channel();
    let pinned = pin(engine, dockerfile, false, &says).await?;
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files.iter().copied().chain([("Dockerfile", pinned.as_str())]) {
        append(&mut archive, name, text.as_bytes(), 0o644)?;
    }
    let labels = HashMap::from([(format!("{LABEL}owner"), engine.owner.home().to_owned())]);
    let options =
        BuildImageOptionsBuilder::new().t(&image).rm(true).forcerm(true).networkmode("none").labels(&labels).build();
    let body = bollard::body_full(archive.into_inner()?.into());
    let mut steps = std::pin::pin!(engine.docker.build_image(options, None, Some(body)));
    while let Some(step) = steps.next().await {
        step.map_err(asked("build an image"))?;
    }
    Ok(image)
}

/// Fetches a finished image that is not on this machine.
pub(crate) async fn fetch_if_missing(engine: &Engine, image: &str) -> Result<(), DockerError> {
    if exists(engine, image).await? {
        return Ok(());
    }
    let (says, _nobody) = mpsc::unbounded_channel();
    fetch(engine, image, &says).await
}

async fn exists(engine: &Engine, image: &str) -> Result<bool, DockerError> {
    match engine.docker.inspect_image(image).await {
        Ok(_) => Ok(true),
        Err(error) if is_missing(&error) => Ok(false),
        Err(error) => Err(asked("look for an image")(error)),
    }
}

/// The text with every base image pinned by the digest that its registry knows it by. One that was made on this machine has
/// none, and keeps its name. Fetches what is not there.
async fn pin(engine: &Engine, dockerfile: &str, own: bool, says: &Says) -> Result<String, DockerError> {
    let mut lines = Vec::new();
    let mut stages = vec!["scratch".to_owned()];
    for line in dockerfile.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["FROM", image, rest @ ..] = &words[..] else {
            lines.push(line.to_owned());
            continue;
        };
        if let [as_, name] = rest
            && as_.eq_ignore_ascii_case("as")
        {
            stages.push((*name).to_owned());
        }
        // An author's Dockerfile is used as it is, and may compute its images from arguments.
        if own || stages.iter().any(|stage| stage == *image) {
            lines.push(line.to_owned());
            continue;
        }
        let digest = base(engine, image, says).await?.filter(|_| !image.contains('@'));
        let pinned = digest.map_or_else(|| (*image).to_owned(), |digest| format!("{image}@{digest}"));
        lines.push([&["FROM", pinned.as_str()], rest].concat().join(" "));
    }
    Ok(lines.join("\n") + "\n")
}

/// The registry's digest of a base image, if it has one.
async fn base(engine: &Engine, image: &str, says: &Says) -> Result<Option<String>, DockerError> {
    let found = match engine.docker.inspect_image(image).await {
        Ok(found) => found,
        Err(error) if is_missing(&error) => {
            fetch(engine, image, says).await?;
            engine.docker.inspect_image(image).await.map_err(asked("look for an image"))?
        }
        Err(error) => return Err(asked("look for an image")(error)),
    };
    let repository = image.split('@').next().unwrap_or(image);
    let repository =
        repository.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(repository, |(name, _)| name);
    let digests = found.repo_digests.unwrap_or_default();
    Ok(digests.iter().find_map(|digest| Some(digest.strip_prefix(repository)?.strip_prefix('@')?.to_owned())))
}

async fn fetch(engine: &Engine, image: &str, says: &Says) -> Result<(), DockerError> {
    let missing = |reason: String| DockerError::BaseImage { image: image.to_owned(), reason };
    if engine.settings.offline {
        return Err(missing("`--offline` forbids it".into()));
    }
    let _listener_may_be_gone = says.send(format!("fetching the image {image}"));
    let options = CreateImageOptionsBuilder::new().from_image(image).build();
    let mut pieces = std::pin::pin!(engine.docker.create_image(Some(options), None, None));
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| missing(said_by_registry(&error)))?;
        if let Some(message) = piece.error_detail.and_then(|detail| detail.message) {
            return Err(missing(message));
        }
    }
    Ok(())
}

/// The engine's words about a registry, without its own status.
fn said_by_registry(error: &bollard::errors::Error) -> String {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => message.clone(),
        error => error.to_string(),
    }
}

/// What a build wrote: a file, and its end in memory for an error.
struct Log {
    file: fs::File,
    tail: String,
}

/// How much of a log an error shows.
const TAIL_BYTES: usize = 8 << 10;

impl Log {
    fn new(engine: &Engine, digest: &str) -> Result<Self, DockerError> {
        let folder = engine.settings.home.join("docker").join("builds");
        fs::create_dir_all(&folder)?;
        Ok(Self { file: fs::File::create(log_path(engine, digest))?, tail: String::new() })
    }

    fn write(&mut self, text: &str) -> Result<(), DockerError> {
        self.file.write_all(text.as_bytes())?;
        self.tail.push_str(text);
        if self.tail.len() > 2 * TAIL_BYTES {
            let from = self.tail.ceil_char_boundary(self.tail.len() - TAIL_BYTES);
            self.tail.drain(..from);
        }
        Ok(())
    }

    fn tail(&self) -> String {
        let from = self.tail.ceil_char_boundary(self.tail.len().saturating_sub(TAIL_BYTES));
        self.tail[from..].to_owned()
    }
}

/// Where the log of a build is kept.
pub(crate) fn log_path(engine: &Engine, digest: &str) -> PathBuf {
    let name = format!("{}.log", digest.trim_start_matches("sha256:"));
    engine.settings.home.join("docker").join("builds").join(name)
}

/// How many images of a tool are kept: the one in use, and the last two to go back to.
pub(crate) const KEEP: usize = 3;

/// Every image of this home's tools, the newest first.
pub(crate) async fn list(engine: &Engine) -> Result<Vec<Image>, DockerError> {
    let filters = HashMap::from([("label", vec![format!("{LABEL}owner={}", engine.owner.home())])]);
    let options = ListImagesOptionsBuilder::new().filters(&filters).build();
    let summaries = engine.docker.list_images(Some(options)).await.map_err(asked("list images"))?;
    let mut images = Vec::new();
    for summary in summaries {
        let label = |name: &str| summary.labels.get(&format!("{LABEL}{name}")).cloned().unwrap_or_default();
        images.push(Image {
            tool: label("tool"),
            digest: label("digest"),
            id: summary.id.clone(),
            created: summary.created,
            bytes: u64::try_from(summary.size).unwrap_or_default(),
        });
    }
    images.sort_by(|a, b| (&a.tool, b.created, &a.digest).cmp(&(&b.tool, a.created, &b.digest)));
    Ok(images)
}

/// Removes all but the newest `keep` images of every tool. Returns those that were removed.
pub(crate) async fn prune(engine: &Engine, keep: usize) -> Result<Vec<Image>, DockerError> {
    let mut tools: Vec<String> = list(engine).await?.into_iter().map(|image| image.tool).collect();
    tools.dedup();
    let mut removed = Vec::new();
    for tool in tools {
        removed.extend(prune_of(engine, &tool, keep).await?);
    }
    Ok(removed)
}

async fn prune_of(engine: &Engine, tool: &str, keep: usize) -> Result<Vec<Image>, DockerError> {
    let old: Vec<Image> = list(engine).await?.into_iter().filter(|image| image.tool == tool).skip(keep).collect();
    let mut removed = Vec::new();
    for image in old {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        // One whose container runs stays until the next time.
        if engine.docker.remove_image(&image.id, Some(options), None).await.is_ok() {
            let _ = fs::remove_file(log_path(engine, &image.digest));
            removed.push(image);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::reference;

    #[test]
    fn every_tool_has_a_repository_that_engines_accept() {
        for (tool, expected) in [("sys_info", "sys_info"), ("a__b--c_", "a_b-c"), ("a-_b", "a-b"), ("x", "x")] {
            assert_eq!(reference(tool, "sha256:0f"), format!("cortex/tool-{expected}:0f"));
        }
    }
}
