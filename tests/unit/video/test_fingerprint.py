"""A file is unchanged while its size and time of change are; its content is not read."""

import os
from pathlib import Path

import pytest

from fastface.errors import InputError
from fastface.video.fingerprint import fingerprint, is_unchanged


def test_size_and_time_decide(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"0123456789")
    known, status = fingerprint(path), path.stat()
    assert is_unchanged(path, known)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert not is_unchanged(path, known)
    path.write_bytes(b"01234567890")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not is_unchanged(path, known)
    assert not is_unchanged(path, "")


def test_nothing_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"0123456789")
    known = fingerprint(path)

    def refuse(*_: object) -> None:
        raise AssertionError("the file was opened")

    monkeypatch.setattr(Path, "open", refuse)
    assert is_unchanged(path, known)


def test_another_kind_of_file_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"0123456789")
    known = fingerprint(path)
    path.unlink()
    with pytest.raises(InputError, match="No such file"):
        is_unchanged(path, known)
    path.mkdir()
    assert not is_unchanged(path, known)


def test_a_folder_of_pictures_is_compared_by_its_names_and_times(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(b"1")
    (tmp_path / "2.png").write_bytes(b"2")
    known = fingerprint(tmp_path)
    assert is_unchanged(tmp_path, known)
    (tmp_path / "2.png").rename(tmp_path / "3.png")
    assert not is_unchanged(tmp_path, known)
