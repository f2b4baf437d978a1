//! What the kernel says that a container used, by the files of its control groups.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::container::Used;

/// Where engines put a container's groups, below the root of a hierarchy.
fn groups(id: &str) -> [String; 3] {
    [format!("docker/{id}"), format!("system.slice/docker-{id}.scope"), format!("machine.slice/libpod-{id}.scope")]
}

/// What a container has used so far; `None` where its groups are not seen: on another machine, or without any.
pub(crate) fn of(id: &str) -> Option<Used> {
    if id.is_empty() {
        return None;
    }
    groups(id).iter().find_map(|group| unified(group).or_else(|| separate(group)))
}

/// Version 2: one hierarchy for everything.
fn unified(group: &str) -> Option<Used> {
    let folder = Path::new("/sys/fs/cgroup").join(group);
    let cpu = named(&folder.join("cpu.stat"), "usage_usec")?;
    // Kernels before 5.19 do not keep the peak.
    let peak = number(&folder.join("memory.peak")).or_else(|| number(&folder.join("memory.current")))?;
    let killed = named(&folder.join("memory.events"), "oom_kill").unwrap_or_default();
    Some(Used { memory_peak_bytes: peak, cpu_us: cpu, refused_memory: killed > 0 })
}

/// Version 1: a hierarchy for each kind of resource.
fn separate(group: &str) -> Option<Used> {
    let file = |kind: &str, file: &str| -> PathBuf { Path::new("/sys/fs/cgroup").join(kind).join(group).join(file) };
    Some(Used {
        memory_peak_bytes: number(&file("memory", "memory.max_usage_in_bytes"))?,
        cpu_us: number(&file("cpuacct", "cpuacct.usage"))? / 1000,
        refused_memory: number(&file("memory", "memory.failcnt")).is_some_and(|failures| failures > 0),
    })
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The value of a name, where a file has one in each line.
fn named(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
