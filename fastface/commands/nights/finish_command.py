"""Start the command of `--on-finish` at the end of `run` and `scan`, whatever their end; never through a shell.

The CLI and `api` put `finish_command` around the workflow, after which OUT is free for other commands. The command has
run.json on its standard input, and its output goes to standard error. It cannot change the results or the exit code.
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fastface.config import Config
from fastface.errors import FastfaceError, InterruptError
from fastface.runtime.events.observer import Observer
from fastface.runtime.shutdown import StopRequest, interruptible

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL."""


@dataclass(slots=True)
class Ending:
    """The end of a workflow."""

    exit_code: int = 1  # that of an internal error, until the workflow has ended


@contextmanager
def finish_command(config: Config, out: Path, observer: Observer) -> Iterator[Ending]:
    """Start the command of `run.on_finish`, if there is one, whenever the context ends.

    A workflow that returns sets `exit_code`; an error sets its own. The command gets run.json only if the context has
    written it: that of an earlier run would mislead.

    Args:
        config: The settings.
        out: The output folder.
        observer: Receives the failure of the command.
    """
    ending, before = Ending(), _identify(out / "run.json")
    try:
        yield ending
    except FastfaceError as error:
        ending.exit_code = error.exit_code
        raise
    except KeyboardInterrupt:  # no workflow runs yet that could end in order
        ending.exit_code = 128 + signal.SIGINT
        raise
    finally:
        if config.run.on_finish is not None:
            report = out / "run.json"
            source = report if _identify(report) != before else Path(os.devnull)
            words = shlex.split(config.run.on_finish)
            variables = {"FASTFACE_OUT": str(out.absolute()), "FASTFACE_EXIT_CODE": str(ending.exit_code)}
            if failure := _run_command(words, source, variables, config.run.on_finish_seconds):
                observer.report_failure(f"--on-finish: {words[0]!r} {failure}; the results are unchanged")


def _identify(path: Path) -> tuple[int, int] | None:
    """Return what differs once a file is replaced; None if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _run_command(words: Sequence[str], source: Path, variables: dict[str, str], seconds: float) -> str:
    """Run a command to its end; return how it failed, empty if it did not.

    It has its own process group, so that a stop reaches all its processes. A signal to this process stops it too.
    """
    with interruptible(seconds) as stop, source.open("rb") as report:
        try:
            process = subprocess.Popen(
                words, stdin=report, stdout=2, stderr=2, env={**os.environ, **variables}, process_group=0
            )
        except OSError as error:
            return f"could not be started: {error.strerror}"
        try:
            code = _wait(process, stop)
        except InterruptError:  # the second signal
            _signal_group(process, signal.SIGKILL)
            process.wait()
            code = None
    if code is None:
        limit = f"after {seconds:g} s, the limit of run.on_finish_seconds"
        return f"was stopped {'by a signal' if stop() else limit}"
    return f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}" if code else ""


def _wait(process: "subprocess.Popen[bytes]", stop: StopRequest) -> int | None:
    """Return the exit code of a process; None if it had to be stopped with its group."""
    while not stop.wants_end():
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL_SECONDS)
    _signal_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    _signal_group(process, signal.SIGKILL)  # also for children that ignore SIGTERM
    process.wait()
    return None


def _signal_group(process: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(ProcessLookupError):  # the whole group has ended
        os.killpg(process.pid, number)
