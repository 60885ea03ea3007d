"""The networks, ready for workers to start: TensorRT's engines are built before, once and not by each of them."""

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
from fastface.pipeline.task_pool import TaskFailed, run_tasks
from fastface.runtime.networks import Networks, open_networks, usual_canvas
from fastface.runtime.precisions import engine_precisions, require_agreement, settle_precisions, uses_persons
from fastface.runtime.resources import choose_layout, num_cores

_STALL_SECONDS = 4 * 3600.0
"""TensorRT says nothing while it builds: minutes as a rule, an hour on a small card that is busy besides."""

Note = Callable[[str], None]
Interrupted = Callable[[], int | None]


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """An engine, what is known of it, and whether it was built just now."""

    job: EngineJob
    note: EngineNote
    is_new: bool


def ready_networks(config: Config, note: Note, interrupted: Interrupted) -> Networks:
    """`open_networks`, the engines that the device needs, and the precision of each network.

    Where TensorRT cannot build them, the device `auto` is CUDA, else the CPU, with a note; a named device is an error.

    Args:
        config: The settings.
        note: Receives notes before work that takes minutes.
        interrupted: Gives the number of a signal that came.

    Raises:
        BackendError: The asked device is not available, an engine cannot be built, or a network does not bear the
            precision that is asked for by name.
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
    """`ready_networks` without building: `precisions` is None where TensorRT's engines are not there yet.

    Raises:
        BackendError, ModelError, ConfigError: As `ready_networks`.
    """
    networks = open_networks(config)
    jobs = engine_jobs(config, networks)
    notes = [(job, job.built) for job in jobs]
    built = [(job, note.precision) for job, note in notes if note is not None]
    if jobs:
        return engine_precisions(networks, built) if len(built) == len(jobs) else networks
    return settle_precisions(config, networks)


def _settle(config: Config, networks: Networks, note: Note) -> Networks:
    """The networks with their precisions, and a note for each that does not bear the one aimed at."""
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
    """The engines that the workers of these settings will read; none where something else than TensorRT computes.

    Raises:
        ConfigError: As `choose_layout`.
    """
    if networks.device.provider != "TensorRT":
        return []
    batch = choose_layout(config.scan, networks.device, len(networks.cards)).ring.batch
    parts: tuple[tuple[str, Path, ShapeRange], ...] = (
        (networks.models.detector.name, networks.detector, detector_shapes(batch, usual_canvas(config.scan))),
        (networks.models.recogniser.name, networks.recogniser, recogniser_shapes()),
    )
    if uses_persons(config, networks) and networks.person is not None and networks.models.person is not None:
        parts = (*parts, (networks.models.person.name, networks.person.graph, networks.person.shapes))
    # Cards of one model read the same engine.
    cards = {(card.name, card.compute_capability): card for card in reversed(networks.cards)}.values()
    return [
        EngineJob(name, graph, card, shapes, num_cores(), networks.cache)
        for card in cards
        for name, graph, shapes in parts
    ]


def build_engines(jobs: Iterable[EngineJob], note: Note, interrupted: Interrupted) -> list[BuiltEngine]:
    """Builds the engines that are not there yet, one after the other, each in a process of its own.

    Args:
        jobs: The engines.
        note: Told of each before it is built, and of each that is in float32 because float16 does not agree.
        interrupted: Gives the number of a signal that came.

    Raises:
        BackendError: An engine cannot be built; says which and why.
        SpaceError: There is no space for it.
        WorkerError: The building process cannot start.
        InterruptError: The user stopped it; what is built stays.
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
    with closing(run_tasks(pool, [job], interrupted, _STALL_SECONDS)) as results:
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
