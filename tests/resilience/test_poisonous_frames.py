"""A frame that ends every worker that looks at it, with real workers that hold two batches: it alone is given up."""

import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import run_tools
from cartoon_tools import Cartoon
from pipeline_tools import settings_for
from places import python_path
from torture_tools import Torture

from fastface.demo.script import Script
from fastface.pipeline.coordinator import Coordinator
from fastface.pipeline.events import Event, ProcessExited, UnitScanned
from fastface.pipeline.inference import gpu_overlap as overlap
from fastface.pipeline.inference import worker_loop as inference
from fastface.pipeline.messages import DecoderSettings, InferFrames, VideoProbed, WorkerSettings
from fastface.pipeline.process_pool import PoolSizes, ProcessPool
from fastface.pipeline.ring import Ring, RingShape
from fastface.types import FrameCounts, Sampling
from fastface.video.discover import VideoFile

FILM, RATE, BATCH = "film3.mp4", 25, 4
POISON = "TEST_POISON"
"""Of the workers' environment: the number of the frame that kills, and the file in which each death is a line."""

OVERLAP_PLACES = (
    "overlap.begin",
    "overlap.detected",
    "overlap.taken",
    "overlap.described",
    "worker.inferred",
    "worker.told",
)


def overlapped(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """A worker as on a card, with sessions of the CPU."""
    overlap.serve_overlapped(connection, Ring(descriptor, settings.ring), settings)


def poisoned_overlapped(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """As on a card; the first that dies has both of its batches' pixels in work."""
    both, seen, describe = threading.Event(), overlap.unpack, overlap.describe

    def unpack(ring: Ring, task: InferFrames, **more: bool) -> Any:
        if not _kills(task):
            both.set()
        return seen(ring, task, **more)

    def die(analyser: Any, job: Any, found: Any) -> Any:
        if _kills(job.task):
            _die(lambda: both.wait(run_tools.DEADLINE_SECONDS))
        elif not _deaths():
            both.clear()  # what is searched before the poison is no neighbour
        return describe(analyser, job, found)

    overlap.unpack, overlap.describe = unpack, die
    overlap.serve_overlapped(connection, Ring(descriptor, settings.ring), settings)


def poisoned_in_turn(connection: Connection, descriptor: int, settings: WorkerSettings) -> None:
    """As on a CPU; the first that dies has its next batch waiting in its pipe."""
    unpack = inference.unpack

    def die(ring: Ring, task: InferFrames, **more: bool) -> Any:
        if _kills(task):
            _die(lambda: connection.poll(run_tools.DEADLINE_SECONDS))
        return unpack(ring, task, **more)

    inference.unpack = die
    inference.serve_in_turn(connection, Ring(descriptor, settings.ring), settings)


def _kills(task: InferFrames) -> bool:
    times = task.times[task.first : task.first + task.count]
    return any(round(time * RATE) == int(os.environ[POISON].split(":")[0]) for time in times)


def _log() -> Path:
    return Path(os.environ[POISON].partition(":")[2])


def _deaths() -> list[str]:
    return _log().read_text().splitlines() if _log().exists() else []


def _die(holds_another: Any) -> None:
    """The first death waits for an innocent batch; the later ones come alone, so there is none to wait for."""
    words = "alone" if _deaths() else "with another" if holds_another() else "in vain"
    with _log().open("a") as file:
        file.write(f"{words}\n")
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children find this file, and end with each test."""
    monkeypatch.setenv("PYTHONPATH", python_path(__file__))
    yield
    assert run_tools.children(os.getpid()) == []


def _scanned(cartoon: Cartoon, folder: Path, serve: str) -> list[Event]:
    """All events of a scan of one film by one decoder and one worker."""
    ring = RingShape.for_batch(6, BATCH)
    decoder = DecoderSettings(ring, None, Sampling(None), 2.0, 10**8, threads=1)
    settings = settings_for(cartoon, folder, ring)
    happened: list[Event] = []
    with Coordinator(decoder, settings, PoolSizes(1, 1)) as coordinator:
        coordinator.workers = ProcessPool("worker", f"{Path(__file__).stem}:{serve}", 1, settings)
        coordinator.probe(VideoFile(cartoon.films / FILM, FILM))
        for event in coordinator.events():
            happened.append(event)
            if isinstance(event, VideoProbed):
                for unit in event.units:
                    coordinator.schedule(event.info, unit)
    return happened


def _frames_with_faces(events: list[Event]) -> list[int]:
    """The number of the frame of every face, as often as it has faces."""
    units = [event for event in events if isinstance(event, UnitScanned)]
    return sorted(round(float(time) * RATE) for unit in units for time in unit.faces.time)


def _drawn(script: Script, without: int = -1) -> list[int]:
    frames = (frame for frame in range(script.num_frames) if frame != without)
    return [frame for frame in frames for _ in script.sightings(frame)]


def _books(events: list[Event]) -> tuple[int, int, int]:
    units = [event for event in events if isinstance(event, UnitScanned)]
    for unit in units:
        assert unit.report.sampled == unit.counts.inferred + unit.counts.quarantined
    counts = sum((unit.counts for unit in units), FrameCounts())
    return sum(unit.report.sampled for unit in units), counts.inferred, counts.quarantined


@pytest.mark.parametrize("serve", ["poisoned_overlapped", "poisoned_in_turn"])
def test_a_frame_that_kills_is_given_up_alone_and_the_other_batch_of_its_worker_is_kept(
    cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve: str
) -> None:
    script = cartoon.scripts[FILM]
    poison = next(frame for frame in range(10, 40) if script.sightings(frame))
    monkeypatch.setenv(POISON, f"{poison}:{tmp_path / 'deaths'}")
    events = _scanned(cartoon, tmp_path, serve)
    # Whole and with an innocent one; whole and alone; the frame alone.
    assert _deaths() == ["with another", "alone", "alone"]
    assert [event.status for event in events if isinstance(event, ProcessExited)] == [-signal.SIGSEGV] * 3
    assert _books(events) == (script.num_frames, script.num_frames - 1, 1)
    assert _frames_with_faces(events) == _drawn(script, without=poison)


def test_workers_of_a_card_that_are_killed_at_any_hand_over_lose_no_frame(
    cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torture: Torture
) -> None:
    """Each worker dies when it comes to the place for the ninth time, so none does the film alone."""
    script = cartoon.scripts[FILM]
    for place in OVERLAP_PLACES if torture.whole else OVERLAP_PLACES[1:3]:
        monkeypatch.setenv("FASTFACE_FAILPOINT", f"{place}:kill:9")
        events = _scanned(cartoon, tmp_path, "overlapped")
        deaths = [event.status for event in events if isinstance(event, ProcessExited)]
        assert len(deaths) >= 2, place
        assert set(deaths) == {-signal.SIGKILL}
        assert _books(events) == (script.num_frames, script.num_frames, 0)
        assert _frames_with_faces(events) == _drawn(script)
