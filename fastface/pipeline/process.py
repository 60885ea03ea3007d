"""Start, message and reap one supervised child process, and detect its end.

Each child has one private socket pair and nothing else: no shared queue, lock, semaphore or event, which a killed
process would leave unusable. End of file on the socket is the child's death. Children are plain `python -c` processes
rather than `multiprocessing` ones: no re-import of the user's main module, no resource tracker, no fork of threads.
Commands of the command line fork them from a server that has their modules: see `child_server`.

A child ends with its parent (PR_SET_PDEATHSIG) and ignores the terminal's Ctrl-C (own process group). It runs a
function `serve(connection, descriptor, settings)` that its command line names.
"""

import ctypes
import importlib
import os
import signal
import socket
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any

from fastface.errors import DeviceLostError, FastfaceError
from fastface.failpoints import fail_point
from fastface.pipeline.child_server import ForkedProcess, current_server
from fastface.pipeline.messages import Failed, Heartbeat

_PR_SET_PDEATHSIG = 1
_HEARTBEAT_SECONDS = 1.0
_HALF_MESSAGE_SECONDS = 10
"""Seconds until a child that stops in the middle of a message is killed, in either direction."""


class Child:
    """One child process, seen from its parent.

    Args:
        name: Name for messages and logs, such as `decoder 1`; unique among the living.
        serve: `package.module:function`, called in the child with (connection, descriptor, settings).
        settings: First message to the child.
        descriptor: A file descriptor that the child inherits, or None.
    """

    def __init__(self, name: str, serve: str, settings: object, descriptor: int | None = None) -> None:
        self.name = name
        ours, theirs = socket.socketpair()
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", _HALF_MESSAGE_SECONDS, 0))
        inherited = [theirs.fileno(), *([] if descriptor is None else [descriptor])]
        server = current_server()
        self._process: subprocess.Popen[bytes] | ForkedProcess
        with theirs, ExitStack() as unless_started:
            unless_started.callback(ours.close)
            self._process = _start(serve, inherited) if server is None else server.fork(serve, inherited)
            unless_started.pop_all()
        self.connection = Connection(ours.detach())
        self.send(settings)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, message: object) -> None:
        """Send a message. A dead child does not receive it: `receive` reports the exit."""
        fail_point(f"send.{type(message).__name__}")
        try:
            self.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return
        except BlockingIOError:
            self.kill()

    def receive(self) -> Any:
        """Return the next message; None if the child is dead and no message is left."""
        try:
            return self.connection.recv()
        except BlockingIOError:
            self.kill()
            return None
        except (EOFError, OSError):
            return None

    def reap(self, timeout_seconds: float = 5.0) -> int:
        """Wait for the end and return the exit status, negative for a signal. Kill the child at the timeout."""
        try:
            status = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            status = self._process.wait()
        self.connection.close()
        return status

    def kill(self) -> None:
        """Kill the child at once, even if it is stopped."""
        self._process.kill()

    @property
    def running(self) -> bool:
        """True if the process has not ended yet."""
        return self._process.poll() is None


def _start(serve: str, inherited: list[int]) -> "subprocess.Popen[bytes]":
    """Start a process of Python."""
    root = str(Path(__file__).parents[2])
    connection, descriptor = [*map(str, inherited), "-1"][:2]
    return subprocess.Popen(
        [sys.executable, "-c", _BOOTSTRAP, root, serve, str(os.getpid()), connection, descriptor],
        pass_fds=inherited,
        stdin=subprocess.DEVNULL,
        process_group=0,
    )


# -P and -c keep the working directory off the module path: a file `av.py` in the user's folder must not be imported.
_BOOTSTRAP = """
import sys
sys.path[0:1] = [sys.argv[1]]
from fastface.pipeline.process import child_main
child_main(sys.argv[2:])
"""


class HeartbeatTimer:
    """Report progress of a child's long work to the parent, at intervals."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = monotonic()

    def __call__(self) -> None:
        """Send a heartbeat if one is due."""
        now = monotonic()
        if now - self._last > _HEARTBEAT_SECONDS:
            self._last = now
            self._connection.send(Heartbeat())


def die_with_parent(parent: int) -> None:
    """Make this process end when its parent ends, for whatever reason. Linux only.

    Args:
        parent: The parent's process id: if the parent died before this call, this process ends now.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(0)


def child_main(arguments: list[str]) -> None:
    """Run the child's top frame: every error that escapes becomes a `Failed` message and exit status 1."""
    serve, parent, connection_descriptor, descriptor = arguments
    die_with_parent(int(parent))
    connection = Connection(int(connection_descriptor))
    try:
        settings = connection.recv()
        _function(serve)(connection, int(descriptor), settings)
    except Exception as error:  # noqa: BLE001 - the top frame of a process
        reason = str(error) if isinstance(error, FastfaceError) else f"{type(error).__name__}: {error}"
        with suppress(OSError):  # the parent may be dead, and with it the only receiver
            connection.send(Failed(type(error).__name__, reason, traceback.format_exc()))
        if isinstance(error, DeviceLostError):
            os._exit(1)  # the runtime's own shutdown may wait for the card for ever
        sys.exit(1)


def _function(serve: str) -> Callable[[Connection, int, Any], None]:
    module, _, name = serve.partition(":")
    function: Callable[[Connection, int, Any], None] = getattr(importlib.import_module(module), name)
    return function
