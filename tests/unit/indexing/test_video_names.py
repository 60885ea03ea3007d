"""The content of a film is its identity: renamed, moved, copied, linked, swapped and changed files."""

import os
import shutil
from pathlib import Path

import pytest

from fastface.index.records import NameRecord, VideoRecord
from fastface.indexing.video_names import SettledVideos, settle_videos
from fastface.video.discover import VideoFile, discover
from fastface.video.identity.fingerprint import fingerprint, read_stamp

CONTENT = os.urandom(300_000)


def film(path: Path, content: bytes = CONTENT) -> VideoFile:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return VideoFile(path, path.name)


def known(file: VideoFile, state: str = "done") -> VideoRecord:
    return VideoRecord(
        file.video_id, file.path, fingerprint(file.path), "key", state, stamp=read_stamp(file.path), disk="/"
    )


def settle(
    folder: Path, *records: VideoRecord, names: tuple[NameRecord, ...] = (), scans_copies: bool = False
) -> SettledVideos:
    found = discover([str(folder)], exclude=Path("/nothing"))
    return settle_videos(found.videos, found.skipped, records, names, scans_copies=scans_copies)


def ids(settled: SettledVideos) -> dict[str, str]:
    """{name in OUT: name of the file}."""
    return {file.video_id: file.path.name for file in settled.videos}


