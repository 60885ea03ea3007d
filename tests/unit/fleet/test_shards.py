"""`fleet.shards`: every machine agrees on the parts, wherever the folder is mounted."""

import shutil
from pathlib import Path

import pytest

from fastface.fleet.shards import Shard, take_shard
from fastface.video.discover import discover

_FILMS = 60


@pytest.fixture
def films(tmp_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for number in range(_FILMS):
        (folder / f"film{number}.mp4").write_bytes(f"film {number}".encode() * 20_000)
    return folder


def _parts(folder: Path, count: int) -> list[set[str]]:
    found = discover([folder], exclude=folder.parent / "out")
    shards = [take_shard(found, Shard(number, count)) for number in range(1, count + 1)]
    assert all(len(one.videos) + len(one.elsewhere) == len(found.videos) for one in shards)
    return [{file.video_id for file in one.videos} for one in shards]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_video_is_in_exactly_one_shard(films: Path, count: int) -> None:
    parts = _parts(films, count)
    assert len(set().union(*parts)) == sum(map(len, parts)) == _FILMS
    # By chance each part has 60 / N; five standard deviations of a binomial distribution around it.
    expected, deviation = _FILMS / count, (_FILMS * (1 / count) * (1 - 1 / count)) ** 0.5
    assert all(abs(len(part) - expected) <= 5 * deviation for part in parts)


def test_another_mount_other_videos_and_times_change_nothing(films: Path, tmp_path: Path) -> None:
    before = _parts(films, 3)
    moved = tmp_path / "mnt" / "nas"
    shutil.copytree(films, moved, copy_function=shutil.copyfile)
    for number in range(0, _FILMS, 2):
        (moved / f"film{number}.mp4").unlink()
    (moved / "new.mp4").write_bytes(b"new")
    after = _parts(moved, 3)
    gone = {f"film{number}.mp4" for number in range(0, _FILMS, 2)}
    assert [part - {"new.mp4"} for part in after] == [part - gone for part in before]


def test_a_new_name_and_a_longer_end_change_nothing(films: Path) -> None:
    before = _parts(films, 4)
    for path in list(films.iterdir()):
        with path.open("ab") as file:
            file.write(b"still being written")
        path.rename(path.with_name(f"renamed {path.name}"))
    assert _parts(films, 4) == [{f"renamed {name}" for name in part} for part in before]


def test_copies_are_in_the_shard_of_their_original(films: Path) -> None:
    (films / "copies").mkdir()
    for path in films.glob("*.mp4"):
        shutil.copyfile(path, films / "copies" / f"copy of {path.name}")
    for part in _parts(films, 5):
        originals = {name for name in part if not name.startswith("copies__")}
        assert part - originals == {f"copies__copy of {name}" for name in originals}


def test_an_album_stays_when_pictures_are_added(tmp_path: Path) -> None:
    folder = tmp_path / "albums"
    for album in range(12):
        (folder / f"album{album}").mkdir(parents=True)
        (folder / f"album{album}" / "img1.jpg").write_bytes(f"picture of {album}".encode())
    before = _parts(folder, 3)
    for album in range(12):
        (folder / f"album{album}" / "img2.jpg").write_bytes(b"another one")
    assert _parts(folder, 3) == before
    assert len(set().union(*before)) == 12
    assert all(before)


def test_a_video_that_disappears_is_in_every_shard(films: Path) -> None:
    found = discover([films], exclude=films.parent / "out")
    (films / "film0.mp4").unlink()
    parts = [{file.video_id for file in take_shard(found, Shard(number, 3)).videos} for number in (1, 2, 3)]
    assert all("film0.mp4" in part for part in parts)
    assert sum(map(len, parts)) == _FILMS + 2


def test_the_setting_is_parsed() -> None:
    assert Shard.parse("2/5") == Shard(2, 5)
