"""Pictures of faces in the index: which are taken and kept, and that they are read again. Expected rows by hand."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from index_tools import INFO, some_faces

from fastface.errors import FaceIndexError
from fastface.index.portraits import best_of_tracks
from fastface.index.records import UnitRecord
from fastface.index.store import VideoIndex
from fastface.pipeline.portrait_taker import BODY_GAP, FACE_GAP, PortraitClock
from fastface.types import Faces, SampledFrames, Sampling, Thumbnails, Unit
from fastface.video.frames.frame import SampledFrame

FRAMES = SampledFrames.empty()

UNIT = Unit("a", 0, Fraction(0), None, Sampling(Fraction(1, 5)))


def pictured(times: list[float], tracks: list[int], quality: list[float], size: int = 10) -> tuple[Faces, Thumbnails]:
    """Faces of these times, tracks and qualities, all of them pictured; row n's picture is `size` bytes of n."""
    faces = replace(
        some_faces(len(times)),
        time=np.array(times),
        track=np.array(tracks, np.int32),
        quality=np.array(quality, np.float32),
    )
    return faces, Thumbnails.of(faces, faces.quality, [bytes([row]) * size for row in range(len(times))])


def rows(kept: Thumbnails) -> list[int]:
    return [jpeg[0] for jpeg in kept.jpeg]


def test_the_best_four_of_a_track_that_are_a_second_apart_are_kept() -> None:
    times = [0, 0.5, 1, 2, 3, 4, 5, 0, 0.5]
    faces, portraits = pictured(times, [0] * 7 + [1, 1], [0.9, 0.95, 0.5, 0.8, 0.4, 0.85, 0.6, 0.1, 0.2])
    # Of track 0: 0.5 s (0.95), then 0 and 1 s are too near; 4 s (0.85), 2 s (0.8), 5 s (0.6). Of track 1: one of two.
    assert rows(best_of_tracks(portraits, faces)) == [1, 3, 5, 6, 8]


def test_a_face_with_a_fault_is_kept_only_if_its_track_has_none_with_fewer() -> None:
    faces, portraits = pictured([0, 2, 4, 0, 2, 0], [0, 0, 0, 1, 1, 2], [0.9, 0.5, 0.4, 0.9, 0.8, 0.9])
    worth = np.array([5.9, 7.5, 7.4, 4.9, 3.8, 0.9], np.float32)
    # Of track 0 the two flawless ones, of track 1 the one that is only cut off, of track 2 all that there is.
    assert rows(best_of_tracks(replace(portraits, worth=worth), faces)) == [1, 2, 3, 5]


def test_faces_without_a_track_are_tracks_of_their_own() -> None:
    faces, portraits = pictured([0, 0, 0], [-1, -1, 0], [0.5, 0.6, 0.7])
    assert rows(best_of_tracks(portraits, faces)) == [0, 1, 2]