def test_known_files_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discovery reads the times of each file; to read them again took seconds in an archive of 100,000 files."""
    folder = tmp_path / "films"
    files = [film(folder / f"{number}.mp4", bytes([number]) * 9) for number in range(6)]
    records = [known(file) for file in files]
    found, read = discover([str(folder)], exclude=tmp_path / "out"), []
    for name in ("read_stamp", "fingerprint", "fingerprint_start"):
        monkeypatch.setattr(f"fastface.indexing.video_names.{name}", read.append)
    settled = settle_videos(found.videos, found.skipped, records, ())
    assert [file.path for file in settled.videos] == [file.path for file in files]
    assert [file.stamp for file in settled.videos] == [record.stamp for record in records]
    assert read == []


@pytest.mark.parametrize("way", ["renamed", "moved", "copied and deleted", "touched"])
def test_a_film_keeps_its_name_in_out_whatever_its_name_place_and_age(tmp_path: Path, way: str) -> None:
    old = film(tmp_path / "a.mp4")
    record, new = known(old), tmp_path / "z.mp4"
    match way:
        case "renamed":
            old.path.rename(new)
        case "moved":
            (tmp_path / "below").mkdir()
            new = tmp_path / "below" / "a.mp4"
            old.path.rename(new)
        case "copied and deleted":
            shutil.copyfile(old.path, new)
            os.utime(new, (1, 1))
            old.path.unlink()
        case _:
            new = old.path
            os.utime(new, (1, 1))
    settled = settle(tmp_path, record)
    assert settled == SettledVideos((VideoFile(new, "a.mp4"),), {}, ())


@pytest.mark.parametrize("way", ["a copy", "a hard link", "a symbolic link"])
@pytest.mark.parametrize("before", ["nothing scanned", "a scanned"])
def test_files_of_one_content_are_one_film_with_several_names(tmp_path: Path, way: str, before: str) -> None:
    first, second = film(tmp_path / "a.mp4"), tmp_path / "b.mp4"
    match way:
        case "a copy":
            shutil.copyfile(first.path, second)
        case "a hard link":
            second.hardlink_to(first.path)
        case _:
            second.symlink_to(first.path)
    settled = settle(tmp_path, *([known(first)] if before == "a scanned" else []))
    assert settled.videos == (first,)
    assert settled.also == {"a.mp4": (second,)}
    assert len(settled.copies) == (way == "a copy")  # discovery has left links out


def test_the_scanned_file_represents_its_copies(tmp_path: Path) -> None:
    first, second = film(tmp_path / "films" / "a.mp4"), film(tmp_path / "films" / "b.mp4")
    assert settle(tmp_path / "films", known(second)).videos == (second,)
    away = film(tmp_path / "elsewhere" / "c.mp4")
    settled = settle(tmp_path / "films", known(away))
    assert settled.videos == (away,)
    assert settled.also == {"c.mp4": (first.path, second.path)}
    assert settled.copies[0].reason == f"the same film as '{away.path}', which is searched once"
    # Once it is gone, the first copy takes its place and keeps its name in OUT.
    record = known(away)
    away.path.unlink()
    settled = settle(tmp_path / "films", record)
    assert ids(settled) == {"c.mp4": "a.mp4"}
    assert settled.also == {"c.mp4": (second.path,)}


def test_films_whose_names_were_exchanged_keep_their_results(tmp_path: Path) -> None:
    one, two = film(tmp_path / "a.mp4"), film(tmp_path / "b.mp4", b"another")
    records = known(one), known(two)
    one.path.rename(tmp_path / "c.mp4")
    two.path.rename(one.path)
    (tmp_path / "c.mp4").rename(two.path)
    assert ids(settle(tmp_path, *records)) == {"a.mp4": "b.mp4", "b.mp4": "a.mp4"}


def test_a_new_film_at_the_place_of_a_moved_one_gets_a_name_of_its_own(tmp_path: Path) -> None:
    old = film(tmp_path / "a.mp4")
    record = known(old)
    old.path.rename(tmp_path / "b.mp4")
    film(old.path, b"another film")
    found = ids(settle(tmp_path, record))
    assert found.pop("a.mp4") == "b.mp4"
    ((name, file),) = found.items()
    assert name.startswith("a.mp4.")
    assert file == "a.mp4"


def test_a_changed_file_takes_the_place_of_its_old_content(tmp_path: Path) -> None:
    old = film(tmp_path / "a.mp4")
    record = known(old)
    changed = bytearray(CONTENT)
    changed[150_000] ^= 1  # of the same size
    film(old.path, bytes(changed))
    assert fingerprint(old.path) != record.fingerprint
    assert ids(settle(tmp_path, record)) == {"a.mp4": "a.mp4"}
    # A copy of the old content keeps the results; the changed file is another film.
    film(tmp_path / "b.mp4")
    found = ids(settle(tmp_path, record))
    assert found.pop("a.mp4") == "b.mp4"
    assert list(found.values()) == ["a.mp4"]


def test_a_changed_name_of_a_film_is_a_film_of_its_own(tmp_path: Path) -> None:
    first, second = film(tmp_path / "a.mp4"), film(tmp_path / "b.mp4")
    record = known(first)
    name = NameRecord(second.path, record.fingerprint, read_stamp(second.path), "/")
    film(second.path, bytes(len(CONTENT)))
    settled = settle(tmp_path, record, names=(name,))
    assert ids(settled) == {"a.mp4": "a.mp4", "b.mp4": "b.mp4"}
    # The first file is overwritten, and the copy is what it was: the results are those of the copy.
    film(second.path)
    film(first.path, b"something else")
    found = ids(settle(tmp_path, record, names=(name,)))
    assert found.pop("a.mp4") == "b.mp4"
    assert list(found.values()) == ["a.mp4"]


def test_copies_can_be_films_of_their_own(tmp_path: Path) -> None:
    first, second = film(tmp_path / "a.mp4"), film(tmp_path / "b.mp4")
    assert settle(tmp_path, scans_copies=True).videos == (first, second)
    record = known(first)
    first.path.rename(tmp_path / "c.mp4")
    assert ids(settle(tmp_path, record, scans_copies=True)) == {"a.mp4": "b.mp4", "c.mp4": "c.mp4"}


def test_folders_of_equal_pictures_are_one(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        for number in range(3):
            film(tmp_path / folder / f"{number}.png", bytes([number]) * 1000)
    settled = settle(tmp_path)
    assert [file.path.name for file in settled.videos] == ["one"]
    assert settled.also == {"one": (tmp_path / "two",)}
    (tmp_path / "two" / "1.png").write_bytes(bytes(1000))
    assert [file.path.name for file in settle(tmp_path).videos] == ["one", "two"]


def test_little_is_read_to_find_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known files and files of another size are not opened; recordings of one size are, at their start alone."""
    recordings = [film(tmp_path / f"{number}.ts", bytes([number]) * 10_000) for number in range(4)]
    film(tmp_path / "other.mp4")
    records = [known(file) for file in recordings[:2]]
    opened = []
    real = Path.open

    def counting(path: Path, *args: object, **kwargs: object) -> object:
        opened.append(path.name)
        return real(path, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", counting)
    assert len(settle(tmp_path, *records).videos) == 5
    assert sorted(opened) == ["2.ts", "3.ts"]
