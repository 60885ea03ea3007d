"""The index: what is written is read again, by us and by plain Parquet readers; what is damaged is told."""

import json
import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from index_tools import INFO, some_faces

from fastface.cosine import normalize_rows
from fastface.errors import FaceIndexError, SpaceError
from fastface.index.ledger import Ledger
from fastface.index.records import UnitRecord, VideoRecord
from fastface.index.schema import FACES
from fastface.index.store import VideoIndex
from fastface.types import Faces, SampledFrames

FRAMES = SampledFrames.empty()


def same(one: Faces, other: Faces) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Faces.__dataclass_fields__)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_faces_survive_the_table(count: int) -> None:
    faces = some_faces(count)
    assert same(FACES.from_table(FACES.to_table(faces)), faces)


def test_a_plain_reader_finds_the_documented_columns(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    assert index.write_faces([some_faces(3)], 8, {"contract": "c"}, lambda faces: np.zeros(len(faces), np.int32)) == 3
    table = pq.read_table(index.faces_path)
    assert table.schema.names == (
        [
            "time",
            "pts",
            "x1",
            "y1",
            "x2",
            "y2",
            "landmarks",
            "det_score",
            "quality",
            "sharpness",
            "yaw",
            "track",
            "damaged",
            "embedding",
        ]
    )
    assert table.schema.field("time").type == pa.float64()
    assert table.schema.field("pts").type == pa.int64()
    assert table.schema.field("landmarks").type == pa.list_(pa.float32(), 10)
    assert table.schema.field("embedding").type == pa.list_(pa.float16(), 8)
    assert table.column("track").to_pylist() == [0, 0, 0]
    assert index.metadata() == {"schema_version": "4", "contract": "c"}


def test_units_are_merged_in_order_and_private(tmp_path: Path) -> None:
    units = [UnitRecord(f"{n:06d}", Fraction(n), Fraction(n + 1), dense=False) for n in range(3)]
    index = VideoIndex(tmp_path, "a")
    parts = [some_faces(2, seed=n) for n in range(3)]
    for unit, faces in reversed(list(zip(units, parts, strict=True))):
        index.write_unit(unit, faces, {}, frames=FRAMES)
    read = index.unit_faces(units)
    assert all(map(same, read, parts))
    index.write_faces(read, 8, {}, lambda faces: np.arange(len(faces), dtype=np.int32))
    merged = index.faces()
    assert np.array_equal(merged.embedding, np.concatenate([part.embedding for part in parts]))
    assert merged.track.tolist() == [0, 1, 2, 3, 4, 5]
    assert stat.S_IMODE(index.faces_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(index.faces_path.parent.stat().st_mode) == 0o700
    assert (tmp_path / "a" / "units").exists()  # until the ledger knows of it
    index.drop_units()
    assert not (tmp_path / "a" / "units").exists()


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 2500])
def test_many_embeddings_are_mapped_and_few_are_not(tmp_path: Path, count: int) -> None:
    index, faces = VideoIndex(tmp_path, "a"), some_faces(count)
    index.write_faces([faces], 8, {}, lambda found: found.track)
    matrix = tmp_path / "a" / "embeddings.npy"
    assert matrix.exists() == (count >= 1000)
    assert same(index.faces(), faces)
    if matrix.exists():
        assert stat.S_IMODE(matrix.stat().st_mode) == 0o600
        assert np.array_equal(np.load(matrix), faces.embedding)
        matrix.unlink()  # it can be made again
        assert same(index.faces(), faces)
        assert matrix.exists()


@pytest.mark.parametrize("count", [0, 199, 200, 450])
def test_embeddings_of_many_tracks_are_mapped_too(tmp_path: Path, count: int) -> None:
    index, faces = VideoIndex(tmp_path, "a"), some_faces(count)
    faces = replace(faces, embedding=normalize_rows(faces.embedding).astype(np.float16))
    index.write_faces([faces], 8, {}, lambda found: np.arange(len(found), dtype=np.int32))
    matrix = tmp_path / "a" / "track_embeddings.npy"
    assert matrix.exists() == (count >= 200)
    # A track of one face looks like that face.
    assert np.allclose(index.tracks().embedding, faces.embedding, atol=1e-3)
    if matrix.exists():
        assert stat.S_IMODE(matrix.stat().st_mode) == 0o600
        before = index.tracks().embedding.copy()
        matrix.unlink()  # it can be made again
        assert np.array_equal(index.tracks().embedding, before)
        np.save(matrix, before[:-1])
        with pytest.raises(FaceIndexError, match="does not belong"):
            index.tracks()


