//! What only a build finds out: no component can be made of a source, and a container takes its place.

use std::path::Path;
use std::sync::{Arc, Mutex};

use cortex_build::{BackendKind, Progress, plan};
use cortex_manifest::ToolSpec;
use cortex_runtime::{CallOptions, Ending, Execution, Runtime};
use fs_err as fs;
use serde_json::json;

use super::{Place, left, said};
use crate::host::block_on;
use crate::source;

/// Of the standard library, so that no plan can tell; and Python for WASI has no users.
const PROGRAM: &str = "import pwd\n\ndef run(args):\n    return pwd.getpwuid(0).pw_name\n";

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn step(&self, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// Writes the tool with a backend, and checks that it is first tried as a component.
fn add(place: &Place, name: &str, backend: &str) {
    let root = place.add(name, "entrypoint: main.py, resources: { timeout: 300 }", "", &[("main.py", PROGRAM)]);
    let path = root.join("tool.yml");
    let manifest = fs::read_to_string(&path).unwrap().replace("backend: docker", &format!("backend: {backend}"));
    fs::write(&path, &manifest).unwrap();
    let planned = plan(&ToolSpec::parse(&path, &manifest).unwrap(), Some(&root));
    assert_eq!((planned.backend, planned.blocked.is_some()), (BackendKind::Wasm, false), "{planned:?}");
}

/// The outcome of a call, and what was said before it.
fn heard(runtime: &Runtime, name: &str) -> (Arc<Execution>, Vec<String>) {
    let heard = Arc::new(Heard::default());
    let options = CallOptions { progress: Some(heard.clone()), ..CallOptions::default() };
    let execution = block_on(runtime.call(name, &json!({}), options)).unwrap();
    let lines = heard.0.lock().unwrap().clone();
    (execution, lines)
}

/// The toolchains of all tests, in a home that is this test's own.
fn borrow_toolchains(home: &Path) {
    let shared = source::home().join("toolchains");
    fs::create_dir_all(&shared).unwrap();
    std::os::unix::fs::symlink(shared, home.join("toolchains")).unwrap();
}

#[test]
fn a_container_takes_over_where_a_build_shows_that_only_it_can_unless_the_author_insists() {
    const BECAUSE: &str = "a sandbox has no `pwd`";
    let place = Place::new();
    borrow_toolchains(place.home.path());
    for (name, backend) in [("chosen", "auto"), ("insists", "wasm")] {
        add(&place, name, backend);
    }
    let runtime = place.runtime();

    let (execution, lines) = heard(&runtime, "chosen");
    assert_eq!(source::answer(&execution), "root", "{}", said(&execution));
    assert_eq!(execution.backend.as_str(), "docker");
    let at = |what: &str| lines.iter().position(|line| line.contains(what));
    let tried = at("compiling chosen with componentize-py");
    let announced = at(&format!("{BECAUSE}: it gets a container"));
    assert!(tried.is_some() && tried < announced, "it is tried, and then said: {lines:?}");
    // That is remembered: no second build finds it out again.
    runtime.close().unwrap();
    let runtime = place.runtime();
    let (again, lines) = heard(&runtime, "chosen");
    assert_eq!(source::answer(&again), "root", "{}", said(&again));
    assert!(!lines.iter().any(|line| line.contains("componentize-py")), "{lines:?}");

    let (refused, lines) = heard(&runtime, "insists");
    assert_eq!(refused.ending, Ending::BuildFailed, "{}", said(&refused));
    let message = &refused.error.as_ref().unwrap().message;
    assert!(message.contains(BECAUSE), "{message}");
    assert!(!lines.iter().any(|line| line.contains("container")), "{lines:?}");
    let images = runtime.images().unwrap();
    assert!(images.iter().all(|image| image.tool == "chosen") && images.len() == 1, "{images:?}");
    runtime.prune_images(0).unwrap();
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}
