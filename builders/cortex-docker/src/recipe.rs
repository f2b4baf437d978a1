//! From a tool's manifest and folder to a Dockerfile, as text. Runs nothing and asks no engine, so the same tool always gets
//! the same text.
//!
//! What the original's generator did wrong is done right here: dependencies come before the source, so that a change of the
//! source rebuilds one layer; compilers and package managers stay in stages that the image is not made of; the health check is
//! read from where manifests have it; and nothing runs as root.

mod dockerfile;
mod foreign;
mod go;
mod node;
mod python;
mod script;

use std::path::Path;

use cortex_build::{SourceTree, sha256};
use cortex_manifest::{BuildArgs, Command, Entrypoint, HealthCheck, ImplementationType, Runtime, ToolSpec};
use cortex_sandbox::Contract;

use crate::bases::{Base, Bases};
use crate::error::DockerError;
pub(crate) use crate::recipe::dockerfile::Dockerfile;

/// What the labels of images, containers and networks begin with.
pub(crate) const LABEL: &str = "io.cortex-wasm.";

/// The user that tools run as. Nobody on any system, and what distroless images use.
pub(crate) const USER: &str = "65532:65532";

/// Where a tool's files are in its image.
pub(crate) const ROOT: &str = "/tool";

/// Generated files of the build context.
pub(crate) const GLUE: &str = ".cortex";

/// How an image is made and its container started.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// The Dockerfile, but for the last line with the digest. For an author's own, its text.
    pub(crate) text: String,
    /// Files of the context that are not the tool's.
    pub(crate) files: Vec<(String, String)>,
    /// What is started; `None` for what the image says itself.
    pub(crate) entrypoint: Option<Vec<String>>,
    /// How the tool sees a call.
    pub(crate) contract: Contract,
    /// Whether the image is known to have a shell, so that the launcher can be put before the program.
    pub(crate) launcher: bool,
    /// Whether its build needs a network.
    pub(crate) fetches: bool,
    /// The author's own Dockerfile.
    pub(crate) own: Option<String>,
    /// A file that must be executable.
    pub(crate) executable: Option<String>,
}

/// Decides how a tool's image is made.
pub(crate) fn recipe(spec: &ToolSpec, folder: &Path, manifest: &str, bases: &Bases) -> Result<Recipe, DockerError> {
    let tree = SourceTree::read(folder, manifest)?;
    let source = Source { spec, folder, tree: &tree, bases };
    let implementation = &spec.implementation;
    if implementation.kind == ImplementationType::Api {
        return Err(
            source.problem("it is an HTTP endpoint", "an api is called from the host; there is nothing to build")
        );
    }
    if implementation.kind == ImplementationType::Container || implementation.build.dockerfile.is_some() {
        return foreign::container(&source);
    }
    match implementation.runtime {
        Some(Runtime::Python3) => python::recipe(&source),
        Some(Runtime::Node | Runtime::JavaScript | Runtime::TypeScript) => node::recipe(&source),
        Some(Runtime::Go) => go::recipe(&source),
        Some(Runtime::Bash) => script::recipe(&source),
        Some(Runtime::Docker) => foreign::container(&source),
        None if implementation.kind == ImplementationType::Binary => foreign::binary(&source),
        None => Err(source.problem("nothing says what starts it", "add `runtime: …` or a `Dockerfile`")),
        Some(runtime @ (Runtime::Rust | Runtime::TinyGo | Runtime::Component)) => Err(source.problem(
            &format!("no Dockerfile is generated for `runtime: {}`", runtime.as_str()),
            "leave out `backend: docker`, or write a `Dockerfile` and name it in `build.dockerfile`",
        )),
    }
}

impl Recipe {
    /// The whole Dockerfile of an image with this digest.
    pub(crate) fn dockerfile(&self, spec: &ToolSpec, digest: &str) -> String {
        if self.own.is_some() {
            return self.text.clone();
        }
        let labels = [("tool", spec.name.as_str()), ("version", env!("CARGO_PKG_VERSION")), ("digest", digest)];
        let labels = labels.map(|(name, value)| format!("{LABEL}{name}={value:?}"));
        format!("{}LABEL {}\n", self.text, labels.join(" "))
    }

