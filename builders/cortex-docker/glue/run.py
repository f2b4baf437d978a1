# Calls `run` of a module, once with the first argument or standard input, or with `--serve` for every line of standard input.
# The answer follows a record separator: `+` and the result, or `-` and the error. What comes before it is the tool's log.
# Every import costs every call: those that few calls need are made when they are needed.
import importlib
import json
import os
import sys

decode = json.JSONDecoder().decode
ANSWERS = sys.stdout.buffer


def call(run, text):
    try:
        result = run(decode(text))
        if hasattr(result, "cr_await"):
            import asyncio

            result = asyncio.run(result)
    except BaseException as error:
        report(error)
        code = getattr(error, "code", None)
        named = isinstance(code, str) and not isinstance(error, SystemExit)
        data = getattr(error, "data", None)
        message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return fail(code if named else "exception", message, None if data is None else json.dumps(data))
    try:
        return "+" + json.dumps(result, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        return fail("invalid_result", f"`run` returned what is not JSON: {error}")


def fail(code, message, data=None):
    return "-" + json.dumps({"code": code, "message": message, "data": data})


def report(error):
    """Prints a traceback without the frame of this file, which comes first."""
    import traceback

    frames = error.__traceback__
    traceback.print_exception(type(error), error, frames.tb_next if frames else None)


def answer(frame):
    sys.stdout.flush()
    sys.stderr.flush()
    ANSWERS.write(b"\x1e" + frame.encode("utf-8", "replace") + b"\n")
    ANSWERS.flush()


def main():
    entry = sys.argv[1]
    # The tool's own modules are found beside it, and not this file's.
    sys.path[0] = os.path.dirname(os.path.abspath(entry))
    run = importlib.import_module(os.path.splitext(os.path.basename(entry))[0]).run
    given = sys.argv[2:]
    sys.argv[:] = [entry]
    if given == ["--serve"]:
        for line in sys.stdin.buffer:
            answer(call(run, line.decode("utf-8")))
    else:
        answer(call(run, given[0] if given else sys.stdin.buffer.read().decode("utf-8")))


main()
