"""Build TensorRT engines in a child process: its job and its entry point.

`runtime.engines` and `runtime.precisions` send `EngineJob`s to the child. So the main process loads no CUDA, and a
failed build ends only the child.
"""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from fastface.backends import DeviceInfo, EngineNote, ShapeRange, build_engine, engine_note
from fastface.pipeline.task_pool import serve_tasks


@dataclass(frozen=True, slots=True)
class EngineJob:
    """One engine to build.

    Attributes:
        name: Name of the network, for messages.
        graph: The rewritten graph.
        device: A card with TensorRT, and the wanted precision.
        shapes: The engine's profile.
        threads: Number of CPU threads for the comparison with float32.
        cache_folder: Folder of the engines.
    """

    name: str
    graph: Path
    device: DeviceInfo
    shapes: ShapeRange
    threads: int
    cache_folder: Path

    @property
    def built(self) -> EngineNote | None:
        """Return the facts about the engine; None if the engine does not exist yet."""
        return engine_note(self.graph, self.device, cache_folder=self.cache_folder, shapes=self.shapes)


def serve(connection: Connection, _descriptor: int, _settings: None) -> None:
    """Run the building process: entry point for `process.child_main` in the child."""
    serve_tasks(connection, _build)


def _build(job: EngineJob) -> EngineNote:
    return build_engine(job.graph, job.device, threads=job.threads, cache_folder=job.cache_folder, shapes=job.shapes)
