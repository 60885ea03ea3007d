"""Bodies in the index: what is written is read again, by us and by plain Parquet readers; which pictures are kept."""

import json
import stat
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from index_tools import some_faces

from fastface.errors import FaceIndexError
from fastface.index.portraits import with_best_pictures
from fastface.index.records import UnitRecord
from fastface.index.schema import BODIES
from fastface.index.store import VideoIndex
from fastface.types import NUM_COLOURS, Bodies, Faces, SampledFrames

FRAMES = SampledFrames.empty()

SIDES = ("x1", "y1", "x2", "y2")


def some_bodies(count: int, seed: int = 0) -> Bodies:
    """Bodies of which every third is pictured."""
    chance = np.random.default_rng(seed)
    corner = chance.random((count, 2), np.float32) * 100
    jpeg = np.full(count, None, np.object_)
    jpeg[::3] = [chance.bytes(int(size)) for size in chance.integers(0, 50, len(jpeg[::3]))]
    return Bodies(
        time=np.arange(count) / 5,
        pts=np.arange(count, dtype=np.int64) * 18000 + 2**40,
        boxes=np.hstack([corner, corner + 1 + chance.random((count, 2), np.float32) * 300]),
        person_score=chance.random(count, np.float32),
        colours=chance.random((count, NUM_COLOURS), np.float32).astype(np.float16),
        face=chance.integers(-1, 9, count, np.int32),
        track=chance.integers(0, 9, count, np.int32),
        jpeg=jpeg,
    )


def same(one: Bodies, other: Bodies) -> bool:
    return all(
        getattr(one, name).dtype == getattr(other, name).dtype
        and np.array_equal(getattr(one, name), getattr(other, name))
        for name in Bodies.__dataclass_fields__
    )


def pictured(times: list[float], tracks: list[int], quality: list[float], size: int = 10) -> Bodies:
    """All pictured: row n's picture is `size` bytes of n. Its score is the quality; boxes are of one size."""
    return replace(
        some_bodies(len(times)),
        time=np.array(times, np.float64),
        boxes=np.tile(np.float32([0, 0, 40, 90]), (len(times), 1)),
        person_score=np.array(quality, np.float32),
        track=np.array(tracks, np.int32),
        jpeg=np.array([*(bytes([row]) * size for row in range(len(times))), None], np.object_)[:-1],
    )


def rows(kept: Bodies) -> list[int]:
    """Of the pictures; bodies there are as many as before."""
    return [jpeg[0] for jpeg in kept.jpeg if jpeg is not None]


def written(index: VideoIndex, bodies: Bodies | None, faces: Faces | None = None) -> None:
    faces = some_faces(2) if faces is None else faces
    wanted = None if bodies is None else (lambda _: bodies)
    index.write_faces([faces], 8, {"contract": "c"}, lambda found: found.track, bodies=wanted)


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_bodies_survive_the_table_and_the_file(tmp_path: Path, count: int) -> None:
    bodies = some_bodies(count)
    assert same(BODIES.from_table(BODIES.to_table(bodies)), bodies)
    index = VideoIndex(tmp_path, "a")
    written(index, bodies)
    found = index.bodies()
    assert found is not None
    assert same(found, bodies)
    assert same(Bodies.concatenate([found, found])[count:], bodies)


