"""Which files of a growing folder count as complete and new: times by hand, files really written and held open."""

import os
from pathlib import Path

import pytest

from fastface.fleet import watch as module
from fastface.fleet.shards import Shard
from fastface.fleet.watch import FolderWatch, Look, list_written_files
from fastface.video.discover import Discovery, discover

INTERVAL = 10.0


class Folder:
    """A folder under watch, with clocks that the test sets. Files are made now, so the wall clock starts now."""

    def __init__(self, root: Path, shard: str = "1/1") -> None:
        self.root = root
        self.watch = FolderWatch(INTERVAL, Shard.parse(shard))
        self.elapsed = 1000.0

    def look(self, seconds: float, *, clock_ahead: float = 0.0) -> Look:
        """Look so many seconds after the last look; the wall clock stands at the files' own time unless it is ahead."""
        self.elapsed += seconds
        return self.watch.look(discover([self.root], exclude=self.root / "out"), self.elapsed, self.clock + clock_ahead)

    @property
    def clock(self) -> float:
        return max((path.stat().st_ctime for path in self.root.rglob("*")), default=0.0)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "in").mkdir()
    return Folder(tmp_path / "in")


def names(paths: tuple[Path, ...]) -> list[str]:
    return [path.name for path in paths]


def test_a_file_is_complete_after_an_interval_without_a_change(folder: Folder) -> None:
    film = folder.root / "a.mp4"
    film.write_bytes(b"1")
    assert names(folder.look(0).waiting) == ["a.mp4"]
    assert names(folder.look(9).waiting) == ["a.mp4"]
    film.write_bytes(b"12")  # grows: the interval begins again
    assert names(folder.look(9).waiting) == ["a.mp4"]
    assert names(folder.look(9).waiting) == ["a.mp4"]
    look = folder.look(1)
    assert (names(look.new), look.waiting) == (["a.mp4"], ())
    assert [file.path for file in look.found.videos] == [film]
    assert look.found.videos[0].stamp == ""  # the pass reads it again: the film may change before


def test_a_change_of_time_alone_is_a_change(folder: Folder) -> None:
    """Some programs reserve the whole size first and fill it later."""
    film = folder.root / "a.mp4"
    film.write_bytes(bytes(100))
    folder.look(0)
    os.utime(film, ns=(1, 2))
    assert names(folder.look(11).waiting) == ["a.mp4"]
    assert names(folder.look(11).new) == ["a.mp4"]


def test_an_old_file_is_complete_at_the_first_look(folder: Folder) -> None:
    (folder.root / "a.mp4").write_bytes(b"1")
    assert names(folder.look(0, clock_ahead=9.5).waiting) == ["a.mp4"]
    assert names(folder.look(0, clock_ahead=10).new) == ["a.mp4"]


def test_an_old_time_that_a_copy_kept_does_not_count(folder: Folder) -> None:
    """`cp -p` and `rsync -t` set the time of change of the original: only the kernel's time is the copy's."""
    film = folder.root / "a.mp4"
    film.write_bytes(b"1")
    os.utime(film, (1_000_000, 1_000_000))
    assert names(folder.look(0, clock_ahead=1).waiting) == ["a.mp4"]


def test_a_file_that_is_open_for_writing_waits_however_long(folder: Folder) -> None:
    film = folder.root / "a.mp4"
    with film.open("wb") as file:
        file.write(b"1")
        file.flush()
        folder.look(0)
        assert names(folder.look(1000).waiting) == ["a.mp4"]
    with film.open("rb"):  # readers do not matter
        assert names(folder.look(1).new) == ["a.mp4"]


def test_files_of_unfinished_downloads_wait_for_their_name(folder: Folder) -> None:
    part = folder.root / "a.mp4.part"
    part.write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    folder.look(0)
    assert names(folder.look(1000).waiting) == ["a.mp4.part"]
    part.rename(folder.root / "a.mp4")
    assert names(folder.look(1).waiting) == ["a.mp4"]
    assert names(folder.look(10).new) == ["a.mp4"]


