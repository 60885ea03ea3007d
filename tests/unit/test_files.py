"""Files that are whole or not there: several writers of one, places that cannot be written, disks that are full."""

import errno
import os
import threading
from pathlib import Path

import pytest

from fastface.errors import ConfigError, FastfaceError, SpaceError
from fastface.files import PART_PREFIX, atomic_path, link_or_copy, private_folder, remove_parts, write_atomic


def test_two_writers_of_one_file_both_succeed(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "graph.onnx"
    with atomic_path(path) as first, atomic_path(path, private=True) as second:
        assert first != second
        for part in (first, second):
            assert (part.parent, part.suffix) == (path.parent, ".onnx")
            assert part.name.startswith(PART_PREFIX)
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert [file.name for file in path.parent.iterdir()] == ["graph.onnx"]
    assert path.read_bytes() == b"first"  # the inner one took the name before


def test_a_reader_sees_only_whole_files_while_many_write(tmp_path: Path) -> None:
    path = tmp_path / "graph.onnx"
    faults: list[Exception] = []

    def write(letter: bytes) -> None:
        try:
            for _ in range(20):
                write_atomic(path, letter * 100_000)
        except (OSError, FastfaceError) as error:
            faults.append(error)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            content = path.read_bytes()
            assert (len(content), len(set(content))) == (100_000, 1)
    assert faults == []
    assert [file.name for file in tmp_path.iterdir()] == ["graph.onnx"]


def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 251}.npz"
    write_atomic(path, b"x", private=True)
    assert path.read_bytes() == b"x"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("place", ["file/inside", "file/deep/inside", "folder"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str, private: bool) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError) as caught:
        write_atomic(tmp_path / place, b"x", private=private)
    assert caught.value.exit_code == 2
    assert str(tmp_path / place) in str(caught.value)
    assert any(reason in str(caught.value) for reason in ("Not a directory", "File exists", "Is a directory"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_closed_folder_is_named_and_so_is_a_medium_that_takes_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for reason in (errno.EACCES, errno.EROFS):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "mkdir", _fails(reason))
            with pytest.raises(ConfigError, match=r"/closed/bank\.npz.*(denied|Read-only)"):
                write_atomic(Path("/closed/bank.npz"), b"x")
            with pytest.raises(ConfigError, match="/closed"):
                private_folder(Path("/closed"))


@pytest.mark.parametrize("step", ["mkdir", "write_bytes"])
@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, SpaceError), (errno.EIO, FastfaceError)])
def test_a_full_or_failing_disk_is_told_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int, kind: type[FastfaceError]
) -> None:
    monkeypatch.setattr(Path, step, _fails(code))
    with pytest.raises(FastfaceError, match="bank") as caught:
        write_atomic(tmp_path / "bank.npz", b"x")
    assert type(caught.value) is kind
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_finds_no_space_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", _fails(errno.ENOSPC))
    with pytest.raises(SpaceError):
        private_folder(tmp_path / "index")


def test_what_fails_beside_the_writing_is_not_called_writing(tmp_path: Path) -> None:
    for other in (BrokenPipeError(errno.EPIPE, "Broken pipe"), ConnectionResetError(errno.ECONNRESET, "reset")):
        with pytest.raises(type(other)), atomic_path(tmp_path / "clip.mp4"):
            raise other
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "clip.mp4"):
        (tmp_path / "film.mp4").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_a_users_folder_that_is_named_like_a_part_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".part-mine").mkdir()
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / ".part-0.parquet").touch()
    remove_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [".part-mine", "index"]


def _fails(code: int):
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, {errno.EACCES: "Permission denied", errno.EROFS: "Read-only"}.get(code, "failed"))

    return fail


def test_two_files_that_belong_together_need_three_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of each file's content, and one of both names."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda one: synced.append(str(Path(f"/proc/self/fd/{one}").readlink())))
    for name, with_next in (("first", True), ("second", False)):
        with atomic_path(tmp_path / name, with_next=with_next) as part:
            part.write_text(name)
    assert [Path(path).name.startswith(PART_PREFIX) for path in synced] == [True, True, False]
    assert synced[-1] == str(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["first", "second"]


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
def test_a_file_is_linked_or_else_copied_with_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"rows")
    source.chmod(0o600)
    os.utime(source, ns=(1, 2_000_000_001))
    link_or_copy(source, tmp_path / "linked")
    assert (tmp_path / "linked").samefile(source)
    link_or_copy(source, tmp_path / "asked", link=False)
    monkeypatch.setattr(os, "link", _fails(code))
    link_or_copy(source, tmp_path / "copied")
    for name in ("asked", "copied"):
        status = (tmp_path / name).stat()
        assert not (tmp_path / name).samefile(source)
        assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o600, 2_000_000_001)
        assert (tmp_path / name).read_bytes() == b"rows"


def test_a_link_that_fails_for_another_reason_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        link_or_copy(tmp_path / "none", tmp_path / "new")
    (tmp_path / "source").touch()
    monkeypatch.setattr(os, "link", _fails(errno.ENOSPC))
    with pytest.raises(SpaceError):
        link_or_copy(tmp_path / "source", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
