"""Run the `fastface` command: arguments → settings → one call of a workflow → a report and an exit code.

`main` is the entry point of the installed script. It must import little before it can report an error.
"""

import atexit
import gc
import io
import json
import os
import signal
import sys
import traceback
from typing import NoReturn

from fastface.errors import FastfaceError

__all__ = ["main"]

_USAGE = 2

_ALLOCATIONS_TO_COLLECT = 250_000
"""New objects until a collection of the young ones. Python's default of 700 takes a tenth of a command over the records
of 100,000 videos. A short command, which has 110,000 objects after its imports, ends without a collection."""


def main() -> None:
    """Run the command line and exit with its exit code."""
    _write_anything()
    # What is imported stays to the end. Collections while importing and at exit took a fifth of a short command.
    gc.set_threshold(_ALLOCATIONS_TO_COLLECT)
    atexit.register(gc.freeze)
    # typer and the workflows take half a second to import. They are imported here, so that errors while importing are
    # reported like all others.
    try:
        from fastface.cli.app import app  # noqa: PLC0415

        sys.exit(app(prog_name="fastface", standalone_mode=False) or 0)
    except FastfaceError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:  # no command runs yet that could end in order
        _end("interrupted", 128 + signal.SIGINT)
    except SystemExit as error:
        if error.code == 128 + signal.SIGINT:  # typer's exit code for an interrupt before the command started
            _end("interrupted", 128 + signal.SIGINT)
        raise
    except BrokenPipeError:
        # The reader of our output is gone; Python must not write to it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the top frame of the command line
        if hasattr(error, "format_message"):
            from fastface.cli.usage import usage_line  # noqa: PLC0415

            _end(usage_line(error), _USAGE)
        traceback.print_exc()
        _end("internal error: please report the lines above", 1)


def _end(text: str, exit_code: int) -> NoReturn:
    """Print an error and exit; with `--json`, print it also as an object on standard output."""
    _tell(text)
    _report_error(text, exit_code)
    sys.exit(exit_code)


def _report_error(text: str, exit_code: int) -> None:
    options = sys.argv[1:]
    options = options[: options.index("--")] if "--" in options else options
    if "--json" in options:
        valid = text.encode(errors="backslashreplace").decode()
        error = {"message": valid, "lines": valid.splitlines(), "exit_code": exit_code}
        print(json.dumps({"error": error}, indent=2))  # noqa: T201


def _write_anything() -> None:
    """Escape letters of names that the console's encoding does not have, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tell(text: str) -> None:
    for line in text.splitlines():
        print(f"fastface: {line}".encode(errors="backslashreplace").decode(), file=sys.stderr)  # noqa: T201
