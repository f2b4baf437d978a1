//! The console in a browser: `console.mjs` drives headless Chromium through it, by Playwright.

use std::path::Path;

use guest_artifacts as guests;

use crate::host::Place;

/// Where `cargo xtask test` installs Playwright.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/node-tools/playwright-core-1.65.1");
const SCREENSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/console");

#[test]
fn a_person_lists_runs_sees_a_denial_follows_a_build_and_cancels() {
    let chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    let chromium = chromium.into_iter().find(|path| Path::new(path).exists());
    let chromium = chromium.expect("there is no Chromium; `cargo xtask test` installs it on Debian");
    assert!(Path::new(MODULES).exists(), "there is no Playwright; `cargo xtask test` installs it");
    let place = Place::new();
    let sections = "permissions: { network: [\"https://example.com\"] }\nparameters:\n  \
                    - { name: authority, type: string, required: true, description: \"Which server.\" }\n";
    place.tool("reaches", guests::NETWORK_FETCHES, "", sections);
    let server = place.serve(&["--log", "warn"]);
    fs_err::create_dir_all(SCREENSHOTS).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the browser's driver is a program of its own")]
    let mut node = std::process::Command::new("node");
    node.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/console.mjs"));
    node.arg(format!("http://{}", server.address)).args([MODULES, chromium, SCREENSHOTS]);
    let output = node.output().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{wrong}");
}
