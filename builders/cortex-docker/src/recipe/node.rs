//! JavaScript and TypeScript on Node: packages in a stage of their own; TypeScript is bundled there.

use cortex_build::{BuilderKind, source_entry};
use cortex_sandbox::Contract;

use super::{Dockerfile, GLUE, ROOT, Recipe, Source};
use crate::bases::Base;
use crate::error::DockerError;

const RUNNER: &str = include_str!("../../glue/run.mjs");

/// The release that the sandbox's builder bundles with as well.
const ESBUILD: &str =
    "npm install --prefix /esbuild --ignore-scripts --no-audit --no-fund --loglevel=error esbuild@0.28.2";

/// Bundled modules of the older kind ask for `require`, which a bundle of the newer kind has not.
const BUNDLE: &str = "/esbuild/node_modules/.bin/esbuild --bundle --platform=node --format=esm --target=node20 \
                      --banner:js='import { createRequire } from \"node:module\"; const require = createRequire(import.meta.url);' \
                      --outfile=/out/main.mjs";

pub(super) fn recipe(source: &Source<'_>) -> Result<Recipe, DockerError> {
    let entry = source_entry(BuilderKind::JavaScript, source.spec, source.folder)
        .filter(|entry| source.tree.contains(&entry.path.to_string_lossy()))
        .ok_or_else(|| {
            source.problem(
                "there is no entry point and no `main.js` or `main.ts`",
                "name it in `implementation.entrypoint`",
            )
        })?;
    let path = entry.path.to_string_lossy().into_owned();
    let typed = std::path::Path::new(&path).extension().is_some_and(|end| end == "ts");
    let base = source.base(Base::Node)?;
    let build = &source.spec.implementation.build;
    let packages = has_packages(source)?;
    let mut file = Dockerfile::new();
    if packages || typed {
        file.stage(&base, "packages");
        file.line("WORKDIR /build");
        file.operator_variables(&["npm_config_registry", "NODE_EXTRA_CA_CERTS"]);
        file.arguments(&source.arguments());
        if typed {
            file.line(&format!("RUN {ESBUILD}"));
        }
        if packages {
            file.line("COPY package.json package-lock.json ./");
            let extra = super::shell_line(&source.extra_arguments());
            // Scripts of packages do not run.
            let line = format!("RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error {extra}");
            file.line(line.trim_end());
        }
        if typed {
            file.line("COPY . .");
            file.line(&format!("RUN {BUNDLE} {}", super::quoted(&path)));
        }
    }
    file.image(&base);
    file.packages(&build.packages);
    file.line(&format!("WORKDIR {ROOT}"));
    file.line("ENV NODE_ENV=production");
    if packages && !typed {
        file.line(&format!("COPY --from=packages /build/node_modules {ROOT}/node_modules"));
    }
    file.line(&format!("COPY . {ROOT}/"));
    if typed {
        file.line(&format!("COPY --from=packages /out/main.mjs {ROOT}/{GLUE}/main.mjs"));
    }
    if let Some(command) = &build.build_command {
        file.arguments(&source.arguments());
        file.line(&format!("RUN {command}"));
    }
    let started = if typed { format!("{GLUE}/main.mjs") } else { path.clone() };
    let words = if entry.function {
        vec!["node".into(), format!("{ROOT}/{GLUE}/run.mjs"), format!("{ROOT}/{started}")]
    } else {
        vec!["node".into(), format!("{ROOT}/{started}")]
    };
    source.finish(&mut file, &words);
    let mut files = Vec::new();
    if entry.function {
        files.push((format!("{GLUE}/run.mjs"), RUNNER.to_owned()));
    }
    if !typed && is_module(source, &path) && !source.tree.contains("package.json") {
        // The sandbox's builder reads `import` and `export` wherever they are; Node wants to be told.
        files.push(("package.json".into(), "{ \"type\": \"module\" }\n".into()));
    }
    Ok(Recipe {
        text: file.finish(),
        files,
        entrypoint: Some(words),
        contract: if entry.function { Contract::Tool } else { Contract::Command },
        launcher: true,
        fetches: packages || typed || !build.packages.is_empty() || build.build_command.is_some(),
        own: None,
        executable: None,
    })
}

fn has_packages(source: &Source<'_>) -> Result<bool, DockerError> {
    if source.tree.contains("package-lock.json") {
        return Ok(true);
    }
    let package: serde_json::Value =
        source.read("package.json").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    if package["dependencies"].as_object().is_some_and(|packages| !packages.is_empty()) {
        return Err(source.problem(
            "`package.json` has dependencies and no lock file is beside it",
            "commit what `npm install --package-lock-only` writes",
        ));
    }
    Ok(false)
}

fn is_module(source: &Source<'_>, entry: &str) -> bool {
    let text = source.read(entry).unwrap_or_default();
    text.lines().any(|line| line.starts_with("import ") || line.starts_with("import{") || line.starts_with("export "))
}
