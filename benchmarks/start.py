"""How long commands take to start: with one second of film, hardly anything else is left.

    python benchmarks/start.py [--shared ../shared] [--repeats 5] [--against FASTFACE] [--write]

Cuts one second out of a clip and runs each command several times. A run before these is not counted; `--tiny` leaves it
out. A run's first result is the line of the finished video in its log. Clips and crops are not made. With `--against`,
the `fastface` of another environment runs in turns with this one, each with its own cache and output folders.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from results import add_tiny, machine, write_section

NO_EXPORT = ["--clips", "none", "--crops", "none"]
STARTS_AT = {False: "20", True: "0"}
"""{tiny run: second of the clip at which the film begins}"""


@dataclass(frozen=True)
class Place:
    """One installed command, with a folder of its own."""

    command: Path
    folder: Path
    shared: Path

    @property
    def photos(self) -> Path:
        """The six photos."""
        return self.shared / "media" / "photos" / "friends"

    def run(self, arguments: list[str]) -> float:
        """Run a command; return when it was started."""
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache")}
        models = {"FASTFACE_MODELS": str(self.shared / "models" / "buffalo_s")}
        started = time.time()
        # The film ends early, so a scan may end with 3; a wrong option gives 2.
        code = subprocess.run(
            [self.command, *arguments], env=environment | models, cwd=self.folder, capture_output=True, check=False
        ).returncode
        assert code in ((2,) if "--wrong" in arguments else (0, 3)), (arguments, code)
        return started

    def prepare(self, case: str) -> None:
        """Make the output folder that a case needs."""
        out = self.folder / "out"
        if case.startswith("run"):
            shutil.rmtree(out, ignore_errors=True)
            if "known" in case:
                shutil.copytree(self.folder / "scanned" / ".fastface" / "photos", out / ".fastface" / "photos")
        elif case == "find, a new photo":
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(self.folder / "unasked", out)
        elif case == "find, known photos":
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(self.folder / "scanned", out)


@dataclass(frozen=True)
class Cost:
    """Seconds of one command."""

    first: float | None  # until the first result of a run
    whole: float
    processor: float  # of all its processes


def cases(photos: Path) -> dict[str, list[str]]:
    """Return {name: arguments}."""
    six, one = ["-t", str(photos)], ["-t", str(next(photos.iterdir()))]
    return {
        "usage error": ["run", "--wrong"],
        "--help": ["--help"],
        "run --help": ["run", "--help"],
        "status": ["status", "-o", "scanned"],
        "find, known photos": ["find", *six, "-o", "out", *NO_EXPORT],
        "find, a new photo": ["find", *one, "-o", "out", *NO_EXPORT],
        "run, known photos": ["run", "film.mp4", *six, "-o", "out", *NO_EXPORT],
        "run, six new photos": ["run", "film.mp4", *six, "-o", "out", *NO_EXPORT],
    }


def prepare_place(command: Path, folder: Path, shared: Path, begin: str) -> Place:
    """Cut the film, and fill the cache and the output folders that cases copy."""
    folder.mkdir()
    clip = shared.absolute() / "media" / "clips" / "friends.mp4"
    cut = ["-ss", begin, "-i", str(clip), "-t", "1", "-c", "copy", str(folder / "film.mp4")]
    subprocess.run(["ffmpeg", "-v", "error", *cut], check=True)
    place = Place(command.absolute(), folder, shared.absolute())
    place.run(["run", "film.mp4", "-t", str(place.photos), "-o", "scanned", *NO_EXPORT])
    place.run(["scan", "film.mp4", "-o", "unasked"])
    return place


def measure(place: Place, case: str, arguments: list[str]) -> Cost:
    """Run a case once."""
    place.prepare(case)
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    started = place.run(arguments)
    whole, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    first = None
    if arguments[0] == "run" and "--wrong" not in arguments and "--help" not in arguments:
        lines = map(json.loads, (place.folder / "out" / ".fastface" / "log.jsonl").read_text().splitlines())
        (done,) = [datetime.fromisoformat(line["time"]).timestamp() for line in lines if line["event"] == "video"]
        first = done - started
    return Cost(first, whole, processor)


def report(places: list[Place], warm_ups: int, repeats: int) -> list[str]:
    """Return the lines of the table. Runs of a case that warm up come first and are not counted."""
    if len(places) == 1:
        lines = ["| command | first result, s | whole command, s | CPU, s |", "|---|---|---|---|"]
    else:
        lines = [
            "| command | first result, s | of the other | whole command, s | of the other | CPU, s | of the other |"
        ]
        lines.append("|---|---|---|---|---|---|---|")
    for case, arguments in cases(places[0].photos).items():
        costs: list[list[Cost]] = [[] for _ in places]
        for turn in range(warm_ups + repeats):
            for place, found in zip(places, costs, strict=True):
                cost = measure(place, case, arguments)
                if turn >= warm_ups:
                    found.append(cost)
        lines.append(f"| {case} | {' | '.join(describe(costs))} |")
    return lines


def describe(costs: list[list[Cost]]) -> list[str]:
    """Return the cells of a case: medians, and those of another command as ratios."""
    cells = []
    for name in ("first", "whole", "processor"):
        own, *other = [[getattr(cost, name) for cost in found] for found in costs]
        if own[0] is None:
            cells += ["", *([""] if other else [])]
            continue
        cells.append(f"{median(own):.2f}")
        if other:
            ratios = [mine / its for mine, its in zip(own, other[0], strict=True)]
            cells.append(f"{median(other[0]):.2f} (× {median(ratios):.2f})")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--against", type=Path, metavar="FASTFACE", help="the fastface of another environment")
    add_tiny(parser)
    options = parser.parse_args()
    commands = [Path(sys.executable).with_name("fastface"), *([options.against] if options.against else [])]
    with tempfile.TemporaryDirectory() as folder:
        begin = STARTS_AT[options.tiny]
        places = [
            prepare_place(command, Path(folder) / str(number), options.shared, begin)
            for number, command in enumerate(commands)
        ]
        table = report(places, 0 if options.tiny else 1, 1 if options.tiny else options.repeats)
    what = f"`python benchmarks/start.py`: one second of friends.mp4 (720p), no exports, medians of {options.repeats}."
    text = "\n".join([machine(), "", what, "", *table])
    print(text)
    if options.write:
        write_section("The start of a command", text)


if __name__ == "__main__":
    main()