def test_a_matrix_that_is_not_of_the_index_is_refused(tmp_path: Path) -> None:
    index, matrix = VideoIndex(tmp_path, "a"), tmp_path / "a" / "embeddings.npy"
    index.write_faces([some_faces(1200)], 8, {}, lambda found: found.track)
    whole = matrix.read_bytes()
    np.save(matrix, some_faces(1100).embedding)
    with pytest.raises(FaceIndexError, match="does not belong"):
        index.faces()
    for damaged in (b"", b"no matrix", whole[:-1], whole.replace(b"NUMPY", b"PICKL", 1)):
        matrix.write_bytes(damaged)
        with pytest.raises(FaceIndexError, match="remove the file"):
            index.faces()
    index.write_faces([some_faces(1300, seed=1)], 8, {}, lambda found: found.track)  # a new index has a new matrix
    assert same(index.faces(), some_faces(1300, seed=1))


def test_a_damaged_index_is_told_in_one_line(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path, "a")
    index.faces_path.parent.mkdir()
    index.faces_path.write_bytes(b"PAR1 but no more")
    with pytest.raises(FaceIndexError, match="--fresh"):
        index.faces()
    pq.write_table(pa.table({"time": [1.0]}), index.faces_path)
    with pytest.raises(FaceIndexError, match="has another version"):
        index.faces()


def test_the_ledger_gives_back_what_it_was_given(tmp_path: Path) -> None:
    video = VideoRecord("a", INFO.path, "1-2-3", "key", info=INFO, num_units=2, coverage=0.5)
    unit = UnitRecord(
        "000001",
        Fraction(1, 3),
        None,
        dense=False,
        covered=Fraction(7, 3),
        keyframes=(Fraction(1, 3), Fraction(5)),
        seconds={"decode": 1.5},
    )
    with Ledger(tmp_path / "state.sqlite") as ledger:
        ledger.put_video(video)
        ledger.put_unit("a", unit)
        ledger.put_unit("a", replace(unit, key="000000", end=Fraction(2, 3)))
        ledger.put_export("clips/a.mp4", "k", json.dumps({"start": 1}))
    with Ledger(tmp_path / "state.sqlite") as ledger:
        assert ledger.video("a") == video
        assert ledger.video("b") is None
        assert list(ledger.units("a").items()) == [
            ("000000", replace(unit, key="000000", end=Fraction(2, 3))),
            ("000001", unit),
        ]
        assert ledger.exports() == {"clips/a.mp4": ("k", '{"start": 1}')}
        ledger.forget_video("a")
        ledger.forget_export("clips/a.mp4")
        assert ledger.videos() == []
        assert ledger.units("a") == {}
        assert ledger.exports() == {}
    assert stat.S_IMODE((tmp_path / "state.sqlite").stat().st_mode) == 0o600


def test_a_ledger_that_is_damaged_or_of_another_version_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"this was never a database, but it is long enough to be taken for one" * 20)
    with pytest.raises(FaceIndexError, match=r"not a database.*scan again"):
        Ledger(path)
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(FaceIndexError, match="version 99"):
        Ledger(path)


def _contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_page_that_is_damaged_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with Ledger(path) as ledger:
        for number in range(200):
            ledger.put_export(f"clips/{number}.mp4", "k" * 200, "{}")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with Ledger(path) as ledger, pytest.raises(FaceIndexError, match=r"malformed.*remove .* scan again"):
        ledger.exports()


def test_a_ledger_that_cannot_be_opened_is_told_without_advice_to_remove_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "no" / "state.sqlite"):
        for read_only in (False, True):
            with pytest.raises(FaceIndexError, match="unable to open") as caught:
                Ledger(path, read_only=read_only)
            assert "remove" not in str(caught.value)
            assert str(path) in str(caught.value)


