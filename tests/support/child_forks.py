"""Fork the children of a command from a process that has their modules loaded already.

Half of a short run is the start of Python and the imports in its decoders, workers and exporters. `fork_children`
forks a server of children from a command before the command starts anything else: see `fastface.pipeline.child_server`.
The command that users start has such a server too, but that one imports modules first.

Only `command_server` uses it, for commands that a test runs to their end. Runs that a test kills or watches, and
runs with fail points, start each process as users do.
"""

import os
import socket

from fastface.pipeline import child_server
from fastface.pipeline.process import die_with_parent


def fork_children() -> None:
    """Let this process fork its children from a server that is forked now.

    Call it while this process has one thread, and after all that children inherit is set: the folder, the environment.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent = os.getpid()
    if os.fork() == 0:
        ours.close()
        die_with_parent(parent)
        child_server.serve_forks(theirs)
    theirs.close()
    server = child_server.ChildServer(())
    server.adopt(ours)
    child_server.use_server(server)
