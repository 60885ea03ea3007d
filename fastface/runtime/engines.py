"""Prepare the networks before workers start: build each TensorRT engine once, not in every worker.

Commands call it in the main process; a child process builds the engines (`pipeline.building`).
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from fastface.backends import EngineNote, ShapeRange
from fastface.config import Config
from fastface.errors import BackendError, SpaceError, WorkerError
from fastface.pipeline.building import EngineJob
from fastface.pipeline.process_pool import ProcessPool
from fastface.pipeline.shapes import detector_shapes, recogniser_shapes
from fastface.pipeline.task_pool import TaskFailed, TaskRun
from fastface.runtime.networks import Networks, open_networks, usual_canvas
from fastface.runtime.precisions import engine_precisions, require_agreement, settle_precisions, uses_persons
from fastface.runtime.resources import num_cores

_STALL_SECONDS = 4 * 3600.0
"""Seconds; TensorRT is silent while it builds: usually for minutes, for an hour on a small busy card."""

Note = Callable[[str], None]
Interrupted = Callable[[], int | None]


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """An engine, the facts about it, and whether this call built it."""

    job: EngineJob
    note: EngineNote
    is_new: bool


def ready_networks(config: Config, note: Note, interrupted: Interrupted) -> Networks:
    """Run `open_networks`, build the engines that the device needs, and settle the precision of each network.

    If TensorRT cannot build them, the device `auto` becomes CUDA or else the CPU, with a note; a named device raises.

    Args:
        config: The settings.
        note: Receives notes before work that takes minutes.
        interrupted: Returns the number of a received signal, or None.

    Raises:
        BackendError: The requested device is not available, an engine cannot be built, or a network cannot compute in
            the requested precision.
        ModelError: No usable pack was found.
        ConfigError: The device's settings contradict each other.
        InterruptError: The user stopped it.
    """
    networks = open_networks(config)
    try:
        built = build_engines(engine_jobs(config, networks), note, interrupted)
    except (BackendError, WorkerError) as error:
        if config.models.device != "auto":
            raise
        return _settle(config, _without_tensorrt(config, f"TensorRT is not used: {error}"), note)
    if not built:
        return _settle(config, networks, note)
    for engine in built:
        if engine.note.reason:
            require_agreement(config, engine.job.name, engine.job.device.precision, engine.note.reason)
    return engine_precisions(networks, ((engine.job, engine.note.precision) for engine in built))


def preview_networks(config: Config) -> Networks:
    """Return `ready_networks` without building: `precisions` is None if a TensorRT engine is missing.

    Raises:
        BackendError, ModelError, ConfigError: See `ready_networks`.
    """
    networks = open_networks(config)
    jobs = engine_jobs(config, networks)
    notes = [(job, job.built) for job in jobs]
    built = [(job, note.precision) for job, note in notes if note is not None]
    if jobs:
        return engine_precisions(networks, built) if len(built) == len(jobs) else networks
    return settle_precisions(config, networks)


def _settle(config: Config, networks: Networks, note: Note) -> Networks:
    """Return the networks with their precisions, and note each network that cannot compute in the wanted one."""
    networks = settle_precisions(config, networks)
    for line in networks.precisions.notes if networks.precisions is not None else ():
        note(line)
    return networks


def _without_tensorrt(config: Config, reason: str) -> Networks:
    try:
        networks = open_networks(config, device="cuda")
    except BackendError as error:
        reason = f"{reason}; CUDA too: {error}"
        networks = open_networks(config, device="cpu")
    cards = tuple(replace(card, notes=(*card.notes, reason)) for card in networks.cards)
    return replace(networks, cards=cards)


def engine_jobs(config: Config, networks: Networks) -> list[EngineJob]:
    """Return the engines that workers with these settings read; empty if the device does not use TensorRT."""
    if networks.device.provider != "TensorRT":
        return []
    batch = networks.layout.ring.batch
    side = networks.models.recogniser.aligned_size
    parts: tuple[tuple[str, Path, ShapeRange], ...] = (
        (networks.models.detector.name, networks.detector, detector_shapes(batch, usual_canvas(config.scan))),
        (networks.models.recogniser.name, networks.recogniser, recogniser_shapes(side)),
    )
    if uses_persons(config, networks) and networks.person is not None and networks.models.person is not None:
        parts = (*parts, (networks.models.person.name, networks.person.graph, networks.person.shapes))
    # Cards of one model share an engine.
    cards = {(card.name, card.compute_capability): card for card in reversed(networks.cards)}.values()
    return [
        EngineJob(name, graph, card, shapes, num_cores(), networks.cache)
        for card in cards
        for name, graph, shapes in parts
    ]


def build_engines(jobs: Iterable[EngineJob], note: Note, interrupted: Interrupted) -> list[BuiltEngine]:
    """Build the missing engines one after the other, each in its own process.

    Args:
        jobs: The engines.
        note: Receives a line before each build, and one for each engine in float32 because float16 does not agree.
        interrupted: Returns the number of a received signal, or None.

    Raises:
        BackendError: An engine cannot be built; the message gives the engine and the reason.
        SpaceError: There is no space for it.
        WorkerError: The building process cannot start.
        InterruptError: The user stopped it; finished engines stay.
    """
    built = []
    for job in jobs:
        known = job.built
        if known is None:
            note(f"building the TensorRT engine for {job.name} on {job.device.name} (minutes, once)")
        found = known or _build(job, interrupted)
        if found.reason:
            note(f"{job.name}: {job.device.precision} gives {found.reason}; {found.precision} is used, which is slower")
        built.append(BuiltEngine(job, found, known is None))
    return built


def _build(job: EngineJob, interrupted: Interrupted) -> EngineNote:
    pool = ProcessPool("builder", "fastface.pipeline.building:serve", 1, None)
    with closing(TaskRun(pool, [job], interrupted, _STALL_SECONDS).results()) as results:
        for _, result in results:
            if isinstance(result, EngineNote):
                return result
            assert isinstance(result, TaskFailed), result
            if result.kind == SpaceError.__name__:
                raise SpaceError(result.reason)
            raise BackendError(
                f"the TensorRT engine for {job.name} cannot be built: {result.reason}; --device cuda needs none"
            )
    raise AssertionError("an errand is answered once")