def test_a_ledger_that_another_process_holds_is_told_without_advice_to_remove_it(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with Ledger(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        ledger._database.execute("PRAGMA busy_timeout=1")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(FaceIndexError, match="locked") as caught:
            ledger.put_export("a", "k", "{}")
        assert "remove" not in str(caught.value)
        other.execute("ROLLBACK")
        ledger.put_export("a", "k", "{}")
        assert ledger.exports() == {"a": ("k", "{}")}


def test_a_ledger_whose_mode_cannot_be_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(FaceIndexError, match="Operation not permitted"):
        Ledger(tmp_path / "state.sqlite")


def test_a_full_disk_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Ledger(tmp_path / "state.sqlite") as ledger:
        ledger._database.execute("PRAGMA max_page_count=1")
        with pytest.raises(SpaceError):
            ledger.put_export("a", "k" * 100_000, "{}")
        ledger._database.execute("PRAGMA max_page_count=1000")
        ledger.put_export("b", "k", "{}")
        assert list(ledger.exports()) == ["b"]
    connect = sqlite3.connect

    def connect_to_a_full_disk(path: Path, **options: Any) -> sqlite3.Connection:
        database = connect(path, **options)
        database.execute("PRAGMA max_page_count=1")
        return database

    monkeypatch.setattr(sqlite3, "connect", connect_to_a_full_disk)
    with pytest.raises(SpaceError):
        Ledger(tmp_path / "new.sqlite")


def test_a_reader_neither_makes_nor_changes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "odd name? #1%.sqlite"
    with Ledger(path) as ledger:
        ledger.put_export("a", "k", "{}")
    path.chmod(0o444)
    before = _contents(tmp_path)
    assert list(before) == [path.name]
    with Ledger(path, read_only=True) as reader:
        assert reader.exports() == {"a": ("k", "{}")}
        with pytest.raises(FaceIndexError, match="readonly"):
            reader.put_export("b", "k", "{}")
    assert _contents(tmp_path) == before


def test_a_reader_sees_what_a_run_has_committed_so_far_and_what_a_killed_one_left(tmp_path: Path) -> None:
    path, copy = tmp_path / "state.sqlite", tmp_path / "copy"
    with Ledger(path) as writer:
        writer.put_export("a", "k", "{}")
        writer._database.execute("BEGIN IMMEDIATE")
        with Ledger(path, read_only=True) as reader:
            assert list(reader.exports()) == ["a"]
        writer._database.execute("ROLLBACK")
        shutil.copytree(tmp_path, copy)  # as a kill would leave it
    with Ledger(copy / path.name, read_only=True) as reader:
        assert list(reader.exports()) == ["a"]


def test_a_ledger_without_tables_yet_reads_as_empty(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").touch()
    with Ledger(tmp_path / "state.sqlite", read_only=True) as reader:
        assert (reader.videos(), reader.exports()) == ([], {})
    assert (tmp_path / "state.sqlite").stat().st_size == 0


def test_the_ledger_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with Ledger(path) as writer:
        writer.put_export("a", "k", "{}")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # a run in the middle of a transaction
            with Ledger(path) as reader:
                assert reader.exports() == {"a": ("k", "{}")}
            other.execute("ROLLBACK")


@pytest.mark.parametrize("kind", ["ledger", "unit"])
def test_a_commit_twice_is_one(tmp_path: Path, kind: str) -> None:
    unit = UnitRecord("000001", Fraction(0), None, dense=False)
    with Ledger(tmp_path / "state.sqlite") as ledger:
        index = VideoIndex(tmp_path, "a")
        for _ in range(2):
            if kind == "unit":
                index.write_unit(unit, Faces.empty(4), {}, frames=FRAMES)
            ledger.put_unit("a", unit)
        assert list(ledger.units("a")) == ["000001"]
        assert index.holds(unit) == (kind == "unit")


def test_another_index_takes_over_a_finished_video_without_its_units(tmp_path: Path) -> None:
    source, taken = VideoIndex(tmp_path / "one", "a.mp4"), VideoIndex(tmp_path / "two", "b.mp4")
    unit = UnitRecord("k", Fraction(0), Fraction(2), dense=False)
    closer = UnitRecord("closer", Fraction(0), Fraction(1), dense=True)
    for record in (unit, closer):
        source.write_unit(record, some_faces(2), {}, frames=FRAMES)
    source.write_frames(FRAMES, {})
    source.write_faces([some_faces(3)], 8, {"contract": "c"}, lambda faces: np.arange(len(faces), dtype=np.int32))
    taken.write_unit(unit, some_faces(1), {}, frames=FRAMES)  # of an outdated scan
    taken.take(source)
    assert same(taken.faces(), source.faces())
    assert (taken.holds(closer), taken.holds(unit)) == (True, False)
    assert taken.find_time() == source.find_time() > 0
    # A rewritten table of one index stays its own.
    taken.rewrite_tracks(np.zeros(3, np.int32))
    assert source.faces().track.tolist() == [0, 1, 2]
    taken.take(VideoIndex(tmp_path / "one", "none"))
    assert list((tmp_path / "two").iterdir()) == []
    assert taken.find_time() == 0


def test_videos_wait_until_their_files_are_taken_over(tmp_path: Path) -> None:
    units = [UnitRecord(key, Fraction(0), None, dense=False) for key in ("one", "two")]
    done = VideoRecord("a.mp4", Path("/a.mp4"), "print", "key", "done", num_units=2)
    with Ledger(tmp_path / "state.sqlite") as ledger:
        ledger.put_waiting({"late.mp4": Path("/late.mp4")})
        ledger.put_scanned(done, units)
        ledger.put_unit("a.mp4", units[0])
        ledger.await_videos(["a.mp4"], {"a.mp4": Path("/new/a.mp4"), "b.mp4": Path("/b.mp4")})
        assert [(one.video_id, one.path, one.state, one.scan_key) for one in ledger.videos()] == [
            ("a.mp4", Path("/new/a.mp4"), "scanning", ""),
            ("b.mp4", Path("/b.mp4"), "scanning", ""),
        ]
        assert ledger.units("a.mp4") == {}
        ledger.put_scanned(done, units[1:])
        assert ledger.video("a.mp4") == done
        assert list(ledger.units("a.mp4")) == ["two"]
