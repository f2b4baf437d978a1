//! Does what its input lists with files, in its order, and answers what came of each: `{"do": "read", "path": "…"}`. With
//! `times` it does all of it so often and tells the different answers of each.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};

use serde_json::{Value, json};
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

fn main() {
    let input = guests::input();
    let steps = input["steps"].as_array().expect("a list of steps");
    let mut answers = vec![BTreeSet::new(); steps.len()];
    for _ in 0..input["times"].as_u64().unwrap_or(1) {
        for (step, answers) in steps.iter().zip(&mut answers) {
            answers.insert(step_taken(step).unwrap_or_else(|error| format!("failed: {error}")));
        }
    }
    println!("{}", json!(answers));
}

fn step_taken(step: &Value) -> Result<String, String> {
    let text = |name: &str| step[name].as_str().unwrap_or_default();
    let (path, to) = (text("path"), text("to"));
    let said = |error: std::io::Error| error.to_string();
    let bytes = usize::try_from(step["bytes"].as_u64().unwrap_or(5)).unwrap();
    match text("do") {
        "read" => {
            let mut content = String::new();
            File::open(path).and_then(|mut file| file.read_to_string(&mut content)).map_err(said)?;
            Ok(format!("read: {content}"))
        }
        "list" => {
            let entries = fs::read_dir(path).map_err(said)?.flatten();
            let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            Ok(format!("listed: {}", names.join(" ")))
        }
        "stat" => fs::metadata(path).map(|metadata| format!("stat: {}", metadata.len())).map_err(said),
        "write" => fs::write(path, vec![b'w'; bytes]).map(|()| "written".into()).map_err(said),
        "append" => {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.and_then(|mut file| file.write_all(&vec![b'a'; bytes])).map(|()| "appended".into()).map_err(said)
        }
        "overwrite" => {
            let file = OpenOptions::new().read(true).write(true).open(path);
            file.and_then(|mut file| file.rewind().and_then(|()| file.write_all(b"over")))
                .map(|()| "overwritten".into())
                .map_err(said)
        }
        "truncate" => {
            OpenOptions::new().write(true).truncate(true).open(path).map(|_| "truncated".into()).map_err(said)
        }
        // A file that is only opened for reading, and truncated in the same breath (GHSA-2r75).
        "truncate while reading" => raw(path, OpenFlags::TRUNCATE, DescriptorFlags::READ).map(|_| "truncated".into()),
        "set size" => raw(path, OpenFlags::empty(), DescriptorFlags::READ)?
            .set_size(step["bytes"].as_u64().unwrap_or(0))
            .map(|()| "resized".into())
            .map_err(|error| format!("{error:?}")),
        "grow" => raw(path, OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE)?
            .set_size(step["bytes"].as_u64().unwrap_or(0))
            .map(|()| "grown".into())
            .map_err(|error| format!("{error:?}")),
        "write far" => raw(path, OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE)?
            .write(b"far", step["bytes"].as_u64().unwrap_or(0))
            .map(|_| "written".into())
            .map_err(|error| format!("{error:?}")),
        "set times" => {
            let file = raw(path, OpenFlags::empty(), DescriptorFlags::READ)?;
            let now = wasip2::filesystem::types::NewTimestamp::Now;
            file.set_times(now, now).map(|()| "touched".into()).map_err(|error| format!("{error:?}"))
        }
        "create directory" => fs::create_dir(path).map(|()| "created".into()).map_err(said),
        "remove" => fs::remove_file(path).map(|()| "removed".into()).map_err(said),
        "remove directory" => fs::remove_dir(path).map(|()| "removed".into()).map_err(said),
        "rename" => fs::rename(path, to).map(|()| "renamed".into()).map_err(said),
        "link" => fs::hard_link(path, to).map(|()| "linked".into()).map_err(said),
        // std checks nothing here, and neither does this.
        "symlink" => {
            let (directory, to) = below(to)?;
            directory.symlink_at(path, &to).map(|()| "linked".into()).map_err(|error| format!("{error:?}"))
        }
        // The path goes to the host as it is, relative to the first directory.
        "open raw" => raw(path, OpenFlags::empty(), DescriptorFlags::READ).map(|file| {
            let content = file.read(100, 0).map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned());
            format!("opened: {content:?}")
        }),
        "files" => {
            let count = step["count"].as_u64().unwrap_or(0);
            let made = (0..count).take_while(|number| File::create(format!("{path}/{number}")).is_ok());
            Ok(format!("files: {}", made.count()))
        }
        "fill" => {
            let mut file = File::create(path).map_err(said)?;
            let mut written = 0_u64;
            while written < step["bytes"].as_u64().unwrap_or(0) && file.write_all(&[b'f'; 4096]).is_ok() {
                written += 4096;
            }
            Ok(format!("filled: {written}"))
        }
        other => panic!("there is no step `{other}`"),
    }
}

/// Opens a path with flags that std does not combine.
fn raw(path: &str, open: OpenFlags, flags: DescriptorFlags) -> Result<Descriptor, String> {
    let (directory, path) = below(path)?;
    directory.open_at(PathFlags::SYMLINK_FOLLOW, &path, open, flags).map_err(|error| format!("{error:?}"))
}

/// The directory that a path begins with, and the rest of it; the first one for any other path.
fn below(path: &str) -> Result<(Descriptor, String), String> {
    let mut directories = wasip2::filesystem::preopens::get_directories();
    let at = directories
        .iter()
        .position(|(_, name)| path.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/')));
    if directories.is_empty() {
        return Err("no directory is open".into());
    }
    let (directory, name) = directories.swap_remove(at.unwrap_or(0));
    let rest = if at.is_some() { path[name.len() + 1..].to_owned() } else { path.to_owned() };
    Ok((directory, rest))
}
