//! What is not compiled from a language: an author's own Dockerfile, an image that is named, a program of machine code.

use cortex_manifest::Entrypoint;
use cortex_sandbox::Contract;

use super::{Dockerfile, ROOT, Recipe, Source};
use crate::bases::Base;
use crate::error::DockerError;

/// The author's own Dockerfile as it is, or the source in the image that the manifest names.
pub(super) fn container(source: &Source<'_>) -> Result<Recipe, DockerError> {
    let implementation = &source.spec.implementation;
    let named = implementation.build.dockerfile.as_ref().map(|path| path.as_str().to_owned());
    let own = named.or_else(|| source.tree.contains("Dockerfile").then(|| "Dockerfile".to_owned()));
    if let Some(path) = own {
        let text = source.read(&path).ok_or_else(|| {
            source.problem(&format!("there is no `{path}`"), "write it, or leave out `build.dockerfile`")
        })?;
        let entrypoint = match &implementation.entrypoint {
            Some(Entrypoint::Foreign(line)) => Some(words(source, line)?),
            Some(Entrypoint::File(_)) | None => None,
        };
        return Ok(Recipe {
            text,
            files: Vec::new(),
            entrypoint,
            contract: Contract::Command,
            launcher: false,
            // Nobody knows what its steps do.
            fetches: true,
            own: Some(path),
            executable: None,
        });
    }
    let Some(image) = &implementation.image else {
        return Err(source.problem(
            "there is no `Dockerfile` and no image",
            "write a `Dockerfile`, or `runtime: name:tag` and `entrypoint: a command`",
        ));
    };
    let Some(Entrypoint::Foreign(line)) = &implementation.entrypoint else {
        return Err(
            source.problem("nothing says what starts it", "write `entrypoint: a command`, run in the tool's folder")
        );
    };
    let mut words = words(source, line)?;
    let mut executable = None;
    if let Some(first) = words.first_mut() {
        let file = first.trim_start_matches("./").to_owned();
        if source.tree.contains(&file) {
            *first = format!("{ROOT}/{file}");
            executable = Some(file);
        }
    }
    let build = &implementation.build;
    let mut file = Dockerfile::new();
    file.image(image);
    file.packages(&build.packages);
    file.line(&format!("WORKDIR {ROOT}"));
    file.line(&format!("COPY . {ROOT}/"));
    if let Some(command) = &build.build_command {
        file.arguments(&source.arguments());
        file.line(&format!("RUN {command}"));
    }
    source.finish(&mut file, &words);
    Ok(Recipe {
        text: file.finish(),
        files: Vec::new(),
        entrypoint: Some(words),
        contract: Contract::Command,
        launcher: false,
        fetches: !build.packages.is_empty() || build.build_command.is_some(),
        own: None,
        executable,
    })
}

/// A program of machine code in an image of Debian.
pub(super) fn binary(source: &Source<'_>) -> Result<Recipe, DockerError> {
    let path = source.entry_file().filter(|path| source.tree.contains(path));
    let path = path.ok_or_else(|| {
        source.problem("its entry point is not there", "name the program in `implementation.entrypoint`")
    })?;
    let mut file = Dockerfile::new();
    file.image(&source.base(Base::Debian)?);
    file.packages(&source.spec.implementation.build.packages);
    file.line(&format!("WORKDIR {ROOT}"));
    file.line(&format!("COPY . {ROOT}/"));
    let words = vec![format!("{ROOT}/{path}")];
    source.finish(&mut file, &words);
    Ok(Recipe {
        text: file.finish(),
        files: Vec::new(),
        entrypoint: Some(words),
        contract: Contract::Command,
        launcher: true,
        fetches: !source.spec.implementation.build.packages.is_empty(),
        own: None,
        executable: Some(path),
    })
}

/// A command line as words. Quotes keep words together; no shell reads it.
fn words(source: &Source<'_>, line: &str) -> Result<Vec<String>, DockerError> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_with(String::new);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_with(String::new).push(c),
        }
    }
    words.extend(word);
    if quote.is_some() || words.is_empty() {
        return Err(source.problem("its entry point is no command line", "close every quote"));
    }
    Ok(words)
}
