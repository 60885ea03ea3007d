"""How much of its time a fast card waits for the main process.

    python benchmarks/coordinator.py [--rate 8000] [--minutes 20] [--films 1] [--batch 32] [--faces 2] [--write]

Decoders that say at once that a slot is full, and workers that answer each batch with drawn faces once the time for it
is over, stand in for those that compute. All else is what `fastface scan --every-frame` does: slots, messages, tracks,
pictures, Parquet, the ledger. A worker *waits* while it has no batch, until its last answer; *pauses* are times in
which the main process hears no child, since it is busy with something else.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time
from types import SimpleNamespace
from typing import Any

from coordinator_crew import DIMENSION, RATE, SAMPLING, UNIT_SECONDS, Drawn
from results import machine, write_section

from fastface.index.ledger import Ledger
from fastface.indexing.scanner import Scanner
from fastface.pipeline import coordinator as rooms
from fastface.pipeline.coordinator import Coordinator
from fastface.pipeline.messages import DecoderSettings
from fastface.pipeline.process_pool import PoolSizes, ProcessPool
from fastface.pipeline.ring import RingShape
from fastface.runtime.events.observer import Observer
from fastface.runtime.index_settings import IndexSettings
from fastface.video.discover import VideoFile

WORKERS = 2


@dataclass(frozen=True)
class Turn:
    """What one scan came to.

    Attributes:
        seconds: From the first probe to the last video's end.
        cpu: CPU seconds of the main process.
        waited: Share of their time that workers waited, until the last answer.
        pause: Seconds of the longest pause.
    """

    seconds: float
    cpu: float
    waited: float
    pause: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=8000, help="frames a second that the workers compute together")
    parser.add_argument("--minutes", type=float, default=20, help="length of each film")
    parser.add_argument("--films", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--faces", type=int, default=2, help="in each frame")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="replace this section of RESULTS.md")
    options = parser.parse_args()
    drawn = Drawn(round(options.minutes * 60), options.batch, options.faces, options.rate / WORKERS)
    turns = [scan(drawn, options.films) for _ in range(options.repeats)]
    frames = options.films * drawn.seconds * RATE

    def middle(name: str) -> float:
        return statistics.median(getattr(turn, name) for turn in turns)

    text = "\n".join(
        [
            machine(),
            "",
            f"`python benchmarks/coordinator.py --rate {options.rate:g} --minutes {options.minutes:g} "
            f"--films {options.films} --batch {options.batch} --faces {options.faces}`: medians of {options.repeats}.",
            "",
            f"* {frames} frames in {middle('seconds'):.1f} s, {frames / middle('seconds'):.0f} a second",
            f"* workers wait **{middle('waited'):.1%}** of their time",
            f"* the main process: {middle('cpu') / frames * 1e6:.0f} µs of CPU a frame, "
            f"longest pause {middle('pause') * 1e3:.0f} ms",
        ]
    )
    print(text)
    if options.write:
        write_section("What a card waits for", text)


def scan(drawn: Drawn, num_films: int) -> Turn:
    """One scan of drawn films."""
    settings = DecoderSettings(RingShape(16, 1 << 12, drawn.batch), None, SAMPLING, UNIT_SECONDS, 1 << 30, threads=1)
    worker: Any = SimpleNamespace(dimension=DIMENSION)  # all that the coordinator itself asks for
    recipe = IndexSettings("drawn", {}, DIMENSION, 0.0, portrait_bytes=8 << 20)
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    with tempfile.TemporaryDirectory() as name, Ledger(Path(name) / "ledger.sqlite") as ledger:
        folder = Path(name)
        films = [VideoFile(folder / f"{number}.mp4", f"{number}.mp4") for number in range(num_films)]
        for number, film in enumerate(films):
            film.path.write_bytes(bytes(number))
        with Coordinator(settings, worker, PoolSizes(2, WORKERS)) as coordinator, _pauses() as pauses:
            coordinator.decoders = ProcessPool("decoder", "coordinator_crew:serve_decoder", 2, drawn)
            coordinator.workers = ProcessPool("worker", "coordinator_crew:serve_worker", WORKERS, drawn)
            scanner = Scanner(folder / "index", ledger, recipe, Observer())
            while not all(member.ready for member in coordinator.decoders.members + coordinator.workers.members):
                coordinator.listen()
            began, before = perf_counter(), process_time()
            pauses.clear()
            scanner.admit(films, coordinator)
            scanner.run(coordinator)
            seconds, cpu = perf_counter() - began, process_time() - before
        units = [unit for film in films for unit in ledger.units(film.video_id).values()]
    waited = sum(unit.seconds["wait_batch"] for unit in units) / WORKERS
    busy = num_films * drawn.seconds * RATE / drawn.rate / WORKERS
    return Turn(seconds, cpu, waited / (waited + busy), max(pauses))


@contextmanager
def _pauses() -> Iterator[list[float]]:
    """The seconds between two times at which the coordinator listens."""
    pauses: list[float] = []
    plain, since = rooms.wait, perf_counter()

    def timed(connections: Any, timeout: float) -> Any:
        nonlocal since
        pauses.append(perf_counter() - since)
        heard = plain(connections, timeout)
        since = perf_counter()
        return heard

    rooms.wait = timed
    try:
        yield pauses
    finally:
        rooms.wait = plain


if __name__ == "__main__":
    main()
