"""The benchmark: the same videos scanned with every combination of processes and batches, one after the other."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import monotonic

from fastface.commands.run import scan
from fastface.config import Config
from fastface.errors import FastfaceError, ModelError
from fastface.names import counted
from fastface.runtime.memory import tree_memory
from fastface.runtime.networks import open_networks
from fastface.runtime.observer import Observer
from fastface.runtime.run_report import RunResult

__all__ = ["STAGES", "Combination", "Measurement", "bench", "combinations_of", "described", "profile_text"]

STAGES = ("decode", "copy", "canvas", "wait_slot", "detect", "align", "embed", "picture", "wait_batch")
"""Where the time of decoders (the first four) and of workers (the others) goes."""

_MEMORY_SECONDS = 0.5
_FILM_FRAMES = 500
_FILM_ZOOM = 3


@dataclass(frozen=True, slots=True)
class Combination:
    """Settings to be compared; 0 is what fastface chooses by itself."""

    device: str
    decoders: int
    workers: int
    batch: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a scan with one combination came to.

    Attributes:
        combination: The settings.
        frames: Frames searched.
        faces: Faces found.
        seconds: From the first frames searched to the last; the start is left out.
        start_seconds: From the command until the first frames were searched.
        frames_per_second: Frames searched a second, without the start.
        times_real_time: Seconds of video a second, without the start.
        stages: {stage: seconds, of all processes together}.
        memory_bytes: Peak of all processes and the ring.
    """

    combination: Combination
    frames: int
    faces: int
    seconds: float
    start_seconds: float
    frames_per_second: float
    times_real_time: float
    stages: dict[str, float]
    memory_bytes: int


class _Watch(Observer):
    """Notes when frames were searched, how much of the videos they were, and the memory meanwhile."""

    def __init__(self) -> None:
        self.begun = monotonic()
        self.moves: list[tuple[float, float]] = []
        self.memory_bytes = 0
        self._looked = 0.0

    def moved(self, video_id: str, seconds: float, faces: int) -> None:  # noqa: ARG002 - the observer's signature
        """A batch was searched."""
        now = monotonic()
        self.moves.append((now, seconds))
        if now - self._looked > _MEMORY_SECONDS:
            self._looked = now
            self.memory_bytes = max(self.memory_bytes, tree_memory(os.getpid()))


def bench(config: Config, inputs: Sequence[str], combinations: Sequence[Combination]) -> Iterator[Measurement]:
    """Scans the inputs once with each combination and yields what came of it.

    Args:
        config: All other settings. Where no pack of networks is found, those of the cartoon are used.
        inputs: Videos; none draws a film of 20 seconds in 1080p.
        combinations: What to compare.

    Raises:
        FastfaceError: As `scan`.
    """
    with tempfile.TemporaryDirectory(prefix="fastface-bench-") as folder:
        root = Path(folder)
        films = list(inputs) or [str(_drawn(root))]
        config = _with_networks(config, root)
        for number, combination in enumerate(combinations):
            watch = _Watch()
            result = scan(_with(config, combination), films, root / f"out{number}", watch)
            yield _measured(combination, result, watch)


def profile_text(best: Measurement) -> str:
    """A profile that sets the best combination, as TOML."""
    chosen = best.combination
    return (
        f"# Chosen by fastface bench: {best.frames_per_second:.1f} frames a second, "
        f"{best.memory_bytes >> 20} MiB.\n"
        f"[scan]\nbatch = {chosen.batch}\ndecoders = {chosen.decoders}\nworkers = {chosen.workers}\n\n"
        f'[models]\ndevice = "{chosen.device}"\n'
    )


def described(combination: Combination) -> list[str]:
    """A combination in words; 0 is what fastface chooses."""
    counts = {"decoder": combination.decoders, "worker": combination.workers}
    processes = [counted(count, noun) if count else f"{noun}s as it chooses" for noun, count in counts.items()]
    return [combination.device, *processes, f"batches of {combination.batch or 'its choice'}"]


def combinations_of(
    devices: Sequence[str], decoders: Sequence[int], workers: Sequence[int], batches: Sequence[int]
) -> list[Combination]:
    """All combinations, in the order of the arguments."""
    return [Combination(*values) for values in product(devices, decoders, workers, batches)]


def _drawn(folder: Path) -> Path:
    # Codecs take a tenth of a second to load, which all other commands need not pay.
    from fastface.demo.film import Encoding, draw_film  # noqa: PLC0415
    from fastface.demo.scripts import random_script  # noqa: PLC0415

    path = folder / "drawn.mp4"
    draw_film(path, random_script(1, _FILM_FRAMES), Encoding(gop=50, zoom=_FILM_ZOOM))
    return path


def _with_networks(config: Config, folder: Path) -> Config:
    try:
        open_networks(config)
    except ModelError:
        if config.models.folder or config.models.pack or config.models.detector or config.models.recogniser:
            raise
        from fastface.demo.networks import write_pack  # noqa: PLC0415 - as above

        write_pack(folder / "networks")
        return config.model_copy(update={"models": config.models.model_copy(update={"folder": folder / "networks"})})
    return config


def _with(config: Config, combination: Combination) -> Config:
    chosen = {"decoders": combination.decoders, "workers": combination.workers, "batch": combination.batch}
    models = config.models.model_copy(update={"device": combination.device})
    return config.model_copy(update={"scan": config.scan.model_copy(update=chosen), "models": models})


def _measured(combination: Combination, result: RunResult, watch: _Watch) -> Measurement:
    if not watch.moves:
        raise FastfaceError(f"no frame of {', '.join(video.id for video in result.videos)} could be searched")
    stages = {stage: sum(video.seconds.get(stage, 0.0) for video in result.videos) for stage in STAGES}
    first, last = watch.moves[0][0], watch.moves[-1][0]
    # The first batches were searched before the clock that starts with them.
    searched_share = 1 - 1 / len(watch.moves)
    seconds = max(last - first, 1e-9)
    frames = result.counts.inferred
    return Measurement(
        combination=combination,
        frames=frames,
        faces=result.counts.faces,
        seconds=seconds,
        start_seconds=first - watch.begun,
        frames_per_second=frames * searched_share / seconds,
        times_real_time=sum(moved for _, moved in watch.moves[1:]) / seconds,
        stages=stages,
        memory_bytes=watch.memory_bytes,
    )
