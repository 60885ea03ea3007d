"""The process that builds TensorRT's engines, so that the main process loads no CUDA and outlives a failed build."""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from fastface.backends import DeviceInfo, EngineNote, ShapeRange, build_engine, engine_note
from fastface.pipeline.task_pool import serve_tasks


@dataclass(frozen=True, slots=True)
class EngineJob:
    """One engine.

    Attributes:
        name: The network's name, for people.
        graph: The rewritten graph.
        device: A card with TensorRT, and the precision aimed at.
        shapes: The engine's profile.
        threads: CPU threads of the comparison with float32.
        cache_folder: Where engines are kept.
    """

    name: str
    graph: Path
    device: DeviceInfo
    shapes: ShapeRange
    threads: int
    cache_folder: Path

    @property
    def built(self) -> EngineNote | None:
        """Return the facts about an engine if it exists."""
        return engine_note(self.graph, self.device, cache_folder=self.cache_folder, shapes=self.shapes)


def serve(connection: Connection, _descriptor: int, _settings: None) -> None:
    """The life of the building process; called by `process.child_main` in the child."""
    serve_tasks(connection, _build)


def _build(job: EngineJob) -> EngineNote:
    return build_engine(job.graph, job.device, threads=job.threads, cache_folder=job.cache_folder, shapes=job.shapes)