def test_a_searched_file_is_new_again_only_if_it_changes(folder: Folder) -> None:
    film = folder.root / "a.mp4"
    film.write_bytes(b"1")
    folder.look(0)
    look = folder.look(10)
    folder.watch.mark_searched(look)
    look = folder.look(10)
    assert (look.new, names(tuple(file.path for file in look.found.videos))) == ((), ["a.mp4"])
    film.write_bytes(b"12")
    look = folder.look(1)
    assert (look.new, names(look.waiting)) == ((), ["a.mp4"])
    assert names(folder.look(10).new) == ["a.mp4"]


def test_a_file_that_changes_during_its_pass_is_new_after_it(folder: Folder) -> None:
    film = folder.root / "a.mp4"
    film.write_bytes(b"1")
    folder.look(0)
    look = folder.look(10)
    film.write_bytes(b"12")
    folder.watch.mark_searched(look)  # what was seen before the pass counts
    assert names(folder.look(3600).waiting) == ["a.mp4"]
    assert names(folder.look(10).new) == ["a.mp4"]


def test_waiting_files_are_inputs_that_are_skipped(folder: Folder) -> None:
    (folder.root / "a.mp4").write_bytes(b"1")
    (item,) = folder.look(0).found.skipped
    assert (item.path.name, item.reason, item.is_fault) == ("a.mp4", "still being written", True)


def test_a_folder_of_pictures_waits_until_no_picture_is_added(folder: Folder) -> None:
    (folder.root / "1.png").write_bytes(b"1")
    folder.look(0)
    (folder.root / "2.png").write_bytes(b"1")
    assert names(folder.look(10).waiting) == ["in"]
    assert names(folder.look(10).new) == ["in"]


def test_a_share_that_went_away_and_came_back_brings_nothing_new(folder: Folder) -> None:
    (folder.root / "a.mp4").write_bytes(b"1")
    folder.look(0)
    folder.watch.mark_searched(folder.look(10))
    folder.watch.look(Discovery((), ()), folder.elapsed + 10, folder.clock)
    folder.look(20)
    assert folder.look(10).new == ()


def test_written_files_are_those_open_for_writing(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("read", "written", "appended", "both", "closed")}
    for path in paths.values():
        path.write_bytes(b"1")
    modes = {"read": "rb", "written": "wb", "appended": "ab", "both": "r+b"}
    files = [paths[name].open(mode) for name, mode in modes.items()]
    try:
        written = list_written_files()
    finally:
        for file in files:
            file.close()
    found = {name for name, path in paths.items() if (path.stat().st_dev, path.stat().st_ino) in written}
    assert found == {"written", "appended", "both"}


def test_files_of_another_shard_are_neither_new_nor_waited_for(tmp_path: Path) -> None:
    """By sha256sum the digests of 1, 2 and 3 begin with 6b86b273ff34fce1, d4735e3a265e16ee and 4e07408562bedb8b."""
    first, second = Folder(tmp_path, "1/2"), Folder(tmp_path, "2/2")  # the even number, and the odd ones
    for text in ("1", "2", "3"):
        (tmp_path / f"{text}.mp4").write_text(text)
    looks = [first.look(0), second.look(0)]
    assert [names(look.waiting) for look in looks] == [["2.mp4"], ["1.mp4", "3.mp4"]]
    assert [[item.path.name for item in look.found.skipped] for look in looks] == [["2.mp4"], ["1.mp4", "3.mp4"]]
    looks = [first.look(INTERVAL), second.look(INTERVAL)]
    assert [names(look.new) for look in looks] == [["2.mp4"], ["1.mp4", "3.mp4"]]
    # The pass divides the videos itself, and may find that a changed one belongs to another shard now.
    assert [[file.path.name for file in look.found.videos] for look in looks] == [["1.mp4", "2.mp4", "3.mp4"]] * 2
    first.watch.mark_searched(looks[0])
    (tmp_path / "3.mp4").write_bytes(b"2")
    first.look(1)
    assert names(first.look(INTERVAL).new) == ["3.mp4"]


def test_a_new_file_of_another_shard_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Folder(tmp_path, "1/2")
    (tmp_path / "1.mp4").write_bytes(b"1")
    first.look(0)
    assert first.look(INTERVAL).new == ()
    monkeypatch.setattr(module, "find_own", lambda files, _: [pytest.fail("read again") for _ in files])
    assert first.look(INTERVAL).new == ()
