# Modules that are imported late, from inside of functions: there are no files when a tool runs, so the text of every
# module that it could import is kept in memory, packed, and compiled when it is asked for. CPython does the same to itself:
# `datetime.strptime` imports `_strptime` at its first call.
import importlib.abc
import importlib.util
import os
import sys
import zlib

# Of the standard library: what needs a screen, a terminal, other processes, or builds Python itself.
LEFT_OUT = {
    "__phello__", "__pycache__", "_pyrepl", "concurrent", "ctypes", "curses", "dbm", "ensurepip", "idlelib", "lib2to3",
    "multiprocessing", "pydoc_data", "pydoc.py", "site-packages", "test", "tests", "tkinter", "turtle.py", "turtledemo",
    "venv", "xmlrpc",
}
PACKED = {}


def pack():
    """Keeps every module below the folders of `sys.path`, called once, while the component is built."""
    for root in sys.path:
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(name for name in folders if name not in LEFT_OUT and name.isidentifier())
            for file in sorted(files):
                if file in LEFT_OUT or not file.endswith(".py"):
                    continue
                path = os.path.join(folder, file)
                name = os.path.relpath(path, root).removesuffix(".py").replace(os.sep, ".")
                package = name.endswith("__init__")
                name = name.removesuffix("__init__").rstrip(".")
                if name and name not in sys.modules and name not in PACKED:
                    with open(path, "rb") as text:
                        PACKED[name] = (path, package, zlib.compress(text.read(), 9))
    # The files are gone when the tool runs: looking for them would only take time.
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder.__name__ != "PathFinder"] + [Packed()]


class Packed(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    __name__ = "Packed"

    def find_spec(self, name, path=None, target=None):
        if name not in PACKED:
            return None
        file, package, _ = PACKED[name]
        spec = importlib.util.spec_from_loader(name, self, origin=file, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [os.path.dirname(file)]
        return spec

    def is_package(self, name):
        return PACKED[name][1]

    def get_source(self, name):
        return importlib.util.decode_source(zlib.decompress(PACKED[name][2]))

    def get_code(self, name):
        return self.source_to_code(self.get_source(name), PACKED[name][0])
