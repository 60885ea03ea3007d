"""What the faster modes miss: their spans against those of every frame, target by target, and each case that is lost.

    python benchmarks/recall.py [--shared ../shared] [--write]

Runs `fastface run` over each clip that comes with photos, and over a film that is hard for `--profile fast`: all clips
in turns of four seconds, with a keyframe every 250 frames and none at its cuts. Spans are raw (`--pad 0,0`, hits
within a second join). The reference is `--every-frame`. Of its spans of at least two seconds, recall is the share that
is found, which is to say at least half covered by spans of the same target, and the share of their seconds; IoU is
that of all spans, and `too much` the seconds of a mode's spans in which the reference has none. Nothing is timed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from films import run_ffmpeg
from results import add_tiny, machine, write_section
from throughput import LEAST_SPAN_SECONDS, common_seconds, film_seconds

PHOTOS = {"friends": "friends", "hamilton": "hamilton", "azvi_billhyland": "hyland", "azvi_testhyland": "hyland"}
"""{clip: its photos}. Nobody of its photos is in the last: whatever is found there is too much."""

BESIDE = ("street", "corridor")
"""Clips without photos, which the long film is mixed with."""

TURN_SECONDS = 4
MOST_SECONDS = 30
"""What the long film takes of one clip."""

LONG_FILM = "long film, keyframes 10 s apart"
LONG_SIZE = "scale=1280:720:force_original_aspect_ratio=decrease,pad=1280:720:-1:-1,setsar=1,fps=25,format=yuv420p"
ENCODER = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-g", "250", "-sc_threshold", "0")

REFERENCE = "every frame"
MODES = {
    REFERENCE: ["--every-frame"],
    "default": [],
    "default, --exact": ["--exact"],
    "--profile fast": ["--profile", "fast"],
}
TOLD = ("default", "--profile fast")
"""Modes whose every lost case is listed."""

FOUND_SHARE = 0.5


@dataclass(frozen=True)
class Interval:
    """A span of one target: seconds, and the best similarity in it."""

    start: float
    end: float
    best: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start

    def covered(self, by: "list[Interval]") -> float:
        """The share of it that lies in other spans."""
        return common_seconds(_bounds([self]), _bounds(by)) / self.seconds


@dataclass(frozen=True)
class Answer:
    """What one mode found in one film: the targets looked for, spans by target, frames searched."""

    targets: tuple[str, ...]
    spans: dict[str, list[Interval]]
    searched: int


Answers = dict[tuple[str, str], Answer]
"""{(film, mode): its answer}."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    add_tiny(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = compare(options.shared, Path(folder), tiny=options.tiny)
    print(text)
    if options.write:
        write_section("Recall", text)


def compare(shared: Path, folder: Path, *, tiny: bool) -> str:
    """The section of RESULTS.md."""
    clips, photos = shared / "media" / "clips", shared / "media" / "photos"
    films = {clip: (clips / f"{clip}.mp4", [photos / folder]) for clip, folder in PHOTOS.items()}
    modes = MODES
    if tiny:
        films = {}
        modes = {name: MODES[name] for name in (REFERENCE, "default")}
    long = long_film(clips, folder, 1 if tiny else MOST_SECONDS)
    films[LONG_FILM] = (long, [photos / name for name in dict.fromkeys(PHOTOS.values())])
    answers: Answers = {}
    for film, (path, targets) in films.items():
        for number, (mode, more) in enumerate(modes.items()):
            answers[film, mode] = ask(shared, path, targets, folder / f"{path.stem}{number}", more)
    lines = [machine(), "", f"`python benchmarks/recall.py`; the long film is {film_seconds(long):.0f} s.", ""]
    lines += ["| frames searched |" + "".join(f" {mode} |" for mode in MODES), "|---" * (len(MODES) + 1) + "|"]
    for film in films:
        lines.append(f"| {film} |" + "".join(f" {answers[film, mode].searched} |" for mode in modes))
    for mode in list(modes)[1:]:
        lines += ["", f"### {mode}", "", *table(answers, list(films), mode)]
        if mode in TOLD:
            lines += ["", *lost_cases(answers, list(films), mode)]
    return "\n".join(lines)


