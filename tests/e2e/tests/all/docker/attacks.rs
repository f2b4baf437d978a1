//! What a hostile tool tries in its container, and what becomes of it.

use cortex_runtime::{CallOptions, Ending, Overrides, Runtime};
use fs_err as fs;
use serde_json::{Value, json};

use super::{Place, call, left, policy, said};
use crate::host::block_on;
use crate::source::answer;

/// Each attack is a function; what it finds out is its answer.
const ATTACKS: &str = r##"
import ctypes, json, os, socket, subprocess, sys, time

def connects(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
        return True
    except OSError as error:
        return str(error)

def network(): return {name: connects(*to) for name, to in {
    "internet": ("1.1.1.1", 443), "metadata": ("169.254.169.254", 80), "bridge": ("172.17.0.1", 22), "ipv6": ("2606:4700::1111", 443)}.items()}
def names(): return connects("example.com", 80)
def interfaces(): return [name for _, name in socket.if_nameindex()]
def fork_bomb():
    count = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(1000)
            count += 1
    except OSError:
        return count
def memory():
    held = []
    while True:
        held.append(bytearray(16 << 20))
def disk():
    written = 0
    try:
        for number in range(100):
            with open(f"/tmp/{number}", "wb") as file:
                for _ in range(64):
                    written += file.write(b"x" * (1 << 20))
    except OSError as error:
        return [written, error.errno]
def one_file():
    with open("/tmp/large", "wb") as file:
        while True:
            file.write(b"x" * (1 << 20))
def read_only():
    refused = 0
    for path in ["/tool/new", "/etc/new", "/usr/bin/new", "/var/new", "/new"]:
        try:
            open(path, "w")
        except OSError:
            refused += 1
    return refused
def output():
    while True:
        print("x" * (1 << 16))
def errors():
    for _ in range(128):
        print("x" * (1 << 16), file=sys.stderr)
    return "done"
def execute():
    with open("/tmp/program", "w") as file:
        file.write("#!/bin/sh\necho ran\n")
    os.chmod("/tmp/program", 0o755)
    try:
        return subprocess.run(["/tmp/program"], capture_output=True).stdout.decode()
    except OSError as error:
        return error.errno
def who():
    status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
    return {name: status[name].split()[0] for name in ["Uid", "Gid", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp"]}
def capabilities():
    libc = ctypes.CDLL(None, use_errno=True)
    tries = {
        "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        "chroot": lambda: libc.chroot(b"/tmp"),
        "sethostname": lambda: libc.sethostname(b"mine", 4),
        "setuid": lambda: libc.setuid(0),
        "unshare": lambda: libc.unshare(0x10000000),
        "mknod": lambda: libc.mknod(b"/tmp/disk", 0o60600, 0x800),
        "chown": lambda: libc.chown(b"/tmp", 0, 0),
        "raw socket": lambda: libc.socket(2, 3, 1),
        "settime": lambda: libc.clock_settime(0, (ctypes.c_long * 2)(0, 0)),
        "keyring": lambda: libc.syscall(248, b"user", b"name", b"value", 5, -3),
        "bpf": lambda: libc.syscall(321, 0, 0, 0),
        "module": lambda: libc.syscall(175, 0, 0, 0),
    }
    return [name for name, attempt in tries.items() if attempt() != -1]
def escape():
    found = [path for path in ["/var/run/docker.sock", "/run/docker.sock", "/dev/sda", "/dev/vda", "/dev/mem", "/host"] if os.path.exists(path)]
    for path, text in [("/proc/sys/kernel/core_pattern", "|/tmp/x"), ("/proc/sysrq-trigger", "b"), ("/sys/fs/cgroup/release_agent", "/tmp/x"),
                       ("/proc/self/oom_score_adj", "-1000"), ("/proc/sys/kernel/hostname", "mine")]:
        try:
            with open(path, "w") as file:
                file.write(text)
            found.append(path)
        except OSError:
            pass
    return found
def ptrace():
    libc = ctypes.CDLL(None, use_errno=True)
    mine = {int(name) for name in os.listdir("/proc") if name.isdigit()}
    # Whatever has a number here is of this container; everything else does not exist.
    attached = [pid for pid in range(2, 40000, 37) if pid not in mine and libc.ptrace(16, pid, 0, 0) == 0]
    return {"attached": attached, "processes": len(mine), "first": open("/proc/1/cmdline").read().split("\0")[0]}
def leftover():
    subprocess.Popen(["sleep", "1000"], start_new_session=True)
    return "left"
def secrets(): return sorted(name for name in os.environ if "SECRET" in name or "TOKEN" in name or name.startswith(("CARGO", "PIP", "DOCKER")))
def waits(): time.sleep(1000)
def crash(): ctypes.string_at(0)

given = json.loads(sys.argv[1])
print(json.dumps(globals()[given["do"]]()))
"##;

fn place() -> (Place, Runtime) {
    let place = Place::new();
    let resources = "resources: { memory: 256M, timeout: 60, disk: 16M, output: 64k }";
    place.add("attack", &format!("entrypoint: attack.py, {resources}"), "", &[("attack.py", ATTACKS)]);
    let runtime = place.runtime();
    (place, runtime)
}

fn attack(runtime: &Runtime, name: &str) -> Value {
    let execution = call(runtime, "attack", &json!({ "do": name }));
    assert_eq!(execution.ending, Ending::Success, "{name}: {}", said(&execution));
    answer(&execution)
}

fn ending(runtime: &Runtime, name: &str) -> Ending {
    call(runtime, "attack", &json!({ "do": name })).ending
}

#[test]
fn nothing_is_reached_over_any_network() {
    let (_place, runtime) = place();
    let answer = attack(&runtime, "network");
    assert!(answer.as_object().unwrap().values().all(Value::is_string), "{answer}");
    assert!(attack(&runtime, "names").is_string());
    assert_eq!(attack(&runtime, "interfaces"), json!(["lo"]));
    runtime.close().unwrap();
}

#[test]
fn processes_are_counted_and_memory_is_bounded() {
    let (place, runtime) = place();
    let forked = attack(&runtime, "fork_bomb");
    assert!(forked.as_u64().unwrap() < 128, "{forked}");
    let execution = call(&runtime, "attack", &json!({ "do": "memory" }));
    assert_eq!(execution.ending, Ending::MemoryExceeded, "{}", said(&execution));
    assert!(execution.usage.memory_peak_bytes > 32 << 20, "{:?}", execution.usage);
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn files_are_bounded_and_the_image_is_not_written_to() {
    let (_place, runtime) = place();
    let answer = attack(&runtime, "disk");
    let written = answer[0].as_u64().unwrap();
    assert!(written > 0 && written <= 16 << 20, "{answer}");
    assert_ne!(ending(&runtime, "one_file"), Ending::Success);
    assert_eq!(attack(&runtime, "read_only"), 5);
    // 13 is EACCES: nothing that a tool writes can be started.
    assert_eq!(attack(&runtime, "execute"), 13);
    runtime.close().unwrap();
}

#[test]
fn output_is_bounded_while_it_is_read() {
    let (_place, runtime) = place();
    assert_eq!(ending(&runtime, "output"), Ending::OutputExceeded);
    let execution = call(&runtime, "attack", &json!({ "do": "errors" }));
    assert_eq!(execution.ending, Ending::Success, "{}", said(&execution));
    assert!(execution.stderr.text.len() <= 64 << 10 && execution.stderr.dropped_bytes > 7 << 20);
    runtime.close().unwrap();
}

#[test]
fn a_tool_is_nobody_and_has_no_capability() {
    let (_place, runtime) = place();
    let none = "0000000000000000";
    let expected = json!({
        "Uid": "65532", "Gid": "65532", "CapEff": none, "CapPrm": none, "CapBnd": none, "NoNewPrivs": "1", "Seccomp": "2"
    });
    assert_eq!(attack(&runtime, "who"), expected);
    assert_eq!(attack(&runtime, "capabilities"), json!([]));
    assert_eq!(attack(&runtime, "escape"), json!([]));
    assert_eq!(attack(&runtime, "secrets"), json!([]));
    runtime.close().unwrap();
}

#[test]
fn other_processes_are_neither_seen_nor_reached() {
    let (_place, runtime) = place();
    let answer = attack(&runtime, "ptrace");
    assert_eq!(answer["attached"], json!([]));
    assert!(
        answer["processes"].as_u64().unwrap() < 10 && answer["first"].as_str().unwrap().ends_with("init"),
        "{answer}"
    );
    runtime.close().unwrap();
}

#[test]
fn what_a_tool_leaves_running_ends_with_its_call() {
    let (place, runtime) = place();
    assert_eq!(attack(&runtime, "leftover"), "left");
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn time_is_bounded_and_a_crash_is_one() {
    let (place, runtime) = place();
    let limits = Overrides { timeout: Some(std::time::Duration::from_millis(300)), ..Overrides::default() };
    let options = CallOptions { limits, ..CallOptions::default() };
    let execution = block_on(runtime.call("attack", &json!({ "do": "waits" }), options)).unwrap();
    assert_eq!(execution.ending, Ending::DeadlineExceeded, "{}", said(&execution));
    assert_eq!(ending(&runtime, "crash"), Ending::Trap);
    runtime.close().unwrap();
    assert_eq!(left(place.home.path()), []);
}

#[test]
fn only_granted_folders_are_there_and_reading_is_not_writing() {
    let place = Place::new();
    let program = "import json, os, sys\nout = {'there': sorted(os.listdir('/data')), 'secret': os.path.exists('/outside')}\n\
                   try:\n    open('/data/new', 'w')\n    out['wrote'] = True\nexcept OSError as error:\n    out['wrote'] = error.errno\n\
                   print(json.dumps(out))\n";
    let outside = place.home.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    let folders = format!(
        "permissions: {{ filesystem: [{{ host: ./data, guest: /data }}, {{ host: \"{}\", guest: /outside }}] }}",
        outside.display()
    );
    let root = place.add("folders", "entrypoint: main.py", &folders, &[("main.py", program)]);
    fs::create_dir_all(root.join("data")).unwrap();
    fs::write(root.join("data/one"), "1").unwrap();
    let runtime = place.runtime();
    let execution = call(&runtime, "folders", &json!({}));
    // 30 is EROFS. The folder outside of the tool's own was not granted by anybody.
    assert_eq!(answer(&execution), json!({ "there": ["one"], "secret": false, "wrote": 30 }), "{}", said(&execution));
    let refused = &execution.decisions[0];
    assert!(!refused.allowed && refused.capability == "filesystem", "{refused:?}");
    runtime.close().unwrap();

    let granted =
        policy(&place, "tools: [{ tool: folders, grant: { filesystem: [{ host: ./outside, access: read }] } }]");
    let runtime = place.runtime_with(|settings| cortex_runtime::Settings { policy: granted, ..settings });
    assert_eq!(answer(&call(&runtime, "folders", &json!({})))["secret"], true);
    runtime.close().unwrap();
}
