"""The file of all track embeddings: the same rows as each video's own file, and never those of an earlier one."""

import os
import shutil
import stat
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from index_tools import some_faces

from fastface.errors import FaceIndexError
from fastface.index.store import VideoIndex
from fastface.index.track_archive import TrackArchive, open_track_archive, remove_track_archive

METADATA = {"contract": "c", "recogniser": "net", "sampling": '{"period": "1/5", "keyframes": false}'}


def write(root: Path, name: str, count: int, *, seed: int = 0, dimension: int = 8, contract: str = "c") -> None:
    """Write the index of a video in which each face is a track."""
    metadata = {**METADATA, "contract": contract}
    faces = some_faces(count, dimension, seed)
    VideoIndex(root, name).write_faces([faces], dimension, metadata, lambda found: np.arange(len(found), dtype="i4"))


def stored(root: Path, name: str) -> np.ndarray:
    """The embeddings in a video's own file, by a plain reader of Parquet."""
    rows = pq.read_table(root / name / "tracks.parquet").column("embedding").to_pylist()
    return np.array(rows, np.float16)


def archived(archive: TrackArchive, names: list[str]) -> dict[str, np.ndarray]:
    """{video: its embeddings} of the blocks; each video is in one block."""
    found: dict[str, np.ndarray] = {}
    for block in archive.blocks(names):
        assert len(block.firsts) == len(block.video_ids) + 1
        assert block.firsts[-1] == len(block.embeddings)
        for place, name in enumerate(block.video_ids):
            assert name not in found
            found[name] = block.embeddings[block.firsts[place] : block.firsts[place + 1]].copy()
    return found


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders whose tracks are read from now on."""
    seen: list[str] = []
    plain = VideoIndex.track_embeddings_and_metadata

    def note(index: VideoIndex) -> object:
        seen.append(index.tracks_path.parent.name)
        return plain(index)

    monkeypatch.setattr(VideoIndex, "track_embeddings_and_metadata", note)
    return seen


def test_the_rows_are_those_of_the_videos_own_files(tmp_path: Path) -> None:
    names = ["none.mp4", "one.mp4", "many.mp4", "other.mp4", "last.mp4"]
    write(tmp_path, "none.mp4", 0)
    write(tmp_path, "one.mp4", 1, seed=1)
    write(tmp_path, "many.mp4", 250, seed=2)  # its embeddings are mapped from a file of its own
    write(tmp_path, "other.mp4", 7, seed=3, dimension=16, contract="d")
    write(tmp_path, "last.mp4", 3, seed=4)
    for _ in range(2):  # made, then read
        archive = open_track_archive(tmp_path, names)
        found = archived(archive, names)
        assert sorted(found) == sorted(names)
        for name in names[1:]:
            assert np.array_equal(found[name], stored(tmp_path, name)), name
        assert found["none.mp4"].shape == (0, 8)
        assert [archive.metadata(name)["contract"] for name in names] == ["c", "c", "c", "d", "c"]
        assert archive.metadata("one.mp4") == METADATA
    (file,) = [path for path in tmp_path.iterdir() if path.is_file()]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.stat().st_size < 250 * 8 * 2 + 10_000  # without a second copy of the mapped ones


def test_only_the_wanted_videos_are_yielded(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path, f"{number}.mp4", number + 1, seed=number)
    archive = open_track_archive(tmp_path, [f"{number}.mp4" for number in range(5)])
    found = archived(archive, ["1.mp4", "3.mp4", "unknown.mp4"])
    assert {name: len(rows) for name, rows in found.items()} == {"1.mp4": 2, "3.mp4": 4}
    assert np.array_equal(found["3.mp4"], stored(tmp_path, "3.mp4"))


@pytest.mark.parametrize("is_hidden", [False, True])
def test_a_changed_index_wins_and_no_other_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_hidden: bool
) -> None:
    names = ["a.mp4", "b.mp4", "c.mp4"]
    for seed, name in enumerate(names):
        write(tmp_path, name, 4, seed=seed)
    before = archived(open_track_archive(tmp_path, names), names)
    times = (tmp_path / "b.mp4" / "tracks.parquet").stat()
    write(tmp_path, "b.mp4", 4, seed=9)  # as many tracks: the file has the same size
    if is_hidden:
        os.utime(tmp_path / "b.mp4" / "tracks.parquet", ns=(times.st_atime_ns, times.st_mtime_ns))
    seen = reads(monkeypatch)
    after = archived(open_track_archive(tmp_path, names), names)
    assert seen == ["b.mp4"]
    assert np.array_equal(after["b.mp4"], stored(tmp_path, "b.mp4"))
    assert not np.array_equal(after["b.mp4"], before["b.mp4"])
    assert all(np.array_equal(after[name], before[name]) for name in ("a.mp4", "c.mp4"))
    open_track_archive(tmp_path, names)
    assert seen == ["b.mp4"]


def test_new_and_removed_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.mp4", "b.mp4"):
        write(tmp_path, name, 2)
    open_track_archive(tmp_path, ["a.mp4", "b.mp4"])
    write(tmp_path, "c.mp4", 3, seed=5)
    shutil.rmtree(tmp_path / "a.mp4")
    seen = reads(monkeypatch)
    archive = open_track_archive(tmp_path, ["a.mp4", "b.mp4", "c.mp4"])
    assert seen == ["c.mp4"]
    assert [name in archive for name in ("a.mp4", "b.mp4", "c.mp4")] == [False, True, True]
    assert sorted(archived(archive, ["a.mp4", "b.mp4", "c.mp4"])) == ["b.mp4", "c.mp4"]


def test_nothing_stays_after_the_removal(tmp_path: Path) -> None:
    write(tmp_path, "a.mp4", 2)
    open_track_archive(tmp_path, ["a.mp4"])
    remove_track_archive(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    remove_track_archive(tmp_path)


def test_a_stopped_refresh_leaves_the_last_file(tmp_path: Path) -> None:
    write(tmp_path, "a.mp4", 2)
    open_track_archive(tmp_path, ["a.mp4"])
    write(tmp_path, "b.mp4", 2, seed=1)
    files = sorted(path.name for path in tmp_path.iterdir())

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_track_archive(tmp_path, ["a.mp4", "b.mp4"], stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert sorted(archived(open_track_archive(tmp_path, ["a.mp4", "b.mp4"]), ["a.mp4", "b.mp4"])) == ["a.mp4", "b.mp4"]


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    write(tmp_path, "a.mp4", 2)
    open_track_archive(tmp_path, ["a.mp4"])
    (file,) = [path for path in tmp_path.iterdir() if path.is_file()]
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(FaceIndexError, match="remove the file: fastface makes it again"):
        open_track_archive(tmp_path, ["a.mp4"])


def test_an_index_without_its_tracks_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "a.mp4", 2)
    (tmp_path / "a.mp4" / "tracks.parquet").unlink()
    with pytest.raises(FaceIndexError, match="scan again with --fresh"):
        open_track_archive(tmp_path, ["a.mp4"])