def long_film(clips: Path, folder: Path, most_seconds: int) -> Path:
    """All clips in turns of a few seconds, with keyframes far apart that know nothing of cuts; returns its path."""
    rest = {clip: min(most_seconds, int(film_seconds(clips / f"{clip}.mp4"))) for clip in (*PHOTOS, *BESIDE)}
    inputs: list[str] = []
    turns = 0
    for begin in range(0, most_seconds, TURN_SECONDS):
        for clip, seconds in rest.items():
            if begin < seconds:
                length = min(TURN_SECONDS, seconds - begin)
                inputs += ["-ss", str(begin), "-t", str(length), "-i", str(clips / f"{clip}.mp4")]
                turns += 1
    filters = ";".join(f"[{number}:v]{LONG_SIZE}[v{number}]" for number in range(turns))
    joined = "".join(f"[v{number}]" for number in range(turns))
    path = folder / "long.mp4"
    graph = f"{filters};{joined}concat=n={turns}:v=1[v]"
    run_ffmpeg(*inputs, "-filter_complex", graph, "-map", "[v]", *ENCODER, str(path))
    return path


def ask(shared: Path, film: Path, targets: list[Path], out: Path, more: list[str]) -> Answer:
    """One run into a folder of its own."""
    asked = [part for photos in targets for part in ("-t", photos)]
    fixed = [*asked, "--models", shared / "models" / "buffalo_s", "-o", out, "--pad", "0,0", "--merge-gap", "1"]
    quiet = ["--clips", "none", "--crops", "none", "--json", "-q"]
    command = [Path(sys.executable).with_name("fastface"), "run", film, *fixed, *quiet, *more]
    subprocess.run([str(part) for part in command], capture_output=True, check=True, timeout=1800)
    report = json.loads((out / "run.json").read_text(encoding="utf-8"))
    rows: list[dict[str, Any]] = json.loads((out / "spans.json").read_text(encoding="utf-8"))
    spans: dict[str, list[Interval]] = {label: [] for label in report["targets"]}
    for row in rows:
        spans[row["target"]].append(Interval(row["start"], row["end"], row["best_similarity"]))
    return Answer(tuple(report["targets"]), spans, report["counts"]["inferred"])


def table(answers: Answers, films: list[str], mode: str) -> list[str]:
    """One mode against the reference: a row for each target that either has found, and the sums."""
    rows = [
        "| clip | target | reference spans ≥ 2 s | seconds | found | recall of spans | recall of seconds "
        "| IoU of all spans | too much, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    everything: list[tuple[list[Interval], list[Interval]]] = []
    for film in films:
        reference, answer = answers[film, REFERENCE], answers[film, mode]
        for label in reference.targets:
            pair = reference.spans[label], answer.spans[label]
            if any(pair):
                rows.append(f"| {film} | {label} | {_figures([pair])} |")
                everything.append(pair)
        if not any(reference.spans.values()) and not any(answer.spans.values()):
            rows.append(f"| {film} | nobody, as it should be | {_figures([])} |")
    return [*rows, f"| **all** | | {_figures(everything)} |"]


def _figures(pairs: list[tuple[list[Interval], list[Interval]]]) -> str:
    """The cells of a row for some targets' spans: (reference, found) each."""
    long = [(span, found) for reference, found in pairs for span in _long(reference)]
    seconds = sum(span.seconds for span, _ in long)
    num_found = sum(span.covered(found) >= FOUND_SHARE for span, found in long)
    covered = sum(span.seconds * span.covered(found) for span, found in long)
    common = sum(common_seconds(_bounds(reference), _bounds(found)) for reference, found in pairs)
    theirs = sum(span.seconds for reference, _ in pairs for span in reference)
    ours = sum(span.seconds for _, found in pairs for span in found)
    either = theirs + ours - common
    cells = [
        str(len(long)),
        f"{seconds:.1f}",
        str(num_found),
        f"{num_found / len(long):.3f}" if long else "–",
        f"{covered / seconds:.3f}" if seconds else "–",
        f"{common / either:.3f}" if either else "–",
        f"{ours - common:.1f}",
    ]
    return " | ".join(cells)


def lost_cases(answers: Answers, films: list[str], mode: str) -> list[str]:
    """Every long span of the reference that the mode does not find, with how much of it is covered."""
    rows = []
    for film in films:
        for label, spans in answers[film, REFERENCE].spans.items():
            found = answers[film, mode].spans[label]
            for span in _long(spans):
                share = span.covered(found)
                if share < FOUND_SHARE:
                    place = f"{span.start:.2f} | {span.end:.2f}"
                    rows.append(f"| {film} | {label} | {place} | {span.best:.3f} | {share:.0%} |")
    if not rows:
        return ["It loses no span of the reference of at least two seconds."]
    head = ["The cases that it loses:", "", "| clip | target | start | end | best similarity | covered |"]
    return [*head, "|---|---|---|---|---|---|", *rows]


def _long(spans: list[Interval]) -> list[Interval]:
    return [span for span in spans if span.seconds >= LEAST_SPAN_SECONDS]


def _bounds(spans: list[Interval]) -> list[tuple[float, float]]:
    return [(span.start, span.end) for span in spans]


if __name__ == "__main__":
    main()
