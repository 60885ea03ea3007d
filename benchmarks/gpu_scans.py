"""The part of gpu_check.py that goes from end to end: `fastface scan` over a film of 1080p, against decoding alone.

Every frame is looked at. A rate is that of the whole command, or without its start: the time of a scan of one second of
film by as many workers is taken off. Decoding alone is libavcodec with one thread in as many processes as the scan has
decoders, all at once. Workers wait while they have no batch to detect faces in.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gpu_child import FASTFACE, HERE, Budget, Skipped, run_child

__all__ = ["HEAD", "Films", "Layout", "compare_decoders", "decode_rate", "draw_films", "layouts", "scan_rows"]

HEAD = [
    "| decoders | workers | batch | frames | frames a second | without the start | decoding alone | ratio "
    "| workers wait | faces a frame |",
    "|---|---|---|---|---|---|---|---|---|---|",
]
MOST_COPIES = 64
START_SECONDS = 1.0
_FILMS_LIMIT = 90.0


@dataclass(frozen=True)
class Films:
    """A long film and one of a second, of the same pictures."""

    long: Path
    short: Path
    frames: int
    short_frames: int


@dataclass(frozen=True)
class Layout:
    """Processes of a scan."""

    decoders: int
    workers: int
    batch: int
    decoder: str = "pyav"

    def __str__(self) -> str:
        by_card = " (nvdec)" if self.decoder == "nvdec" else ""
        return f"| {self.decoders}{by_card} | {self.workers} | {self.batch}"


@dataclass(frozen=True)
class Bench:
    """What all scans share."""

    films: Films
    folder: Path
    models: Path
    device: str
    variables: dict[str, str]
    budget: Budget
    target_seconds: float


@dataclass(frozen=True)
class Scan:
    """What one scan came to."""

    seconds: float
    frames: int
    faces: int
    waited: float
    pack: str


def draw_films(folder: Path, seconds: float, pictures: list[Path], variables: dict[str, str], budget: Budget) -> Films:
    """Both films.

    Raises:
        Skipped: They cannot be drawn.
    """
    frames = []
    for name, length in (("long.mp4", seconds), ("short.mp4", START_SECONDS)):
        command = [sys.executable, HERE / "gpu_films.py", "draw", folder / name, length, *pictures]
        ended = run_child(command, min(_FILMS_LIMIT, budget.left), variables)
        if ended.reason:
            raise Skipped(f"the film could not be drawn: drawing it {ended.reason}")
        frames.append(int(ended.output.split()[-1]))
    return Films(folder / "long.mp4", folder / "short.mp4", *frames)


def decode_rate(films: Films, processes: int, variables: dict[str, str], limit: float) -> float:
    """Frames a second of so many processes that only decode, all at once.

    Raises:
        Skipped: They did not end well.
    """
    command = [sys.executable, str(HERE / "gpu_films.py"), "decode", str(films.long), "1"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) for _ in range(processes)]
    try:
        answers = [child.communicate(timeout=max(1.0, limit))[0].split() for child in running]
    except subprocess.TimeoutExpired as error:
        raise Skipped(f"decoding alone took longer than {limit:.0f} s") from error
    finally:
        for child in running:
            child.kill()
            child.wait()
    if any(len(answer) != 3 for answer in answers):
        raise Skipped("decoding alone failed")
    seconds = max(float(answer[2]) for answer in answers) - min(float(answer[1]) for answer in answers)
    return sum(int(answer[0]) for answer in answers) / seconds


def compare_decoders(films: Films, variables: dict[str, str], limit: float) -> str:
    """One line: how a card's frames differ from PyAV's.

    Raises:
        Skipped: There is nothing that decodes on a card, or it failed.
    """
    if find_spec("PyNvVideoCodec") is None:
        raise Skipped("PyNvVideoCodec is not installed")
    ended = run_child([sys.executable, HERE / "gpu_films.py", "compare", films.long], limit, variables)
    if ended.reason:
        raise Skipped(f"comparing the decoders {ended.reason}")
    return ended.output.strip()


def layouts(cores: int, *, small: bool) -> list[Layout]:
    """What is tried, the most telling first."""
    if small:
        return [Layout(max(1, cores // 2), 1, 4)]
    most, half = max(1, cores - 1), max(1, cores // 2)
    grid = [(most, 2, 32), (most, 1, 32), (most, 2, 8), (half, 2, 32), (most, 3, 32), (most, 2, 64), (half, 1, 8)]
    tried = [Layout(*values) for values in dict.fromkeys(grid)]
    if find_spec("PyNvVideoCodec") is not None:
        tried.insert(1, Layout(most, 2, 32, "nvdec"))
    return tried


def scan_rows(bench: Bench, wanted: list[Layout], decoding: dict[int, float], reserve: float) -> Iterator[str]:
    """One row of the table a layout, as long as more than `reserve` seconds are left.

    Raises:
        Skipped: There is no time for the first one, or it failed.
    """
    bench.budget.need(reserve + 20)
    first = _scan(bench, bench.films.short, 1, wanted[0])
    yield f"Networks: {bench.models}, {first.pack}; device {bench.device}; first start of all: {first.seconds:.1f} s."
    yield ""
    yield from HEAD
    known: float | None = None
    for layout in wanted:
        if bench.budget.left < reserve + 15:
            yield f"{layout} | no time left | | | | | | |"
            continue
        try:
            if layout.batch != wanted[0].batch:
                _scan(bench, bench.films.short, 1, layout)  # TensorRT builds an engine a batch, once
            start = _scan(bench, bench.films.short, 1, layout)
            limit = decoding[layout.decoders]
            copies = round(bench.target_seconds * min(limit, known or limit) / bench.films.frames)
            found = _scan(bench, bench.films.long, min(MOST_COPIES, max(layout.decoders, copies)), layout)
        except Skipped as skipped:
            yield f"{layout} | {skipped} | | | | | | |"
            continue
        seconds = max(1e-3, found.seconds - start.seconds)
        known = (found.frames - start.frames) / seconds
        yield _row(layout, found, known, limit)


def _row(layout: Layout, found: Scan, steady: float, limit: float) -> str:
    whole, faces = found.frames / found.seconds, found.faces / found.frames
    # What detects waits for a batch, whatever the worker does beside it.
    waiting = min(1.0, found.waited / layout.workers / (found.frames / steady))
    return (
        f"{layout} | {found.frames} | {whole:.0f} | {steady:.0f} "
        f"| {limit:.0f} | {steady / limit:.2f} | {waiting:.0%} | {faces:.1f} |"
    )


def _scan(bench: Bench, film: Path, copies: int, layout: Layout) -> Scan:
    """A scan of so many copies of a film: links would be one file, which is scanned once.

    Raises:
        Skipped: It did not end well, or did not scan them all.
    """
    out = bench.folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    inputs = [film.with_name(f"{film.stem}-{number:02d}.mp4") for number in range(copies)]
    try:
        for path in inputs:
            if not path.exists():
                shutil.copyfile(film, path)
    except OSError as error:
        raise Skipped(f"{copies} copies of the film cannot be made: {error.strerror}") from error
    sizes: dict[str, object] = {"--decoders": layout.decoders, "--workers": layout.workers, "--batch": layout.batch}
    if layout.decoder != "pyav":
        sizes["--decoder"] = layout.decoder
    fixed = ["scan", *inputs, "-o", out, "--models", bench.models, "--device", bench.device, "--every-frame", "-q"]
    fixed += ["-s", "scan.copies=true"]
    command = [*FASTFACE, *fixed, *(word for pair in sizes.items() for word in pair)]
    ended = run_child(command, bench.budget.left, bench.variables)
    if ended.reason:
        raise Skipped(f"the scan {ended.reason}")
    report = json.loads((out / "run.json").read_text(encoding="utf-8"))
    if others := {video["decoder_reason"] for video in report["videos"]} - {""}:
        raise Skipped(f"not decoded by {layout.decoder}: {'; '.join(others)}")
    waited = sum(video["seconds"]["wait_batch"] for video in report["videos"])
    counts = report["counts"]
    if counts["videos"] != copies:
        raise Skipped(f"of {copies} copies of the film {counts['videos']} were scanned")
    return Scan(ended.seconds, counts["inferred"], counts["faces"], waited, report["models"]["pack"])
