//! A tool's stage: the copy of its source in which it is built, with what the languages put beside it.
//!
//! It stays, so that the next build finds intermediate results. What a former build left is only trusted when the same
//! program left it and came to its end: files of an older version, or half of what a killed build wrote, are read by
//! compilers like any others, and break a build whose source is right.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use walkdir::WalkDir;

use crate::languages::SDK_FOLDER;
use crate::source::SourceTree;
use crate::store::write_atomically;

/// Who made what lies in the stage beside the source. Absent while a build is under way.
const MADE_BY: &str = "made-by";

/// What is kept from build to build: the languages' own files, and packages.
const KEPT: &[&str] = &[SDK_FOLDER, "node_modules"];

/// A stage in which a build is under way.
pub(crate) struct Stage {
    path: PathBuf,
    maker: String,
}

impl Stage {
    /// Makes the folder hold exactly this tree, and nothing beside it that another maker left, or a build that did not end.
    pub(crate) fn enter(path: PathBuf, tree: &SourceTree, maker: &str) -> io::Result<Self> {
        let mark = path.join(SDK_FOLDER).join(MADE_BY);
        if fs::read_to_string(&mark).is_ok_and(|made_by| made_by == maker) {
            fs::remove_file(&mark)?;
        } else {
            for kept in KEPT {
                remove(&path.join(kept))?;
            }
        }
        copy(tree, &path)?;
        Ok(Self { path, maker: maker.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the build came to its end, well or not.
    pub(crate) fn leave(self) -> io::Result<()> {
        write_atomically(&self.path.join(SDK_FOLDER).join(MADE_BY), self.maker.as_bytes())
    }
}

/// Files that did not change keep their times, so that compilers see what is new.
fn copy(tree: &SourceTree, stage: &Path) -> io::Result<()> {
    fs::create_dir_all(stage)?;
    let files: HashSet<&Path> = tree.files().iter().map(PathBuf::as_path).collect();
    let folders: HashSet<&Path> = files.iter().flat_map(|file| file.ancestors().skip(1)).collect();
    // First what is in the way: a folder where a file is to be, a link that would be written through.
    for entry in WalkDir::new(stage).contents_first(true) {
        let entry = entry?;
        let Ok(path) = entry.path().strip_prefix(stage) else { continue };
        if KEPT.iter().any(|kept| path.starts_with(kept)) {
            continue;
        }
        let kind = entry.file_type();
        let belongs = if kind.is_dir() { folders.contains(path) } else { kind.is_file() && files.contains(path) };
        // Without a file in the tree, the stage itself belongs to nothing.
        if belongs || path == Path::new("") {
            continue;
        }
        if kind.is_dir() { fs::remove_dir(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    for file in tree.files() {
        let (content, to) = (tree.content(file)?, stage.join(file));
        if fs::read(&to).is_ok_and(|staged| staged == content) {
            continue;
        }
        if let Some(directory) = to.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(to, content)?;
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use fs_err as fs;

    use super::Stage;
    use crate::source::SourceTree;

    fn enter(folder: &Path, stage: &Path, maker: &str) -> Stage {
        Stage::enter(stage.to_owned(), &SourceTree::read(folder, "tool.yml").unwrap(), maker).unwrap()
    }

    #[test]
    fn a_stage_holds_exactly_the_tree_whatever_was_in_the_way() {
        let (folder, stage) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/lib.rs"), "new").unwrap();
        fs::write(folder.path().join("main.rs"), "new").unwrap();
        fs::write(folder.path().join("linked.rs"), "new").unwrap();
        // A file where a folder is to be, a folder where a file is to be, a link out of the stage, and what is gone.
        fs::write(stage.path().join("src"), "old").unwrap();
        fs::create_dir_all(stage.path().join("main.rs/deep")).unwrap();
        fs::write(stage.path().join("main.rs/deep/old.rs"), "old").unwrap();
        let outside = folder.path().join(".outside");
        fs::write(&outside, "mine").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&outside, stage.path().join("linked.rs")).unwrap();
        fs::create_dir(stage.path().join("gone")).unwrap();
        fs::write(stage.path().join("gone/gone.rs"), "old").unwrap();
        enter(folder.path(), stage.path(), "this");
        for file in ["src/lib.rs", "main.rs", "linked.rs"] {
            assert_eq!(fs::read_to_string(stage.path().join(file)).unwrap(), "new", "{file}");
        }
        assert!(!stage.path().join("gone").exists());
        assert_eq!(fs::read_to_string(outside).unwrap(), "mine");
    }

    #[test]
    fn what_a_build_left_stays_for_the_same_maker_and_only_if_the_build_ended() {
        let (folder, stage) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let left = [".cortex/glue.py", "node_modules/package.js"].map(|file| stage.path().join(file));
        let build = |maker: &str| {
            let stage = enter(folder.path(), stage.path(), maker);
            for file in &left {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "left").unwrap();
            }
            stage
        };
        let there = || left.each_ref().map(|file| file.exists());
        build("this").leave().unwrap();
        let killed = enter(folder.path(), stage.path(), "this");
        assert_eq!(there(), [true, true]);
        drop(killed);
        enter(folder.path(), stage.path(), "this");
        assert_eq!(there(), [false, false]);
        build("older").leave().unwrap();
        enter(folder.path(), stage.path(), "this");
        assert_eq!(there(), [false, false]);
    }
}
