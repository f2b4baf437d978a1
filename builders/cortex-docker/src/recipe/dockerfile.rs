//! The text of a Dockerfile, line by line.

/// A Dockerfile that grows.
#[derive(Debug)]
pub(crate) struct Dockerfile(String);

impl Dockerfile {
    pub(crate) fn new() -> Self {
        Self("# Made by cortex-wasm from tool.yml. `build.dockerfile` replaces it.\n".into())
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Begins a stage. The last one is the image.
    pub(crate) fn stage(&mut self, image: &str, name: &str) {
        self.line(&format!("FROM {image} AS {name}"));
    }

    /// Begins the image itself.
    pub(crate) fn image(&mut self, image: &str) {
        if self.0.lines().count() > 1 {
            self.0.push('\n');
        }
        self.line(&format!("FROM {image}"));
    }

    /// An instruction that takes words and no shell.
    pub(crate) fn exec(&mut self, instruction: &str, words: &[String]) {
        self.line(&format!("{instruction} {}", serde_json::Value::from(words)));
    }

    /// Variables of the operator that a package manager reads, given when the image is built: only their names stand here.
    pub(crate) fn operator_variables(&mut self, names: &[&str]) {
        for name in names {
            self.line(&format!("ARG {name}"));
        }
    }

    /// Variables of the manifest.
    pub(crate) fn arguments(&mut self, variables: &[(String, String)]) {
        for (name, value) in variables {
            self.line(&format!("ARG {name}={value:?}"));
        }
    }

    /// Installs packages of Debian.
    pub(crate) fn packages(&mut self, packages: &[String]) {
        if packages.is_empty() {
            return;
        }
        let mut packages = packages.to_vec();
        packages.sort();
        packages.dedup();
        self.line("RUN apt-get update -qq \\");
        self.line(&format!(
            "    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {} \\",
            packages.join(" ")
        ));
        self.line("    && rm -rf /var/lib/apt/lists/*");
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}
