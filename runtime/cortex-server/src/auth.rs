//! Who may do what: tokens, kept as hashes in a file that its owner alone can read.
//!
//! The threat is whoever reaches the port: another user of the machine, a page in a browser, the network. Without any
//! token a server serves its own machine only, and everybody there may do everything.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cortex_runtime::ToolPattern;
use fs_err as fs;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Seeing and calling tools, and one's own executions.
    Call,
    /// Building tools.
    Build,
    /// Everything, other users' executions and the server's figures included.
    Admin,
}

/// A token as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Whose it is. Executions carry this name.
    pub user: String,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// Which tools it is good for, as patterns such as `web_*`; all of them if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// SHA-256 of the token: whoever reads the file cannot use what is in it.
    sha256: String,
}

/// Why tokens could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Others could read the file.
    #[error("`{}` can be read by others than its owner (mode {mode:o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("`{}` holds no tokens", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A pattern of tools that is none.
    #[error("`{pattern}` is no pattern of tools' names")]
    Pattern {
        /// The pattern.
        pattern: String,
    },
    /// No random numbers.
    #[error("this machine gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// The file could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl TokenError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Exposed { path, .. } => Some(format!("run `chmod 600 {}`", path.display())),
            Self::Malformed { path, .. } => Some(format!("mend or remove `{}`", path.display())),
            Self::Pattern { .. } => Some("a name, or a beginning of names and `*`".into()),
            Self::Random(_) | Self::Io(_) => None,
        }
    }
}

/// The file of tokens.
#[derive(Clone, Debug)]
pub struct TokenFile(PathBuf);

impl TokenFile {
    /// The one of a home folder.
    pub fn of_home(home: &Path) -> Self {
        Self(home.join("tokens.json"))
    }

    /// All tokens.
    pub fn read(&self) -> Result<Vec<Token>, TokenError> {
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&self.0)?.permissions()) & 0o777;
            if mode & 0o077 != 0 {
                return Err(TokenError::Exposed { path: self.0.clone(), mode });
            }
        }
        serde_json::from_str(&text).map_err(|source| TokenError::Malformed { path: self.0.clone(), source })
    }

    /// Makes a token. What is returned is shown once and kept nowhere.
    pub fn create(&self, user: &str, scopes: Vec<Scope>, tools: Vec<String>) -> Result<String, TokenError> {
        parse_patterns(&tools)?;
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(TokenError::Random)?;
        let secret = format!("cortex_{}", hex(&random));
        let mut all = self.read()?;
        all.push(Token { user: user.to_owned(), scopes, tools, sha256: hex(&Sha256::digest(&secret)) });
        self.write(&all)?;
        Ok(secret)
    }

    /// Forgets the tokens of a user. Returns how many there were.
    pub fn revoke(&self, user: &str) -> Result<usize, TokenError> {
        let mut all = self.read()?;
        let before = all.len();
        all.retain(|token| token.user != user);
        self.write(&all)?;
        Ok(before - all.len())
    }

    fn write(&self, all: &[Token]) -> Result<(), TokenError> {
        let folder = self.0.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Whole or not at all, and never readable by others, not even for a moment.
        let mut file = tempfile::Builder::new().prefix(".tokens").tempfile_in(folder)?;
        file.write_all(serde_json::to_string_pretty(all).map_err(io::Error::other)?.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.0).map_err(|error| error.error)?;
        Ok(())
    }
}

/// Who calls.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The user of the token; `None` where no token is needed.
    pub user: Option<Arc<str>>,
    scopes: Arc<[Scope]>,
    tools: Arc<[ToolPattern]>,
}

impl Identity {
    /// Somebody on a server without tokens.
    pub fn anyone() -> Self {
        Self { user: None, scopes: [Scope::Admin].into(), tools: [].into() }
    }

    /// Somebody who has shown no token, where one is needed.
    pub(crate) fn nobody() -> Self {
        Self { user: None, scopes: [].into(), tools: [].into() }
    }

    /// Whether this is allowed.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether a tool may be seen and called, and with [`Scope::Build`] built.
    pub fn may_use(&self, tool: &str) -> bool {
        // The function after a `#` is a part of the tool.
        let name = tool.split('#').next().unwrap_or(tool);
        self.tools.is_empty() || self.tools.iter().any(|pattern| pattern.matches(name))
    }
}

/// The tokens of a server.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Arc<[(Vec<u8>, Identity)]>);

impl Tokens {
    /// Those of a file.
    pub fn new(tokens: &[Token]) -> Result<Self, TokenError> {
        let known = |token: &Token| {
            let identity = Identity {
                user: Some(token.user.as_str().into()),
                scopes: token.scopes.as_slice().into(),
                tools: parse_patterns(&token.tools)?.into(),
            };
            Ok((token.sha256.to_ascii_lowercase().into_bytes(), identity))
        };
        Ok(Self(tokens.iter().map(known).collect::<Result<Vec<_>, TokenError>>()?.into()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose token it is. Takes the same time for every wrong one: hashes are compared, to their ends, with all of them.
    pub fn identify(&self, secret: &str) -> Option<Identity> {
        let hash = hex(&Sha256::digest(secret));
        let mut found = None;
        for (known, identity) in self.0.iter() {
            if bool::from(known.ct_eq(hash.as_bytes())) {
                found = Some(identity);
            }
        }
        found.cloned()
    }
}

fn parse_patterns(patterns: &[String]) -> Result<Vec<ToolPattern>, TokenError> {
    let parse = |pattern: &String| {
        ToolPattern::new(pattern).ok_or_else(|| TokenError::Pattern { pattern: pattern.chars().take(64).collect() })
    };
    patterns.iter().map(parse).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::{Identity, Scope, TokenFile, Tokens};

    #[test]
    fn a_token_is_known_by_its_hash_and_good_for_what_it_was_made_for() {
        let home = tempfile::tempdir().unwrap();
        let file = TokenFile::of_home(home.path());
        let secret = file.create("ann", vec![Scope::Call], vec!["web_*".into()]).unwrap();
        let admin = file.create("bob", vec![Scope::Admin], Vec::new()).unwrap();
        assert!(!fs_err::read_to_string(home.path().join("tokens.json")).unwrap().contains(&secret));
        let tokens = Tokens::new(&file.read().unwrap()).unwrap();
        let ann: Identity = tokens.identify(&secret).unwrap();
        assert_eq!(ann.user.as_deref(), Some("ann"));
        assert!(ann.may(Scope::Call) && !ann.may(Scope::Build) && !ann.may(Scope::Admin));
        assert!(ann.may_use("web_search") && ann.may_use("web_search#f") && !ann.may_use("calculator"));
        assert!(tokens.identify(&admin).unwrap().may(Scope::Build));
        assert!(tokens.identify("cortex_0").is_none());
        assert_eq!(file.revoke("ann").unwrap(), 1);
        assert!(Tokens::new(&file.read().unwrap()).unwrap().identify(&secret).is_none());
    }
}
