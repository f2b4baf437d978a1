# The host of a tool of cortex-wasm: a log, word of how far a call is, and values that outlive it.
"""What the host offers a tool besides WASI.

    import cortex

    cortex.log("info", "began")
    cortex.progress(3, 10, "pages read")
    cortex.state.set("seen", b"3")

The log and the progress are free; `state` needs `permissions: { state: true }` in the manifest. A component holds what its
source names as `cortex.log`, `cortex.state` and so on, or imports by these names from here.

This file works wherever Python does. Where there is no host, on your own machine or in a container, `log` and `progress` write
to standard error, there are no secrets, and `state` raises `StateError`. Copy it beside your source to have it there.
"""
import sys

LEVELS = ("trace", "debug", "info", "warn", "error", "critical")

try:
    import wit_world.imports as _host
except ImportError:
    _host = None
if _host:
    import importlib

    def _interface(name):
        try:
            return importlib.import_module("wit_world.imports." + name)
        except ImportError:
            return None

    _logging, _tool, _store, _atomics = map(_interface, ("logging", "host", "store", "atomics"))


def _of(interface, name):
    """An interface that the component holds only if its source names what needs it."""
    if interface is None:
        raise RuntimeError(f"the component was built without `cortex.{name}`: call it by this name somewhere in the source")
    return interface


def log(level, message, context=""):
    """Writes a line into the record of the call. `level` is one of `LEVELS`, `context` groups lines."""
    if level not in LEVELS:
        raise ValueError(f"{level!r} is no level; there are {', '.join(LEVELS)}")
    if _host:
        logging = _of(_logging, "log")
        logging.log(logging.Level(LEVELS.index(level)), str(context), str(message))
    else:
        print(f"[{level}] {context}: {message}" if context else f"[{level}] {message}", file=sys.stderr)


def progress(done, total=None, message=None):
    """Tells whoever waits for the answer how far the call is: `done` of `total`, in a unit of your own."""
    if _host:
        total, message = None if total is None else float(total), None if message is None else str(message)
        _of(_tool, "progress").progress(float(done), total, message)
    else:
        of = "" if total is None else f" of {total}"
        print(f"[progress] {done}{of}" + ("" if message is None else f": {message}"), file=sys.stderr)


def secret_exists(name):
    """Whether the tool was granted a secret of this name that has a value. The value stays with the host."""
    return bool(_host) and _of(_tool, "secret_exists").secret_exists(name)


class StateError(Exception):
    """A value was not read or kept: no state was granted, or a limit was hit, which the message names."""

    code = "state"


class _State:
    """Values of the tool's own, which outlive its calls. Each method is a transaction. Values are bytes; text is kept as UTF-8."""

    _bucket = None

    def _do(self, name, *arguments):
        """Calls a function of the host, and turns what it says went wrong into an exception."""
        from componentize_py_types import Err

        try:
            if name in ("compare_and_swap", "set_for"):
                return getattr(_of(_tool, "state"), name)(*arguments)
            if self._bucket is None:
                self._bucket = _of(_store, "state").open("default")
            if name == "increment":
                return _atomics.increment(self._bucket, *arguments)
            return getattr(self._bucket, name)(*arguments)
        except Err as error:
            said = error.value
            denied = type(said).__name__ == "Error_AccessDenied"
            raise StateError("the tool was granted no state" if denied else getattr(said, "value", said)) from None

    def _call(self, name, *arguments):
        if not _host:
            raise StateError("there is no state here: only a component has a host that keeps it")
        return self._do(name, *arguments)

    def get(self, key, default=None):
        """The value of a key as bytes, or `default` if there is none."""
        value = self._call("get", key)
        return default if value is None else bytes(value)

    def set(self, key, value, ttl=None):
        """Sets a key to bytes or a text, which is gone after `ttl` seconds if you say so."""
        if ttl is None:
            self._call("set", key, _bytes(value))
        else:
            self._call("set_for", key, _bytes(value), max(0, round(ttl * 1000)))

    def delete(self, key):
        """Removes a key, if it is there."""
        self._call("delete", key)

    def list(self):
        """All keys, in their order."""
        keys, cursor = [], None
        while True:
            page = self._call("list_keys", cursor)
            keys.extend(page.keys)
            cursor = page.cursor
            if cursor is None:
                return keys

    def increment(self, key, delta=1):
        """Adds to a number, which is 0 if there is none, and returns it. It is kept as its decimal digits."""
        return self._call("increment", key, delta)

    def swap(self, key, expected, value):
        """Sets a key to `value` (`None` removes it) if it is `expected` now (`None`: not there), and says whether it did."""
        return self._call("compare_and_swap", key, _bytes(expected), _bytes(value))


def _bytes(value):
    if isinstance(value, str):
        return value.encode()
    return value if value is None or isinstance(value, bytes) else bytes(memoryview(value))


state = _State()