def test_nobody_pictured_and_nobody_at_all_are_files_too(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    assert index.bodies() is None  # they were not looked for
    for bodies in (Bodies.empty(), replace(some_bodies(4), jpeg=np.full(4, None, np.object_))):
        written(index, bodies)
        found = index.bodies()
        assert found is not None
        assert same(found, bodies)


def test_bodies_are_made_of_the_faces_with_their_tracks(tmp_path: Path) -> None:
    index, told = VideoIndex(tmp_path, "a"), []

    def bodies(faces: Faces) -> Bodies:
        told.append(faces.track.tolist())
        return some_bodies(3)

    parts = [some_faces(2), some_faces(1)]
    index.write_faces(parts, 8, {}, lambda faces: np.arange(7, 7 + len(faces), dtype=np.int32), bodies=bodies)
    assert told == [[7, 8, 9]]


def test_a_plain_reader_finds_the_documented_columns(tmp_path: Path) -> None:
    index, bodies = VideoIndex(tmp_path, "a"), some_bodies(3)
    written(index, bodies)
    table = pq.read_table(index.bodies_path)
    assert {field.name: str(field.type) for field in table.schema} == {
        "time": "double",
        "pts": "int64",
        **dict.fromkeys(SIDES, "float"),
        "person_score": "float",
        "face": "int32",
        "track": "int32",
        "colours": f"fixed_size_list<element: halffloat>[{NUM_COLOURS}]",
        "jpeg": "binary",
    }
    assert table.schema.metadata[b"contract"] == b"c"
    assert int(table.schema.metadata[b"schema_version"]) >= 1
    for number, row in enumerate(table.to_pylist()):
        assert [row[side] for side in SIDES] == bodies.boxes[number].tolist()
        assert row["colours"] == bodies.colours[number].tolist()
        for name in ("time", "pts", "person_score", "face", "track", "jpeg"):
            assert row[name] == getattr(bodies, name)[number], name


def test_only_their_owner_may_read_them(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    written(index, some_bodies(3))
    unit = UnitRecord("000000", Fraction(0), None, dense=False, bodies=3)
    index.write_unit(unit, some_faces(2), {}, bodies=some_bodies(3), frames=FRAMES)
    files = [index.bodies_path, *(tmp_path / "a" / "units").glob("*.bodies.parquet")]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]
    assert stat.S_IMODE(index.bodies_path.parent.stat().st_mode) == 0o700


def test_most_colours_are_nothing_and_take_little_room(tmp_path: Path) -> None:
    colours = np.zeros((1000, NUM_COLOURS), np.float16)
    colours[:, :6] = np.random.default_rng(1).random((1000, 6))
    bodies = replace(some_bodies(1000), colours=colours)
    bodies.jpeg[:] = None
    written(VideoIndex(tmp_path, "a"), bodies)
    assert VideoIndex(tmp_path, "a").bodies_path.stat().st_size < colours.nbytes / 4


def test_bodies_of_units_come_and_go_with_them(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    unasked, none, some = (
        UnitRecord(f"00000{n}", Fraction(n), None, dense=False, bodies=bodies) for n, bodies in enumerate((None, 0, 5))
    )
    index.write_unit(some, some_faces(2), {}, bodies=some_bodies(5), frames=FRAMES)
    index.write_unit(none, some_faces(2), {}, bodies=Bodies.empty(), frames=FRAMES)
    index.write_unit(unasked, some_faces(2), {}, frames=FRAMES)
    assert all(map(index.holds, (unasked, none, some)))
    assert [len(bodies) for bodies in index.unit_bodies([unasked, none, some])] == [0, 5]
    assert same(index.unit_bodies([some])[0], some_bodies(5))
    names = ("000000", "000001.bodies", "000001", "000002.bodies", "000002", *(f"00000{n}.frames" for n in range(3)))
    assert {path.name for path in (tmp_path / "a" / "units").iterdir()} == {f"{name}.parquet" for name in names}
    for unit in (none, some):
        (tmp_path / "a" / "units" / f"{unit.key}.bodies.parquet").unlink()
        assert not index.holds(unit)
    assert index.holds(unasked)
    index.drop_units()
    assert list((tmp_path / "a").iterdir()) == []


def test_the_bodies_of_an_earlier_scan_go(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    written(index, some_bodies(3))
    written(index, None)
    assert not index.bodies_path.exists()
    assert index.bodies() is None


def test_a_file_of_other_columns_is_refused_and_a_damaged_one_told(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    written(index, some_bodies(3))
    table, whole = pq.read_table(index.bodies_path), index.bodies_path.read_bytes()
    scores = table.column("person_score")
    strange = (
        table.append_column("height", scores),
        table.drop_columns(["colours"]),
        table.set_column(6, "person_score", scores.cast(pa.float64())),
        table.select(table.schema.names[::-1]),
        pq.read_table(index.faces_path),
    )
    for other in strange:
        pq.write_table(other, index.bodies_path)
        with pytest.raises(
            FaceIndexError, match=r"^the index of bodies has another version than \d+; scan again with --fresh$"
        ):
            index.bodies()
    for damage in (b"", b"no table", whole[:-9]):
        index.bodies_path.write_bytes(damage)
        with pytest.raises(FaceIndexError, match=r"cannot read the index '.*bodies\.parquet': .*--fresh$"):
            index.bodies()
    pq.write_table(table.replace_schema_metadata({"made": "by somebody else"}), index.bodies_path)
    found = index.bodies()
    assert found is not None
    assert same(found, some_bodies(3))


@pytest.mark.parametrize("bodies", [None, 0, 7])
def test_the_ledger_tells_bodies_that_are_not_there_from_those_not_looked_for(bodies: int | None) -> None:
    record = UnitRecord("000000", Fraction(0), None, dense=False, bodies=bodies)
    assert UnitRecord.from_text(record.to_text()) == record
    older = {name: value for name, value in json.loads(record.to_text()).items() if name != "bodies"}
    assert UnitRecord.from_text(json.dumps(older)).bodies is None


def test_the_best_four_of_a_track_that_are_a_second_apart_keep_their_pictures() -> None:
    times = [0, 0.5, 1, 2, 3, 4, 5, 0, 0.5]
    bodies = pictured(times, [0] * 7 + [1, 1], [0.9, 0.95, 0.5, 0.8, 0.4, 0.85, 0.6, 0.1, 0.2])
    # Of track 0: 0.5 s (0.95), then 0 and 1 s are too near; 4 s (0.85), 2 s (0.8), 5 s (0.6). Of track 1: one of two.
    kept = with_best_pictures(bodies)
    assert rows(kept) == [1, 3, 5, 6, 8]
    assert [row for row, jpeg in enumerate(kept.jpeg) if jpeg is not None] == [1, 3, 5, 6, 8]
    assert same(replace(kept, jpeg=bodies.jpeg), bodies)
    assert rows(bodies) == list(range(9))
    assert rows(with_best_pictures(kept)) == [1, 3, 5, 6, 8]


def test_a_nearer_view_is_better_and_a_surer_one_too() -> None:
    bodies = pictured([0, 0.5, 0, 0.5], [0, 0, 1, 1], [0.6, 0.5, 0.6, 0.5])
    assert rows(with_best_pictures(bodies)) == [0, 2]
    bodies.boxes[1, 2:] *= 1.3  # of area: 1.69, of which the root counts
    bodies.boxes[3, 2:] *= 1.1
    assert rows(with_best_pictures(bodies)) == [1, 2]


def test_where_there_is_no_room_the_best_of_each_track_stays_longest() -> None:
    bodies = pictured([0, 1, 2, 0, 1], [0, 0, 0, 1, 1], [0.9, 0.8, 0.7, 0.3, 0.2], size=1000)
    kept = {most: rows(with_best_pictures(bodies, most)) for most in (0, 999, 1000, 2500, 3000, 4999, 5000)}
    assert kept == {
        0: [],
        999: [],
        1000: [0],
        2500: [0, 3],
        3000: [0, 1, 3],
        4999: [0, 1, 3, 4],
        5000: [0, 1, 2, 3, 4],
    }


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_within_the_bound_and_apart_in_any_film(seed: int) -> None:
    chance = np.random.default_rng(seed)
    bodies = replace(some_bodies(900, seed), track=chance.integers(0, 20, 900, np.int32))
    everything = with_best_pictures(bodies)
    sizes = [len(jpeg) for jpeg in everything.jpeg if jpeg is not None]
    assert 40 < len(sizes) <= 80
    for most in (0, sum(sizes) // 2, sum(sizes)):
        kept = with_best_pictures(bodies, most)
        total = sum(len(jpeg) for jpeg in kept.jpeg if jpeg is not None)
        assert total <= most
        assert total > most - 50
        chosen = np.flatnonzero([jpeg is not None for jpeg in kept.jpeg])
        assert all(kept.jpeg[row] is bodies.jpeg[row] for row in chosen)
        for track in range(20):
            times = bodies.time[chosen[bodies.track[chosen] == track]]
            assert len(times) <= 4
            assert (np.diff(times) >= 1).all()


def test_without_pictures_there_is_nothing_to_keep() -> None:
    assert len(with_best_pictures(Bodies.empty())) == 0
    bare = replace(some_bodies(5), jpeg=np.full(5, None, np.object_))
    assert same(with_best_pictures(bare, 10), bare)
