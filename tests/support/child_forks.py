"""Fork the children of a command from a process that has their modules loaded already.

Half of a short run is the start of Python and the imports in its decoders, workers and exporters. `fork_children`
forks a small process from a command before the command starts anything else, and `fastface.pipeline.process.Child` then
gets its processes from there. Each child is a process of its own, a child of the command, in a process group of its
own, and ends with the command, as one that is started afresh.

Only `command_server` uses it, for commands that a test runs to their end. Runs that a test kills or watches, and
runs with fail points, start each process as users do.
"""

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from fastface.pipeline import process

_MESSAGE_BYTES = 1 << 16
_PR_SET_CHILD_SUBREAPER = 36


class ForkedChild:
    """A forked child of this process: what `process.Child` uses of `subprocess.Popen`."""

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
            TimeoutExpired: The child still runs.
        """
        if self.poll() is None:
            ended = os.pidfd_open(self.pid)
            try:
                select.select([ended], [], [], timeout)
            finally:
                os.close(ended)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired("a forked child", cast("float", timeout))
        return status

    def kill(self) -> None:
        """Kill the child, unless its end is known."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def fork_children() -> Callable[[], None] | None:
    """Let `process.Child` fork its processes. Return None in the command, and in each child what it must run.

    Call it while this process has one thread, and after all that children inherit is set: the folder, the environment.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # adopt the children of the forking process
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    if os.fork() == 0:
        ours.close()
        process.die_with_parent(parent)
        return _serve(theirs, parent)
    theirs.close()

    def start(command: list[str], *, pass_fds: list[int], stdin: int, process_group: int) -> ForkedChild:
        assert (command[1], stdin, process_group) == ("-c", subprocess.DEVNULL, 0), command
        socket.send_fds(ours, [json.dumps({"arguments": command[3:], "passed": pass_fds}).encode()], pass_fds)
        return ForkedChild(int(ours.recv(_MESSAGE_BYTES)))

    names = {"DEVNULL": subprocess.DEVNULL, "TimeoutExpired": subprocess.TimeoutExpired}
    vars(process)["subprocess"] = SimpleNamespace(Popen=start, **names)
    return None


def _serve(connection: socket.socket, parent: int) -> Callable[[], None]:
    """Fork for each order of the command; end with it. Returns in each child alone."""
    while True:
        message, descriptors, *_ = socket.recv_fds(connection, _MESSAGE_BYTES, 2)
        if not message:
            os._exit(0)
        order: dict[str, Any] = json.loads(message)
        reading, writing = os.pipe()
        # The process in between ends at once, so the command adopts its child.
        between = os.fork()
        if between == 0:
            if child := os.fork():
                os.write(writing, str(child).encode())
                os._exit(0)
            for descriptor in (reading, writing, connection.detach()):
                os.close(descriptor)
            return _prepare(order, dict(zip(order["passed"], descriptors, strict=True)), parent)
        os.waitpid(between, 0)
        connection.send(os.read(reading, _MESSAGE_BYTES))
        for descriptor in (reading, writing, *descriptors):
            os.close(descriptor)


def _prepare(order: dict[str, Any], descriptors: dict[int, int], parent: int) -> Callable[[], None]:
    """Become what `process.Child` would have started, and return the function that it would run."""
    root, serve, parent_text, connection, descriptor = order["arguments"]
    os.setpgid(0, 0)
    while os.getppid() != parent:
        time.sleep(0.001)
    sys.path[0:1] = [root]
    sys.argv = ["-c", *order["arguments"]]
    numbers = [str(descriptors.get(int(number), -1)) for number in (connection, descriptor)]
    return lambda: process.child_main([serve, parent_text, *numbers])
