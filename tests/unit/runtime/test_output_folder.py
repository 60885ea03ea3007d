"""Unfinished files go with the next command; those of the index only after a command that did not end well."""

from pathlib import Path

import pytest

from fastface.index.ledger import Ledger
from fastface.index.records import VideoRecord
from fastface.runtime.output_folder import OutputFolder

PARTS = (".part-1.json", "clips/a.mp4/.part-2.mp4", ".fastface/.part-3.json", ".fastface/photos/.part-4.parquet")
OF_INDEX = ".fastface/index/a.mp4/.part-5.parquet"


def leave(out: Path, name: str) -> Path:
    path = out / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_command_after_a_kill_removes_all_parts(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with pytest.raises(KeyboardInterrupt), folder.hold_lock():
        raise KeyboardInterrupt
    left = [leave(tmp_path, name) for name in (*PARTS, OF_INDEX)]
    with folder.hold_lock():
        assert [path for path in left if path.exists()] == []


def test_a_command_after_a_good_end_does_not_visit_the_index(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with folder.hold_lock():
        assert (tmp_path / ".fastface" / "lock").read_text()
    assert (tmp_path / ".fastface" / "lock").read_text() == ""
    left = [leave(tmp_path, name) for name in PARTS]
    of_index = leave(tmp_path, OF_INDEX)
    with folder.hold_lock():
        assert [path for path in left if path.exists()] == []
        assert of_index.exists()  # nothing has written there since


def test_a_command_after_a_kill_removes_the_index_of_forgotten_films(tmp_path: Path) -> None:
    """A row is deleted before its files: a kill between the two must not leave faces that no command knows of."""
    folder = OutputFolder(tmp_path)
    with Ledger(folder.ledger) as ledger:
        ledger.put_video(VideoRecord("kept.mp4", Path("/films/kept.mp4"), "1-a-b", "key", "done"))
        ledger.put_waiting({"waiting.mp4": Path("/films/waiting.mp4")})
    names = ("kept.mp4", "waiting.mp4", "forgotten.mp4")
    files = [leave(tmp_path, f".fastface/index/{name}/faces.parquet") for name in names]
    with folder.hold_lock():
        assert all(path.exists() for path in files)
    with pytest.raises(KeyboardInterrupt), folder.hold_lock():
        raise KeyboardInterrupt
    with folder.hold_lock():
        assert [path.parent.name for path in files if path.parent.exists()] == ["kept.mp4"]
