//! Does to files what its input lists, in that order, and answers with what came of each. It fails with the first thing that
//! did not work, unless the input is `tolerant`.

use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};

use serde_json::{Value, json};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, OpenFlags, PathFlags};

fn main() {
    let input = guests::input();
    let calls = input["do"].as_array().expect("a list").iter();
    let answers: Vec<Value> = calls.map(|call| one(call).unwrap_or_else(|error| json!({ "error": error }))).collect();
    if input["tolerant"] != json!(true) {
        if let Some(error) = answers.iter().find_map(|answer| answer["error"].as_str()) {
            println!("{}", json!({ "error": error }));
            std::process::exit(1);
        }
    }
    println!("{}", json!(answers));
}

fn one(call: &Value) -> Result<Value, String> {
    let text = |at: usize| call[at].as_str().unwrap_or_else(|| panic!("{call} lacks a text"));
    let number = |at: usize| call[at].as_u64().unwrap_or_else(|| panic!("{call} lacks a number"));
    let done = |done: io::Result<()>| done.map(|()| Value::Null).map_err(said);
    match text(0) {
        "read" => fs::read_to_string(text(1)).map(|text| json!(text)).map_err(said),
        "write" => done(fs::write(text(1), vec![b'x'; number(2) as usize])),
        "append" => {
            done(OpenOptions::new().append(true).open(text(1)).and_then(|mut file| file.write_all(text(2).as_bytes())))
        }
        // Grows a file without writing a byte of it.
        "grow" => done(OpenOptions::new().write(true).open(text(1)).and_then(|file| file.set_len(number(2)))),
        "truncate" => done(OpenOptions::new().write(true).truncate(true).open(text(1)).map(drop)),
        // The same byte again and again.
        "overwrite" => done(OpenOptions::new().write(true).open(text(1)).and_then(|mut file| {
            (0..number(2)).try_for_each(|_| file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(b"x")))
        })),
        "create" => done((0..number(2)).try_for_each(|number| fs::write(format!("{}{number}", text(1)), ""))),
        "folder" => done(fs::create_dir(text(1))),
        "rename" => done(fs::rename(text(1), text(2))),
        "remove" => done(fs::remove_file(text(1))),
        "hard_link" => done(fs::hard_link(text(1), text(2))),
        "list" => {
            let entries = fs::read_dir(text(1)).map_err(said)?;
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            Ok(json!(names))
        }
        // Without the path resolution of libc: what the host itself makes of a path.
        "raw_open" => raw_open(text(1), text(2), call[3] == json!("write")).map(|_| Value::Null),
        "symlink" => {
            folder(text(1))?.symlink_at(text(2), text(3)).map(|()| Value::Null).map_err(|error| format!("{error:?}"))
        }
        "folders" => Ok(json!(get_directories().into_iter().map(|(_, path)| path).collect::<Vec<_>>())),
        // What is written by whole host calls instead of streams.
        "raw_write" => {
            let file = raw_open(text(1), text(2), true)?;
            file.write(&vec![b'x'; number(3) as usize], 0)
                .map(|written| json!(written))
                .map_err(|error| format!("{error:?}"))
        }
        other => panic!("nobody does `{other}`"),
    }
}

fn said(error: io::Error) -> String {
    error.kind().to_string()
}

fn folder(guest: &str) -> Result<Descriptor, String> {
    let mut folders = get_directories().into_iter();
    folders.find(|(_, path)| path == guest).map(|(folder, _)| folder).ok_or_else(|| format!("there is no `{guest}`"))
}

fn raw_open(guest: &str, path: &str, write: bool) -> Result<Descriptor, String> {
    let (open, flags) = if write {
        (OpenFlags::CREATE, DescriptorFlags::READ | DescriptorFlags::WRITE)
    } else {
        (OpenFlags::empty(), DescriptorFlags::READ)
    };
    folder(guest)?.open_at(PathFlags::SYMLINK_FOLLOW, path, open, flags).map_err(|error| format!("{error:?}"))
}
