"""A fingerprint is that of the content: names, times and links do not change it, and blocks all over the file count."""

import os
import shutil
from pathlib import Path

import pytest

from fastface.errors import InputError
from fastface.video.identity.disks import find_disk, is_deleted, is_mounted
from fastface.video.identity.fingerprint import fingerprint, fingerprint_start, is_unchanged, read_stamp
from fastface.video.identity.stamps import read_size, was_written

MIB = 1 << 20


def test_name_time_and_links_are_no_content(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(os.urandom(300_000))
    first, stamp = fingerprint(path), read_stamp(path)
    copy = Path(shutil.copyfile(path, tmp_path / "b.mkv"))
    os.utime(copy, (1, 1))
    assert fingerprint(copy) == first
    assert was_written(stamp, read_stamp(copy))
    (tmp_path / "c.mp4").hardlink_to(path)
    path.chmod(0o600)
    assert (fingerprint(path), read_stamp(path) != stamp) == (first, True)
    assert not was_written(stamp, read_stamp(path))
    assert is_unchanged(copy, first, "")
    assert first.startswith(f"{fingerprint_start(path)}-")
    assert (read_size(first), read_size(stamp), read_size("")) == (300_000, 300_000, -1)


@pytest.mark.parametrize("place", [0, 1, 100_000, 2 * MIB, 4 * MIB - 1])
def test_each_byte_of_a_small_file_counts(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(4 * MIB))
    first, status = fingerprint(path), path.stat()
    content = bytearray(4 * MIB)
    content[place] = 1
    path.write_bytes(bytes(content))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(path) != first
    assert not is_unchanged(path, first, "")
    path.write_bytes(bytes(4 * MIB + 1))
    assert fingerprint(path) != first


def test_a_large_file_is_read_at_both_ends_and_once_in_each_16_mib(tmp_path: Path) -> None:
    """As a sparse file of 1 GiB: that of a DVD, of which each is as large as the next."""
    path = tmp_path / "VTS_01_1.VOB"
    size = (1 << 30) - 2048
    with path.open("wb") as file:
        file.truncate(size)
    first = fingerprint(path)

    def changed(start: int, num_bytes: int) -> bool:
        with path.open("r+b") as file:
            file.seek(start)
            file.write(b"x" * num_bytes)
        differs = fingerprint(path) != first
        with path.open("r+b") as file:
            file.seek(start)
            file.write(bytes(num_bytes))
        return differs

    assert all(changed(start, 1) for start in (0, MIB - 1, size - MIB, size - 1))
    # 63 blocks, at most 17 MiB from the start of one to that of the next.
    assert all(changed(start, 17 * MIB + 65536) for start in (MIB, 300 * MIB, 700 * MIB + 12345, size - 20 * MIB))
    assert not changed(2 * MIB, 1), "what lies between two blocks is not read: a fingerprint must be quick"
    assert fingerprint(path) == first


def test_a_sequence_counts_names_sizes_and_content_of_its_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "shots"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(bytes([number]) * 300_000)
    first, stamp = fingerprint(folder), read_stamp(folder)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    os.utime(copy / "1.png", (1, 1))
    assert fingerprint(copy) == first
    assert read_stamp(copy) != stamp
    (copy / "1.png").rename(copy / "7.png")
    assert fingerprint(copy) != first
    content = bytearray((folder / "1.png").read_bytes())
    content[150_010] = 9  # in the block in the middle
    (folder / "1.png").write_bytes(bytes(content))
    assert (fingerprint(folder) != first, is_unchanged(folder, first, stamp)) == (True, False)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("gone.mp4", "No such file"), ("pipe", "is not a regular file")):
        for read in (fingerprint, fingerprint_start, read_stamp):
            with pytest.raises(InputError, match=reason):
                read(tmp_path / name)


def test_a_deleted_file_is_told_from_a_disk_that_is_not_mounted(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"film")
    assert os.path.ismount(find_disk(path))
    assert Path(find_disk(path)) in path.parents
    assert find_disk(Path("/proc/self/status")) == "/proc"
    (tmp_path / "link").symlink_to("/proc/self")
    assert find_disk(tmp_path / "link" / "status") == "/proc"
    assert not is_deleted(path, "/")
    path.unlink()
    assert is_deleted(path, "/")
    assert is_deleted(path, "")
    assert not is_deleted(path, str(tmp_path))  # a folder that was a mount point
    assert [is_mounted(disk) for disk in ("", "/proc", str(tmp_path))] == [True, True, False]
