"""The command line: arguments → settings → one call of a workflow → a report and an exit code."""

import io
import os
import signal
import sys
import traceback

from fastface.errors import FastfaceError, InterruptError

__all__ = ["main"]

_USAGE = 2


def main() -> None:
    """The `fastface` command."""
    _write_anything()
    # typer and the workflows take half a second to import: `fastface` in a script must not pay for an import error's
    # translation, and errors while importing must be told like all others.
    try:
        from fastface.cli.app import app  # noqa: PLC0415

        sys.exit(app(prog_name="fastface", standalone_mode=False) or 0)
    except InterruptError as error:
        _tell(str(error))
        sys.exit(128 + error.signal_number)
    except FastfaceError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # before a command is there to end in order
        _tell("interrupted")
        sys.exit(128 + signal.SIGINT)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be told, and Python must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the top frame of the command line
        if hasattr(error, "format_message"):
            from fastface.cli.usage import usage_line  # noqa: PLC0415

            _tell(usage_line(error))
            sys.exit(_USAGE)
        traceback.print_exc()
        _tell("internal error: please report the lines above")
        sys.exit(1)


def _write_anything() -> None:
    """Names of files and persons may hold letters that the console's encoding has not: they are escaped, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tell(text: str) -> None:
    for line in text.splitlines():
        print(f"fastface: {line}".encode(errors="backslashreplace").decode(), file=sys.stderr)  # noqa: T201
