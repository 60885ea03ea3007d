"""Define the messages between the driver of a scan and the nodes of a cluster; they travel as pickled bytes.

Bytes and not objects: arrays that Ray unpickles are read-only and hold its shared memory. The version of fastface
travels as a string beside them, so that a node of another version unpickles nothing.
"""

from dataclasses import dataclass

from fastface.config import Config
from fastface.indexing.ray.leases import Key
from fastface.pipeline.events import Event


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """First message to a node.

    Attributes:
        name: Name of the node, for messages.
        config: The settings of the run, with the networks as absolute paths.
        index_key: Key of the index settings: the node's networks must have the same.
        cores: CPU cores that Ray lends on the node.
    """

    name: str
    config: Config
    index_key: str
    cores: int


@dataclass(frozen=True, slots=True)
class NodeReady:
    """The node has its networks and takes orders."""

    device: str
    decoders: int
    workers: int


@dataclass(frozen=True, slots=True)
class NodeFailed:
    """The node cannot work; `kind` is the class of the error."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The node cannot read the file of an order."""

    key: Key
    reason: str


@dataclass(frozen=True, slots=True)
class NodeDrained:
    """The node does no more work: it was interrupted, and has returned all results."""


Answer = Event | NodeReady | NodeFailed | Unreadable | NodeDrained
