"""Define the contract of an engine: it runs probes and units, and returns events. The scanner needs nothing else.

`pipeline.coordinator` is the engine of one machine. `indexing.ray.engine` runs a coordinator on each node of a Ray
cluster. tests/resilience/test_ray_engine.py compares the results of both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from fastface.pipeline.events import Event
from fastface.types import Unit, VideoInfo
from fastface.video.discover import VideoFile

EngineName = Literal["local", "ray"]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One node of a cluster after the scan, for run.json."""

    name: str
    device: str  # device of its networks; empty if it never worked
    decoders: int
    workers: int
    units: int  # finished units
    state: str  # "worked", or why it did not: "lost: …", "left out: …"


class Engine(Protocol):
    """Runs the decoders and workers of a scan. Main process, one thread."""

    def probe(self, file: VideoFile) -> None:
        """Queue a video for probing; the resulting event is `VideoProbed` or `VideoRefused`."""
        ...

    def schedule(self, info: VideoInfo, unit: Unit) -> None:
        """Queue a unit for scanning; the resulting event is `UnitScanned` or `UnitLost`."""
        ...

    def start(self) -> None:
        """Start all processes that do not run yet. `events()` also starts them."""
        ...

    def events(self) -> Iterator[Event]:
        """Yield all events until no work is left. The caller may add work meanwhile.

        Raises:
            BackendError, ModelError, WorkerError, SpaceError, ClusterError: The scan cannot go on.
        """
        ...

    @property
    def nodes(self) -> tuple[NodeReport, ...]:
        """The nodes that joined, in the order of joining; empty for one machine."""
        ...
