# An unmodified program as `wasi:cli/run`: its source is compiled once, here, and run as `__main__` in every call.
import sys
import types

import cortex_entry
import cortex_source
import encodings.idna  # noqa: F401  loaded by name when it is needed

from wit_world import exports
from wit_world.imports import environment
from wit_world.imports import exit as wasi_exit

try:
    CODE = compile(cortex_source.entry(), cortex_entry.SHOWN, "exec")
except Exception as error:
    cortex_source.stop(error)


def run():
    main = types.ModuleType("__main__")
    main.__file__ = cortex_entry.SHOWN
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    try:
        exec(CODE, main.__dict__)
        return 0
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        cortex_source.report(error)
        return 1


class Run(exports.Run):
    def run(self):
        cortex_source.fresh()
        sys.argv = list(environment.get_arguments())
        sys.argv[0:1] = [cortex_entry.SHOWN]
        code = run()
        try:
            sys.stdout.flush()
        finally:
            sys.stderr.flush()
        if code:
            wasi_exit.exit_with_code(code)
