"""What the pipeline does on cards, without one: overlap, dealing, page-locking, cards that are lost."""

import os
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import run_tools
from cartoon_tools import Cartoon
from faces_tools import planes_of
from pipeline_tools import CANVAS, settings_for
from places import python_path

from fastface.backends import DeviceInfo
from fastface.demo.film import film_frames
from fastface.errors import DeviceLostError
from fastface.models.graph import prepare_person
from fastface.persons.network import PersonNetwork
from fastface.pipeline.events import ProcessNote
from fastface.pipeline.inference import gpu_overlap as overlap
from fastface.pipeline.inference.gpu_overlap import serve_overlapped
from fastface.pipeline.inference.worker_loop import serve_in_turn
from fastface.pipeline.messages import DecoderSettings, Failed, InferFrames, Inferred, Ready, Stop, WorkerSettings
from fastface.pipeline.process import Child
from fastface.pipeline.process_pool import ProcessPool, stop_all
from fastface.pipeline.ring import Ring, RingShape
from fastface.types import BlurGate, Bodies, Faces, Geometry, Sampling, Thumbnails

NUM_BATCHES, BATCH = 6, 4
CARDS = tuple(
    DeviceInfo("onnxruntime", "CUDA", "float32", "H200", "x", device_id=number, compute_capability="9.0")
    for number in range(3)
)


def tell_settings(connection: Connection, _descriptor: int, settings: WorkerSettings) -> None:
    """Says which card it was dealt."""
    connection.send(Ready(notes=(f"card {settings.device.device_id}",)))
    connection.recv()


def test_decoders_are_dealt_to_the_cards_in_turn() -> None:
    settings = DecoderSettings(RingShape.for_batch(1, 1), None, Sampling(None), 60.0, 1, threads=1, cards=(4, 7))
    assert [settings.at(place).card for place in range(3)] == [4, 7, 4]
    assert replace(settings, cards=()).at(2).card == 0


def lose_card(_connection: Connection, _descriptor: int, _settings: object) -> None:
    """Loses its card, and would then hang at its end."""
    import atexit
    import time

    atexit.register(time.sleep, 600)
    raise DeviceLostError("H200 (card 0) was lost")


