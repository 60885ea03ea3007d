"""Open the engine that the settings name: the coordinator of this machine, or the nodes of a Ray cluster.

`commands.run` calls `open_engine`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastface.distribution import read_version
from fastface.indexing.processes import open_coordinator
from fastface.pipeline.engine import Engine
from fastface.runtime.context import RunContext
from fastface.runtime.index_settings import build_index_settings

if TYPE_CHECKING:
    from fastface.indexing.ray.messages import NodeSettings


@contextmanager
def open_engine(context: RunContext) -> Iterator[Engine]:
    """Open the engine of a scan. It starts no process before there is work."""
    config, interrupted = context.config, context.interruption.wants_end
    if config.run.engine == "ray":
        from fastface.indexing.ray.cluster import Cluster  # noqa: PLC0415 - few commands use a cluster
        from fastface.indexing.ray.engine import RayEngine  # noqa: PLC0415

        connect = partial(Cluster, config.run.ray_address)
        with RayEngine(connect, _node_settings(context), config.run.ray_timeout, interrupted) as engine:
            yield engine
    else:
        with open_coordinator(config, context.networks, interrupted) as coordinator:
            yield coordinator


def _node_settings(context: RunContext) -> "NodeSettings":
    """Return the settings of the nodes: those of this run, with the very files of its networks."""
    from fastface.indexing.ray.messages import NodeSettings  # noqa: PLC0415

    config, models = context.config, context.networks.models
    person = None if models.person is None else str(models.person.path.absolute())
    files = {
        "detector": str(models.detector.path.absolute()),
        "recogniser": str(models.recogniser.path.absolute()),
        "person_model": person,
    }
    config = config.model_copy(update={"models": config.models.model_copy(update=files)})
    key = build_index_settings(config.scan, context.networks, read_version()).key
    return NodeSettings("", config, key, 0)
