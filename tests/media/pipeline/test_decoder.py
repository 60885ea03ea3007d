"""The decoder's side of the ring: what becomes of its slots when a unit ends early, and its signs of life."""

from fractions import Fraction
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from cartoon_tools import Cartoon
from media_tools import ffmpeg
from video_tools import EVERY_FRAME, MAX_PIXELS

from fastface.errors import VideoError
from fastface.pipeline import decoder as decoder_module
from fastface.pipeline.decoder import _Decoder
from fastface.pipeline.messages import CancelUnit, DecoderSettings, DecodeUnit, Grant, SlotFilled, UnitRefused
from fastface.pipeline.ring import Ring, RingShape
from fastface.types import Unit
from fastface.video.decode import open_source
from fastface.video.discover import VideoFile
from fastface.video.frames.planes import PlaneWriter
from fastface.video.probe import probe


@pytest.fixture
def sides(cartoon: Cartoon) -> Any:
    """A decoder in this process, the coordinator's end of its connection, and a task."""
    ours, theirs = Pipe()
    shape = RingShape.for_batch(2, 4)
    ring = Ring.create(shape)
    settings = DecoderSettings(shape, None, EVERY_FRAME, 60.0, MAX_PIXELS, threads=1)
    film = VideoFile(cartoon.films / "film3.mp4", "film3.mp4")
    info = probe(film, MAX_PIXELS).info
    task = DecodeUnit(1, info, Unit("film3.mp4", 0, Fraction(0), None, EVERY_FRAME))
    yield _Decoder(theirs, ring, settings), ours, task
    ring.close()
    ours.close()
    theirs.close()


def _messages(connection: Connection) -> list[object]:
    found = []
    while connection.poll():
        found.append(connection.recv())
    return found


def test_a_slot_is_kept_when_a_frame_in_the_middle_of_a_batch_cannot_be_written(
    sides: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder, ours, task = sides
    written = 0
    write = PlaneWriter.write

    def failing(self: PlaneWriter, *arguments: Any) -> None:
        nonlocal written
        written += 1
        if written % 4 == 3:
            raise VideoError(Path("x"), "its pixels cannot be converted")
        write(self, *arguments)

    monkeypatch.setattr(decoder_module.PlaneWriter, "write", failing)
    ours.send(Grant(0, 1))
    decoder._grants.append(decoder._connection.recv())
    for _ in range(3):  # one slot is enough for all of them
        decoder._decode(task)
        written = 0
    assert [type(message) for message in _messages(ours)] == [UnitRefused] * 3
    assert list(decoder._grants) == [Grant(0, 1)]


def test_a_slot_is_kept_when_a_unit_is_cancelled(sides: Any) -> None:
    decoder, ours, task = sides
    ours.send(Grant(0, 1))
    ours.send(Grant(1, 1))
    ours.send(CancelUnit(task.work))
    decoder._decode(task)
    filled = [message for message in _messages(ours) if isinstance(message, SlotFilled)]
    assert len(decoder._grants) + len(filled) == 2
    assert decoder._grants


def test_reading_on_is_a_sign_of_life_though_no_frame_is_wanted(cartoon: Cartoon, tmp_path: Path) -> None:
    stream = tmp_path / "film.ts"
    ffmpeg("-i {0} -c copy {1}", cartoon.films / "film3.mp4", stream)
    signs: list[str] = []
    info = probe(VideoFile(stream, "film.ts"), MAX_PIXELS, lambda: signs.append("probe")).info
    # A transport stream has no index and is read through: four seconds of 25 frames, and the end.
    assert len(signs) == 101
    late = Unit("film.ts", 0, info.duration or Fraction(0), None, EVERY_FRAME)
    assert list(open_source(info, alive=lambda: signs.append("frames")).frames(late)) == []
    assert signs.count("frames") > 0
