//! Shell scripts: the source and what it calls.

use cortex_sandbox::Contract;

use super::{Dockerfile, ROOT, Recipe, Source};
use crate::bases::Base;
use crate::error::DockerError;

pub(super) fn recipe(source: &Source<'_>) -> Result<Recipe, DockerError> {
    let names = [source.entry_file(), Some("main.sh".into()), Some(format!("{}.sh", source.spec.name))];
    let path = names.into_iter().flatten().find(|name| source.tree.contains(name)).ok_or_else(|| {
        source.problem("there is no entry point and no `main.sh`", "name it in `implementation.entrypoint`")
    })?;
    let build = &source.spec.implementation.build;
    // The image of bash itself is another distribution's, which has no packages of Debian.
    let base = if build.packages.is_empty() { Base::Bash } else { Base::Debian };
    let mut file = Dockerfile::new();
    file.image(&source.base(base)?);
    file.packages(&build.packages);
    file.line(&format!("WORKDIR {ROOT}"));
    file.line(&format!("COPY . {ROOT}/"));
    if let Some(command) = &build.build_command {
        file.arguments(&source.arguments());
        file.line(&format!("RUN {command}"));
    }
    let words = vec!["bash".to_owned(), format!("{ROOT}/{path}")];
    source.finish(&mut file, &words);
    Ok(Recipe {
        text: file.finish(),
        files: Vec::new(),
        entrypoint: Some(words),
        contract: Contract::Command,
        launcher: true,
        fetches: !build.packages.is_empty() || build.build_command.is_some(),
        own: None,
        executable: None,
    })
}
