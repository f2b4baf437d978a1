//! The operator's secrets: a file that its owner alone can read, and the operator's environment.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cortex_manifest::VariableName;
use cortex_sandbox::Secret;
use fs_err as fs;

/// What the name of a variable of the operator's environment begins with that holds a secret: `CORTEX_SECRET_API_KEY`
/// is the secret `API_KEY`. It beats the file.
pub const SECRET_VARIABLE: &str = "CORTEX_SECRET_";

/// Secrets by name.
#[derive(Clone, Debug)]
pub struct Secrets {
    file: PathBuf,
}

/// Why secrets could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Others could read the file.
    #[error("`{}` can be read by others than its owner (mode {mode:o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("`{}` is no JSON object of texts", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// A secret must be long enough to be kept out of logs without hiding innocent words.
    #[error("the value has {bytes} bytes, fewer than {}", Secret::BYTES_MIN)]
    TooShort {
        /// Its length.
        bytes: usize,
    },
    /// It would end the header it stands in.
    #[error("the value contains a control character, such as a line break")]
    ControlCharacter,
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl SecretError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exposed { path, .. } => Some(format!("run `chmod 600 {}`", path.display())),
            Self::Malformed { path } => Some(format!("mend or remove `{}`", path.display())),
            Self::TooShort { .. } | Self::ControlCharacter | Self::Io(_) => None,
        }
    }
}

impl Secrets {
    /// Those kept below a home folder.
    pub fn new(home: &Path) -> Self {
        Self { file: home.join("secrets.json") }
    }

    /// The names, sorted.
    pub fn names(&self) -> Result<Vec<String>, SecretError> {
        Ok(self.read()?.into_keys().collect())
    }

    /// Keeps a value under a name, in place of what was there.
    pub fn set(&self, name: &VariableName, value: &str) -> Result<(), SecretError> {
        check(value)?;
        let mut all = self.read()?;
        all.insert(name.to_string(), value.to_owned());
        self.write(&all)
    }

    /// Forgets a value. Says whether there was one.
    pub fn delete(&self, name: &VariableName) -> Result<bool, SecretError> {
        let mut all = self.read()?;
        let was_there = all.remove(name.as_str()).is_some();
        if was_there {
            self.write(&all)?;
        }
        Ok(was_there)
    }

    /// All secrets, those of the operator's environment first.
    pub(crate) fn values(
        &self,
        environment: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, SecretError> {
        let mut all = self.read()?;
        for (name, value) in environment {
            if let Some(name) = name.strip_prefix(SECRET_VARIABLE) {
                check(value)?;
                all.insert(name.to_owned(), value.clone());
            }
        }
        Ok(all)
    }

    fn read(&self) -> Result<BTreeMap<String, String>, SecretError> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(error.into()),
        };
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&self.file)?.permissions()) & 0o777;
            if mode & 0o077 != 0 {
                return Err(SecretError::Exposed { path: self.file.clone(), mode });
            }
        }
        serde_json::from_str(&text).map_err(|_| SecretError::Malformed { path: self.file.clone() })
    }

    /// Whole or not at all, and never readable by others, not even for a moment.
    fn write(&self, all: &BTreeMap<String, String>) -> Result<(), SecretError> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".secrets").tempfile_in(folder)?;
        file.write_all(serde_json::to_string_pretty(all).map_err(io::Error::other)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }
}

fn check(value: &str) -> Result<(), SecretError> {
    if value.len() < Secret::BYTES_MIN {
        return Err(SecretError::TooShort { bytes: value.len() });
    }
    if value.chars().any(char::is_control) { Err(SecretError::ControlCharacter) } else { Ok(()) }
}