@pytest.fixture
def children_find_this(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTHONPATH", python_path(__file__))
    yield
    assert run_tools.children(os.getpid()) == []


def filled_ring(cartoon: Cartoon) -> tuple[Ring, list[InferFrames]]:
    """A ring with batches of a drawn film; the second frame of each is the first again, the last batch is not full."""
    frames = islice(film_frames(cartoon.scripts["film1.mp4"]), NUM_BATCHES * BATCH)
    return ring_of([picture for _, picture in frames])


def ring_of(pictures: list[np.ndarray]) -> tuple[Ring, list[InferFrames]]:
    height, width = pictures[0].shape[:2]
    factor = min(CANVAS[0] / width, CANVAS[1] / height)
    content = (round(width * factor), round(height * factor))
    geometry = Geometry(display=(width, height), planes=(width, height), canvas=CANVAS, content=content)
    ring = Ring.create(RingShape.for_batch(NUM_BATCHES, BATCH))
    tasks = []
    for slot in range(NUM_BATCHES):
        canvases, planes = ring.batch(slot, geometry)
        for place in range(BATCH):
            picture = pictures[slot * BATCH + (0 if place == 1 else place)]
            planes[place] = planes_of(picture)
            canvases[place, : content[1], : content[0]] = cv2.resize(picture, content)
        pts = tuple(range(slot * BATCH, slot * BATCH + BATCH))
        count = BATCH if slot < NUM_BATCHES - 1 else BATCH - 1
        tasks.append(
            InferFrames(
                100 + slot, slot, geometry, 0, count, pts, tuple(map(float, pts)), (0, 1, 3), (0, 1, 3), portraits=True
            )
        )
    return ring, tasks


def answers(serve: Any, ring: Ring, settings: WorkerSettings, tasks: list[InferFrames]) -> tuple[Ready, list[Inferred]]:
    """What a worker says when all tasks are in its pipe at once."""
    ours, theirs = Pipe()
    worker = threading.Thread(target=serve, args=(theirs, ring, settings), daemon=True)
    worker.start()
    assert ours.poll(60)
    ready = ours.recv()
    for task in tasks:
        ours.send(task)
    found = []
    for _ in tasks:
        assert ours.poll(60)
        found.append(ours.recv())
    ours.send(Stop())
    worker.join(30)
    assert not worker.is_alive()
    return ready, found


def test_overlapped_answers_are_those_of_one_after_the_other(cartoon: Cartoon, tmp_path: Path) -> None:
    ring, tasks = filled_ring(cartoon)
    settings = settings_for(cartoon, tmp_path, ring.shape)
    _, expected = answers(serve_in_turn, ring, settings, tasks)
    ready, found = answers(serve_overlapped, ring, settings, tasks)
    assert sum(len(reply.faces) for reply in expected) > NUM_BATCHES
    assert [reply.batch for reply in found] == [task.batch for task in tasks]
    assert all(reply.counts.repeated for reply in found)
    for one, other in zip(found, expected, strict=True):
        assert (one.batch, one.first, one.counts.repeated) == (other.batch, other.first, other.counts.repeated)
        for column in fields(Faces):
            np.testing.assert_array_equal(getattr(one.faces, column.name), getattr(other.faces, column.name))
        for column in fields(Thumbnails):
            np.testing.assert_array_equal(getattr(one.portraits, column.name), getattr(other.portraits, column.name))
        assert set(one.seconds) == set(other.seconds) == {"detect", "align", "embed", "picture", "wait_batch"}
    # No card: the ring cannot be page-locked, which is a note.
    assert len(ready.notes) == 1
    assert ready.notes[0].startswith("copying to card 0 is slower")


def test_overlapped_bodies_are_those_of_one_after_the_other(
    cartoon: Cartoon, shared_models: Path, shared_media: Path, tmp_path: Path
) -> None:
    with av.open(str(shared_media / "clips" / "friends.mp4")) as film:
        pictures = [frame.to_ndarray(format="bgr24") for frame in islice(film.decode(video=0), NUM_BATCHES * BATCH)]
    ring, tasks = ring_of(pictures)
    tasks[2] = replace(tasks[2], bodies=False)
    network = shared_models / "person" / "yolox_nano.onnx"
    persons = PersonNetwork(prepare_person(network, tmp_path), "yolox", (416, 416))
    settings = replace(settings_for(cartoon, tmp_path, ring.shape), persons=persons)
    _, expected = answers(serve_in_turn, ring, settings, tasks)
    _, found = answers(serve_overlapped, ring, settings, tasks)
    for task, one, other in zip(tasks, found, expected, strict=True):
        for column in fields(Bodies):
            np.testing.assert_array_equal(getattr(one.bodies, column.name), getattr(other.bodies, column.name))
        # Two at a table; the second frame is the first again.
        assert set(np.bincount(one.bodies.pts - task.pts[0])) <= {2, 3, 4} if task.bodies else not len(one.bodies)
        assert ("persons" in one.seconds) == task.bodies
        pictured = {task.pts[place] for place in task.bodies_due if place < task.count} if task.bodies else set()
        assert set(one.bodies.pts[[jpeg is not None for jpeg in one.bodies.jpeg]].tolist()) == pictured


def test_faces_are_pictured_if_that_is_asked_for_and_those_of_a_repeated_frame_are_the_same(
    cartoon: Cartoon, tmp_path: Path
) -> None:
    ring, tasks = filled_ring(cartoon)
    settings = settings_for(cartoon, tmp_path, ring.shape)
    _, found = answers(serve_in_turn, ring, settings, tasks)
    _, none = answers(serve_in_turn, ring, settings, [replace(task, portraits=False) for task in tasks])
    assert [len(reply.portraits) for reply in none] == [0] * NUM_BATCHES
    num_pictures = 0
    for number, reply in enumerate(found):
        first, repeat = (BATCH * number + place for place in (0, 1))
        # No track bridges two frames here, so no face goes on from an earlier one.
        assert reply.portraits.pts.tolist() == reply.faces.pts.tolist()
        assert reply.portraits.taken.all()
        pictures = [reply.portraits[reply.portraits.pts == pts].jpeg.tolist() for pts in (first, repeat)]
        assert pictures[0] == pictures[1]
        num_pictures += len(pictures[0])
        faces = set(zip(reply.faces.pts, *reply.faces.boxes[:, :2].T, strict=True))
        assert set(zip(reply.portraits.pts, reply.portraits.x1, reply.portraits.y1, strict=True)) <= faces
    assert num_pictures >= 3


@pytest.mark.parametrize("serve", [serve_in_turn, serve_overlapped])
def test_blurred_frames_and_unsharp_faces_are_counted_also_where_a_frame_is_repeated(
    cartoon: Cartoon, tmp_path: Path, serve: Any
) -> None:
    ring, tasks = filled_ring(cartoon)
    settings = settings_for(cartoon, tmp_path, ring.shape)
    _, plain = answers(serve_in_turn, ring, settings, tasks)
    _, blurred = answers(serve, ring, replace(settings, gate=BlurGate(1e9)), tasks)
    _, unsharp = answers(serve, ring, replace(settings, min_sharpness=1e9), tasks)
    assert sum(len(reply.faces) for reply in plain) > NUM_BATCHES
    for task, reply, nothing, less in zip(tasks, plain, blurred, unsharp, strict=True):
        assert (reply.counts.blurred, reply.counts.unsharp) == (0, 0)
        assert (nothing.counts.blurred, nothing.counts.repeated) == (task.count, 0)
        assert (len(nothing.faces), len(nothing.portraits)) == (0, 0)
        assert (less.counts.unsharp, less.counts.repeated, len(less.faces)) == (
            len(reply.faces),
            reply.counts.repeated,
            0,
        )


def test_the_next_batch_is_detected_while_the_one_before_is_embedded(
    cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first batch's faces are not embedded before the second was detected: in turn, that would wait for ever."""
    ring, tasks = filled_ring(cartoon)
    second_detected = threading.Event()
    unpack, describe = overlap.unpack, overlap.describe

    def seen(ring: Ring, task: InferFrames, **more: bool) -> Any:
        if task.slot == 1:
            second_detected.set()
        return unpack(ring, task, **more)

    def held_back(analyser: Any, job: Any, found: Any) -> Faces:
        assert job.task.slot or second_detected.wait(60)
        return describe(analyser, job, found)

    monkeypatch.setattr(overlap, "unpack", seen)
    monkeypatch.setattr(overlap, "describe", held_back)
    _, found = answers(serve_overlapped, ring, settings_for(cartoon, tmp_path, ring.shape), tasks[:2])
    assert [reply.batch for reply in found] == [100, 101]


@pytest.mark.parametrize("half", ["unpack", "describe"])
def test_a_failure_of_either_thread_ends_the_worker_with_its_reason(
    half: str, cartoon: Cartoon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, tasks = filled_ring(cartoon)

    def fail(*_: object, **__: object) -> None:
        raise DeviceLostError("card 0 was lost")

    monkeypatch.setattr(overlap, half, fail)
    ours, theirs = Pipe()
    ours.send(tasks[0])
    with pytest.raises(DeviceLostError, match="card 0 was lost"):
        serve_overlapped(theirs, ring, settings_for(cartoon, tmp_path, ring.shape))
    assert isinstance(ours.recv(), Ready)
    assert not ours.poll()


@pytest.mark.usefixtures("children_find_this")
def test_workers_are_dealt_to_cards_in_turn_and_a_replacement_takes_the_same_card(
    cartoon: Cartoon, tmp_path: Path
) -> None:
    settings = replace(settings_for(cartoon, tmp_path, RingShape.for_batch(1, 1)), cards=CARDS)
    pool = ProcessPool("worker", f"{Path(__file__).stem}:tell_settings", 5, settings)
    pool.start()
    try:
        assert _cards_of(pool) == ["card 0", "card 1", "card 2", "card 0", "card 1"]
        second = pool.members[1]
        second.child.kill()
        assert second.child.receive() is None
        pool.replace(second)
        assert _cards_of(pool)[-1] == "card 1"
        assert sorted(member.place for member in pool.members) == [0, 1, 2, 3, 4]
    finally:
        stop_all(pool.members, 5)


def _cards_of(pool: ProcessPool) -> list[str]:
    told = []
    for member in pool.members:
        if not member.ready:
            (note,) = pool.is_ready(member, member.child.receive().notes)
            assert note.name == member.name
            told.append(note)
    return [note.text for note in told if isinstance(note, ProcessNote)]


def test_where_there_is_one_device_all_workers_have_it(cartoon: Cartoon, tmp_path: Path) -> None:
    settings = settings_for(cartoon, tmp_path, RingShape.for_batch(1, 1))
    assert settings.at(3) is settings


@pytest.mark.usefixtures("children_find_this")
def test_a_worker_that_lost_its_card_ends_at_once() -> None:
    child = Child("worker 1", f"{Path(__file__).stem}:lose_card", None)
    words = child.receive()
    assert isinstance(words, Failed)
    assert (words.kind, words.reason) == ("DeviceLostError", "H200 (card 0) was lost")
    assert child.receive() is None
    assert child.reap(20) == 1
