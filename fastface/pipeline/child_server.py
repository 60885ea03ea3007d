"""Fork the children of a command from one process that has imported their modules once.

Half of a short command was the start of Python and the imports in its decoders, workers, photo reader and exporters.
`serve_children` announces a server, and `process.Child` then gets its processes from it. Only commands of the command
line use it: it makes this process adopt orphans (PR_SET_CHILD_SUBREAPER), which a user's own program must not.

The server has no threads of its own, reads no foreign file and loads no network. The process between it and a child
ends at once, so each child is a child of the command, as one that is started afresh. The command alone waits for it.
If the server is killed, living children go on, and the next child gets a new server.
"""

import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from fastface.errors import FastfaceError, WorkerError

ANALYSIS = ("fastface.pipeline.inference.worker", "fastface.backends.openvino_session:import_openvino")
"""What every child imports that runs networks."""
SCAN = (*ANALYSIS, "fastface.pipeline.decoder")
PHOTOS = (*ANALYSIS, "fastface.enrollment.process")
EXPORT = ("fastface.export.process",)

_MESSAGE_BYTES = 1 << 16
_STARTS_TO_GIVE_UP = 3
_PR_SET_CHILD_SUBREAPER = 36


class ForkedProcess:
    """A forked child of this process: the part of `subprocess.Popen` that `process.Child` uses."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while the child runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end.

        Raises:
            subprocess.TimeoutExpired: The child still runs.
        """
        if self.poll() is None:
            ended = os.pidfd_open(self.pid)
            try:
                select.select([ended], [], [], timeout)
            finally:
                os.close(ended)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return status

    def kill(self) -> None:
        """Kill the child, unless its end is known."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class ChildServer:
    """The server, seen from the command.

    Args:
        modules: Modules to import while no order waits, in this order; see `_import`.
    """

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def adopt(self, connection: socket.socket) -> None:
        """Use a server that runs already, on the other end of a connection."""
        adopt_orphans()
        self._socket = connection

    def start(self) -> None:
        """Start the server, unless it runs."""
        if self._socket is not None:
            return
        adopt_orphans()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root = str(Path(__file__).parents[2])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _BOOTSTRAP, root, str(os.getpid()), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,
            )
        with suppress(OSError):  # `fork` handles a server that has ended
            self._socket.send(json.dumps(self._modules).encode())

    def fork(self, serve: str, descriptors: Collection[int]) -> ForkedProcess:
        """Start a child that runs `process.child_main` with these descriptors.

        Raises:
            WorkerError: The server ends again and again.
        """
        order = json.dumps([serve, os.getpid()]).encode()
        for _ in range(_STARTS_TO_GIVE_UP):
            self.start()
            assert self._socket is not None
            with suppress(OSError):
                socket.send_fds(self._socket, [order], list(descriptors))
                if answer := self._socket.recv(_MESSAGE_BYTES):
                    return ForkedProcess(int(answer))
            self.close()
        raise WorkerError("the server of processes", None, "it ended before it started a process")

    def close(self) -> None:
        """End the server. Its children go on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


_servers: list[ChildServer] = []
"""The server of this process, if there is one."""


@contextmanager
def serve_children(*modules: str, starts_now: bool) -> Iterator[None]:
    """Fork all children of this process from one server, until the end of the context.

    Args:
        modules: Modules that the children need, the most urgent first.
        starts_now: True to start the server now; false to start it with the first child.
    """
    if _servers:
        yield
        return
    server = ChildServer(list(dict.fromkeys(modules)))
    if starts_now:
        server.start()
    _servers.append(server)
    try:
        yield
    finally:
        _servers.remove(server)
        server.close()


def end_server() -> None:
    """End the server of this process until the next child needs it."""
    for server in _servers:
        server.close()


def use_server(server: ChildServer) -> None:
    """Fork all children of this process from a server, to its end."""
    _servers.append(server)


def current_server() -> ChildServer | None:
    """Return the server of this process."""
    return _servers[0] if _servers else None


def adopt_orphans() -> None:
    """Make children of ended children children of this process. Linux only."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


# ── in the server ───────────────────────────────────────────────────────────────────────────────────────────────────

_BOOTSTRAP = """
import sys
sys.path[0:1] = [sys.argv[1]]
from fastface.pipeline.child_server import server_main
server_main(int(sys.argv[2]), int(sys.argv[3]))
"""


def server_main(parent: int, descriptor: int) -> NoReturn:
    """Run the server until the command ends or closes its connection."""
    from fastface.pipeline.process import die_with_parent  # noqa: PLC0415 - the command imports less

    die_with_parent(parent)
    connection = socket.socket(fileno=descriptor)
    serve_forks(connection, json.loads(connection.recv(_MESSAGE_BYTES) or "[]"))


def serve_forks(connection: socket.socket, modules: Sequence[str] = ()) -> NoReturn:
    """Fork for each order, and import the modules meanwhile. This process must have one thread."""
    waiting = deque(modules)
    while True:
        if waiting and not select.select([connection], [], [], 0)[0]:
            _import(waiting.popleft())
            continue
        message, descriptors, *_ = socket.recv_fds(connection, _MESSAGE_BYTES, 2)
        if not message:
            os._exit(0)
        serve, parent = json.loads(message)
        _import(serve.partition(":")[0])
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            between = os.getpid()
            if child := os.fork():
                os.write(writing, str(child).encode())
                os._exit(0)
            for each in (reading, writing, connection.detach()):
                os.close(each)
            _run_child(serve, between, parent, descriptors)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            pid = pipe.read()
        os.waitpid(between, 0)
        for each in descriptors:
            os.close(each)
        connection.send(pid)


def _import(name: str) -> None:
    """Import a module, and call its function in `module:function`. A child without a library reports it itself."""
    module, _, function = name.partition(":")
    gc.disable()  # what is imported stays to the end
    with suppress(ImportError, FastfaceError):
        found = import_module(module)
        if function:
            getattr(found, function)()
    gc.enable()
    gc.freeze()  # a collection in a child would copy the memory that all share


def _run_child(serve: str, between: int, parent: int, descriptors: list[int]) -> NoReturn:
    """Become what `process.Child` would have started, and end without taking the modules apart: it copies memory."""
    from fastface.pipeline.process import child_main  # noqa: PLC0415 - see `server_main`

    status: Any = 0
    try:
        os.setpgid(0, 0)
        _rename(serve)
        while os.getppid() == between:  # until the command adopts this process
            time.sleep(0.0002)
        connection, descriptor = [*map(str, descriptors), "-1"][:2]
        child_main([serve, str(parent), connection, descriptor])
    except SystemExit as ending:
        status = ending.code
    except BaseException:  # noqa: BLE001 - the top frame of a process
        traceback.print_exc()
        status = 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status if isinstance(status, int) else 1)


def _rename(serve: str) -> None:
    """Show the child's function in its command line, for `ps`, instead of the server's."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # proc(5): arg_start and arg_end, fields 48 and 49
    if 0 < start < end:
        line = f"{sys.executable}\0-c\0{serve}\0".encode(errors="surrogateescape")
        ctypes.memmove(start, line[: end - start - 1].ljust(end - start, b"\0"), end - start)
