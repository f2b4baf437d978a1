"""Tells about the host, as far as its /proc and /sys say."""

import json
import os
import platform
import sys

import psutil

# In a container, /proc is the container's own; the host's is mounted beside it.
psutil.PROCFS_PATH = os.environ.get("HOST_PROC", "/proc")
GIB = 1024**3


def get_os():
    uname = platform.uname()
    return {
        "system": uname.system,
        "release": uname.release,
        "version": uname.version,
        "machine": uname.machine,
        "processor": uname.processor,
    }


def get_cpu():
    return {
        "physical_cores": psutil.cpu_count(logical=False),
        "total_cores": psutil.cpu_count(logical=True),
        "cpu_percent": psutil.cpu_percent(interval=0.1),
    }


def get_memory():
    memory = psutil.virtual_memory()
    return {
        "total_gb": round(memory.total / GIB, 2),
        "available_gb": round(memory.available / GIB, 2),
        "used_percent": memory.percent,
    }


def health_check():
    psutil.virtual_memory()
    return {"status": "healthy"}


OPERATIONS = {"get_os": get_os, "get_cpu": get_cpu, "get_memory": get_memory, "health_check": health_check}


def main():
    given = json.loads(sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read())
    operation = OPERATIONS.get(given.get("operation"))
    if operation is None:
        known = ", ".join(OPERATIONS)
        raise ValueError(f"unknown operation {given.get('operation')!r}; there are {known}")
    return {"success": True, "result": operation()}


if __name__ == "__main__":
    try:
        print(json.dumps(main()))
    except Exception as error:
        print(json.dumps({"success": False, "error": str(error)}))
        sys.exit(1)
