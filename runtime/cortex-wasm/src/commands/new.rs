//! `cortex-wasm new`

use std::path::Path;

use anyhow::bail;
use cortex_manifest::ToolName;
use cortex_runtime::template;
use fs_err as fs;

use crate::args::New;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

/// Writes a tool that works, into a folder that does not exist or is empty.
pub(super) fn execute(new: &New, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let name = ToolName::new(new.name.as_str())?;
    let kind = new.lang.kind();
    let files = template(kind);
    if files.is_empty() {
        bail!("there is no template for {}", kind.language());
    }
    let folder = new.dir.join(name.as_str());
    if fs::read_dir(&folder).is_ok_and(|mut files| files.next().is_some()) || folder.is_file() {
        bail!("`{}` exists already; choose another name, or remove it first", folder.display());
    }
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap_or(&folder))?;
        fs::write(&path, text.replace("{{name}}", name.as_str()))?;
        printer.note(&format!("wrote {}", path.display()));
    }
    // Below the folders where tools are looked up, the name is enough.
    let found = new.dir == Path::new(crate::args::TOOLS);
    let tool = if found { name.to_string() } else { as_path(&folder) };
    printer.data(&format!("cortex-wasm test {tool}"));
    printer.data(&format!("cortex-wasm run {tool} '{{\"name\": \"you\"}}'"));
    Ok(ExitStatus::Success)
}

/// A path that is not taken for a name, quoted where a shell would split it.
fn as_path(folder: &Path) -> String {
    let dotted = if folder.is_absolute() || folder.starts_with(".") || folder.starts_with("..") {
        folder.to_owned()
    } else {
        Path::new(".").join(folder)
    };
    let text = dotted.display().to_string();
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
