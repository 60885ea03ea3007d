"""The part of gpu_check.py that asks a real question: are a card's answers those of the processor?

`fastface run` goes over real clips with photos of their persons: in float32 on the processor, and on each device. Hits
are compared one by one, and spans by their seconds.
"""

import csv
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gpu_child import FASTFACE, HERE, Budget, Skipped, run_child

__all__ = ["Asking", "Question", "answer_rows", "peer_rate", "questions_of"]

PHOTOS = {
    "friends": "friends",
    "azvi_herapheri": "azvi_herapheri",
    "plastic_bubble_02": "plastic_bubble",
    "hamilton": "hamilton",
}
"""{clip: folder of photos of its persons}"""

HEAD = ["| device | hits | in common | largest difference of a similarity | seconds in spans | in common | s |"]
HEAD += ["|---|---|---|---|---|---|---|"]


@dataclass(frozen=True)
class Question:
    """Clips, and the photos of their persons."""

    clips: tuple[Path, ...]
    photos: tuple[Path, ...]


@dataclass(frozen=True)
class Asking:
    """What all runs share: networks, where they write, the children's variables, and the time."""

    pack: Path
    folder: Path
    variables: dict[str, str]
    budget: Budget


@dataclass(frozen=True)
class Answer:
    """What one device says.

    Attributes:
        hits: {(video, target, time stamp): similarity}.
        spans: {(video, target): [(start, end)]} in seconds.
        seconds: How long the command took.
    """

    hits: dict[tuple[str, str, str], float]
    spans: dict[tuple[str, str], list[tuple[float, float]]]
    seconds: float


def questions_of(clips: Path, photos: Path) -> Question:
    """The clips that are there together with their photos."""
    known = [name for name in PHOTOS if (clips / f"{name}.mp4").is_file() and (photos / PHOTOS[name]).is_dir()]
    return Question(tuple(clips / f"{name}.mp4" for name in known), tuple(photos / PHOTOS[name] for name in known))


def answer_rows(question: Question, devices: list[str], asking: Asking) -> Iterator[str]:
    """A table, a row a device; the first is the processor in float32.

    Raises:
        Skipped: There are no clips, or the processor's run failed.
    """
    if not question.clips:
        raise Skipped("there is no clip with photos of its persons: give --clips and --pictures")
    ask = [*FASTFACE, "run", *question.clips, *(word for photos in question.photos for word in ("-t", photos))]
    ask += ["--models", asking.pack, "--clips", "none", "--crops", "none", "--pad", "0,0", "-q"]
    exact = _answer([*ask, "--device", "cpu", "--precision", "float32"], "exact", asking)
    yield f"{len(question.clips)} clips of real films ({', '.join(path.stem for path in question.clips)})."
    yield ""
    yield from HEAD
    yield f"| cpu, float32 | {len(exact.hits)} | | | {total(exact.spans):.1f} | | {exact.seconds:.1f} |"
    for device in devices:
        try:
            found = _answer([*ask, "--device", device], device, asking)
        except Skipped as skipped:
            yield f"| {device} | {skipped} | | | | | |"
            continue
        yield f"| {device} | {compare(exact, found)} | {found.seconds:.1f} |"


def _answer(command: list[object], name: str, asking: Asking) -> Answer:
    asking.budget.need(10)
    out = asking.folder / name
    shutil.rmtree(out, ignore_errors=True)
    ended = run_child([*command, "-o", out], asking.budget.left, asking.variables)
    if ended.reason:
        raise Skipped(f"the run {ended.reason}")
    hits = {(row["video"], row["target"], row["pts"]): float(row["similarity"]) for row in _rows(out / "hits.csv")}
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in _rows(out / "spans.csv"):
        spans.setdefault((row["video"], row["target"]), []).append((float(row["start"]), float(row["end"])))
    return Answer(hits, spans, ended.seconds)


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def compare(exact: Answer, found: Answer) -> str:
    """The cells of a row: hits and spans of both, and what they have in common."""
    both = exact.hits.keys() & found.hits.keys()
    apart = max((abs(exact.hits[hit] - found.hits[hit]) for hit in both), default=0.0)
    common = sum(_common(spans, found.spans.get(whose, [])) for whose, spans in exact.spans.items())
    return f"{len(found.hits)} | {len(both)} | {apart:.4f} | {total(found.spans):.1f} | {common:.1f}"


def total(spans: dict[tuple[str, str], list[tuple[float, float]]]) -> float:
    """Seconds of all spans."""
    return sum(end - start for whose in spans.values() for start, end in whose)


def _common(one: list[tuple[float, float]], other: list[tuple[float, float]]) -> float:
    return sum(max(0.0, min(a[1], b[1]) - max(a[0], b[0])) for a in one for b in other)


def peer_rate(film: Path, pack: Path, device: str, variables: dict[str, str], budget: Budget) -> str:
    """One line: frames a second of insightface's classes over a film, every frame, without their start.

    Raises:
        Skipped: It failed, or is not installed.
    """
    provider = "CPU" if device == "cpu" else "CUDA"
    budget.need(10)
    ended = run_child([sys.executable, HERE / "insightface_peer.py", film, pack, 0, "single", provider], 60, variables)
    if ended.reason:
        raise Skipped(f"insightface {ended.reason}")
    frames, faces, seconds = ended.output.splitlines()[-1].split()
    rate = int(frames) / float(seconds)
    return f"insightface with OpenCV, one picture at a time, {provider}: {rate:.0f} frames a second, {faces} faces"
