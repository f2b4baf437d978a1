//! Python: wheels in a stage of their own, then the source.

use cortex_build::{BuilderKind, source_entry};
use cortex_sandbox::Contract;

use super::{Dockerfile, GLUE, ROOT, Recipe, Source};
use crate::bases::Base;
use crate::error::DockerError;

const RUNNER: &str = include_str!("../../glue/run.py");

/// Wheels only: nothing of a package runs while it is installed.
const INSTALL: &str = "pip install --no-cache-dir --disable-pip-version-check --no-input --root-user-action=ignore --only-binary=:all: --prefix=/packages";

/// Modules of the standard library that are compiled once, in a layer that all tools share: images of Python come without, and a
/// call could not keep what it compiles.
const COMPILED: &str = "argparse, asyncio, base64, collections, contextlib, csv, dataclasses, datetime, decimal, email.message, enum, \
                        functools, hashlib, html, http.client, inspect, io, itertools, json, logging, math, os, pathlib, random, re, \
                        shutil, socket, sqlite3, ssl, statistics, string, subprocess, tempfile, textwrap, threading, time, traceback, \
                        typing, unicodedata, urllib.request, uuid, xml.etree.ElementTree, zipfile, zoneinfo";

pub(super) fn recipe(source: &Source<'_>) -> Result<Recipe, DockerError> {
    let entry = source_entry(BuilderKind::Python, source.spec, source.folder)
        .filter(|entry| source.tree.contains(&entry.path.to_string_lossy()))
        .ok_or_else(|| {
            source.problem("there is no entry point and no `main.py`", "name it in `implementation.entrypoint`")
        })?;
    let base = source.base(Base::Python)?;
    let build = &source.spec.implementation.build;
    let mut file = Dockerfile::new();
    let requirements = requirements(source)?;
    if let Some(files) = &requirements {
        file.stage(&base, "packages");
        file.line("WORKDIR /build");
        file.operator_variables(&["PIP_INDEX_URL", "PIP_CERT"]);
        file.arguments(&source.arguments());
        for name in files {
            file.line(&format!("COPY {name:?} {name:?}"));
        }
        let extra = super::shell_line(&source.extra_arguments());
        file.line(format!("RUN {INSTALL} -r {} {extra}", super::quoted(&files[0])).trim_end());
    }
    file.image(&base);
    file.line(&format!("RUN python3 -c 'import {COMPILED}'"));
    file.packages(&build.packages);
    file.line(&format!("WORKDIR {ROOT}"));
    file.line("ENV PYTHONDONTWRITEBYTECODE=1");
    if requirements.is_some() {
        file.line("COPY --from=packages /packages /usr/local");
    }
    file.line(&format!("COPY . {ROOT}/"));
    // A file that is not valid fails when it is called, with its own words.
    file.line(&format!("RUN python3 -m compileall -q {ROOT} || true"));
    if let Some(command) = &build.build_command {
        file.arguments(&source.arguments());
        file.line(&format!("RUN {command}"));
    }
    let path = entry.path.to_string_lossy().into_owned();
    let words = if entry.function {
        vec!["python3".into(), format!("{ROOT}/{GLUE}/run.py"), format!("{ROOT}/{path}")]
    } else {
        vec!["python3".into(), format!("{ROOT}/{path}")]
    };
    source.finish(&mut file, &words);
    let files = if entry.function { vec![(format!("{GLUE}/run.py"), RUNNER.to_owned())] } else { Vec::new() };
    Ok(Recipe {
        text: file.finish(),
        files,
        entrypoint: Some(words),
        contract: if entry.function { Contract::Tool } else { Contract::Command },
        launcher: true,
        fetches: requirements.is_some() || !build.packages.is_empty() || build.build_command.is_some(),
        own: None,
        executable: None,
    })
}

/// The list of packages and the lists that it names, the first one first.
fn requirements(source: &Source<'_>) -> Result<Option<Vec<String>>, DockerError> {
    let named = source.spec.implementation.build.requirements_file.as_ref().map(|path| path.as_str().to_owned());
    let first = named.clone().unwrap_or_else(|| "requirements.txt".into());
    if !source.tree.contains(&first) {
        return match named {
            Some(file) => {
                Err(source.problem(&format!("there is no `{file}`"), "write it, or leave out `requirements_file`"))
            }
            None => Ok(None),
        };
    }
    let mut files = vec![first];
    let mut at = 0;
    while let Some(file) = files.get(at) {
        at += 1;
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        for line in source.read(file).unwrap_or_default().lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["-r" | "-c" | "--requirement" | "--constraint", other] = words[..] {
                let path = if folder.is_empty() { other.to_owned() } else { format!("{folder}/{other}") };
                if source.tree.contains(&path) && !files.contains(&path) {
                    files.push(path);
                }
            }
        }
    }
    Ok(Some(files))
}
