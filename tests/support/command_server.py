"""Start `fastface` commands from a process that has their modules loaded already.

Most of a short command's time is the import of NumPy, PyArrow, pydantic and fastface. `CommandServer` keeps one small
process with these imports and forks it for each command. The command is a process of its own, with its own output,
folder, environment and exit code; only its imports are done before. So are those of its children: see `child_forks`.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from importlib import import_module, reload
from pathlib import Path
from pkgutil import walk_packages
from subprocess import CompletedProcess, TimeoutExpired
from typing import Any, NoReturn

from child_forks import fork_children
from places import ROOT

import fastface
from fastface import cli, failpoints
from fastface.backends import openvino_session

_MESSAGE_BYTES = 1 << 20
_LOADED_LATE = (
    *("av.subtitles.stream", "importlib.resources.readers", "multiprocessing.synchronize", "numpy.ma"),
    *("PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PpmImagePlugin", "PIL.TiffImagePlugin"),
    *("pydantic.type_adapter", "rich._emoji_codes", "typer._adapters"),
)
"""Modules that libraries import at the first call: a tenth to a quarter of a short command."""

_READ_LATER = ("FASTFACE_", "XDG_", "PYTEST_")
_ALSO_READ_LATER = {"COLUMNS", "HOME", "TERM", "TMPDIR"}


class CommandServer:
    """The client's side: one command at a time, as `subprocess.run` would run it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE_BYTES)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._inherited = _read_at_start(dict(os.environ))
        atexit.register(self.close)

    def can_run(self, environment: dict[str, str]) -> bool:
        """Return False if a variable differs that Python or a library reads when it starts."""
        return _read_at_start(environment) == self._inherited

    def run(
        self, arguments: list[str], *, folder: Path | None, environment: dict[str, str], timeout: float
    ) -> "CompletedProcess[str]":
        """Run one command to its end.

        Raises:
            TimeoutExpired: It took longer; it is killed.
        """
        order = {"arguments": arguments, "folder": str(folder or Path.cwd()), "environment": environment}
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            socket.send_fds(self._socket, [json.dumps(order).encode()], [out.fileno(), err.fileno()])
            self._socket.settimeout(None)
            pid = self._receive()
            self._socket.settimeout(timeout)
            try:
                status = self._receive()
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self._socket.settimeout(None)
                self._receive()
                raise TimeoutExpired(arguments, timeout) from None
            texts = [_read_text(file) for file in (out, err)]
        return CompletedProcess(arguments, status, *texts)

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.wait(10)

    def _receive(self) -> int:
        message = self._socket.recv(_MESSAGE_BYTES)
        assert message, "the command server ended"
        return int(message)


def _read_at_start(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables that must be there when a process starts: all but those known to be read later."""
    return {
        name: value
        for name, value in environment.items()
        if not (name.startswith(_READ_LATER) or name in _ALSO_READ_LATER)
    }


def _read_text(file: Any) -> str:
    """All of a file, with the newlines of a text pipe."""
    file.seek(0)
    content: bytes = file.read()
    return content.decode().replace("\r\n", "\n").replace("\r", "\n")


def _serve(connection: socket.socket) -> dict[str, Any] | None:
    """Fork for each order; return the order in the child, and None in the server when the client is gone."""
    while True:
        message, descriptors, *_ = socket.recv_fds(connection, _MESSAGE_BYTES, 2)
        if not message:
            return None
        order: dict[str, Any] = json.loads(message)
        pid = os.fork()
        if pid == 0:
            for descriptor, target in zip(descriptors, (1, 2), strict=True):
                os.dup2(descriptor, target)
                os.close(descriptor)
            connection.close()
            return order
        for descriptor in descriptors:
            os.close(descriptor)
        connection.send(str(pid).encode())
        connection.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())


def _load_modules() -> None:
    """Import all of fastface, and the runtime that commands use on a CPU. A runtime starts its threads later."""
    for module in walk_packages(fastface.__path__, "fastface."):
        import_module(module.name)
    for name in _LOADED_LATE:
        import_module(name)
    openvino_session.describe("CPU")
    gc.collect()
    gc.freeze()  # no fork collects these objects at its end: that copied all memory and took 0.2 s


def _run_to_end(function: Callable[[], None]) -> NoReturn:
    """Run a function and exit as Python does, but leave the modules as they are.

    Python takes all modules apart at its end. In a fork this copies all memory. The forks of `multiprocessing` end in
    the same way.
    """
    status = 0
    try:
        function()
    except SystemExit as ending:
        assert ending.code is None or isinstance(ending.code, int), ending.code
        status = ending.code or 0
    except BaseException:  # noqa: BLE001 - the top frame of a process
        traceback.print_exc()
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]  # joins threads
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def _main() -> None:
    sys.path[0:1] = [str(ROOT)]  # not the folder of this file
    _load_modules()
    order = _serve(socket.socket(fileno=int(sys.argv[1])))
    if order is None:
        return
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    reload(failpoints)  # it reads its plan when it is imported
    sys.path[0] = ""  # as under `python -c`
    sys.argv = ["-c", *order["arguments"]]
    fork_children()
    _run_to_end(cli.main)


if __name__ == "__main__":
    _main()
