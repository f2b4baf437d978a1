# `def run(args)` as `cortex:tool/handler`: the module is imported once, here, and its function called in every call.
import importlib
import inspect
import json
import sys

import componentize_py_types
import cortex_entry
import cortex_source
import encodings.idna  # noqa: F401  loaded by name when it is needed

from wit_world import exports
from wit_world.exports.handler import ToolError

try:
    cortex_source.entry()
    RUN = importlib.import_module(cortex_entry.MODULE).run
except Exception as error:
    cortex_source.stop(error)

decode = json.JSONDecoder().decode


def fail(code, message, data=None):
    sys.stdout.flush()
    sys.stderr.flush()
    return componentize_py_types.Err(ToolError(code, message, data))


def answer(input):
    result = RUN(decode(input))
    if inspect.iscoroutine(result):
        result = finish(result)
    return result


def finish(coroutine):
    """A coroutine that never really waits; there is no event loop in a sandbox."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("`run` waits for something that needs an event loop, and a sandbox has none")


class Handler(exports.Handler):
    def invoke(self, input: str) -> str:
        cortex_source.fresh()
        try:
            result = answer(input)
        except BaseException as error:
            cortex_source.report(error)
            code = getattr(error, "code", None)
            named = isinstance(code, str) and not isinstance(error, SystemExit)
            data = getattr(error, "data", None)
            message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise fail(code if named else "exception", message, None if data is None else json.dumps(data)) from None
        try:
            text = json.dumps(result, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise fail("invalid_result", f"`run` returned what is not JSON: {error}") from None
        sys.stdout.flush()
        sys.stderr.flush()
        return text
