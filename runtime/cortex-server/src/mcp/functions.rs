//! The functions of tools that are components made for other hosts: each is a tool to clients.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use cortex_runtime::{Contract, Function, Runtime, Silent, Tool};

/// The longest name that clients accept.
pub(super) const NAME_BYTES_MAX: usize = 128;

/// What was found out of each component, as long as its file stays as it is.
#[derive(Debug, Default)]
pub(super) struct Functions(Mutex<Known>);

type Known = HashMap<PathBuf, (Stamp, Arc<[Function]>)>;

/// A file's size and time of change.
type Stamp = Option<(u64, SystemTime)>;

impl Functions {
    /// The functions of a tool that can be called; none of one that answers calls as a whole. The first look at a component
    /// compiles it. Blocks.
    pub(super) fn of(&self, runtime: &Runtime, name: &str, tool: &Tool) -> Arc<[Function]> {
        let Some(path) = tool.undescribed_component() else { return Arc::default() };
        let stamp = stamp(&path);
        if let Some((known, functions)) = self.known().get(&path)
            && *known == stamp
        {
            return Arc::clone(functions);
        }
        let functions: Arc<[Function]> = match runtime.build(name, false, &Silent) {
            Ok(prepared) if prepared.contract == Contract::Functions => {
                prepared.functions.into_iter().filter(|function| function.unsupported.is_none()).collect()
            }
            Ok(_) => Arc::default(),
            Err(error) => {
                // The tool is listed as it is: whoever calls it is told the same.
                tracing::warn!(tool = name, %error, "the functions of the component are not known");
                Arc::default()
            }
        };
        self.known().insert(path, (stamp, Arc::clone(&functions)));
        functions
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = fs_err::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}