    /// The digest of what the image is made of, given that of its source. Neither the time nor the engine has a part in it.
    pub(crate) fn digest(&self, spec: &ToolSpec, source: &str) -> String {
        let files: Vec<String> =
            self.files.iter().map(|(path, text)| format!("{path} {}", sha256(text.as_bytes()))).collect();
        let parts = [source.to_owned(), sha256(&spec.build_inputs()), sha256(self.text.as_bytes()), files.join("\n")];
        sha256(parts.join("\n").as_bytes())
    }
}

/// What a recipe is made from.
struct Source<'a> {
    spec: &'a ToolSpec,
    folder: &'a Path,
    tree: &'a SourceTree,
    bases: &'a Bases,
}

impl Source<'_> {
    fn problem(&self, problem: &str, hint: &str) -> DockerError {
        DockerError::Layout { tool: self.spec.name.to_string(), problem: problem.into(), hint: hint.into() }
    }

    /// The entry point, if it is one of the tool's files.
    fn entry_file(&self) -> Option<String> {
        match &self.spec.implementation.entrypoint {
            Some(Entrypoint::File(path)) => Some(path.as_str().to_owned()),
            _ => None,
        }
    }

    fn read(&self, file: &str) -> Option<String> {
        self.tree.contains(file).then(|| fs_err::read_to_string(self.folder.join(file)).ok())?
    }

    /// The base image: what the manifest's `BASE` or version argument names, else the operator's or the default.
    fn base(&self, base: Base) -> Result<String, DockerError> {
        let BuildArgs::Variables(variables) = &self.spec.implementation.build.build_args else {
            return Ok(self.bases.image(base).to_owned());
        };
        let image = if let Some(image) = variables.get("BASE") {
            image.clone()
        } else if let Some((name, image)) = base.version_argument()
            && let Some(version) = variables.get(name)
        {
            image(version)
        } else {
            return Ok(self.bases.image(base).to_owned());
        };
        let fits = image.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c));
        fits.then_some(image).ok_or_else(|| {
            self.problem(
                "`build_args` name a base that is no image",
                "write a version such as `3.12`, or `BASE: name:tag`",
            )
        })
    }

    /// The arguments of the build that are no base: variables of the stage that builds.
    fn arguments(&self) -> Vec<(String, String)> {
        let BuildArgs::Variables(variables) = &self.spec.implementation.build.build_args else { return Vec::new() };
        let bases = ["BASE", "PYTHON_VERSION", "NODE_VERSION", "GO_VERSION"];
        let variables = variables.iter().filter(|(name, _)| !bases.contains(&name.as_str()));
        variables.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// What the manifest adds to the engine's own command.
    fn extra_arguments(&self) -> Vec<String> {
        match &self.spec.implementation.build.build_args {
            BuildArgs::Arguments(arguments) => arguments.clone(),
            BuildArgs::Variables(_) => Vec::new(),
        }
    }

    /// The last instructions of every generated image.
    fn finish(&self, file: &mut Dockerfile, entrypoint: &[String]) {
        file.line(&format!("USER {USER}"));
        file.exec("ENTRYPOINT", entrypoint);
        self.health_check(file, entrypoint);
    }

    /// The health check of the manifest. A command that is a JSON object and nothing else is a call of the tool.
    fn health_check(&self, file: &mut Dockerfile, entrypoint: &[String]) {
        let HealthCheck::Script { command, expected, interval_ms } = &self.spec.implementation.health_check else {
            return;
        };
        let words = match command {
            Command::Shell(line) if line.trim_start().starts_with('{') => Some(vec![line.trim().to_owned()]),
            Command::Program(words) if words.len() == 1 && words[0].trim_start().starts_with('{') => {
                Some(words.clone())
            }
            Command::Shell(_) | Command::Program(_) => None,
        };
        let line = match (words, command) {
            (Some(input), _) => shell_line(&[entrypoint, &input].concat()),
            (None, Command::Shell(line)) => line.clone(),
            (None, Command::Program(words)) => shell_line(words),
        };
        let contains = expected
            .output_contains
            .as_ref()
            .map_or(String::new(), |part| format!(" && case \"$out\" in *{}*) ;; *) false ;; esac", quoted(part)));
        let script = format!("out=$({line}); [ $? -eq {} ]{contains} || exit 1", expected.exit_code);
        let interval = interval_ms
            .map_or(String::new(), |interval| format!("--interval={}s ", interval.duration().as_secs().max(1)));
        file.exec(&format!("HEALTHCHECK {interval}CMD"), &["sh".to_owned(), "-c".to_owned(), script]);
    }
}

/// Words as a shell reads them.
pub(crate) fn shell_line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests;
