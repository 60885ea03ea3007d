"""Run the benchmark: scan the same videos with every combination of processes and batches, one after the other."""

import base64
import csv
import html
import io
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from time import monotonic

from fastface.commands.run import scan
from fastface.config import Config
from fastface.diagnostics.dry_run import Preview
from fastface.errors import FastfaceError, ModelError
from fastface.files import atomic_path, write_atomic
from fastface.names import pluralize
from fastface.runtime.events.observer import Observer
from fastface.runtime.networks import open_networks, resolve_first_card
from fastface.runtime.output_folder import discover_inputs
from fastface.runtime.precisions import describe_device, describe_networks
from fastface.runtime.resources import tree_memory
from fastface.runtime.run_report import RunResult

STAGES = ("read", "decode", "copy", "canvas", "wait_slot", "detect", "align", "embed", "picture", "wait_batch")
"""Stages of the time of decoders (the first five) and of workers (the others)."""

_MEMORY_SECONDS = 0.5
_FILM_FRAMES = 500
_FILM_ZOOM = 3


@dataclass(frozen=True, slots=True)
class Combination:
    """Settings to compare; 0 lets fastface choose."""

    device: str
    decoders: int
    workers: int
    batch: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """Measurements of a scan with one combination.

    Attributes:
        combination: The settings.
        frames: Number of searched frames.
        faces: Number of found faces.
        seconds: Time from the first searched frames to the last, without the start.
        start_seconds: Time from the command until the first frames were searched.
        frames_per_second: Searched frames a second, without the start.
        times_real_time: Seconds of video a second, without the start.
        stages: {stage: seconds, summed over all processes}.
        memory_bytes: Peak memory of all processes and the ring.
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


class _ThroughputMeter(Observer):
    """Record when frames were searched, which share of the videos they were, and the memory in use."""

    def __init__(self) -> None:
        self.begun = monotonic()
        self.moves: list[tuple[float, float]] = []
        self.memory_bytes = 0
        self._looked = 0.0

    def add_progress(self, video_id: str, seconds: float, faces: int) -> None:  # noqa: ARG002 - the observer's signature
        """Record a searched batch."""
        now = monotonic()
        self.moves.append((now, seconds))
        if now - self._looked > _MEMORY_SECONDS:
            self._looked = now
            self.memory_bytes = max(self.memory_bytes, tree_memory(os.getpid()))


def bench(config: Config, inputs: Sequence[str], combinations: Sequence[Combination]) -> Iterator[Measurement]:
    """Scan the inputs once with each combination and yield the measurements.

    Args:
        config: All other settings. Without a pack of networks, those of the cartoon are used.
        inputs: Videos; without any, a film of 20 seconds in 1080p is drawn.
        combinations: Combinations to compare.

    Raises:
        FastfaceError: See `scan`.
    """
    with tempfile.TemporaryDirectory(prefix="fastface-bench-") as folder:
        root = Path(folder)
        films = list(inputs) or [str(_draw_film(root))]
        config = _with_networks(config, root)
        for number, combination in enumerate(combinations):
            watch = _ThroughputMeter()
            result = scan(_apply(config, combination), films, root / f"out{number}", watch)
            yield _measure(combination, result, watch)


def profile_text(best: Measurement) -> str:
    """Format a profile with the best combination, as TOML."""
    chosen = best.combination
    return (
        f"# Chosen by fastface bench: {best.frames_per_second:.1f} frames a second, "
        f"{best.memory_bytes >> 20} MiB.\n"
        f"[scan]\nbatch = {chosen.batch}\ndecoders = {chosen.decoders}\nworkers = {chosen.workers}\n\n"
        f'[models]\ndevice = "{chosen.device}"\n'
    )


def describe_means(config: Config) -> str:
    """Return one line: the device, the networks and the precision of each; "drawn networks" if there is no pack.

    Raises:
        BackendError: The requested device is not available, or cannot compute in the requested precision.
    """
    try:
        return describe_networks(config, open_networks(config))
    except ModelError:
        return f"{describe_device(resolve_first_card(config))}; drawn networks"


def describe_combination(combination: Combination) -> list[str]:
    """Describe a combination in words; 0 is the choice of fastface."""
    counts = {"decoder": combination.decoders, "worker": combination.workers}
    processes = [pluralize(count, noun) if count else f"automatic number of {noun}s" for noun, count in counts.items()]
    return [combination.device, *processes, f"batches of {combination.batch or 'automatic size'}"]


def list_combinations(
    devices: Sequence[str], decoders: Sequence[int], workers: Sequence[int], batches: Sequence[int]
) -> list[Combination]:
    """List all combinations, in the order of the arguments."""
    return [Combination(*values) for values in product(devices, decoders, workers, batches)]


def _draw_film(folder: Path) -> Path:
    # Codecs take a tenth of a second to load, which other commands do not need.
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
        from fastface.demo.networks import write_pack  # noqa: PLC0415 - loads codecs

        write_pack(folder / "networks")
        return config.model_copy(update={"models": config.models.model_copy(update={"folder": folder / "networks"})})
    return config


def _apply(config: Config, combination: Combination) -> Config:
    chosen = {"decoders": combination.decoders, "workers": combination.workers, "batch": combination.batch}
    models = config.models.model_copy(update={"device": combination.device})
    return config.model_copy(update={"scan": config.scan.model_copy(update=chosen), "models": models})


def _measure(combination: Combination, result: RunResult, watch: _ThroughputMeter) -> Measurement:
    if not watch.moves:
        raise FastfaceError(f"no frame of {', '.join(video.id for video in result.videos)} could be searched")
    stages = {stage: sum(video.seconds.get(stage, 0.0) for video in result.videos) for stage in STAGES}
    first, last = watch.moves[0][0], watch.moves[-1][0]
    # The first batches were searched before the clock started.
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


def preview_bench(config: Config, inputs: Sequence[str], combinations: Sequence[Combination], out: Path) -> Preview:
    """Preview `bench`.

    Raises:
        ConfigError: An input does not exist.
    """
    videos = tuple(repr(str(file.path)) for file in discover_inputs(inputs, out).videos) if inputs else ()
    return Preview(
        videos=videos or ("a film that fastface draws itself",),
        networks=(describe_means(config),),
        processes=tuple(", ".join(describe_combination(combination)) for combination in combinations),
        output=(repr(str(out)),),
    )


COLUMNS = (
    "device", "decoders", "workers", "batch", "frames", "faces", "seconds", "start_seconds", "frames_per_second",
    "times_real_time", *(f"{stage}_ms_per_frame" for stage in STAGES), "memory_mb",
)  # fmt: skip

_STYLE = (
    "body{font:15px sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse}"
    "td,th{padding:.3em .7em;text-align:right;border-bottom:1px solid #ddd}tr.best{font-weight:bold}img{max-width:100%}"
)


def cells(measurement: Measurement) -> tuple[str, ...]:
    """Format one row, in the order of `COLUMNS`; times of stages are milliseconds of their processes a frame."""
    chosen, frames = measurement.combination, max(1, measurement.frames)
    return (
        *map(str, (chosen.device, chosen.decoders, chosen.workers, chosen.batch)),
        *map(str, (measurement.frames, measurement.faces)),
        *(f"{value:.2f}" for value in (measurement.seconds, measurement.start_seconds)),
        *(f"{value:.2f}" for value in (measurement.frames_per_second, measurement.times_real_time)),
        *(f"{measurement.stages[stage] * 1000 / frames:.2f}" for stage in STAGES),
        f"{measurement.memory_bytes / 1e6:.0f}",
    )


def write_report(folder: Path, measurements: Sequence[Measurement], title: str) -> None:
    """Write bench.csv, bench.png and bench.html.

    Args:
        folder: Target folder; created if it does not exist.
        measurements: At least one measurement.
        title: The machine and the networks, for the page and the chart.

    Raises:
        SpaceError: No space is left.
    """
    best = max(range(len(measurements)), key=lambda i: measurements[i].frames_per_second)
    with atomic_path(folder / "bench.csv") as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *map(cells, measurements)])
    chart = draw_chart(measurements, best, title)
    write_atomic(folder / "bench.png", chart)
    write_atomic(folder / "bench.html", _page(measurements, best, title, chart))


def _page(measurements: Sequence[Measurement], best: int, title: str, chart: bytes) -> str:
    head = "".join(f"<th>{html.escape(column.replace('_', ' '))}</th>" for column in COLUMNS)
    rows = "".join(
        f"<tr{' class=best' if row == best else ''}>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells(measurement))
        + "</tr>"
        for row, measurement in enumerate(measurements)
    )
    picture = base64.b64encode(chart).decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>fastface bench</title><style>{_STYLE}</style><h1>fastface bench</h1><p>{html.escape(title)}</p>"
        f'<img alt="frames a second of each combination" src="data:image/png;base64,{picture}">'
        f"<table><tr>{head}</tr>{rows}</table></html>\n"
    )


_WIDTH, _LABEL_WIDTH, _ROW_HEIGHT, _EDGE = 1000, 330, 34, 16
_BAR, _BEST_BAR, _INK, _PAPER = (120, 150, 190), (40, 110, 200), (20, 20, 20), (255, 255, 255)


def draw_chart(measurements: Sequence[Measurement], best: int, title: str) -> bytes:
    """Draw bars of frames a second, one for each combination, as PNG.

    Args:
        measurements: At least one measurement.
        best: Index of the measurement that is painted as the best.
        title: Title above the bars.
    """
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only this command needs Pillow

    picture = Image.new("RGB", (_WIDTH, 2 * _EDGE + _ROW_HEIGHT * (len(measurements) + 1)), _PAPER)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=15)
    draw.text((_EDGE, _EDGE), f"frames a second: {title}", fill=_INK, font=font)
    longest = max(measurement.frames_per_second for measurement in measurements)
    room = _WIDTH - _LABEL_WIDTH - 5 * _EDGE
    for row, measurement in enumerate(measurements):
        top = _EDGE + _ROW_HEIGHT * (row + 1)
        draw.text((_EDGE, top + 6), _label(measurement), fill=_INK, font=font)
        end = _LABEL_WIDTH + room * measurement.frames_per_second / longest
        colour = _BEST_BAR if row == best else _BAR
        draw.rectangle((_LABEL_WIDTH, top + 3, end, top + _ROW_HEIGHT - 5), fill=colour)
        draw.text((end + 6, top + 6), f"{measurement.frames_per_second:.1f}", fill=_INK, font=font)
    content = io.BytesIO()
    picture.save(content, "PNG")
    return content.getvalue()


def _label(measurement: Measurement) -> str:
    chosen = measurement.combination
    return f"{chosen.device}, {chosen.decoders} dec., {chosen.workers} work., batch {chosen.batch}"
