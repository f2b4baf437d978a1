# What both contracts share: the tool's source is read while the component is built. There are no files later, so
# everything that the source may ever import is imported now, and its text is kept for tracebacks.
import ast
import importlib
import linecache
import os
import sys
import traceback

import cortex_entry

# After the folders that it was given, componentize-py puts the machine's own packages, which are none of the tool's.
sys.path[:] = [path for path in sys.path if not path[1:].isdigit() or int(path[1:]) < cortex_entry.FOLDERS]

import cortex_compat  # noqa: F401  before anything that may need it

if cortex_entry.NETWORK:
    import cortex_network  # noqa: F401  before anything that asks for sockets
import cortex_modules

# Where the source lies while the component is built; its own modules are found there.
ROOT = next(path for path in sys.path if os.path.isfile(os.path.join(path, cortex_entry.FILE)))


class BuildError(Exception):
    pass


def read(path, shown):
    """The text and the tree of a source file, known to tracebacks by the name that its author knows."""
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    for name in (path, shown):
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    return text, ast.parse(text, shown)


def imports(tree):
    """Each import: the module's name, its line, and whether the source fails without it."""

    def walk(node, needed):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield alias.name, child.lineno, needed
            elif isinstance(child, ast.ImportFrom):
                yield "." * child.level + (child.module or ""), child.lineno, needed
                for alias in child.names:  # a name may be a module of the package
                    yield "." * child.level + ".".join(filter(None, [child.module, alias.name])), child.lineno, False
            else:
                guard = isinstance(child, (ast.Try, ast.If, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
                yield from walk(child, needed and not guard)

    return list(walk(tree, True))


def entry():
    """The text of the entry point, after everything was imported that it and its own modules import."""
    text, tree = read(os.path.join(ROOT, cortex_entry.FILE), cortex_entry.SHOWN)
    seen = set()
    waiting = [(tree, cortex_entry.SHOWN, None)]
    while waiting:
        tree, shown, package = waiting.pop()
        for name, line, needed in imports(tree):
            if name == "__future__" or name.endswith("*") or (name.startswith(".") and not package):
                continue
            try:
                importlib.import_module(name, package)
            except SyntaxError:
                raise
            except Exception as error:
                if needed:
                    raise BuildError(f"{shown}:{line}: `{name}` cannot be imported: {error}") from None
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None) or ""
            if path in seen or not path.endswith(".py") or not path.startswith(ROOT + "/"):
                continue
            seen.add(path)
            waiting.append((read(path, path)[1], path.removeprefix(ROOT + "/"), module.__package__))
    cortex_modules.pack()
    return text


def report(error):
    """Prints a traceback without the frames of these files, which come first."""
    frames = error.__traceback__
    while frames and os.path.basename(frames.tb_frame.f_code.co_filename).startswith("cortex_"):
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)


def fresh():
    """At the start of every call: what must differ from call to call and was fixed when the component was built."""
    random = sys.modules.get("random")
    if random:
        random.seed()


def stop(error):
    """Ends the build with the author's file and line instead of this file's."""
    if isinstance(error, BuildError):
        text = str(error)
    elif isinstance(error, SyntaxError):
        text = "".join(traceback.format_exception_only(error))
    else:
        text = "".join(traceback.format_exception(error))
    raise SystemExit("cortex-wasm: " + text.replace(ROOT + "/", "").rstrip() + "\ncortex-wasm: end")
