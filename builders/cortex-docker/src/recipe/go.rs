//! Go: compiled in a stage of its own; the image holds one program.

use cortex_build::{BuilderKind, source_entry};
use cortex_sandbox::Contract;

use super::{Dockerfile, ROOT, Recipe, Source};
use crate::bases::Base;
use crate::error::DockerError;

const RUNNER: &str = include_str!("../../glue/main.go");

pub(super) fn recipe(source: &Source<'_>) -> Result<Recipe, DockerError> {
    let entry = source_entry(BuilderKind::Go, source.spec, source.folder).ok_or_else(|| {
        source.problem(
            "no file has `func main` or `func Run`",
            "name a file of `package main` in `implementation.entrypoint`",
        )
    })?;
    let build = &source.spec.implementation.build;
    let package = entry.path.to_string_lossy().into_owned();
    let pattern = if package.is_empty() { ".".to_owned() } else { format!("./{package}") };
    let (module, vendored) = (source.tree.contains("go.mod"), source.tree.contains("vendor/modules.txt"));
    let fetched = source.tree.contains("go.sum") && !vendored;
    let uses_c = source.tree.files().iter().any(|file| {
        let name = file.to_string_lossy();
        name.ends_with(".go")
            && source.read(&name).is_some_and(|text| text.lines().any(|line| line.trim() == "import \"C\""))
    });
    let mut file = Dockerfile::new();
    file.stage(&source.base(Base::Go)?, "build");
    file.line("WORKDIR /build");
    file.operator_variables(&["GOPROXY", "GOFLAGS", "SSL_CERT_FILE"]);
    file.arguments(&source.arguments());
    file.line(&format!("ENV CGO_ENABLED={} GOTOOLCHAIN=local", u8::from(uses_c)));
    if fetched {
        file.line("COPY go.mod go.sum ./");
        file.line("RUN go mod download");
    }
    file.line("COPY . .");
    if let Some(command) = &build.build_command {
        file.line(&format!("RUN {command}"));
    } else {
        let mode = if vendored { "-mod=vendor " } else { "" };
        let extra = super::shell_line(&source.extra_arguments());
        let extra = if extra.is_empty() { extra } else { format!("{extra} ") };
        file.line(&format!(
            "RUN go build {mode}-trimpath -buildvcs=false -ldflags='-s -w -buildid=' {extra}-o /out/tool {}",
            super::quoted(&pattern)
        ));
    }
    file.image(source.bases.image(Base::Debian));
    file.packages(&build.packages);
    file.line(&format!("WORKDIR {ROOT}"));
    file.line(&format!("COPY --from=build /out/tool {ROOT}/tool"));
    let words = vec![format!("{ROOT}/tool")];
    source.finish(&mut file, &words);
    let mut files = Vec::new();
    if entry.function {
        let name = "cortex_main.go";
        files.push((if package.is_empty() { name.into() } else { format!("{package}/{name}") }, RUNNER.to_owned()));
    }
    if !module {
        // The prefix keeps names apart that mean something to Go, such as `main` and the standard library's.
        files.push(("go.mod".into(), format!("module tool.local/{}\n\ngo 1.24\n", source.spec.name)));
    }
    Ok(Recipe {
        text: file.finish(),
        files,
        entrypoint: Some(words),
        contract: if entry.function { Contract::Tool } else { Contract::Command },
        launcher: true,
        fetches: fetched || !build.packages.is_empty() || build.build_command.is_some(),
        own: None,
        executable: None,
    })
}
