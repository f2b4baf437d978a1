error: `render` cannot run in a container: `package.json` has dependencies and no lock file is beside it
hint: commit what `npm install --package-lock-only` writes
