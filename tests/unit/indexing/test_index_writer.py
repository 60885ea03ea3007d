"""Commits by hand: rows and files of each unit at once, and the video's when no unit is missing."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from index_tools import plain_info, some_faces

from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.index.store import VideoIndex
from fastface.indexing.index_writer import Commit, IndexWriter
from fastface.pipeline.events import UnitLost, UnitScanned
from fastface.runtime.index_settings import IndexSettings
from fastface.types import SIGNATURE_SIZE, FrameCounts, SampledFrames, Sampling, Unit
from fastface.video.frames.frame import UnitReport
from fastface.video.identity.fingerprint import fingerprint, read_stamp

SAMPLING = Sampling(Fraction(1, 5), keyframes=False)
FIRST = Unit("film.mp4", 0, Fraction(0), Fraction(10), SAMPLING)
BOX = np.array([[10, 10, 40, 50]], np.float32)
SECOND = Unit("film.mp4", 1, Fraction(10), None, SAMPLING)


def _scanned(unit: Unit, faces: int) -> UnitScanned:
    report = UnitReport(decoded=250, sampled=50, covered=Fraction(10), decoder="pyav")
    time = float(unit.start) + np.arange(49) / 5
    pts = np.rint(time * 90000).astype(np.int64)
    found = replace(some_faces(faces), time=time[:faces], pts=pts[:faces], boxes=np.tile(BOX, (faces, 1)))
    frames = SampledFrames(time, pts, np.zeros(49, np.int32), np.zeros((49, SIGNATURE_SIZE), np.uint8))
    counts = FrameCounts(sampled=50, inferred=49, quarantined=1, faces=faces)
    return UnitScanned(unit, found, report, counts, frames=frames)


def _record(folder: Path, num_units: int) -> VideoRecord:
    film = folder / "film.mp4"
    film.write_bytes(b"a film")
    info = plain_info(path=film, duration=Fraction(20))
    stamp = read_stamp(film)
    return VideoRecord("film.mp4", film, fingerprint(film), "key", info=info, num_units=num_units, stamp=stamp)


def test_a_unit_has_its_row_and_file_at_once_and_the_last_one_finishes_the_video(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        writer = IndexWriter(tmp_path / "index", ledger, IndexSettings("key", {}, 8, 0.2), count_hits=len)
        record = _record(tmp_path, 2)
        ledger.put_video(record)
        index = VideoIndex(tmp_path / "index", "film.mp4")
        assert writer.open_video(record, [FIRST.key, SECOND.key]) == Commit("film.mp4")
        assert writer.commit_unit(_scanned(FIRST, 3)) == Commit("film.mp4", num_hits=3)
        (row,) = ledger.units("film.mp4").values()
        assert (row.sampled, row.inferred, row.quarantined, row.faces) == (50, 49, 1, 3)
        assert index.holds(row)
        assert not index.faces_path.exists()
        last = writer.commit_unit(_scanned(SECOND, 2))
        assert last.num_hits == 2
        assert last.finished == ledger.video("film.mp4")
        assert last.finished is not None
        assert (last.finished.state, last.finished.coverage) == ("partial", 1.0)  # frames were quarantined
        assert len(index.faces()) == 5
        assert not index.holds(row)


@pytest.mark.parametrize("num_units", [1, 2])
def test_lost_units_end_a_video_too(tmp_path: Path, num_units: int) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        writer = IndexWriter(tmp_path / "index", ledger, IndexSettings("key", {}, 8, 0.2))
        units = [FIRST, SECOND][:num_units]
        writer.open_video(_record(tmp_path, num_units), [unit.key for unit in units])
        commits = [writer.lose_unit(UnitLost(unit, "failed", "broken")) for unit in units]
        assert [commit.finished is not None for commit in commits] == [False, True][-num_units:]
        assert [row.lost for row in ledger.units("film.mp4").values()] == ["failed: broken"] * num_units
        known = ledger.video("film.mp4")
        assert known is not None
        assert known.state == "failed"


def test_a_video_without_missing_units_is_finished_when_it_is_opened(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        settings, record = IndexSettings("key", {}, 8, 0.2), _record(tmp_path, 2)
        earlier = IndexWriter(tmp_path / "index", ledger, settings)
        earlier.open_video(record, [FIRST.key, SECOND.key, "of a killed run"])
        for unit in (FIRST, SECOND):
            assert earlier.commit_unit(_scanned(unit, 1)).finished is None
        commit = IndexWriter(tmp_path / "index", ledger, settings).open_video(record, [])
        assert commit.finished == ledger.video("film.mp4")
        assert commit.finished is not None
        assert len(VideoIndex(tmp_path / "index", "film.mp4").faces()) == 2


def test_a_closer_look_at_a_finished_video_finishes_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        writer = IndexWriter(tmp_path / "index", ledger, IndexSettings("key", {}, 8, 0.2))
        dense = Unit("film.mp4", -1, Fraction(2), Fraction(3), SAMPLING)
        assert writer.commit_unit(_scanned(dense, 2)) == Commit("film.mp4")
        (row,) = ledger.units("film.mp4").values()
        assert row.dense
        assert VideoIndex(tmp_path / "index", "film.mp4").holds(row)