def test_where_there_is_no_room_the_best_of_each_track_stays_longest() -> None:
    faces, portraits = pictured([0, 1, 2, 0, 1], [0, 0, 0, 1, 1], [0.9, 0.8, 0.7, 0.3, 0.2], size=1000)
    kept = {most: rows(best_of_tracks(portraits, faces, most)) for most in (0, 10_000, 10_500, 11_500, 12_500, 99_999)}
    assert kept == {
        0: [],
        10_000: [0],
        10_500: [0, 3],
        11_500: [0, 1, 3],
        12_500: [0, 1, 3, 4],
        99_999: [0, 1, 2, 3, 4],
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_order_in_which_pictures_come_does_not_matter(seed: int) -> None:
    chance = np.random.default_rng(seed)
    faces, portraits = pictured(
        chance.uniform(0, 9, 60).tolist(), chance.integers(0, 6, 60).tolist(), chance.choice([0.4, 0.5], 60).tolist()
    )
    expected = rows(best_of_tracks(portraits, faces, 8192 + 15 * 46))
    assert len(expected) == 15  # 10 bytes and 36 for the row
    assert expected == sorted(expected)
    shuffled = portraits[chance.permutation(60)]
    assert rows(best_of_tracks(shuffled, faces, 8192 + 15 * 46)) == expected


@pytest.mark.parametrize("count", [0, 1, 700])
@pytest.mark.parametrize("megabytes", [0.01, 0.1, 1.0])
def test_the_file_is_no_larger_than_the_bound_and_is_read_again(tmp_path: Path, count: int, megabytes: float) -> None:
    faces = replace(some_faces(count), track=np.arange(count, dtype=np.int32))
    chance = np.random.default_rng(1)
    portraits = Thumbnails.of(
        faces, faces.quality, [chance.bytes(int(size)) for size in chance.integers(100, 9000, count)]
    )
    most = int(megabytes * 2**20)
    index, kept = VideoIndex(tmp_path, "a"), best_of_tracks(portraits, faces, most)
    index.write_faces([faces], 8, {"contract": "c"}, lambda found: found.track, lambda _: kept)
    size = index.portraits_path.stat().st_size
    assert size <= most
    assert size > 0.8 * most or len(kept) == count or megabytes < 0.1
    read = index.portraits()
    assert [getattr(read, name).tolist() for name in Thumbnails.__dataclass_fields__] == [
        getattr(kept, name).tolist() for name in Thumbnails.__dataclass_fields__
    ]
    assert index.portraits_path.stat().st_mode & 0o777 == 0o600


def test_pictures_of_units_come_and_go_with_them(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    faces, portraits = pictured([0, 1], [0, 0], [0.5, 0.6])
    bare, full = (UnitRecord(f"00000{n}", Fraction(n), None, dense=False, portraits=2 * n) for n in (0, 1))
    index.write_unit(full, faces, {}, portraits, frames=FRAMES)
    index.write_unit(bare, faces, {}, Thumbnails.empty(), frames=FRAMES)
    assert index.holds(full)
    assert index.holds(bare)
    assert [rows(found) for found in index.unit_portraits([bare, full])] == [[0, 1]]
    files = sorted(path.name for path in (tmp_path / "a" / "units").iterdir())
    assert files == [f"00000{n}.parquet" for n in ("0.frames", "0", "1.frames", "1", "1.portraits")]
    (tmp_path / "a" / "units" / "000001.portraits.parquet").unlink()
    assert not index.holds(full)
    index.drop_units()
    assert list((tmp_path / "a").iterdir()) == []


def test_pictures_of_an_earlier_scan_go_and_damaged_ones_are_told(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    faces, portraits = pictured([0, 1], [0, 0], [0.5, 0.6])
    assert len(index.portraits()) == 0
    index.write_faces([faces], 8, {}, lambda found: found.track, lambda _: portraits)
    assert rows(index.portraits()) == [0, 1]
    index.write_faces([faces], 8, {}, lambda found: found.track)
    assert not index.portraits_path.exists()
    for damage in (b"", b"no table", index.faces_path.read_bytes()):
        index.portraits_path.write_bytes(damage)
        with pytest.raises(FaceIndexError, match="scan again with --fresh"):
            index.portraits()


def frame(time: Fraction, *, flagged: bool = False) -> SampledFrame:
    return SampledFrame(int(time * 90000), time, None, flagged)


def due(clock: PortraitClock, frames: list[SampledFrame]) -> list[float]:
    return [float(one.time) for one in frames if clock.is_due(one)]


def test_the_first_whole_frame_of_each_half_second_is_due() -> None:
    clock = PortraitClock(INFO, UNIT, wanted=True, gap=BODY_GAP)
    frames = [frame(Fraction(n, 5), flagged=n == 3) for n in range(12)]
    assert due(clock, frames) == [0.0, 0.8, 1.0, 1.6, 2.0]  # 0.6 s is damaged
    assert due(PortraitClock(INFO, UNIT, wanted=True, gap=FACE_GAP), frames) == [0.0, 1.0, 2.0]
    assert due(PortraitClock(INFO, UNIT, wanted=False, gap=BODY_GAP), frames) == []


def test_a_stretch_that_is_looked_at_again_is_not_pictured_and_every_picture_of_a_folder_is(tmp_path: Path) -> None:
    frames = [frame(Fraction(n, 25)) for n in range(30)]
    dense = replace(UNIT, index=-1)
    assert due(PortraitClock(INFO, dense, wanted=True, gap=BODY_GAP), frames) == []
    folder = replace(INFO, path=tmp_path, codec="images", is_film=False)
    assert len(due(PortraitClock(folder, UNIT, wanted=True, gap=BODY_GAP), frames)) == 30
    numbered = replace(folder, path=tmp_path / "img_%04d.jpg", is_film=True)
    assert due(PortraitClock(numbered, UNIT, wanted=True, gap=BODY_GAP), frames) == [0.0, 0.52, 1.0]


def test_a_unit_of_hours_is_pictured_more_seldom_after_ten_minutes() -> None:
    late = replace(UNIT, start=Fraction(60))
    times = due(PortraitClock(INFO, late, wanted=True, gap=BODY_GAP), [frame(60 + Fraction(n)) for n in range(3600)])
    assert len([time for time in times if time < 660]) == 600
    assert len([time for time in times if time >= 660]) == 1500
