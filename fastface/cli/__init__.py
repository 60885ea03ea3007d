"""The command line: arguments → settings → one call of a workflow → a report and an exit code."""

import io
import os
import signal
import sys
import traceback

from fastface.errors import FastfaceError, InterruptError

__all__ = ["main"]


def main() -> None:
    """The `fastface` command."""
    _write_anything()
    # typer and the workflows take half a second to import: `fastface` in a script must not pay for an import error's
    # translation, and errors while importing must be told like all others.
    try:
        from fastface.cli.app import app  # noqa: PLC0415

        app()
    except InterruptError as error:
        _tell(str(error))
        sys.exit(128 + error.signal_number)
    except FastfaceError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # before a command is there to end in order
        _tell("interrupted")
        sys.exit(128 + signal.SIGINT)
    except SystemExit as error:
        if error.code == 128 + signal.SIGINT:  # so typer ends a command that was not there yet
            _tell("interrupted")
        raise
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be told, and Python must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception:  # noqa: BLE001 - the top frame of the command line
        traceback.print_exc()
        _tell("internal error: please report the lines above")
        sys.exit(1)


def _write_anything() -> None:
    """Names of files and persons may hold letters that the console's encoding has not: they are escaped, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tell(text: str) -> None:
    for line in text.splitlines() or [""]:
        print(f"fastface: {line}".encode(errors="backslashreplace").decode(), file=sys.stderr)  # noqa: T201
